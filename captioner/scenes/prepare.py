"""Writes the data set: pictures, and captions in the format of COCO."""

import io
import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from captioner.errors import InputError
from captioner.scenes.brush import SIZE
from captioner.scenes.captions import write_captions
from captioner.scenes.picture import draw_scene
from captioner.scenes.plan import Scene, plan_scene

VERSION = 1
"""Goes up whenever the same seed gives other pictures or captions."""

QUALITY = 90
"""Of the JPEG files."""

FEW = 64
"""So few pictures are drawn sooner than other processes are started."""

MARK = "scenes.json"
"""The file that says what is in the folder, and whether it is finished."""

Job = tuple[Path, int, str, int, int]
"""Folder, seed, split, index in the split, number in the folder: what makes one picture."""

SPLITS = ("train", "val", "test")

README = """# Drawn scenes

{images} pictures that a program drew, with five captions each, in the format of COCO:
{splits}.
Half the pictures of val and of test show a combination (a colour and a kind of thing, or a
relation and two kinds) that no picture of train shows; `held_out` says which.

Made by `python data/prepare_scenes.py --images {images} --seed {seed}` (version {version}); the
same command makes the same files. Pictures and captions are in the public domain (CC0 1.0).
"""


def split_sizes(images: int) -> dict[str, int]:
    """How many of the pictures go where: a tenth each to val and test, 8 to 500, the rest to train.

    Raises:
        InputError: if too few would be left to train on.

    Example:

        >>> split_sizes(6000), split_sizes(50)
        ({'train': 5000, 'val': 500, 'test': 500}, {'train': 34, 'val': 8, 'test': 8})
    """
    tenth = min(500, max(8, images // 10))
    if images < 2 * tenth + 8:
        raise InputError(
            f"{images} pictures are too few for train, val and test; ask for 24 or more"
        )
    return {"train": images - 2 * tenth, "val": tenth, "test": tenth}


def prepare_scenes(
    output: Path, images: int = 6000, seed: int = 0, workers: int | None = None
) -> Path:
    """Draw the data set into a folder, or go on where an earlier run stopped.

    Picture i of a split depends on the seed, the split and i alone. A folder that already holds
    the whole data set is left as it is; one with drawn scenes of another number or seed is
    replaced.

    Args:
        output: The folder, made if it is not there. It will hold `images/`, `captions_train.json`,
            `captions_val.json` and `captions_test.json`.
        images: Number of pictures over all splits.
        seed: Another seed gives other pictures of the same kind.
        workers: Number of processes; by default one for each processor.

    Returns:
        `output`.

    Raises:
        InputError: if the folder holds something other than drawn scenes, or `images` is too small.
    """
    output = Path(output)
    sizes = split_sizes(images)
    order = {"version": VERSION, "images": images, "seed": seed}
    found = _read_mark(output)
    if found == {**order, "finished": True} and all(
        (output / f"captions_{split}.json").is_file() for split in SPLITS
    ):
        return output
    if found is not None and any(found[name] != order[name] for name in order):
        _clear(output)
    (output / "images").mkdir(parents=True, exist_ok=True)
    _write(output / MARK, json.dumps({**order, "finished": False}).encode())
    jobs: list[Job] = []
    for split, size in sizes.items():
        jobs += [(output, seed, split, i, len(jobs) + i + 1) for i in range(size)]
    if workers is None:
        workers = os.cpu_count() or 1
    records: dict[str, list] = {split: [] for split in SPLITS}
    with tqdm(total=len(jobs), desc="drawing", unit="picture", disable=None) as progress:
        for record in _draw_all(jobs, workers):
            records[record["split"]].append(record)
            progress.update()
    for split in SPLITS:
        text = json.dumps(_tabulate(records[split], order, split))
        _write(output / f"captions_{split}.json", text.encode())
    _remove_strangers(output / "images", len(jobs))
    splits = ", ".join(f"`captions_{split}.json` ({size})" for split, size in sizes.items())
    _write(output / "README.md", README.format(**order, splits=splits).encode())
    _write(output / MARK, json.dumps({**order, "finished": True}).encode())
    return output


def describe_scenes(
    split: str, number: int, seed: int = 0
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The captions of a split's scenes and what they truly show; nothing is drawn.

    Example:

        >>> captions, facts = next(describe_scenes("test", 1))
        >>> len(captions), sorted(facts)
        (5, ['background', 'held_out', 'relation', 'things'])
    """
    for index in range(number):
        scene, captions, _ = _plan(seed, split, index)
        yield captions, scene.describe()


def _plan(seed: int, split: str, index: int) -> tuple[Scene, list[str], random.Random]:
    rng = random.Random(f"scenes {VERSION} {seed} {split} {index}")
    scene = plan_scene(rng, split, index)
    return scene, write_captions(scene, rng), rng


def _read_mark(output: Path) -> dict | None:
    """What an earlier run left in the folder; None if the folder is new or empty.

    Raises:
        InputError: if the folder holds something that is not ours to write over.
    """
    if not output.exists():
        return None
    if not output.is_dir():
        raise InputError(f"{output} is not a folder; give a new or empty folder")
    mark = output / MARK
    if not mark.is_file():
        if any(output.iterdir()):
            raise InputError(f"{output} holds other files; give a new or empty folder")
        return None
    try:
        found = json.loads(mark.read_text())
        return {name: found[name] for name in ("version", "images", "seed", "finished")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{mark} is damaged; give a new or empty folder") from error


def _clear(output: Path) -> None:
    """Delete the files of another order: its pictures have the names that ours will have."""
    for path in [*output.glob("captions_*.json"), *(output / "images").glob("*.jpg")]:
        path.unlink()


def _draw_all(jobs: list[Job], workers: int) -> Iterator[dict]:
    if workers < 2 or len(jobs) <= FEW:
        yield from map(_draw_one, jobs)
        return
    # A started process knows nothing of its parent: the same on every system, safe with threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw_one, jobs, chunksize=32)


def _draw_one(job: Job) -> dict:
    """Make one picture, unless it is there already, and its captions."""
    output, seed, split, index, number = job
    scene, captions, rng = _plan(seed, split, index)
    path = output / "images" / f"{number:06d}.jpg"
    if not path.exists():
        buffer = io.BytesIO()
        draw_scene(scene, rng).save(buffer, "JPEG", quality=QUALITY)
        _write(path, buffer.getvalue())
    return {
        "split": split,
        "id": number,
        "file_name": path.name,
        "captions": captions,
        "scene": scene.describe(),
    }


def _tabulate(records: list[dict], order: dict, split: str) -> dict:
    """The tables of a captions file of COCO."""
    return {
        "info": {"description": f"Drawn scenes, {split}", **order},
        "licenses": [
            {
                "id": 1,
                "name": "CC0 1.0",
                "url": "https://creativecommons.org/publicdomain/zero/1.0/",
            }
        ],
        "images": [
            {
                "id": record["id"],
                "file_name": record["file_name"],
                "width": SIZE,
                "height": SIZE,
                "license": 1,
                "scene": record["scene"],
            }
            for record in records
        ],
        "annotations": [
            {"id": 10 * record["id"] + i, "image_id": record["id"], "caption": caption}
            for record in records
            for i, caption in enumerate(record["captions"])
        ],
    }


def _remove_strangers(folder: Path, images: int) -> None:
    """Delete what an interrupted run left half written, and pictures beyond the last."""
    wanted = {f"{number:06d}.jpg" for number in range(1, images + 1)}
    for path in folder.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
