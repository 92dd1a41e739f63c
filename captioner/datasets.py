"""Data sets of captioned photos, read from a path in whichever layout people keep them.

    path -> recognise -> entries (captioner.layouts) -> held against the disk -> splits

A data set is refused as a whole where any of its entries is bad, so that no score rests on part
of it unnoticed; `skip_bad` leaves the bad entries out and says so.
"""

import hashlib
import json
import logging
import os
import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from os.path import exists, isdir, isfile
from pathlib import Path
from typing import Any

from captioner import layouts
from captioner.errors import InputError
from captioner.files import write_json
from captioner.layouts import Entry, nfc

logger = logging.getLogger("captioner")

SPLITS = ("train", "val", "test")
TENTHS = {"val": 10, "test": 10}
KARPATHY = ("dataset_coco.json", "dataset_flickr8k.json", "dataset_flickr30k.json", "dataset.json")
TABLES = ("captions.csv", "captions.txt", "results.csv", "*.token.txt", "*.token")
ELSEWHERE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")
"""A name that leads out of its folder on any system: absolute, on a drive, or upwards."""

LAYOUTS = """\
  coco           images/ and captions_train.json, captions_val.json, captions_test.json
  coco-official  annotations/captions_train2017.json, captions_val2017.json, and train2017/,
                 val2017/ (or 2014); half of val becomes test
  karpathy       dataset_coco.json, dataset_flickr8k.json or dataset_flickr30k.json
  csv            captions.csv with the columns file, caption and, if you like, split
  flickr         captions.txt, results.csv or *.token.txt; Flickr8k's lists of photos, if any
  coco-file      the path of one file of captions in COCO's format"""


@dataclass(frozen=True)
class Photo:
    """One photo and what people wrote about it."""

    file: Path
    captions: tuple[str, ...]
    """As written: neither case nor spaces are touched."""
    image_id: int | str
    """COCO's id, else the file name as written; unique within a split."""
    facts: dict[str, Any] | None = None
    """What is truly in the picture, where the data set knows it (`scene` in COCO's `images`)."""


@dataclass(frozen=True)
class PhotoSet:
    """The photos of a data set, by split, each split in the order of its file names."""

    root: Path
    layout: str
    splits: dict[str, tuple[Photo, ...]]
    title: str
    """What it is called in records: the name of its folder."""

    def split(self, name: str) -> tuple[Photo, ...]:
        """The photos of one split; an InputError tells which splits there are."""
        if name not in self.splits:
            names = ", ".join(self.splits)
            raise InputError(f"{self.root} has no split {name!r}; choose among: {names}")
        return self.splits[name]

    def name(self, photo: Photo) -> str:
        """File name of a photo below the root, the same on every machine."""
        # removeprefix: relative_to takes seconds for the photos of COCO.
        return nfc(photo.file.as_posix().removeprefix(self.root.as_posix().rstrip("/") + "/"))

    def fingerprint(self) -> str:
        """SHA-256 over splits, file names and captions: neither the root nor the pixels count."""
        splits = self.splits.items()
        lines = [[split, self.name(p), p.captions] for split, photos in splits for p in photos]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def read_dataset(path: str | Path, *, seed: int = 0, skip_bad: bool = False) -> PhotoSet:
    """Read captioned photos, whichever of the known layouts they are kept in.

    `LAYOUTS` has their names. A folder that fits several is the first of them; the path of a data
    file picks that file. Splits that the data set does not name are drawn by photo, 80/10/10 (or
    official val in halves, see `divide`). Photos lie in images/ or another of
    `layouts.PHOTO_FOLDERS`. Links are followed; names with ../ are refused.

    Args:
        path: A folder or a data file.
        seed: Draws the splits that the data set does not name.
        skip_bad: Leave bad entries out with one warning. A photo in two splits stays in test,
            else in val.

    Raises:
        InputError: if no layout fits, a file is unusable, an entry is bad, or no photo is left.

    Example: ten photos that name no split.

        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> _ = [(root / f"{n}.jpg").touch() for n in range(10)]
        >>> _ = (root / "captions.csv").write_text("".join(f"{n}.jpg,A dog\\n" for n in range(10)))
        >>> {split: len(photos) for split, photos in read_dataset(root).splits.items()}
        {'train': 8, 'val': 1, 'test': 1}
    """
    path = Path(path)
    problems: list[str] = []
    layout, root, entries = _recognise(path, problems)
    checked = _check(root, entries, problems)
    first = "".join(f"\n  {problem}" for problem in problems[:5])
    if problems and not skip_bad:
        raise InputError(
            f"{path}: bad entries: {len(problems)}, the first of them:{first}\n"
            "Mend them, or leave them out with --skip-bad."
        )
    if not checked:
        raise InputError(f"{path} has no photo with a caption; put some in, or give another{first}")
    if problems:
        told = "; ".join(problems[:5])
        logger.warning("%s: left out bad entries: %d, first %s", path, len(problems), told)

    splits = [entry.split for entry, _ in checked]
    names = [nfc(entry.names[0]) for entry, _ in checked]
    if None in splits:
        splits = [*divide(names, seed)]
    elif layout == "coco-official" and "test" not in splits:
        val = [place for place, split in enumerate(splits) if split == "val"]
        halves = divide([names[place] for place in val], seed, {"test": 2}, rest="val")
        for place, half in zip(val, halves, strict=True):
            splits[place] = half
    members: dict[str | None, list[Photo]] = {split: [] for split in SPLITS}
    for (_, photo), split in zip(checked, splits, strict=True):
        members[split].append(photo)
    known = {split: tuple(members[split]) for split in SPLITS if members[split]}
    return PhotoSet(root, layout, known, root.resolve().name)


