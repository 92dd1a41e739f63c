"""A captioner is given the photos that it learned from, to look them up."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from captioner.confidence import weights_of
from captioner.datasets import PhotoSet
from captioner.features import dataset_cache, project, with_maps
from captioner.folders import find_model
from captioner.model import Captioner
from captioner.neighbours import Neighbours, Say
from captioner.runtime import find_export


def remember(
    model: str | Path,
    dataset: PhotoSet,
    split: str = "train",
    *,
    say: Say,
    skip_bad: bool = False,
    device: str = "cpu",
) -> Neighbours:
    """Keep the features and captions of a split in a model's folder, and in that of its export.

    Args:
        model: Folder or name of the captioner.
        dataset: With the photos of its splits.
        split: Which one; no photo of it may be captioned later to see how good the model is.
        say: How much of a say they have.
        skip_bad: Leave photos out that cannot be read.
        device: Where to work.

    Raises:
        InputError: if there is no such model or split, a photo cannot be read, or the folder cannot
            be written.
    """
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
    for place in {folder, find_export(model) or folder}:
        found.save(place)
    return found
