"""COCO's files of results and of captions: what does not fit is told, not guessed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from captioner.errors import InputError
from captioner.files import read_json

SHOWN = 3
"""Photos that an error names."""

PhotoId = int | str


class Pairs(NamedTuple):
    """Captions beside what people wrote, in the order of the references."""

    photos: tuple[PhotoId, ...]
    captions: list[str]
    references: list[list[str]]


def read_captions(file: Path) -> dict[PhotoId, str]:
    """The captions of a results file by photo.

    Raises:
        InputError: if it cannot be read, is empty, or has an entry without photo or caption, or two
            captions for one photo. A caption of no words is one that scores nothing.
    """
    value = read_json(file, 'results: a list of {"image_id": ..., "caption": ...}')
    if not isinstance(value, list):
        raise InputError(f'{file}: not a list of {{"image_id": ..., "caption": ...}}')
    captions: dict[PhotoId, str] = {}
    for number, entry in enumerate(value, start=1):
        photo, caption = _entry(entry, f"{file}: entry {number}")
        if photo in captions:
            raise InputError(
                f"{file}: photo {photo} has two captions (the second is entry {number}); leave one"
            )
        captions[photo] = caption
    if not captions:
        raise InputError(f"{file}: has no captions")
    return captions


def read_references(file: Path) -> dict[PhotoId, list[str]]:
    """What people wrote, by photo, in the order of the file's photos.

    Raises:
        InputError: if it cannot be read, has no captions, or a caption without photo or text.
    """
    value = read_json(file, "captions in COCO's format")
    told = value.get("annotations") if isinstance(value, dict) else None
    if not isinstance(told, list):
        raise InputError(f'{file}: has no list "annotations"; give captions in COCO\'s format')
    images = value.get("images")
    known = images if isinstance(images, list) else []
    ids = [image.get("id") for image in known if isinstance(image, dict)]
    references: dict[PhotoId, list[str]] = {i: [] for i in ids if isinstance(i, int | str)}
    for number, entry in enumerate(told, start=1):
        photo, caption = _entry(entry, f"{file}: annotation {number}")
        references.setdefault(photo, []).append(caption)
    references = {photo: captions for photo, captions in references.items() if captions}
    if not references:
        raise InputError(f"{file}: has no captions")
    return references


def pair_up(
    captions: Mapping[PhotoId, str],
    references: Mapping[PhotoId, Sequence[str]],
    partial: bool,
    file: Path,
    source: Path,
) -> Pairs:
    """Each caption beside what people wrote about its photo.

    Args:
        captions: Of `read_captions`.
        references: Of `read_references`.
        partial: Whether photos without a caption are left out.
        file: That of the captions, for errors.
        source: That of the references.

    Raises:
        InputError: if a caption is of a photo that the references lack, or a photo has none.

    Example:

        >>> pair_up({2: "a cat"}, {1: ["a dog"], 2: ["one cat"]}, True, Path("a"), Path("b"))
        Pairs(photos=(2,), captions=['a cat'], references=[['one cat']])
    """
    strange = [photo for photo in captions if photo not in references]
    if strange:
        texts = {str(photo) for photo in references}
        alike = all(str(photo) in texts for photo in strange)
        remedy = (
            "it has them, but as texts where here are numbers, or the reverse; write them alike"
            if alike
            else "give the captions of the same photos"
        )
        raise InputError(
            f"{file}: {len(strange)} of {len(captions)} captions are of photos that {source} does "
            f"not have ({_some(strange)}); {remedy}"
        )
    lacking = [photo for photo in references if photo not in captions]
    if lacking and not partial:
        raise InputError(
            f"{file}: {len(lacking)} of {len(references)} photos of {source} have no caption "
            f"({_some(lacking)}); --partial scores the others alone"
        )
    photos = tuple(photo for photo in references if photo in captions)
    return Pairs(
        photos,
        [captions[photo] for photo in photos],
        [list(references[photo]) for photo in photos],
    )


def _entry(entry: Any, place: str) -> tuple[PhotoId, str]:
    if not isinstance(entry, dict):
        raise InputError(f"{place} is no object with image_id and caption")
    photo, caption = entry.get("image_id"), entry.get("caption")
    if not isinstance(photo, int | str) or isinstance(photo, bool):
        raise InputError(f"{place} has no image_id (a whole number or a text)")
    if not isinstance(caption, str):
        raise InputError(f"{place}, photo {photo}, has no caption (a text)")
    return photo, caption


def _some(photos: Sequence[PhotoId]) -> str:
    more = ", …" if len(photos) > SHOWN else ""
    return ", ".join(map(str, photos[:SHOWN])) + more
