"""The folder of a report: pages, their data as scripts, small photos."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import ImageOps
from tqdm import tqdm

from captioner.errors import InputError
from captioner.extraction import num_threads
from captioner.files import read_json, write_json
from captioner.folders import replacing_folder
from captioner.images import open_photo
from captioner.reporting.inside import Inside
from captioner.reporting.packing import CHUNK, pack_details, pack_index

KIND = "report of captioner"
ABOUT = "report.json"
SIDE, QUALITY = 384, 80
"""Of the small photos: pixels of the longer side, and JPEG's quality."""


def write_report(
    folder: Path, runs: Sequence[Inside], names: Sequence[str], photos: bool = True, seed: int = 0
) -> list[InputError]:
    """Write a report: a folder whose index.html opens from disk, without a server or a network.

        index.html, *.css, *.js     the pages
        data/index.js               scores, captions of people and models, all but the details
        data/run-R-C.js             details of `CHUNK` photos, fetched when one of them is opened
        photos/N.jpg                small photos, by number
        report.json                 the records of `captioner evaluate`

    Args:
        folder: A new or empty one, or that of an earlier report, which is replaced in one step.
        runs: One model, or two that captioned the same photos.
        names: Of the photos, as they are shown.
        photos: Put small photos in.
        seed: Of the interval of the difference of two.

    Returns:
        The errors of photos that could not be made small; they are left out.

    Raises:
        InputError: if the folder holds something else or cannot be written, or the photos differ.
    """
    check_place(folder)
    files = [[photo.file for photo in run.evaluation.photos] for run in runs]
    if any(other != files[0] for other in files):
        raise InputError(
            f"{' and '.join(run.name for run in runs)} did not caption the same photos; "
            "mend those that cannot be read"
        )
    index = pack_index(runs, names, seed)
    with replacing_folder(folder.resolve()) as new:
        (new / "data").mkdir()
        bad = _write_photos(files[0], new / "photos") if photos else {}
        index["without"] = list(bad) if photos else list(range(len(names)))
        _write_script(new / "data" / "index.js", "index", index)
        starts = range(0, len(names), CHUNK)
        for place in tqdm(starts, desc="Report", unit="file", delay=2, disable=None):
            numbers = range(place, min(place + CHUNK, len(names)))
            for which, run in enumerate(runs):
                name = f"run-{which}-{place // CHUNK}"
                details = [pack_details(run, number) for number in numbers]
                _write_script(new / "data" / f"{name}.js", name, details)
        for page in resources.files("captioner.reporting").joinpath("page").iterdir():
            (new / page.name).write_bytes(page.read_bytes())
        about = {"kind": KIND, "runs": [run.evaluation.record for run in runs]}
        write_json(new / ABOUT, about | {"differences": index["differences"]})
    return list(bad.values())


def check_place(folder: Path) -> None:
    """Refuse a place that holds anything but an earlier report, which is replaced.

    Raises:
        InputError: if it does.
    """
    if folder.is_dir() and any(folder.iterdir()):
        with suppress(InputError):
            about = read_json(folder / ABOUT, "what a report says of itself")
            if isinstance(about, dict) and about.get("kind") == KIND:
                return
    elif folder.is_dir() or not folder.exists():
        return
    raise InputError(f"{folder}: holds something else; give a new or empty folder")


def _write_script(file: Path, name: str, value: Any) -> None:
    """A value as a script: pages opened from disk may fetch scripts, but not JSON."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    file.write_text(f'report.receive("{name}",{text})\n', encoding="ascii", newline="\n")


def _write_photos(files: Sequence[Path], folder: Path) -> dict[int, InputError]:
    """Small photos by number; the errors of those that cannot be read."""
    folder.mkdir()

    def write(pair: tuple[int, Path]) -> InputError | None:
        number, file = pair
        try:
            small = ImageOps.contain(open_photo(file, SIDE), (SIDE, SIDE))
        except InputError as error:
            return error
        small.save(folder / f"{number}.jpg", quality=QUALITY, optimize=True)
        return None

    with ThreadPoolExecutor(max_workers=num_threads()) as pool:
        done = pool.map(write, enumerate(files))
        bar = tqdm(done, total=len(files), desc="Photos", unit="photo", delay=2, disable=None)
        return {number: error for number, error in enumerate(bar) if error is not None}
