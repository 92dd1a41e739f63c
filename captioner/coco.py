"""A small COCO of your own: photos of COCO 2017, fetched one by one, and their captions."""

import json
import logging
import os
import random
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from captioner.errors import InputError

IMAGES_URL = "http://images.cocodataset.org"
"""No https: the certificate there names another host. The checksum below makes up for it."""
ANNOTATIONS_URL = f"{IMAGES_URL}/annotations/annotations_trainval2017.zip"
ANNOTATIONS_SIZE = 252_907_541
ANNOTATIONS_SHA256 = "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"
LARGEST_JSON = 1 << 30
"""Bytes; the captions of train2017 have 92 million. More is no list of captions."""
SOURCES = {"train": "train2017", "val": "train2017", "test": "val2017"}
"""Whoever trained on the official training photos has not seen the test photos."""

README = """# {images} photos of COCO 2017, with their captions

Made by `python data/prepare_coco.py {options}`: {counts}.
Training and validation photos are drawn from COCO's train2017, test photos from val2017.

Captions: COCO Consortium, Creative Commons Attribution 4.0 (https://cocodataset.org/#termsofuse).
Photos: from Flickr, each under the licence that its photographer chose. `captions_*.json` state it
for every photo (`license`, explained under `licenses`), with its address (`coco_url`).

Source: Lin et al. 2014, arXiv:1405.0312; Chen et al. 2015, arXiv:1504.00325.
`{archive}`, which the photos were chosen from, may be deleted.
"""

log = logging.getLogger("captioner")


def prepare_coco(
    output: Path = Path("data/coco"),
    images: int = 5000,
    seed: int = 0,
    val: int | None = None,
    test: int | None = None,
    connections: int = 8,
    images_url: str = IMAGES_URL,
    annotations_url: str = ANNOTATIONS_URL,
) -> Path:
    """Fetch part of COCO 2017: the captions (240 MB), then the chosen photos (some 160 kB each).

    Training and validation photos are drawn from train2017, test photos from val2017. After an
    interruption, the same command goes on where it was; what is there is not fetched again.

    Args:
        output: Folder to fill with `images/`, `captions_{train,val,test}.json` and `README.md`.
        images: Photos in all.
        seed: Of the draw; the same seed and numbers give the same photos.
        val: Photos for validation; a tenth unless given.
        test: Photos for the test, 5000 at most; a tenth unless given.
        connections: Photos on their way at the same time.
        images_url: Server with the folders train2017 and val2017.
        annotations_url: Zip file with the captions.

    Returns:
        `output`.

    Raises:
        InputError: if there are not so many photos, if the captions cannot be had or read, or if
            more than one photo in a hundred could not be fetched.
    """
    from captioner.download import Download, fetch, fetch_all  # a quarter of the time of --help

    sizes = count_splits(images, val, test)
    archive = output / (Path(urlsplit(annotations_url).path).name or "annotations.zip")
    known = annotations_url == ANNOTATIONS_URL
    size, sha256 = (ANNOTATIONS_SIZE, ANNOTATIONS_SHA256) if known else (None, None)
    fetch(annotations_url, archive, size=size, sha256=sha256, check=check_zip, progress="captions")
    sources = {name: read_captions(archive, name) for name in ("train2017", "val2017")}
    splits = choose(sources, sizes, seed)
    items = [
        Download(
            url=f"{images_url.rstrip('/')}/{SOURCES[split]}/{quote(image['file_name'])}",
            file=output / "images" / image["file_name"],
            check=partial(check_photo, width=image["width"], height=image["height"]),
        )
        for split, captions in splits.items()
        for image in captions["images"]
    ]
    if len({item.file for item in items}) < len(items):
        raise InputError(f"{archive}: two photos have the same file name; use other captions")
    failures = fetch_all(items, connections=connections, description="photos")
    report_failures({item.file.name: why for item, why in failures}, images)
    missing = {item.file.name for item, _ in failures}
    for split, captions in splits.items():
        had = {image["id"] for image in captions["images"] if image["file_name"] not in missing}
        splits[split] = select(captions, had)
    options = {"images": images, "seed": seed, "val": sizes["val"], "test": sizes["test"]}
    readme = README.format(
        images=images - len(missing),
        options=" ".join(f"--{name} {number}" for name, number in options.items()),
        counts=", ".join(f"{len(part['images'])} {split}" for split, part in splits.items()),
        archive=archive.name,
    )
    write_coco_folder(output, splits, readme)
    return output


