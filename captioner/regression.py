"""A captioner learns what people say of photos with such features, to choose among its captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from captioner.confidence import weights_of
from captioner.config import CHOICE, SearchConfig
from captioner.consensus import ConsensusConfig, ConsensusScorer, find, lengths_of, ngrams
from captioner.datasets import Photo, PhotoSet
from captioner.errors import InputError
from captioner.evaluation import BATCH, references_of
from captioner.features import dataset_cache, other_views, with_maps
from captioner.folders import find_model
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.runtime import find_export
from captioner.vocabulary import END, tokenise

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.8)
"""The settings tried."""
LEAST = 0.01
"""Spread of a feature, as a share of the greatest."""
LONGEST = 255
"""Words of a caption that are told apart."""
TOGETHER = 256
"""Photos in a step of training."""
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.1


@dataclass(frozen=True)
class Said:
    """What people say of photos, and what the photos look like."""

    parts: dict[str, Any]
    """What a `ConsensusScorer` is given as it is."""
    features: Float[np.ndarray, "W P X"]
    """Of each view of the photos, standardised: (x - x0) / spread."""
    ngrams: Tensor
    """How much of each n-gram is in the captions of a photo, (P, K), sparse."""


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
        choose_on: Choose its `weight` by CIDEr-D on this split, which is another.
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
    seen = [_pooled(captioner, maps)]
    del maps
    if config.views > 1:
        if split != "train":
            raise InputError(f"{split}: has no views; leave out --views or --split")
        views = other_views(
            dataset, captioner.encoder, photos, config.views, captioner.places, skip_bad
        )
        seen += [_pooled(captioner, maps) for maps in views]
    known = gather_said(
        np.stack(seen),
        [[words.indices(words.split(text)) for text in photo.captions] for photo in photos],
        config.num_ngrams,
    )
    found = train(known, config)
    if choose_on:
        others, maps = with_maps(cache, dataset.split(choose_on), skip_bad, "Features")
        found.config = replace(config, weight=choose(captioner, found, others, maps))
    for place in {folder, find_export(model) or folder}:
        found.save(place)
    return found


def gather_said(
    features: Float[np.ndarray, "W P X"],
    captions: Sequence[Sequence[Sequence[int]]],
    num_ngrams: int,
) -> Said:
    """Count the n-grams of photos.

    Args:
        features: Of W views of each photo, the first of which is what will be captioned.
        captions: Of each photo, as indices without START and END.
        num_ngrams: Only so many count, those said of the most photos.
    """
    P = features.shape[1]
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
        cells.append(np.stack([photo[rows], places])[:, known])
        values.append(value[known])
    where = torch.from_numpy(np.concatenate(cells, axis=1))
    how_much = torch.from_numpy(np.concatenate(values)).float()
    spoken = torch.sparse_coo_tensor(where, how_much, (P, K), check_invariants=True).coalesce()

    mean = features[0].mean(axis=0, dtype=np.float64)
    spread = features[0].std(axis=0, dtype=np.float64)
    # Where photos hardly differ there is nothing to learn, and noise would be made loud.
    spread = np.maximum(spread, LEAST * (spread.max() or 1.0))
    parts = {
        "hashes": hashes,
        "rarity": rarity.astype(np.float32),
        "unseen": np.array(np.log(P), dtype=np.float32),
        "mean": mean.astype(np.float32),
        "spread": spread.astype(np.float32),
        "lengths": np.bincount(np.minimum(lengths_of(table), LONGEST)),
    }
    return Said(parts, ((features - mean) / spread).astype(np.float32), spoken)


def train(known: Said, config: ConsensusConfig) -> ConsensusScorer:
    """A network with one hidden layer that foretells n-grams by least squares.

    It foretells where a photo lies among the directions in which what is said of photos differs
    most, the principal components of their n-grams (Halko et al. 2011, arXiv:0909.4061).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        usual = torch.sparse.sum(known.ngrams, dim=0).to_dense() / known.features.shape[1]
        rank = min(config.rank, *known.ngrams.shape)
        _, _, basis = torch.svd_lowrank(known.ngrams, rank, niter=4, M=usual.unsqueeze(0))  # (K, R)
        places = torch.sparse.mm(known.ngrams, basis) - usual @ basis  # (P, R)
        scale = places.square().mean().sqrt().clamp_min(1e-12)
        hidden, out = _fit(torch.from_numpy(known.features), places / scale, config)
    usual = usual + scale * basis @ out.bias
    basis_scales, basis_bytes = _in_bytes(basis.t(), dim=1)
    gains, hidden_bytes = _in_bytes(hidden.weight.t(), dim=0)
    weights = scale * out.weight.t() * basis_scales  # (U, R)
    return ConsensusScorer(
        usual=usual.numpy(),
        basis=basis_bytes.numpy(),
        weights=weights.numpy(),
        hidden=hidden_bytes.numpy(),
        gains=gains.numpy(),
        bias=hidden.bias.numpy(),
        config=config,
        **known.parts,
    )


