"""A captioner is given the photos that it learned from, to look them up."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from captioner.confidence import weights_of
from captioner.config import CHOICE, SearchConfig
from captioner.datasets import Photo, PhotoSet
from captioner.errors import InputError
from captioner.evaluation import BATCH, references_of
from captioner.features import dataset_cache, project, with_maps
from captioner.folders import find_model
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.neighbours import Neighbours, Say, attention
from captioner.runtime import find_export
from captioner.vocabulary import END, tokenise

SHARPNESS = (3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0)
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The settings tried."""


def remember(
    model: str | Path,
    dataset: PhotoSet,
    split: str = "train",
    *,
    say: Say,
    choose_on: str | None = None,
    skip_bad: bool = False,
    device: str = "cpu",
) -> Neighbours:
    """Keep the features and captions of a split in a model's folder, and in that of its export.

    Args:
        model: Folder or name of the captioner.
        dataset: With the photos of its splits.
        split: Which one; no photo of it may be captioned later to see how good the model is.
        say: How much of a say they have.
        choose_on: Choose its `sharpness` and `weight` by CIDEr-D on this split, which is another.
        skip_bad: Leave photos out that cannot be read.
        device: Where to work.

    Raises:
        InputError: if there is no such model or split, a photo cannot be read, or the folder cannot
            be written.
    """
    if choose_on == split:
        raise InputError(f"{split}: settings are chosen on other photos than those remembered")
    captioner = Captioner.from_pretrained(model, device)
    cache = dataset_cache(dataset, captioner.encoder, captioner.places)
    photos, maps = with_maps(cache, dataset.split(split), skip_bad, "Features")
    pooled = maps.mean(axis=1, dtype=np.float32) if maps.ndim == 3 else maps
    words = captioner.vocabulary
    folder = find_model(model)
    found = Neighbours.of(
        project(captioner.encoder, pooled),
        [[words.indices(words.split(text)) for text in photo.captions] for photo in photos],
        replace(say, made_from=weights_of(folder)),
    )
    if choose_on:
        others, maps = with_maps(cache, dataset.split(choose_on), skip_bad, "Features")
        found.say = choose(captioner, found, others, maps)
    for place in {folder, find_export(model) or folder}:
        found.save(place)
    return found


def choose(
    captioner: Captioner, neighbours: Neighbours, photos: Sequence[Photo], maps: np.ndarray
) -> Say:
    """The sharpness and the weight that choose the best captions of photos, by CIDEr-D.

    Args:
        captioner: The captions are those of `CHOICE` beams of it.
        neighbours: Of other photos.
        photos: With their human captions.
        maps: Of these photos.
    """
    scorer = CiderD(references_of(photos))
    captioner.neighbours = captioner.confidence = None
    # For each pair of settings, the sum of the scores of the captions that it chooses.
    totals = np.zeros((len(SHARPNESS), len(WEIGHTS)))
    search = SearchConfig(beam_size=CHOICE, num_captions=CHOICE)
    for first in range(0, len(maps), BATCH):
        features = captioner.features(maps[first : first + BATCH])
        found = captioner.search(features, search)
        near, alike = neighbours.nearest(captioner.pooled(features))
        for row, of_photo in enumerate(found):
            words = captioner.vocabulary
            captions = [words.indices(c.caption.split()) for c in of_photo]
            width = max(map(len, captions)) + 1
            padded = np.array([[*c, *[END] * (width - len(c))] for c in captions])
            scores = neighbours.compare(padded[None], near[row : row + 1])[0]  # (B, K)
            texts = [" ".join(tokenise(c.caption)) for c in of_photo]
            true = scorer.score(texts, [first + row] * len(texts))
            own = np.array([c.log_prob_per_word for c in of_photo])
            for i, sharpness in enumerate(SHARPNESS):
                agreement = scores @ attention(alike[row : row + 1], sharpness)[0]
                for j, weight in enumerate(WEIGHTS):
                    totals[i, j] += true[np.argmax(agreement + weight * own)]
    i, j = divmod(int(totals.argmax()), len(WEIGHTS))
    return replace(neighbours.say, sharpness=SHARPNESS[i], weight=WEIGHTS[j])
