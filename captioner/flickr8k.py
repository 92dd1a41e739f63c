"""Flickr8k as people have it, folders or zip files, arranged as a COCO folder."""

import csv
import logging
import os
import random
import zipfile
import zlib
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath

from captioner.coco import read_jpeg_size, write_coco_folder
from captioner.errors import InputError

LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
KINDS = (".jpg", ".txt")
CAPTIONS = ("Flickr8k.token.txt", "captions.txt")
INFO = {"description": "Flickr8k captions", "year": 2013}
LARGEST_MEMBER = 1 << 27
"""Bytes of one file in a zip file; no photo or list of Flickr8k has a hundredth of it."""

README = """# Flickr8k: {counts}

Made by `python data/prepare_flickr8k.py {source}`, split {split}.

Source: Hodosh, Young and Hockenmaier 2013, Framing Image Description as a Ranking Task,
https://doi.org/10.1613/jair.3994. Captions and photos are for research and education only; the
photos belong to the people who put them on Flickr. The photos may be hard links to the files they
were arranged from: a change to one changes both.
"""

log = logging.getLogger("captioner")


@dataclass(frozen=True)
class Found:
    """A file of the user's copy, on disk or in a zip file."""

    file: Path
    archive: zipfile.ZipFile | None = None
    member: str = ""

    def read(self) -> bytes:
        """The bytes; InputError if a zip file does not give them whole."""
        if self.archive is None:
            return self.file.read_bytes()
        try:
            if self.archive.getinfo(self.member).file_size > LARGEST_MEMBER:
                raise InputError(f"{self.file}: {self.member} is too large for Flickr8k")
            return self.archive.read(self.member)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            message = f"{self.file}: {self.member} cannot be read ({error}). Get this file again"
            raise InputError(message) from error

    def place(self, data: bytes, target: Path) -> None:
        """Put the file, whose bytes are `data`, at `target`: as a hard link where that can be."""
        if target.exists() and target.stat().st_size == len(data):
            return
        unfinished = target.with_name(target.name + ".part")
        unfinished.unlink(missing_ok=True)
        with suppress(OSError):  # another disk, or one that knows no links
            if self.archive is None:
                os.link(self.file.resolve(), unfinished)
        if not unfinished.exists():
            unfinished.write_bytes(data)
        os.replace(unfinished, target)


def prepare_flickr8k(source: Path, output: Path = Path("data/flickr8k")) -> Path:
    """Arrange your copy of Flickr8k as a COCO folder, with the official split where it is there.

    Args:
        source: Folder, or zip file, in which the photos and the captions are somewhere.
        output: Folder to fill with `images/`, `captions_{train,val,test}.json` and `README.md`.

    Returns:
        `output`.

    Raises:
        InputError: if captions or photos are missing or cannot be read, if only some of the lists
            of the official split are there, or if `output` cannot be written.
    """
    try:
        with ExitStack() as archives:
            _arrange(source, output, find_files(source, output, archives))
    except OSError as error:
        reason = f"{error.filename or output}: {error.strerror or error}"
        raise InputError(f"{reason}. Check who may read it, and the room in {output}") from error
    return output


def _arrange(source: Path, output: Path, found: Mapping[str, Found]) -> None:
    captions = read_captions(found, source)
    lists = read_lists(found, source)
    _report("captioned photos that are not there", captions.keys() - found.keys())
    names = captions.keys() & found.keys()
    if lists is not None:
        listed = set().union(*lists.values())
        _report("photos without captions, listed in the official split", listed - captions.keys())
        _report("photos that are in no list of the official split", names - listed)
        names &= listed
    (output / "images").mkdir(parents=True, exist_ok=True)
    sizes = _place_photos(found, sorted(names), output / "images")
    if not sizes:
        raise InputError(
            f"{source} has none of the {len(captions)} photos with captions: they are usually in "
            "Flicker8k_Dataset, Flickr8k_Dataset.zip or Images"
        )
    ids = {name: number for number, name in enumerate(sorted(captions), start=1)}
    splits = {
        split: _to_coco([name for name in names if name in sizes], ids, sizes, captions)
        for split, names in (lists or draw_split(sorted(sizes))).items()
    }
    readme = README.format(
        counts=", ".join(f"{len(part['images'])} {split}" for split, part in splits.items()),
        source=source,
        split="by the official lists" if lists else "by photo with seed 0",
    )
    write_coco_folder(output, {s: part for s, part in splits.items() if part["images"]}, readme)


