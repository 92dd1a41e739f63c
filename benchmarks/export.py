"""Exports in float32, float16 and int8: size, speed, and what they cost in captions.

    python -m benchmarks.export --data data/flickr8k

Each export captions the same validation photos; CIDEr-D counts against their own captions, and the
captions that differ are counted against torch's. Speed is measured in alternation, and told beside
float32. For int8 the ranges of what the CNN computes are taken once from training photos and once
from drawn pictures, as `captioner export` does without --photos.
"""

import importlib.metadata
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.measuring import spread
from benchmarks.records import FOLDER, PACKAGES
from captioner.commands import finish, say
from captioner.datasets import Photo, read_dataset
from captioner.exporting import export_model
from captioner.extraction import BATCH, look_at
from captioner.files import write_json
from captioner.metrics import bootstrap, score_each
from captioner.model import Captioner
from captioner.provenance import provenance
from captioner.runtime import OnnxCaptioner, Precision
from captioner.scenes import prepare_scenes
from captioner.streaming import PhotoCaptioner
from captioner.vocabulary import tokenise

SEARCHED = 64
"""Photos that are searched together, as in `stream`."""
LOOKED = 16
BATCHES = (1, 4, 8, 16)
DRAWN = 24


@dataclass(frozen=True)
class ExportBenchOptions:
    """Compare exports of a model."""

    data: Path = Path("data/flickr8k")
    """Data set, as for train.py."""
    model: str = "flickr8k"
    """Folder of a model, or the name of one that comes with the package."""
    photos: int = 300
    """Validation photos to caption."""
    calibration: int = 64
    """Training photos to take the ranges of int8 from."""
    rounds: int = 7
    """Measurements of each."""
    seed: int = 0
    """Of the drawn pictures."""
    output: Path = FOLDER / "export.json"
    """The record."""


Seconds = dict[str, list[float]]
"""A measurement of each captioner for each round, by its name."""


def main() -> None:
    """Measure; exit codes as of `captioner.commands.finish`."""
    finish(lambda: measure(tyro.cli(ExportBenchOptions, prog="python -m benchmarks.export")))


def measure(options: ExportBenchOptions) -> int:
    """Export, caption, measure; write the record."""
    dataset = read_dataset(options.data)
    photos = dataset.split("val")[: options.photos]
    torch_captioner = Captioner.from_pretrained(options.model)
    arrays = load(photos, torch_captioner)
    with tempfile.TemporaryDirectory() as folder:
        prepare_scenes(Path(folder) / "scenes", images=DRAWN, seed=options.seed, workers=1)
        drawn = sorted(Path(folder, "scenes", "images").iterdir())
        real = [photo.file for photo in dataset.split("train")[: options.calibration]]
        wanted: dict[str, tuple[Precision, Sequence[Path]]] = {
            "float32": ("float32", drawn),
            "float16": ("float16", drawn),
            "int8": ("int8", real),
            "int8, drawn pictures": ("int8", drawn),
        }
        exports: dict[str, PhotoCaptioner] = {}
        sizes = {}
        for name, (precision, shown) in wanted.items():
            place = Path(folder) / precision / name.replace(", ", "-").replace(" ", "-")
            export_model(options.model, place, precision, shown)
            exports[name] = OnnxCaptioner.from_folder(place)
            sizes[name] = sum(file.stat().st_size for file in place.glob("*.onnx"))
        captions = {
            name: caption(captioner, arrays)
            for name, captioner in {"torch": torch_captioner, **exports}.items()
        }
        seconds = alternate({"torch": torch_captioner, **exports}, arrays, options.rounds)
        batches = batch_speeds(exports["float32"], arrays, options.rounds)
    record = {
        "benchmark": "export",
        "work": "captions by exports of the model, in three precisions",
        "data": options.data.resolve().name,
        "model": options.model,
        "photos": len(photos),
        "calibration": {"int8": options.calibration, "int8, drawn pictures": DRAWN},
        "bytes": sizes,
        "cider_d": score(captions, photos, options.seed),
        "captions_unlike_torch": {
            name: sum(a != b for a, b in zip(found, captions["torch"], strict=True))
            for name, found in captions.items()
        },
        "speed_beside_float32": {
            part: {
                name: spread([a / b for a, b in zip(of["float32"], times, strict=True)])
                for name, times in of.items()
            }
            for part, of in seconds.items()
        },
        "photos_per_second_beside_single_photos": batches,
        **provenance(options.seed),
    }
    record["command"] = " ".join(["python -m benchmarks.export", *map(shlex.quote, sys.argv[1:])])
    record["versions"] |= {package: importlib.metadata.version(package) for package in PACKAGES}
    write_json(options.output, record)
    say(f"wrote {options.output}")
    return 0