def count_splits(images: int, val: int | None = None, test: int | None = None) -> dict[str, int]:
    """Photos in each split: a tenth of them, and at least one, to validate on and for the test.

    Args:
        images: Photos in all.
        val: Photos for validation, if not a tenth.
        test: Photos for the test, if not a tenth; val2017 has no more than 5000.

    Raises:
        InputError: if none is left to train on.

    Example:

        >>> count_splits(50), count_splits(50, val=0, test=20)
        ({'train': 40, 'val': 5, 'test': 5}, {'train': 30, 'val': 0, 'test': 20})
    """
    val = max(1, images // 10) if val is None else val
    test = min(max(1, images // 10), 5000) if test is None else test
    train = images - val - test
    if train < 1 or val < 0 or test < 0:
        raise InputError(
            f"{images} photos with {val} for validation and {test} for the test leave {train} to "
            "train on: ask for more with --images, or change --val and --test"
        )
    return {"train": train, "val": val, "test": test}


def check_zip(file: Path) -> None:
    """Raise ValueError unless it is a whole zip file with the captions in it."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"it is no whole zip file ({error})") from error
    for source in ("train2017", "val2017"):
        if (member := f"annotations/captions_{source}.json") not in names:
            raise ValueError(f"it holds no {member}")


def check_photo(file: Path, width: int, height: int) -> None:
    """Raise ValueError unless it is a whole JPEG of that size in pixels."""
    found = read_jpeg_size(file.read_bytes())
    if found != (width, height):
        raise ValueError(f"the photo has {found} pixels instead of {(width, height)}")


def read_jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, in pixels; ValueError unless it is whole.

    A JPEG ends with the marker FF D9. Some cameras write more behind it: only such a photo is
    decoded to find out whether it is whole, for that takes a hundred times as long.
    """
    from PIL import Image

    if not data.startswith(b"\xff\xd8"):
        raise ValueError("it is no JPEG")
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as photo:
            if not data.endswith(b"\xff\xd9"):
                photo.load()
            return photo.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it is no whole JPEG ({error})") from error


def read_captions(archive: Path, source: str) -> dict[str, Any]:
    """COCO's captions of one source ("train2017"), read out of the zip file and looked through.

    Raises:
        InputError: if they are cut, damaged, or anything but COCO captions.
    """
    member = f"annotations/captions_{source}.json"
    remedy = f"{archive}: delete this file and run the same command again"
    try:
        with zipfile.ZipFile(archive) as opened:
            if (size := opened.getinfo(member).file_size) > LARGEST_JSON:
                raise InputError(f"{remedy}: {member} claims {size} bytes, too many for captions")
            captions = json.loads(opened.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValueError) as error:
        # RuntimeError: a password, or (as NotImplementedError) an unknown compression.
        raise InputError(f"{remedy}: {member} cannot be read ({error})") from error
    try:
        for image in captions["images"]:
            # A name with a folder in it would be written outside `images/`.
            if not re.fullmatch(r"[\w.-]+\.jpg", image["file_name"]):
                raise TypeError(f"the photo's name {image['file_name']!r}")
            if not all(type(image[key]) is int for key in ("id", "width", "height")):
                raise TypeError(f"id, width or height of {image['file_name']}")
        for entry in captions["annotations"]:
            if not isinstance(entry["caption"], str) or type(entry["image_id"]) is not int:
                raise TypeError(f"the caption {entry['caption']!r}")
    except (KeyError, TypeError) as error:
        raise InputError(f"{remedy}: {member} does not hold COCO captions ({error!r})") from error
    return captions


def choose(
    sources: Mapping[str, dict[str, Any]], sizes: Mapping[str, int], seed: int
) -> dict[str, dict[str, Any]]:
    """Draw the photos of each split, photo by photo, with all their captions.

    Each source is shuffled once with the seed; train takes its photos from the front and val from
    the back. So with the same seed, more photos are the former ones and others besides.

    Args:
        sources: Captions of train2017 and of val2017.
        sizes: Photos in each split.
        seed: Of `random.Random`.

    Raises:
        InputError: if there are not so many photos with captions.
    """
    drawn = {}
    for name, captions in sources.items():
        captioned = {annotation["image_id"] for annotation in captions["annotations"]}
        drawn[name] = sorted({image["id"] for image in captions["images"]} & captioned)
        random.Random(seed).shuffle(drawn[name])
    for_train, for_test = drawn["train2017"], drawn["val2017"]
    if sizes["train"] + sizes["val"] > len(for_train) or sizes["test"] > len(for_test):
        raise InputError(
            f"there are {len(for_train)} photos to train and validate on and {len(for_test)} for "
            f"the test, not {sizes['train'] + sizes['val']} and {sizes['test']}: ask for fewer"
        )
    orders = {"train": for_train, "val": for_train[::-1], "test": for_test}
    return {
        split: select(sources[SOURCES[split]], orders[split][:size])
        for split, size in sizes.items()
        if size
    }


def select(captions: dict[str, Any], ids: Collection[int]) -> dict[str, Any]:
    """The part of COCO's captions that is about some photos, every entry kept as it was.

    Example:

        >>> captions = {"images": [{"id": 1}, {"id": 2}], "annotations": [{"image_id": 2}]}
        >>> select(captions, [2])
        {'images': [{'id': 2}], 'annotations': [{'image_id': 2}]}
    """
    wanted = set(ids)
    images = [image for image in captions["images"] if image["id"] in wanted]
    annotations = [entry for entry in captions["annotations"] if entry["image_id"] in wanted]
    return {**captions, "images": images, "annotations": annotations}


def report_failures(failures: Mapping[str, str], images: int) -> None:
    """Say which photos were not to be had; InputError if they are more than one in a hundred.

    One photo is always forgiven: of 50, it is more than one in a hundred already.
    """
    told = [f"  {name}: {why}" for name, why in list(failures.items())[:5]]
    if len(failures) > 5:
        told.append(f"  and {', '.join(list(failures)[5:])}")
    if len(failures) > max(1, images // 100):
        raise InputError(
            f"{len(failures)} of {images} photos could not be fetched; the others are kept. "
            "Run the same command again to try for the rest:\n" + "\n".join(told)
        )
    if failures:
        log.warning("%d photos left out, not to be had:\n%s", len(failures), "\n".join(told))


def write_coco_folder(output: Path, splits: Mapping[str, dict[str, Any]], readme: str) -> None:
    """Write `captions_{train,val,test}.json` and `README.md`, each in one stroke."""
    try:
        for split in ("train", "val", "test"):
            file = output / f"captions_{split}.json"
            if split in splits:
                write_text(file, json.dumps(splits[split], ensure_ascii=False))
            else:
                # One left from an earlier draw would share photos with this draw.
                file.unlink(missing_ok=True)
        write_text(output / "README.md", readme)
    except OSError as error:
        raise InputError(
            f"cannot write to {output}: {error.strerror}. Make room or choose another folder"
        ) from error


def write_text(file: Path, text: str) -> None:
    """Write a whole file or nothing: under another name first, then renamed."""
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, file)