def find_files(source: Path, leave_out: Path, archives: ExitStack) -> dict[str, Found]:
    """Photos and text files under a folder and in the zip files there, by file name.

    Args:
        source: A folder, or one zip file.
        leave_out: A folder not to look in: the one that is being filled.
        archives: Keeps the zip files open.

    Raises:
        InputError: if there is no such folder, or a zip file in it is damaged.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist: give the folder or zip file with Flickr8k")
    files = [source] if source.is_file() else []
    seen = {leave_out.resolve()}
    for folder, folders, names in os.walk(source, followlinks=True):
        if (real := Path(folder).resolve()) in seen:
            folders.clear()  # `leave_out`, or a link that leads back
        else:
            seen.add(real)
            files += [Path(folder, name) for name in names]
    files.sort()
    found = {file.name: Found(file) for file in files if file.suffix.lower() in KINDS}
    for file in files:
        if file.suffix.lower() == ".zip" or file == source:
            try:
                archive = archives.enter_context(zipfile.ZipFile(file))
            except (zipfile.BadZipFile, OSError) as error:
                message = f"{file} is no whole zip file ({error}): get it again or take it away"
                raise InputError(message) from error
            for member in sorted(archive.namelist()):
                if (path := PurePosixPath(member)).suffix.lower() in KINDS:
                    found.setdefault(path.name, Found(file, archive, member))
    return found


def read_captions(found: Mapping[str, Found], source: Path) -> dict[str, list[str]]:
    """The captions of each photo, from whichever of the two usual files is there.

    `Flickr8k.token.txt` has lines of `photo.jpg#0<TAB>caption`, `captions.txt` has lines of
    `photo.jpg,caption` below a heading.

    Raises:
        InputError: if neither is there, or a line is neither.
    """
    name = next((name for name in CAPTIONS if name in found), None)
    if name is None:
        raise InputError(
            f"{source} has no captions: looked in the folders and zip files there for "
            f"{' and '.join(CAPTIONS)}, and found {len(found)} photos and text files"
        )
    text = _read_text(found[name])
    rows = _split_table(text) if name == "captions.txt" else _split_tokens(text)
    captions: dict[str, list[str]] = {}
    blank = []
    for number, (photo, caption) in enumerate(rows, start=1):
        if not photo or "\n" in caption:
            raise InputError(
                f"{found[name].file}: caption {number} is not what {name} should hold "
                f"({photo!r}, {caption[:60]!r}). Get this file again"
            )
        if caption.strip():
            captions.setdefault(photo, []).append(caption.strip())
        else:
            blank.append(photo)
    _report("blank captions", blank)
    return captions


def _split_table(text: str) -> list[tuple[str, str]]:
    """Rows of photo and caption; commas of an unquoted caption belong to it."""
    try:
        rows = [(row[0], ",".join(row[1:])) for row in csv.reader(StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"captions.txt: {error}. Get this file again") from error
    return rows[1:] if rows[:1] == [("image", "caption")] else rows


def _split_tokens(text: str) -> list[tuple[str, str]]:
    """Photo and caption of lines that number the captions of a photo.

    Example:

        >>> _split_tokens("1.jpg#0\\tA dog .\\n1.jpg#1\\tA brown dog .\\n")
        [('1.jpg', 'A dog .'), ('1.jpg', 'A brown dog .')]
    """
    lines = [line.partition("\t") for line in text.split("\n") if line.strip()]
    return [(photo.rpartition("#")[0], caption) for photo, _, caption in lines]


def read_lists(found: Mapping[str, Found], source: Path) -> dict[str, list[str]] | None:
    """The photos of each official split, None if no list is there.

    Raises:
        InputError: if only some lists are there, or a photo is in two.
    """
    missing = [name for name in LISTS.values() if name not in found]
    if len(missing) == len(LISTS):
        return None
    if missing:
        raise InputError(f"{source} has only some lists of the split: add {' and '.join(missing)}")
    splits = {split: sorted(set(_read_text(found[n]).split())) for split, n in LISTS.items()}
    if len(set().union(*splits.values())) < sum(len(names) for names in splits.values()):
        raise InputError(f"{source}: a photo is in two lists of the official split; get them again")
    return splits


def draw_split(names: list[str]) -> dict[str, list[str]]:
    """6000 photos to train on, 1000 for validation, the rest for the test; of fewer, in proportion.

    Example: which photos they are depends on their names alone.

        >>> split = draw_split([f"{number}.jpg" for number in range(16)])
        >>> {name: len(photos) for name, photos in split.items()}
        {'train': 12, 'val': 2, 'test': 2}
    """
    names = sorted(names)
    random.Random(0).shuffle(names)
    share = min(1.0, len(names) / 8000)
    train = int(6000 * share)
    val = train + int(1000 * share)
    return {"train": names[:train], "val": names[train:val], "test": names[val:]}


def _place_photos(
    found: Mapping[str, Found], names: list[str], folder: Path
) -> dict[str, tuple[int, int]]:
    """Put the whole photos into the folder; their width and height in pixels."""
    from tqdm import tqdm

    sizes, damaged = {}, []
    for name in tqdm(names, desc="photos", unit="file", mininterval=1):
        data = found[name].read()
        try:
            sizes[name] = read_jpeg_size(data)
        except ValueError:
            damaged.append(name)
        else:
            found[name].place(data, folder / name)
    _report("damaged photos", damaged)
    return sizes


def _to_coco(
    names: list[str],
    ids: Mapping[str, int],
    sizes: Mapping[str, tuple[int, int]],
    captions: Mapping[str, list[str]],
) -> dict:
    images = [
        {"id": ids[name], "file_name": name, "width": sizes[name][0], "height": sizes[name][1]}
        for name in sorted(names)
    ]
    annotations = [
        {"id": 100 * ids[name] + number, "image_id": ids[name], "caption": caption}
        for name in sorted(names)
        for number, caption in enumerate(captions[name])
    ]
    return {"info": INFO, "images": images, "annotations": annotations}


def _read_text(found: Found) -> str:
    try:
        return found.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{found.file}: byte {error.start} is not UTF-8; get it again") from error


def _report(what: str, names: Collection[str]) -> None:
    if names:
        more = "" if len(names) <= 5 else " and others"
        log.warning("left out: %d %s (%s%s)", len(names), what, ", ".join(sorted(names)[:5]), more)
