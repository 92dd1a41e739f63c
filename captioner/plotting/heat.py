"""Where a decoder looked, as a heat map over the photo."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from captioner.plotting.colours import Colour

STOPS: tuple[Colour, ...] = (
    (0, 0, 4),
    (87, 16, 110),
    (188, 55, 84),
    (249, 142, 9),
    (252, 255, 164),
)
"""Colours of 0, 1/4, ... 1: dark to light, also for those who see no red or green (they follow
matplotlib's inferno)."""
COVER = 0.55
"""How much of the photo the colours cover."""


def heat(share: float) -> Colour:
    """The colour of a share from 0 to 1; what lies beyond has the colour of the end.

    >>> heat(0.0), heat(0.125), heat(1.5)
    ((0, 0, 4), (44, 8, 57), (252, 255, 164))
    """
    place = min(1.0, max(0.0, share)) * (len(STOPS) - 1)
    first = min(int(place), len(STOPS) - 2)
    part = place - first
    red, green, blue = (
        round(low + (high - low) * part)
        for low, high in zip(STOPS[first], STOPS[first + 1], strict=True)
    )
    return red, green, blue


def seen_part(width: int, height: int, fit: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what the CNN saw of a photo of this size.

    Args:
        width, height: In pixels.
        fit: squeeze: all of it. crop: its middle square.

    >>> seen_part(300, 200, "squeeze"), seen_part(300, 200, "crop")
    ((0, 0, 300, 200), (50, 0, 250, 200))
    """
    if fit == "squeeze":
        return 0, 0, width, height
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def heat_map(
    photo: Image.Image,
    attention: np.ndarray,
    scale: tuple[float, float],
    fit: str = "squeeze",
) -> Image.Image:
    """A photo with attention over it: dark where the decoder looked little, light where much.

    Args:
        photo: Upright RGB picture.
        attention: Of each place (rows, columns) of what the CNN saw, 0 or more.
        scale: The attention that is darkest, and the lightest; the same for all words of a caption,
            as of `attention_scale`, lets them be compared.
        fit: What the CNN saw, as of `seen_part`.
    """
    low, high = scale
    shares = (attention - low) / (high - low if high > low else 1)
    colours = [heat(share) for share in shares.ravel().tolist()]
    grid = Image.fromarray(np.array(colours, dtype=np.uint8).reshape(*shares.shape, 3))
    left, top, right, bottom = seen_part(*photo.size, fit)
    cover = Image.new("RGB", photo.size, STOPS[0])
    size = (max(1, right - left), max(1, bottom - top))  # of a line of pixels, too
    cover.paste(grid.resize(size, Image.Resampling.BICUBIC), (left, top))
    return Image.blend(photo, cover, COVER)


def attention_scale(attention: Sequence[np.ndarray]) -> tuple[float, float]:
    """The least and the greatest attention to a place, of all words of a caption.

    >>> attention_scale([np.array([[0.1, 0.4]]), np.array([[0.2, 0.3]])])
    (0.1, 0.4)
    """
    return min(float(part.min()) for part in attention), max(
        float(part.max()) for part in attention
    )
