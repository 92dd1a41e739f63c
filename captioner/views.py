"""The same photo seen otherwise, mirrored or in part: more to learn from, with no photo more."""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from captioner.vocabulary import tokenise

SIDED = {"left", "right"}
"""Words that a mirrored photo would make untrue."""
SMALLEST = 0.75
"""Share of the photo's area that a view shows at least."""
SLANT = 1.1
"""How much wider, or higher, a view may be than the photo."""


class View(NamedTuple):
    """What is seen of a photo: a part of it, in shares of its sides, and whether in a mirror."""

    left: float = 0.0
    upper: float = 0.0
    right: float = 1.0
    lower: float = 1.0
    mirrored: bool = False

    def of(self, photo: Image.Image) -> Image.Image:
        """The part of the photo."""
        width, height = photo.size
        left, right = round(self.left * width), round(self.right * width)
        upper, lower = round(self.upper * height), round(self.lower * height)
        part = photo.crop((left, upper, right, lower))
        return ImageOps.mirror(part) if self.mirrored else part


WHOLE = View()


def draw_view(lot: np.random.Generator, may_mirror: bool) -> View:
    """A part of three quarters of the photo at least, mirrored every other time.

    Crops and flips as by Krizhevsky et al. 2012 (ImageNet classification with deep convolutional
    neural networks, section 4.1); larger parts than theirs, since a caption tells of the whole.

    Args:
        lot: Random numbers; five are drawn, whatever comes of them.
        may_mirror: Whether the captions are still true in a mirror.
    """
    area, slant, across, down, mirror = lot.random(5).tolist()
    side = (SMALLEST + (1 - SMALLEST) * area) ** 0.5
    stretch = SLANT ** (slant - 0.5)
    width, height = min(1.0, side * stretch), min(1.0, side / stretch)
    left, upper = across * (1 - width), down * (1 - height)
    return View(left, upper, left + width, upper + height, may_mirror and mirror < 0.5)


def fixed_view(file: Path, number: int, may_mirror: bool) -> View:
    """One of the views of a photo that are kept: 0 is the whole of it, 1 the same mirrored.

    The others are drawn by the file's name and the view's number, in every run alike.

    >>> fixed_view(Path("dog.jpg"), 0, True), fixed_view(Path("dog.jpg"), 1, True).mirrored
    (View(left=0.0, upper=0.0, right=1.0, lower=1.0, mirrored=False), True)
    """
    if number < 2:
        return View(mirrored=number == 1 and may_mirror)
    lot = np.random.default_rng([number, zlib.crc32(file.name.encode())])
    return draw_view(lot, may_mirror)


PART = 0.88
"""Share of the sides that a part of the photo has, where it is looked at several times."""


def several_views(number: int) -> list[View]:
    """Views of one photo whose captions are made together: the same for every photo.

    The whole and four parts, one in each corner, and their mirror images. As the ten patches of
    Krizhevsky et al. 2012 (section 4.1), of which their network averaged what it made of each; the
    whole stands where theirs had the centre, since a caption tells of the whole.

    Args:
        number: How many of them, from 1 to 10: both wholes come first, then the corners, then their
            mirror images.

    >>> [view.mirrored for view in several_views(3)]
    [False, True, False]
    """
    near, far = (0.0, PART), (1 - PART, 1.0)
    corners = [View(x[0], y[0], x[1], y[1]) for y in (near, far) for x in (near, far)]
    mirrored = [view._replace(mirrored=True) for view in (WHOLE, *corners)]
    return [WHOLE, mirrored[0], *corners, *mirrored[1:]][:number]


def may_mirror(captions: Iterable[str]) -> bool:
    """Whether captions say nothing of left and right.

    >>> may_mirror(["a dog runs"]), may_mirror(["a dog runs", "The dog on the left."])
    (True, False)
    """
    return not any(SIDED & {*tokenise(caption)} for caption in captions)
