"""What a report tells of a model: captions, scores, why each word was said, how it learned."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import trange

from captioner.config import SearchConfig
from captioner.datasets import PhotoSet
from captioner.ensemble import Ensemble
from captioner.evaluation import BATCH, Evaluation, evaluate, trained_how
from captioner.explaining import Word, explain
from captioner.folders import find_model, title_of
from captioner.model import Captioner


@dataclass(frozen=True)
class Inside:
    """A model, its captions of a split, and why it said them."""

    name: str
    evaluation: Evaluation
    words: list[list[Word]]
    """Of the best caption of each photo."""
    epochs: list[dict[str, Any]]
    """What was noted after each epoch of its training; empty where nobody knows."""
    fit: str
    """What the CNN sees of a photo: squeeze, all of it, or crop, its middle square."""


def look_inside(
    captioner: Captioner | Ensemble,
    model: str | Path,
    dataset: PhotoSet,
    split: str,
    *,
    limit: int | None = None,
    search: SearchConfig | None = None,
    skip_bad: bool = False,
) -> Inside:
    """Caption and score a split as `evaluate` does, and explain each caption.

    Args:
        captioner: The model.
        model: Where it comes from: its folder, that of its run, or its name.
        dataset, split, limit, search, skip_bad: As of `captioner.evaluation.evaluate`.

    Raises:
        InputError: if there is no such split, or a photo cannot be read.
    """
    search = search or SearchConfig()
    told = evaluate(
        captioner,
        dataset,
        split,
        limit=limit,
        search=search,
        skip_bad=skip_bad,
        seed=search.seed,
        whole_beam=True,
    )
    folder = find_model(model)
    told.record["model"] = title_of(folder)
    told.record["training"] = trained_how(folder)
    words: list[list[Word]] = []
    count = len(told.photos)
    for first in trange(0, count, BATCH, desc="Words", unit="batch", delay=2, disable=None):
        rows = slice(first, first + BATCH)
        captions = [[found[0].caption] for found in told.found[rows]]
        features = captioner.features(told.maps[rows])
        words += [of_photo[0] for of_photo in explain(captioner, features, captions)]
    name = title_of(folder)
    return Inside(name, told, words, read_epochs(folder), captioner.preprocessing.fit)


def read_epochs(model: Path) -> list[dict[str, Any]]:
    """What the log of a model's run notes of each epoch; nothing where there is no log."""
    file = (model.parent if model.name == "best" else model) / "log.jsonl"
    if not file.is_file():
        return []
    epochs = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break  # the line that an interruption cut
        if isinstance(record, dict) and "epoch" in record:
            epochs.append(record)
    return epochs
