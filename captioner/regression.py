"""A captioner learns what people say of photos with such features, to choose among its captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from captioner.confidence import weights_of
from captioner.config import CHOICE, SearchConfig
from captioner.consensus import ConsensusConfig, ConsensusScorer, find, lengths_of, ngrams
from captioner.datasets import Photo, PhotoSet
from captioner.errors import InputError
from captioner.evaluation import BATCH, references_of
from captioner.features import dataset_cache, with_maps
from captioner.folders import find_model
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.runtime import find_export
from captioner.vocabulary import END, tokenise

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The settings tried."""
LEAST = 0.01
"""Spread of a feature, as a share of the greatest."""
LONGEST = 255
"""Words of a caption that are told apart."""


@dataclass(frozen=True)
class Statistics:
    """All that a regression from features to n-grams needs of the photos that it learns from."""

    parts: dict[str, Any]
    """What a `ConsensusScorer` is given as it is."""
    squares: Float[np.ndarray, "X X"]
    """Of the features, standardised, (x - x0) / spread: the sum of their outer products."""
    products: Float[np.ndarray, "X K"]
    """The same of features and n-grams."""


def learn_consensus(
    model: str | Path,
    dataset: PhotoSet,
    split: str = "train",
    *,
    config: ConsensusConfig,
    choose_on: str | None = None,
    skip_bad: bool = False,
    device: str = "cpu",
) -> ConsensusScorer:
    """Learn from the photos of a split, and keep it in a model's folder and in that of its export.

    Args:
        model: Folder or name of the captioner.
        dataset: With the photos of its splits.
        split: Which one; no photo of it may be captioned later to see how good the model is.
        config: Its settings.
        choose_on: Choose its `ridge` and `weight` by CIDEr-D on this split, which is another.
        skip_bad: Leave photos out that cannot be read.
        device: Where to work.

    Raises:
        InputError: if there is no such model or split, a photo cannot be read, or the folder cannot
            be written.
    """
    if choose_on == split:
        raise InputError(f"{split}: settings are chosen on other photos than those learned from")
    captioner = Captioner.from_pretrained(model, device)
    captioner.consensus = captioner.confidence = None
    cache = dataset_cache(dataset, captioner.encoder, captioner.places)
    photos, maps = with_maps(cache, dataset.split(split), skip_bad, "Features")
    words = captioner.vocabulary
    folder = find_model(model)
    config = replace(config, made_from=weights_of(folder))
    known = gather_statistics(
        np.concatenate([captioner.pooled(features) for _, features in _parts(captioner, maps)]),
        [[words.indices(words.split(text)) for text in photo.captions] for photo in photos],
        config.num_ngrams,
    )
    if choose_on:
        others, maps = with_maps(cache, dataset.split(choose_on), skip_bad, "Features")
        config = choose(captioner, known, config, others, maps)
    found = solve(known, config)
    for place in {folder, find_export(model) or folder}:
        found.save(place)
    return found


def gather_statistics(
    features: Float[np.ndarray, "P X"],
    captions: Sequence[Sequence[Sequence[int]]],
    num_ngrams: int,
) -> Statistics:
    """Count the n-grams of photos, and how they go with features.

    Args:
        features: Of each photo.
        captions: Of each photo, as indices without START and END.
        num_ngrams: Only so many count, those said of the most photos.
    """
    P = len(features)
    said = [caption for of_photo in captions for caption in of_photo]
    photo = np.repeat(np.arange(P), [len(of_photo) for of_photo in captions])
    table = np.full((len(said), max(map(len, said)) + 1), END)
    for row, caption in enumerate(said):
        table[row, : len(caption)] = caption
    found = list(ngrams(table))

    everything = np.concatenate([part.hashes for part in found])
    of = np.concatenate([photo[part.rows] for part in found])
    order = np.lexsort((of, everything))
    everything, of = everything[order], of[order]
    new = np.ones(len(of), dtype=bool)  # a photo counts once, in however many of its captions
    new[1:] = (everything[1:] != everything[:-1]) | (of[1:] != of[:-1])
    hashes, photos = np.unique(everything[new], return_counts=True)
    often = np.sort(np.argsort(-photos, kind="stable")[:num_ngrams])
    hashes, rarity = hashes[often], np.log(P / photos[often])
    K = len(hashes)

    # The n-grams of each photo: the mean over its captions of the vector with length 1.
    cells, values = [], []
    share = 1 / np.bincount(photo, minlength=P)
    for rows, codes, counts in found:
        places, known = find(hashes, codes)
        weights = counts * np.where(known, rarity[places], np.log(P))
        norms = np.sqrt(np.bincount(rows, weights**2, len(said)))
        value = weights / np.where(norms > 0, norms, 1)[rows] * share[photo[rows]]
        cells.append((photo[rows] * K + places)[known])
        values.append(value[known])
    cell = np.concatenate(cells)
    by_photo = np.argsort(cell, kind="stable")
    cell, value = cell[by_photo], np.concatenate(values)[by_photo]

    mean = features.mean(axis=0, dtype=np.float64)
    spread = features.std(axis=0, dtype=np.float64)
    # Where photos hardly differ there is nothing to learn, and noise would be made loud.
    spread = (
        np.maximum(spread, LEAST * (spread.max() or 1.0)) * len(mean) ** 0.5
    )  # squares sum to 1
    apart = ((features - mean) / spread).astype(np.float32)
    products = np.zeros((len(mean), K), dtype=np.float32)
    usual = np.zeros(K)
    for first in range(0, P, BATCH):
        last = min(first + BATCH, P)
        here = slice(*np.searchsorted(cell, [first * K, last * K]))
        sums = np.bincount(cell[here] - first * K, value[here], (last - first) * K)
        dense = sums.astype(np.float32).reshape(-1, K)
        products += apart[first:last].T @ dense
        usual += dense.sum(axis=0)
    parts = {
        "hashes": hashes,
        "rarity": rarity.astype(np.float32),
        "unseen": np.array(np.log(P), dtype=np.float32),
        "usual": (usual / P).astype(np.float32),
        "mean": mean.astype(np.float32),
        "spread": spread.astype(np.float32),
        "lengths": np.bincount(np.minimum(lengths_of(table), LONGEST)),
    }
    return Statistics(parts, apart.T.astype(np.float64) @ apart, products)