def divide(
    names: Sequence[str], seed: int, held_out: Mapping[str, int] = TENTHS, rest: str = "train"
) -> list[str]:
    """Draw the split of each photo from its name and the seed alone, whatever the order of names.

    Names are ranked by SHA-256 of seed and name, so a photo that joins later moves few others.

    Args:
        names: File name of each photo.
        seed: Another seed draws other splits.
        held_out: One photo in how many goes to each of these splits, and at least one
            where each split, `rest` too, can have one.
        rest: The split of all others.

    Example: of 25 photos, 25 // 10 each for val and test.

        >>> splits = divide([f"{n}.jpg" for n in range(25)], seed=0)
        >>> [splits.count(split) for split in ("train", "val", "test")]
        [21, 2, 2]
    """
    ranked = sorted(
        range(len(names)),
        key=lambda place: (hashlib.sha256(f"{seed}:{names[place]}".encode()).digest(), place),
    )
    splits = [rest] * len(names)
    if len(names) > len(held_out):
        for split, one_in in held_out.items():
            for _ in range(max(1, len(names) // one_in)):
                splits[ranked.pop()] = split
    return splits


def write_split(dataset: PhotoSet, file: Path) -> None:
    """Write which photo is in which split as JSON, whole or not at all."""
    members = {split: [dataset.name(p) for p in photos] for split, photos in dataset.splits.items()}
    write_json(file, members)


def _recognise(path: Path, problems: list[str]) -> tuple[str, Path, list[Entry]]:
    """Layout, root and entries of the data set at a path."""
    if not exists(path):
        raise InputError(f"{path} does not exist; check the spelling of the path to the data set")
    if isfile(path):
        return _read_file(path, path.parent, problems)

    # The annotations of both years often lie side by side, with the photos of one alone.
    parts = product(("", "images"), SPLITS, ("2017", "2014"))
    dated = {year for top, split, year in parts if isdir(path / top / f"{split}{year}")}
    years = sorted(("2017", "2014"), key=lambda year: year not in dated)
    for folder, year in (("", ""), *(("annotations", year) for year in years)):
        files = {split: path / folder / f"captions_{split}{year}.json" for split in SPLITS}
        found = [layouts.read_coco(f, s, problems) for s, f in files.items() if isfile(f)]
        if found:
            return "coco-official" if year else "coco", path, [*chain.from_iterable(found)]
    named = [path / name for name in KARPATHY if isfile(path / name)]
    if len(named) > 1:
        names = ", ".join(file.name for file in named)
        raise InputError(f"{path} holds several data sets: {names}; give the path of one of them")
    for folder, name in product(("", "Flickr8k_text"), TABLES):
        named += [f for f in sorted((path / folder).glob(name)) if "lemma" not in f.name]
    if not named:
        raise InputError(f"{path} holds no captions; looked for one of\n{LAYOUTS}")
    return _read_file(named[0], path, problems)


def _read_file(file: Path, root: Path, problems: list[str]) -> tuple[str, Path, list[Entry]]:
    """The same of a single data file, its photos below `root`."""
    if file.suffix.lower() in (".csv", ".txt", ".token"):
        layout = "csv" if file.name == "captions.csv" else "flickr"
        return layout, root, layouts.read_table(file, problems)
    if file.suffix.lower() != ".json":
        raise InputError(f"{file} is no file of captions; give one of\n{LAYOUTS}")
    (images,) = layouts.read_json(file, "images")
    if any(isinstance(image, dict) and "sentences" in image for image in images):
        return "karpathy", root, layouts.read_karpathy(file, problems)
    root = root.parent if root.name == "annotations" else root
    return "coco-file", root, layouts.read_coco(file, None, problems)


def _check(root: Path, entries: list[Entry], problems: list[str]) -> list[tuple[Entry, Photo]]:
    """The entries whose photo and captions are there, in the order of file names."""
    disk = _Disk(root)
    checked: dict[str, tuple[Entry, Photo]] = {}
    ids = set()
    named = any(entry.split for entry in entries)
    # Test first: a photo in two splits is then taken out of the one that is trained on.
    order = ("test", "val", "train", None)
    for entry in sorted(entries, key=lambda entry: order.index(entry.split)):
        where = f"{entry.source}: photo {entry.names[0]!r}"
        faults = [fault for caption in entry.captions if (fault := _text_fault(caption))]
        captions = tuple(c for c in entry.captions if not (faults and _text_fault(c)))
        problems += [f"{where} has a caption that {fault}" for fault in faults]
        elsewhere = any(ELSEWHERE.search(name) for name in entry.names)
        found = None if elsewhere else disk.find(entry)
        if elsewhere:
            problems.append(f"{where} lies outside the data set; put it inside and name it there")
        elif fault := _text_fault(entry.names[0]):
            problems.append(f"{where} has a name that {fault}")
        elif not entry.captions:
            problems.append(f"{where} has no caption")
        elif found is None:
            problems.append(f"{where} is missing; photos belong in images/ or beside the captions")
        elif named and entry.split is None:
            problems.append(f"{where} is in no split, but others are")
        elif found in checked and checked[found][0].split == entry.split:
            problems.append(f"{where} is listed twice")
        elif found in checked:
            problems.append(f"{where} is in two splits, {checked[found][0].split}, {entry.split}")
        elif (entry.split, entry.image_id) in ids:
            problems.append(f"{where} has the image id {entry.image_id!r} of another photo")
        elif captions:
            ids.add((entry.split, entry.image_id))
            checked[found] = entry, Photo(root / found, captions, entry.image_id, entry.facts)
    return [checked[found] for found in sorted(checked, key=nfc)]


def _text_fault(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate)"
    return None if text.strip() else "is blank"


class _Disk:
    """The files below a root. Each folder is listed once: a question per photo takes minutes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: dict[tuple[str, str], dict[str, str]] = {}

    def find(self, entry: Entry) -> str | None:
        """The photo of an entry, as a path below the root."""
        for name in entry.names:
            inner, _, last = name.replace("\\", "/").rpartition("/")
            for folder in entry.folders:
                if (folder, inner) not in self.listed:
                    self.listed[folder, inner] = self._list(posixpath.join(folder, inner))
                files = self.listed[folder, inner]
                if found := files.get(last) or files.get(nfc(last)):
                    return found
        return None

    def _list(self, folder: str) -> dict[str, str]:
        for spelling in (folder, nfc(folder), unicodedata.normalize("NFD", folder)):
            try:
                with os.scandir(self.root / spelling) as files:
                    kinds = {f.name: f.is_file(follow_symlinks=False) or isfile(f) for f in files}
            except (OSError, ValueError):
                continue
            names = [name for name, is_file in kinds.items() if is_file]
            paths = {name: posixpath.normpath(posixpath.join(spelling, name)) for name in names}
            return {nfc(name): path for name, path in paths.items()} | paths
        return {}