def _fit(
    features: Float[Tensor, "W P X"], places: Float[Tensor, "P R"], config: ConsensusConfig
) -> tuple[nn.Linear, nn.Linear]:
    """Both layers of the network, trained."""
    from tqdm import trange

    hidden = nn.Linear(features.shape[2], config.units)
    out = nn.Linear(config.units, places.shape[1])
    network = nn.Sequential(
        nn.Dropout(0.6 * config.dropout), hidden, nn.ReLU(), nn.Dropout(config.dropout), out
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    order = torch.empty(0, dtype=torch.long)
    for _ in trange(config.steps, desc="What people say", unit="step", disable=None):
        if not len(order):
            order = torch.randperm(len(places))
        rows, order = order[:TOGETHER], order[TOGETHER:]
        views = torch.randint(len(features), (len(rows),))
        loss = (network(features[views, rows]) - places[rows]).square().sum(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.requires_grad_(False)
    return hidden, out


def _in_bytes(matrix: Float[Tensor, "A B"], dim: int) -> tuple[Float[Tensor, " C"], Tensor]:
    """Scales of the rows (dim 1) or columns (dim 0), and the matrix in whole numbers to 127."""
    scales = matrix.abs().amax(dim=dim, keepdim=True).clamp_min(1e-12) / 127
    return scales.flatten(), (matrix / scales).round().to(torch.int8)


def choose(
    captioner: Captioner, scorer: ConsensusScorer, photos: Sequence[Photo], maps: np.ndarray
) -> float:
    """The weight of its own opinion with which a captioner chooses the best captions, by CIDEr-D.

    Args:
        captioner: The captions are those of `CHOICE` beams of it.
        scorer: Learned from other photos.
        photos: With their human captions.
        maps: Of these photos.
    """
    true = CiderD(references_of(photos))
    # For each weight, the sum of the scores of the captions that it chooses.
    totals = np.zeros(len(WEIGHTS))
    search = SearchConfig(beam_size=CHOICE, num_captions=CHOICE)
    for first, features in _parts(captioner, maps):
        found = captioner.search(features, search)
        captions, own = in_a_table(captioner, found)
        texts = [[" ".join(tokenise(c.caption)) for c in of_photo] for of_photo in found]
        scores = np.full(own.shape, -np.inf)
        for row, of_photo in enumerate(texts):
            scores[row, : len(of_photo)] = true.score(of_photo, [first + row] * len(of_photo))
        agreement = scorer.agreement(captioner.pooled(features), captions)
        for j, weight in enumerate(WEIGHTS):
            # A weight of nought does not make good what is no caption.
            best = np.argmax(np.where(np.isfinite(own), agreement + weight * own, -np.inf), axis=1)
            totals[j] += np.take_along_axis(scores, best[:, None], axis=1).sum()
    return WEIGHTS[int(totals.argmax())]


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


def _pooled(captioner: Captioner, maps: np.ndarray) -> Float[np.ndarray, "P X"]:
    return np.concatenate([captioner.pooled(features) for _, features in _parts(captioner, maps)])


def _parts(captioner: Captioner, maps: np.ndarray) -> Iterator[tuple[int, Any]]:
    for first in range(0, len(maps), BATCH):
        yield first, captioner.features(maps[first : first + BATCH])