def solve(known: Statistics, config: ConsensusConfig) -> ConsensusScorer:
    """The ridge regression of lower rank that is nearest to the full one on its photos.

    Izenman 1975 (Reduced-rank regression for the multivariate linear model, Journal of Multivariate
    Analysis 5), section 2, with all n-grams alike.
    """
    X = len(known.squares)
    full = np.linalg.solve(known.squares + config.ridge * np.eye(X), known.products)  # (X, K)
    # The lengths of its columns are those of what the regression says on the photos.
    root = np.linalg.cholesky(known.squares + 1e-6 * np.eye(X)).T
    fitted = root @ full
    directions = np.linalg.eigh(fitted @ fitted.T)[1][:, -config.rank :]  # (X, R)
    basis = directions.T @ fitted  # (R, K)
    scales = np.abs(basis).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1.0)
    return ConsensusScorer(
        basis=np.rint(basis / scales[:, None]).astype(np.int8),
        weights=(np.linalg.solve(root, directions) * scales).astype(np.float32),
        config=config,
        **known.parts,
    )


def choose(
    captioner: Captioner,
    known: Statistics,
    config: ConsensusConfig,
    photos: Sequence[Photo],
    maps: np.ndarray,
) -> ConsensusConfig:
    """The ridge and the weight that choose the best captions of photos, by CIDEr-D.

    Args:
        captioner: The captions are those of `CHOICE` beams of it.
        known: Of other photos.
        config: The other settings.
        photos: With their human captions.
        maps: Of these photos.
    """
    true = CiderD(references_of(photos))
    scorers = [solve(known, replace(config, ridge=ridge)) for ridge in RIDGES]
    # For each pair of settings, the sum of the scores of the captions that it chooses.
    totals = np.zeros((len(RIDGES), len(WEIGHTS)))
    search = SearchConfig(beam_size=CHOICE, num_captions=CHOICE)
    for first, features in _parts(captioner, maps):
        found = captioner.search(features, search)
        pooled = captioner.pooled(features)
        captions, own = in_a_table(captioner, found)
        texts = [[" ".join(tokenise(c.caption)) for c in of_photo] for of_photo in found]
        scores = np.full(own.shape, -np.inf)
        for row, of_photo in enumerate(texts):
            scores[row, : len(of_photo)] = true.score(of_photo, [first + row] * len(of_photo))
        for i, scorer in enumerate(scorers):
            agreement = scorer.agreement(pooled, captions)
            for j, weight in enumerate(WEIGHTS):
                best = np.argmax(agreement + weight * own, axis=1)
                totals[i, j] += np.take_along_axis(scores, best[:, None], axis=1).sum()
    i, j = divmod(int(totals.argmax()), len(WEIGHTS))
    return replace(config, ridge=RIDGES[i], weight=WEIGHTS[j])


def in_a_table(
    captioner: Captioner, found: Sequence[Sequence[Any]]
) -> tuple[Int[np.ndarray, "N B T"], Float[np.ndarray, "N B"]]:
    """The captions of photos as indices, and their log-probabilities a word; -inf where none is."""
    words = captioner.vocabulary
    rows = [[words.indices(c.caption.split()) for c in of_photo] for of_photo in found]
    width = max(len(row) for of_photo in rows for row in of_photo) + 1
    captions = np.full((len(found), max(map(len, rows)), width), END)
    own = np.full(captions.shape[:2], -np.inf)
    for n, (of_photo, told) in enumerate(zip(rows, found, strict=True)):
        for b, (row, caption) in enumerate(zip(of_photo, told, strict=True)):
            captions[n, b, : len(row)] = row
            own[n, b] = caption.log_prob_per_word
    return captions, own


def _parts(captioner: Captioner, maps: np.ndarray) -> Iterator[tuple[int, Any]]:
    for first in range(0, len(maps), BATCH):
        yield first, captioner.features(maps[first : first + BATCH])
