"""Readers of each way in which captions are kept: COCO, Karpathy, Flickr, a CSV file.

A reader turns data files into `Entry`s and looks at no photo: `captioner.datasets` picks the reader
for a path and holds the entries against the disk. A fault of a whole file is raised at once; faults
of single entries are added to `problems`, so that one run tells them all.

Sources: COCO captions (Chen et al. 2015, arXiv:1504.00325), the splits of Karpathy and Fei-Fei
(2015, arXiv:1412.2306), Flickr8k (Hodosh et al. 2013), Flickr30k (Young et al. 2014).
"""

import contextlib
import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from captioner.errors import InputError

SPLIT_OF = {word: word for word in ("train", "val", "test")} | {
    "training": "train", "restval": "train", "dev": "val", "valid": "val", "validation": "val",
    "testing": "test",
}  # fmt: skip
"""The split that each word for one means; Karpathy's `restval` is trained on."""

PHOTO_FOLDERS = (
    "images", "Images", "photos", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr8k_images",
    "flickr30k_images", "flickr30k-images", "",
)  # fmt: skip
"""Folders that may hold the photos, in the order of looking; the last is the data set's own."""

FILE_COLUMNS = {"file", "file_name", "filename", "image", "image_name", "image_path", "photo"}
CAPTION_COLUMNS = {"caption", "comment", "text"}
PHOTO_SUFFIX = re.compile(r".+\.(jpe?g|png|webp|gif|bmp|tiff?|avif|ppm)", re.IGNORECASE)

TOKENS = re.compile(r"(.+?)#\d+\t(.*)")
"""A line of Flickr8k.token.txt and results_20130124.token."""
PIPES_HEADER = re.compile(r"image_name\s*\|")
PIPES = re.compile(r"(.+?)\|\s*\d+\s*\|?\s*(.*)")
"""A line of Flickr30k's results.csv, one of which (2199200615.jpg, 4) lacks its second bar."""

Row = tuple[str, str, str | None]  # photo, caption, split


ID, TEXT, LIST = (int, str), (str,), (list,)


@dataclass(frozen=True)
class Entry:
    """One photo as the data files tell of it; nothing is checked against the disk yet."""

    names: tuple[str, ...]
    """The photo file as written, then other places worth a look, all below one of `folders`."""
    captions: list[str]
    split: str | None
    """None where the data set names no split."""
    image_id: int | str
    source: Path
    """The data file that tells of it."""
    folders: tuple[str, ...] = PHOTO_FOLDERS
    facts: dict[str, Any] | None = None


def nfc(text: str) -> str:
    """One spelling for é, which some disks and programs write as e and an accent."""
    return unicodedata.normalize("NFC", text)


def read_text(file: Path) -> str:
    """The text of a data file, which must be UTF-8, with or without a byte order mark."""
    try:
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        text = content.decode()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}; check its rights") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file} is not UTF-8 text: byte 0x{content[error.start]:02x} in line {line}; "
            "save the file again with the encoding UTF-8"
        ) from error
    if not text.strip():
        raise InputError(f"{file} is empty; fetch it or write it again")
    return text


def read_json(file: Path, *sections: str) -> list[list[Any]]:
    """The lists that a JSON file holds under the names `sections`."""
    try:
        data = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}; "
            "mend that line, or fetch the file again if it was cut short"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no usable JSON: {error}; fetch it again") from error
    for section in sections:
        if not isinstance(data, dict) or not isinstance(data.get(section), list):
            raise InputError(
                f"{file} is not a JSON object with a list {section!r}; "
                "give a file of captions in COCO's or Karpathy's format"
            )
    return [data[section] for section in sections]


