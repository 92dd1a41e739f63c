"""A photo on its way in: file -> upright RGB picture -> normalised array."""

import glob
import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from captioner.config import Preprocessing
from captioner.errors import InputError

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif"}
)
MAX_PIXELS = 200_000_000
"""Larger pictures are refused: unpacked they would take more than half a gigabyte each."""

Source = str | Path | bytes | Image.Image | np.ndarray
"""What can be captioned: a path, the bytes of a file, a PIL image or an array (H, W[, 3])."""


def open_photo(source: Source, smallest: int | None = None) -> Image.Image:
    """The photo as an upright RGB picture with eight bits per channel.

    EXIF rotation is applied, transparency is laid on white, CMYK, palette, grey and 16-bit
    pictures are converted, and of an animation the first frame is taken.

    Args:
        source: Path, bytes, PIL image, or array of (H, W), (H, W, 3) or (H, W, 4): uint8 or
            uint16, or floats between 0 and 1.
        smallest: Side in pixels below which no side is needed; a large JPEG is then decoded at a
            reduced scale, which is several times faster.

    Raises:
        InputError: if it is no picture, is cut short or is too large; it names the file.
    """
    if isinstance(source, np.ndarray):
        return _upright_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        return _upright_rgb(source)
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with _without_warnings(), Image.open(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{name}: {image.width} x {image.height} pixels are too many "
                    f"(at most {MAX_PIXELS // 1_000_000} million); make it smaller first"
                )
            if smallest is not None:
                image.draft("RGB", (smallest, smallest))
            return _upright_rgb(image)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder, not a photo") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{name}: not a picture that can be read; save it as JPEG or PNG"
        ) from None
    except Image.DecompressionBombError:
        raise InputError(
            f"{name}: too many pixels (at most {MAX_PIXELS // 1_000_000} million); "
            "make it smaller first"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise InputError(
            f"{name}: the picture is damaged or cut short ({error}); fetch or save it again"
        ) from None


_threads_without_warnings = 0
_counting = threading.Lock()
_catcher = warnings.catch_warnings()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of large pictures and odd metadata; the limits here are our own.

    What Python ignores, it ignores in all threads: the first one that comes in switches warnings
    off, and the last one that leaves switches them on again. With `catch_warnings` in each thread
    they could stay off for good.
    """
    global _catcher, _threads_without_warnings
    with _counting:
        if not _threads_without_warnings:
            _catcher = warnings.catch_warnings()
            _catcher.__enter__()
            warnings.simplefilter("ignore")
        _threads_without_warnings += 1
    try:
        yield
    finally:
        with _counting:
            _threads_without_warnings -= 1
            if not _threads_without_warnings:
                _catcher.__exit__(None, None, None)


def _upright_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # A 16-bit PNG opens as I;16 or I; F holds what a scientific program wrote.
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(grey.max()), 1.0)
        return _from_array((grey / top).clip(0, 1)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    """An array as an 8-bit picture; its type tells its range.

    Guessing a range from the values gives every photo the same caption when it goes wrong, so
    what is ambiguous is refused.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InputError(
            f"an array of shape {array.shape} is not a photo; "
            "give (height, width), (height, width, 3) or (height, width, 4)"
        )
    if 0 in array.shape:
        raise InputError(f"an array of shape {array.shape} has no pixels")
    top = {"u1": 255, "u2": 65535, "f2": 1, "f4": 1, "f8": 1}.get(array.dtype.str[1:])
    if top is None:
        raise InputError(
            f"an array of {array.dtype} is ambiguous; give uint8 (0 to 255), uint16 (0 to 65535) "
            "or floats from 0 to 1"
        )
    if top == 1 and not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError("an array of floats must lie between 0 and 1; divide it by its range")
    if top == 255:
        return Image.fromarray(array)
    return Image.fromarray((array * (255 / top) + 0.5).astype(np.uint8))


def photo_array(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """What the CNN sees: (3, S, S) float32, normalised.

        array = (resized / 255 - mean) / std

    Args:
        image: Upright RGB picture, as `open_photo` gives it.
        preprocessing: Size, mean, std, interpolation, and whether the whole picture is squeezed
            into the square or its shorter side is fitted and the middle cut out.
    """
    size = preprocessing.size
    method = Image.Resampling[preprocessing.interpolation.upper()]
    if preprocessing.fit == "squeeze":
        image = image.resize((size, size), method)
    else:
        image = ImageOps.fit(image, (size, size), method)
    array = np.asarray(image, dtype=np.float32) / 255
    mean = np.asarray(preprocessing.mean, dtype=np.float32)
    std = np.asarray(preprocessing.std, dtype=np.float32)
    return np.ascontiguousarray(((array - mean) / std).transpose(2, 0, 1))


def check_preprocessing(preprocessing: Preprocessing) -> None:
    """Try it on a small picture.

    Raises:
        ValueError: if no photo can be brought to these numbers.
    """
    try:
        with np.errstate(all="raise"):
            photo_array(Image.new("RGB", (2, 2)), preprocessing)
    except (ArithmeticError, TypeError, MemoryError) as error:
        raise ValueError(f"unusable preprocessing: {error}") from error


def find_photos(names: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The photos that a person means by files, folders (searched recursively) and globs.

    A file that is named counts whatever its extension; in a folder only pictures do.

    Returns:
        The photos in order, each once; and a sentence for each name that fits nothing.
    """
    files: dict[Path, None] = {}
    problems = []
    for name in names:
        path = Path(name)
        found = [path]
        if path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if _is_picture(file)]
            if not found:
                problems.append(f"{name}: no pictures in this folder")
        elif not path.exists() and any(mark in name for mark in "*?["):
            found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]
            found = [file for file in found if file.is_file()]
            if not found:
                problems.append(f"{name}: fits no file")
        files.update(dict.fromkeys(found))
    return list(files), problems


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in EXTENSIONS and file.is_file()
