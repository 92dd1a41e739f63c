"""A confidence fitted to the captions of a split, which were scored."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from captioner.confidence import (
    BAR,
    FILE,
    Chance,
    Confidence,
    sigmoid,
    signals_of,
    weights_of,
)
from captioner.config import SearchConfig
from captioner.datasets import Photo, PhotoSet
from captioner.errors import InputError
from captioner.evaluation import caption_photos, references_of
from captioner.features import dataset_cache, with_maps
from captioner.files import write_json
from captioner.folders import find_model
from captioner.metrics import CiderD
from captioner.metrics.reliability import Bin, calibration_error, reliability
from captioner.model import Captioner
from captioner.provenance import provenance
from captioner.runtime import find_export
from captioner.vocabulary import tokenise

FEWEST = 50
"""Photos to fit a confidence to."""
RIDGE = 1.0
"""How much large weights count against a fit, the signals being standardised: as much as one more
caption of unit variance; with hundreds of captions next to nothing."""
FOLDS = 10
NEWTON = 100
"""Steps at most; ten are plenty unless good and bad captions come apart entirely."""


def fit(
    signals: Float[np.ndarray, "M S"],
    good: Bool[np.ndarray, " M"],
    photos: Int[np.ndarray, " M"],
    seed: int = 0,
) -> tuple[Chance, list[Bin]]:
    """Learn from captions of which it is known whether they are good.

    Logistic regression by Newton's method. Neither good captions nor bad ones are taken for
    certain: their targets are (G + 1) / (G + 2) and 1 / (B + 2), with G good and B bad ones in all
    (Platt 1999, "Probabilistic outputs for support vector machines", section 2.2), so that captions
    that are all good give no chance of 1.

    Args:
        signals: Of M captions.
        good: Whether they are.
        photos: Number of the photo of each: captions of a photo are left out together in the
            cross-validation.
        seed: Of the order in which photos are left out.

    Returns:
        The chance, and how reliable it is: each caption is given the chance that was fitted without
        its photo and without a tenth of the others.

    Example: captions of no difference, three of four good; (3 + 1) / (3 + 2) of three quarters and
    1 / (1 + 2) of one.

        >>> good = np.array([True, True, True, False])
        >>> chance, _ = fit(np.zeros((4, 4)), good, np.arange(4))
        >>> chance(np.zeros((1, 4))).round(4), chance.good
        (array([0.6833]), 0.75)
    """
    names, number = np.unique(photos, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names))[number] % FOLDS
    given = np.empty(len(good))
    for k in np.unique(fold):
        out = fold == k
        bias, weights = _regress(signals[~out], good[~out])
        given[out] = sigmoid(bias + signals[out] @ weights)
    bins = reliability(given, good)
    bias, weights = _regress(signals, good)
    chance = Chance(
        bias=float(bias),
        weights=tuple(weights.tolist()),
        captions=len(good),
        good=float(good.mean()),
        calibration_error=calibration_error(bins),
    )
    return chance, bins


def _regress(
    signals: Float[np.ndarray, "M S"], good: Bool[np.ndarray, " M"]
) -> tuple[float, Float[np.ndarray, " S"]]:
    """Bias and weights of a logistic regression."""
    M, S = signals.shape
    G = int(good.sum())
    targets = np.where(good, (G + 1) / (G + 2), 1 / (M - G + 2))
    means, scales = signals.mean(axis=0), signals.std(axis=0)
    scales = np.where(scales > 1e-9, scales, np.inf)  # what never changes tells nothing
    design = np.concatenate([np.ones((M, 1)), (signals - means) / scales], axis=1)
    ridge = RIDGE * np.array([0.0] + [1.0] * S)

    def loss(weights: np.ndarray) -> float:
        z = design @ weights
        return float((np.logaddexp(0, z) - targets * z).sum() + (ridge * weights**2).sum() / 2)

    weights = np.zeros(S + 1)
    for _ in range(NEWTON):
        p = sigmoid(design @ weights)
        slope = design.T @ (targets - p) - ridge * weights
        curvature = (design.T * (p * (1 - p))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        before = loss(weights)
        while loss(weights + step) > before and np.abs(step).max() > 1e-9:
            step /= 2
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    slopes = weights[1:] / scales
    return float(weights[0] - means @ slopes), slopes


def calibrate(
    model: str | Path,
    dataset: PhotoSet,
    split: str = "val",
    *,
    beam_size: int = 0,
    views: int = 1,
    limit: int | None = None,
    bar: float = BAR,
    skip_bad: bool = False,
    device: str = "cpu",
) -> tuple[Confidence, list[Bin]]:
    """Fit a confidence to the captions of a split, and keep it in the model's folder.

    Where the model has an export that `find_export` finds, it goes there too.

    Args:
        model: Folder or name of the captioner.
        dataset: With the photos of its splits.
        split: Which one; not the one that the model learned from.
        beam_size: Of the search that it is to hold for; 0: of the usual one.
        views: Likewise.
        limit: So many photos at most, the first ones.
        bar: CIDEr-D, from 0 to 10, from which on a caption is good.
        skip_bad: Leave photos out that cannot be read.
        device: Where to work.

    Returns:
        The confidence, and how reliable it is for the best captions of photos that it was not
        fitted on.

    Raises:
        InputError: if there is no such model or split, the split is too small or what the model
            learned from, a photo cannot be read, or the folder cannot be written.
    """
    if split == "train":
        raise InputError(
            "--split train: the model knows these photos, and its captions of them are better than "
            "others; choose val or test"
        )
    captioner = Captioner.from_pretrained(model, device)
    photos: Sequence[Photo] = dataset.split(split)[:limit]
    if len(photos) >= FEWEST:
        cache = dataset_cache(dataset, captioner.encoder, captioner.places)
        photos, maps = with_maps(cache, photos, skip_bad, "Features")
    if len(photos) < FEWEST:
        raise InputError(
            f"{split}: {len(photos)} photos are too few to tell how often captions are good; "
            f"{FEWEST} are the fewest, and some hundreds are better"
        )
    search = captioner.settle(SearchConfig(beam_size=beam_size, views=views))
    search = replace(search, num_captions=search.beam_size)
    found = caption_photos(captioner, photos, maps, search)
    number = np.array([i for i, of_photo in enumerate(found) for _ in of_photo])
    first = np.diff(number, prepend=-1) > 0
    words = [" ".join(tokenise(c.caption)) for of_photo in found for c in of_photo]
    good = CiderD(references_of(photos)).score(words, number.tolist()) >= bar
    signals = np.concatenate([signals_of(of_photo) for of_photo in found])
    best, bins = fit(signals[first], good[first], number[first])
    others = fit(signals[~first], good[~first], number[~first])[0] if not first.all() else best
    folder = find_model(model)
    data = dataset.title
    confidence = Confidence(
        beam_size=search.beam_size,
        views=search.views,
        bar=bar,
        best=best,
        others=others,
        fitted_on=f"{split} of {data}, {len(photos)} photos",
        made_from=weights_of(folder),
        consensus=captioner.asks_consensus(search),
    )
    about = {"data_fingerprint": dataset.fingerprint(), **provenance(seed=0)}
    for place in {folder, find_export(model) or folder}:
        write_json(place / FILE, asdict(confidence) | {"made_by": about})
    return confidence, bins