def _sound(
    items: list[Any], where: str, problems: list[str], **fields: tuple[type, ...]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and value of the items that are objects with these fields; the others are problems."""
    for number, item in enumerate(items):
        for key, kinds in fields.items():
            # isinstance would let true pass for the number 1.
            if not isinstance(item, dict) or type(item.get(key)) not in kinds:
                wanted = " or ".join(kind.__name__ for kind in kinds)
                problems.append(f"{where}[{number}] is not an object with {key!r} of type {wanted}")
                break
        else:
            yield number, item


def read_coco(file: Path, split: str | None, problems: list[str]) -> list[Entry]:
    """Read a file of captions in COCO's format."""
    images, annotations = read_json(file, "images", "annotations")
    part = file.stem.removeprefix("captions_")  # train2017, a folder of the official COCO
    folders = (part, f"images/{part}", *PHOTO_FOLDERS)
    known: dict[int | str, dict[str, Any]] = {}
    unclear = set()
    for _, image in _sound(images, f"{file}: images", problems, id=ID, file_name=TEXT):
        first = known.setdefault(image["id"], image)
        if first is not image:
            names = f"{first['file_name']!r} and {image['file_name']!r}"
            problems.append(f"{file}: image id {image['id']!r} stands twice, for {names}")
            if first["file_name"] != image["file_name"]:
                unclear.add(image["id"])  # nobody can tell whose captions these are
    captions = []
    where = f"{file}: annotations"
    for number, annotation in _sound(annotations, where, problems, image_id=ID, caption=TEXT):
        if annotation["image_id"] in known:
            annotation["id"] = number  # some files lack it, and nothing here refers to it
            captions.append(annotation)
        else:
            problems.append(
                f"{where}[{number}] is a caption of image id {annotation['image_id']!r}, "
                "which is not among the images"
            )

    from pycocotools.coco import COCO

    # COCO(file) would open the file in the system's encoding and trust its shape.
    coco = COCO()
    coco.dataset = {"images": list(known.values()), "annotations": captions}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return [
        Entry(
            names=(image["file_name"],),
            captions=[annotation["caption"] for annotation in coco.imgToAnns[image_id]],
            split=split,
            image_id=image_id,
            source=file,
            folders=folders,
            facts=image["scene"] if isinstance(image.get("scene"), dict) else None,
        )
        for image_id, image in coco.imgs.items()
        if image_id not in unclear
    ]


def read_karpathy(file: Path, problems: list[str]) -> list[Entry]:
    """Read Karpathy's dataset_coco.json, dataset_flickr8k.json or dataset_flickr30k.json."""
    entries = []
    (images,) = read_json(file, "images")
    where = f"{file}: images"
    for number, image in _sound(images, where, problems, filename=TEXT, split=TEXT, sentences=LIST):
        name = image["filename"]
        sentences = _sound(image["sentences"], f"{where}[{number}].sentences", problems, raw=TEXT)
        captions = [sentence["raw"] for _, sentence in sentences]
        if image["split"] not in SPLIT_OF:
            problems.append(f"{where}[{number}] ({name}) has the unknown split {image['split']!r}")
            continue
        inner, cocoid = image.get("filepath"), image.get("cocoid")
        entries.append(
            Entry(
                # COCO's photos may lie in train2014/ and val2014/ or all in one folder.
                names=(f"{inner}/{name}", name) if inner else (name,),
                captions=captions,
                split=SPLIT_OF[image["split"]],
                image_id=cocoid if isinstance(cocoid, int | str) else name,
                source=file,
            )
        )
    return entries


def read_table(file: Path, problems: list[str]) -> list[Entry]:
    """Read a file with one caption per line: CSV, or one of the forms of Flickr8k and Flickr30k.

    Where the table names no splits, Flickr8k's lists of photos beside it do, and a photo in none
    of them is left out, as its authors do (91 of 8,091).
    """
    text = read_text(file)
    first = text.lstrip().partition("\n")[0]
    if PIPES_HEADER.match(first) or PIPES.match(first):
        rows = _line_rows(file, text, PIPES, problems)
    elif TOKENS.match(first):
        rows = _line_rows(file, text, TOKENS, problems)
    else:
        rows = _csv_rows(file, text, problems)
    entries: dict[tuple[str, str | None], Entry] = {}
    for name, caption, split in rows:
        # Rows that spell é in two ways mean one photo.
        entry = Entry((name,), [], split, name, file)
        entries.setdefault((nfc(name), split), entry).captions.append(caption)

    if any(split for _, split in entries):
        return list(entries.values())

    listed = []
    for word, split in (("train", "train"), ("dev", "val"), ("test", "test")):
        for folder in (file.parent, file.parent / "Flickr8k_text"):
            for names in folder.glob(f"*{word}Images.txt"):
                for name in filter(None, map(str.strip, read_text(names).splitlines())):
                    if (nfc(name), None) in entries:
                        listed.append(replace(entries[nfc(name), None], split=split))
                    else:
                        problems.append(f"{names}: {name} has no captions in {file.name}")
    return listed or list(entries.values())


def _line_rows(
    file: Path, text: str, grammar: re.Pattern[str], problems: list[str]
) -> Iterator[Row]:
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if match := grammar.fullmatch(line.rstrip("\n")):
            yield match[1].strip(), match[2], None
        elif line.strip() and not PIPES_HEADER.match(line):
            problems.append(f"{file}: line {number} names no photo and caption like the first line")


def _csv_rows(file: Path, text: str, problems: list[str]) -> Iterator[Row]:
    # Spreadsheets write a semicolon or a tab where the comma is the decimal point.
    mark = re.match(r'\s*(?:"(?:[^"]|"")*"|[^,;\t|]*)([,;\t|])', text)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=mark[1] if mark else ",",
        skipinitialspace=True,
        strict=True,
    )
    columns: list[int | None] = []
    width = 0
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns, width = _columns(file, row), len(row)
                if not PHOTO_SUFFIX.fullmatch(row[0].strip()):
                    continue
            if len(row) != width:
                problems.append(
                    f"{file}: line {reader.line_num} has {len(row)} columns, not {width}; "
                    "a caption with a comma in it needs double quotes around it"
                )
                continue
            name, caption, word = ("" if at is None else row[at] for at in columns)
            word = word.strip().lower()
            if word and word not in SPLIT_OF:
                problems.append(
                    f"{file}: line {reader.line_num} has the unknown split {word!r}, "
                    "not train, val or test"
                )
                continue
            yield name.strip(), caption, SPLIT_OF.get(word)
    except csv.Error as error:
        raise InputError(
            f"{file} is no valid CSV in line {reader.line_num}: {error}; "
            'close every quote, and write a quote within quotes twice: ""'
        ) from error


def _columns(file: Path, row: list[str]) -> list[int | None]:
    """Where the first row puts the photo, the caption and the split."""
    if PHOTO_SUFFIX.fullmatch(row[0].strip()) and len(row) in (2, 3):
        return [0, 1, 2 if len(row) == 3 else None]
    heads = [cell.strip().lower().replace(" ", "_") for cell in row]
    places = [
        next((at for at, head in enumerate(heads) if head in wanted), None)
        for wanted in (FILE_COLUMNS, CAPTION_COLUMNS, {"split"})
    ]
    if None in places[:2]:
        raise InputError(
            f"{file} has the columns {', '.join(row)!r} in its first line; "
            "name them file, caption and, if you like, split"
        )
    return places
