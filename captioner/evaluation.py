"""Search over a split, then the metrics, then one JSON file."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import trange

from captioner.config import SearchConfig
from captioner.datasets import Photo, PhotoSet
from captioner.ensemble import Ensemble
from captioner.errors import InputError
from captioner.extraction import look_at
from captioner.features import dataset_cache, with_maps
from captioner.files import read_json, write_json
from captioner.metrics.reliability import calibration_error, reliability
from captioner.model import Caption, Captioner
from captioner.provenance import provenance
from captioner.scoring import known_captions, score
from captioner.scoring import table as score_table
from captioner.several import SeveralViews
from captioner.views import several_views
from captioner.vocabulary import tokenise

BATCH = 256
JUDGED = {"background", "things", "held_out"}
"""What a data set must know of its pictures, as that of drawn scenes does, for `truth`."""


@dataclass(frozen=True)
class Evaluation:
    """A split with its captions and scores, photo by photo."""

    photos: Sequence[Photo]
    maps: np.ndarray
    """Of the photos, as the CNN gives them."""
    found: list[list[Caption]]
    """Captions of each photo, the one that is scored first."""
    each: dict[str, np.ndarray]
    """Scores of each photo, as of `captioner.metrics.score_each`."""
    record: dict[str, Any]
    """`metrics`, 95 % intervals over photos, sizes and times, and `calibration` where the captions
    have a confidence."""

    @property
    def results(self) -> list[dict[str, Any]]:
        """The captions in COCO's results format."""
        pairs = zip(self.photos, self.found, strict=True)
        return [{"image_id": photo.image_id, "caption": of[0].caption} for photo, of in pairs]


def evaluate(
    captioner: Captioner | Ensemble,
    dataset: PhotoSet,
    split: str,
    *,
    limit: int | None = None,
    search: SearchConfig | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    whole_beam: bool = False,
) -> Evaluation:
    """Caption a split and score it against its human captions.

    Args:
        captioner: The model.
        dataset: With the photos of its splits.
        split: Which one.
        limit: So many photos at most, the first ones.
        search: How captions are looked for.
        skip_bad: Leave photos out that cannot be read.
        seed: Of the bootstrap.
        whole_beam: Tell all captions of each beam, not as many as were asked for.

    Raises:
        InputError: if there is no such split, or a photo cannot be read.
    """
    photos: Sequence[Photo] = dataset.split(split)[:limit]
    began = time.perf_counter()
    cache = dataset_cache(dataset, captioner.encoder, captioner.places)
    photos, maps = with_maps(cache, photos, skip_bad, "Features")
    looked = time.perf_counter()
    search = search or SearchConfig()
    asked = captioner.settle(search)
    if whole_beam and not search.sample:
        asked = replace(asked, num_captions=max(asked.num_captions, asked.beam_size))
    found = caption_photos(captioner, photos, maps, asked)
    best = [of_photo[0] for of_photo in found]
    captions = [caption.caption for caption in best]
    searched = time.perf_counter()

    taught = dataset.splits.get("train", ())
    known = known_captions([caption for photo in taught for caption in photo.captions])
    scored = score(captions, [photo.captions for photo in photos], known, seed)
    record = {
        **scored.record,
        "split": split,
        "beam_size": captioner.settle(search).beam_size,
        "search": changed_settings(search),
        "consensus": captioner.asks_consensus(search),
        "data": dataset.title,
        "data_fingerprint": dataset.fingerprint(),
        "seconds": {
            "features": round(looked - began, 3),
            "search": round(searched - looked, 3),
            "metrics": round(time.perf_counter() - searched, 3),
        },
        **provenance(seed),
    }
    facts = [p.facts for p in photos if p.facts is not None and p.facts.keys() >= JUDGED]
    if len(facts) == len(photos):
        from captioner.scenes import judge_captions

        record["truth"] = judge_captions(captions, facts)
    told = [c.confidence for c in best if c.confidence is not None]
    if captioner.confidence and len(told) == len(best):
        bar = captioner.confidence.bar
        bins = reliability(np.array(told), scored.each["cider_d"] >= bar)
        record["calibration"] = {
            "bar": bar,
            "expected_calibration_error": calibration_error(bins),
            "bins": [part._asdict() for part in bins],
        }
    return Evaluation(photos, maps, found, scored.each, record)


def caption_photos(
    captioner: Captioner | Ensemble,
    photos: Sequence[Photo],
    maps: np.ndarray,
    search: SearchConfig,
) -> list[list[Caption]]:
    """The captions of each photo, whose maps are known.

    Maps of other views than the whole photo are made anew: to keep them would take as much room
    again for each.
    """
    views = several_views(search.views)
    look = captioner.make_look(len(photos) * len(views)) if len(views) > 1 else None
    captions: list[list[Caption]] = []
    size = BATCH // len(views)
    for first in trange(0, len(maps), size, desc="Captions", unit="batch", delay=2, disable=None):
        rows = range(len(maps))[first : first + size]
        features: Any = captioner.features(maps[rows.start : rows.stop])
        if look:
            files = [photo.file for photo in photos[rows.start : rows.stop]]
            seen = [*look_at(files, look, captioner.preprocessing, together=views[1:])]
            if bad := [error for _, _, errors in seen for error in errors.values()]:
                raise bad[0]
            others = np.concatenate([part for _, part, _ in seen])
            features = [features, *map(captioner.features, others.swapaxes(0, 1))]
            features = SeveralViews(features, views)
        captions += captioner.search(features, search, rows)
    return captions


def references_of(photos: Sequence[Photo]) -> list[list[str]]:
    """What people wrote about each photo, in the vocabulary's words: for fits, not for records."""
    return [[" ".join(tokenise(c)) for c in photo.captions] for photo in photos]


def changed_settings(search: SearchConfig) -> dict[str, Any]:
    """The settings of a search that are not the usual ones."""
    usual = asdict(SearchConfig())
    return {name: value for name, value in asdict(search).items() if value != usual[name]}


def trained_how(model: Path) -> dict[str, Any]:
    """How the model in this folder came about, as its metrics.json tells."""
    training = read_json(model / "metrics.json", "the metrics of a model").get("training", {})
    kept = ("commit", "command", "seed", "photos", "captions", "began_with", "cnn_of")
    record = {key: training.get(key) for key in kept}
    seconds = training.get("seconds")
    record |= {
        "cell": training.get("settings", {}).get("cell"),
        "epochs": training.get("epoch"),
        "minutes": round(seconds / 60, 1) if seconds is not None else None,
    }
    return {key: value for key, value in record.items() if value is not None}


def write_results(record: dict[str, Any], results: list[dict[str, Any]], output: Path) -> Path:
    """Write the captions in COCO's results format first, then the record.

    Returns:
        The file of the captions: OUTPUT with `.captions.json` at its end.

    Raises:
        InputError: if a file cannot be written.
    """
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give the name of a JSON file")
    captions = output.with_suffix(".captions.json")
    write_json(captions, results)
    write_json(output, record)
    return captions


def table(record: dict[str, Any]) -> str:
    """The scores as text, with their 95 % intervals."""
    lines = [score_table(record)]
    for name, value in record.get("truth", {}).items():
        lines.append(f"{name}: {value}")
    if calibration := record.get("calibration"):
        error = calibration["expected_calibration_error"]
        lines.append(f"calibration error of the confidence: {error:.4f}")
    return "\n".join(lines)