def load(photos: Sequence[Photo], captioner: PhotoCaptioner) -> np.ndarray:
    """The photos as the CNN sees them."""
    loaded = look_at([photo.file for photo in photos], lambda a: a, captioner.preprocessing)
    return np.concatenate([images for _, images, _ in loaded])


def look(captioner: PhotoCaptioner, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """What the CNN finds, batch by batch."""
    see = captioner.make_look(1)
    return np.concatenate([see(images[i : i + batch]) for i in range(0, len(images), batch)])


def search(captioner: PhotoCaptioner, maps: np.ndarray) -> list[str]:
    """Captions by beam search."""
    return [found[0].caption for found in captioner.search(captioner.features(maps))]


def caption(captioner: PhotoCaptioner, images: np.ndarray) -> list[str]:
    """The caption of each photo."""
    maps = look(captioner, images)
    parts = (maps[i : i + SEARCHED] for i in range(0, len(maps), SEARCHED))
    return [caption for part in parts for caption in search(captioner, part)]


def score(
    captions: dict[str, list[str]], photos: Sequence[Photo], seed: int
) -> dict[str, dict[str, Any]]:
    """CIDEr-D of each, and its gain over torch's with a 95 % interval over photos."""
    references = [[" ".join(tokenise(text)) for text in photo.captions] for photo in photos]
    each = {
        name: score_each([" ".join(tokenise(caption)) for caption in found], references)
        for name, found in captions.items()
    }
    scores = {}
    for name, values in each.items():
        gain = values["cider_d"] - each["torch"]["cider_d"]
        low, high = bootstrap({**values, "cider_d": gain}, seed=seed)["cider_d"]
        scores[name] = {
            "score": float(values["cider_d"].mean()),
            "gain": float(gain.mean()),
            "interval": [low, high],
        }
    return scores


def alternate(
    captioners: dict[str, PhotoCaptioner], images: np.ndarray, rounds: int
) -> dict[str, Seconds]:
    """Seconds that each takes for the CNN and for the search, in turn; the first round warms up."""
    maps = {name: look(captioner, images[:SEARCHED]) for name, captioner in captioners.items()}
    seconds: dict[str, Seconds] = {part: {n: [] for n in captioners} for part in ("cnn", "search")}
    for _ in range(rounds + 1):
        for name, captioner in captioners.items():
            began = time.perf_counter()
            look(captioner, images[:LOOKED])
            looked = time.perf_counter()
            search(captioner, maps[name])
            seconds["cnn"][name].append(looked - began)
            seconds["search"][name].append(time.perf_counter() - looked)
    return {part: {name: all_[1:] for name, all_ in of.items()} for part, of in seconds.items()}


def batch_speeds(captioner: PhotoCaptioner, images: np.ndarray, rounds: int) -> dict[str, Any]:
    """Photos per second through the CNN in batches of these sizes, beside one by one."""
    seconds: dict[int, list[float]] = {size: [] for size in BATCHES}
    for _ in range(rounds + 1):
        for size in BATCHES:
            began = time.perf_counter()
            look(captioner, images[:LOOKED], size)
            seconds[size].append(time.perf_counter() - began)
    alone = seconds[BATCHES[0]][1:]
    return {
        str(size): spread([a / b for a, b in zip(alone, times[1:], strict=True)])
        for size, times in seconds.items()
    }


if __name__ == "__main__":
    main()
