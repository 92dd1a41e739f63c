"""A photo as it came in -> what the CNN sees, or why not."""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from captioner.config import Preprocessing
from captioner.errors import InputError
from captioner.images import open_photo, photo_array
from captioner.serving.limits import Limits, RefusedError

Image.init()
FORMATS = [*{"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"} & {*Image.OPEN}]
"""Kinds of pictures that are opened. Pillow knows more of them, some of which start programs."""


@dataclass(frozen=True)
class Photo:
    """A file that somebody sent, or that a link led to."""

    name: str
    data: bytes


def load(data: bytes, preprocessing: Preprocessing, limits: Limits) -> Float[np.ndarray, "3 S S"]:
    """What the CNN sees of a photo; large JPEGs are decoded at a reduced scale.

    Raises:
        RefusedError: 413 too large, 415 not a picture, 422 damaged.
    """
    kind_of(data, limits)
    try:
        return photo_array(open_photo(data, preprocessing.size), preprocessing)
    except InputError as error:
        raise RefusedError(422, str(error).removeprefix("the given bytes: ")) from None


def kind_of(data: bytes, limits: Limits) -> str:
    """What kind of picture it is, by its first bytes, and that it is not too large.

    Returns:
        One of `FORMATS`, or MPO, which is several JPEGs in one file.

    Raises:
        RefusedError: 413 too large, 415 not a picture.
    """
    if len(data) > limits.photo_bytes:
        raise RefusedError(
            413,
            f"{len(data) / 1e6:.1f} MB are too many (at most {limits.max_megabytes:g}); "
            "make the photo smaller first",
        )
    too_many = (
        f"too many pixels (at most {limits.max_megapixels:g} million); make the photo smaller first"
    )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > limits.max_megapixels * 1e6:
                raise RefusedError(413, too_many)
            return str(image.format)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedError(413, too_many) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError):
        # Pillow's many readers fail in many ways on what is not theirs.
        raise RefusedError(415, "not a picture that can be read; save it as JPEG or PNG") from None
