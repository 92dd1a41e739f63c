"""Consensus re-ranking: of the captions of a beam, the one that people would most agree with.

Which n-grams people say of a photo is foretold from its features, by a small network that learned
it from the training photos (`captioner.regression`); a caption made of such n-grams is a good one.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int, Integer
from threadpoolctl import ThreadpoolController

from captioner.errors import InputError
from captioner.files import replacing
from captioner.folders import parse
from captioner.vocabulary import END

FILE = "consensus.npz"
"""In the folder of a model that has one; numbers alone, and NumPy can read them."""

# As in captioner.metrics, which takes long to import where captions are only looked for.
MAX_N = 4
SIGMA = 6.0
"""Of the Gaussian by which CIDEr-D punishes a wrong length, in words."""
SCALE = 10.0
"""As CIDEr-D, which is 10 at most."""

_blas = cache(ThreadpoolController)

BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd and large: different n-grams have different hashes, but for a chance of 1 in 2**64."""
NO_NGRAM = np.uint64(2**64 - 1)

UNREADABLE = (
    AttributeError, BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error
)  # fmt: skip
"""What reading that file raises where it is damaged, or is something else."""


@dataclass(frozen=True)
class ConsensusConfig:
    """How what people say is foretold, and how much that counts.

    Raises:
        ValueError: if a setting makes no sense.
    """

    weight: float = 0.1
    """Of the captioner's own opinion, the mean log-probability of a word in nats."""
    units: int = 512
    """Hidden units of the network that foretells (U)."""
    rank: int = 256
    """Different directions in which what they say of photos differs, at most (R)."""
    num_ngrams: int = 20_000
    """N-grams that are foretold, at most (K): those said of the most training photos."""
    dropout: float = 0.5
    """Share of the hidden units silenced in training; three fifths of it of the features."""
    views: int = 1
    """Views of each photo that it learns from, as of train.py; training photos alone have them."""
    steps: int = 1000
    """Of training, on 256 photos each."""
    seed: int = 0
    """Of its weights and of the order of the photos."""
    made_from: str = ""
    """SHA-256 of the weights (model.safetensors) of the captioner whose features these are."""

    def __post_init__(self) -> None:
        for name in ("units", "rank", "num_ngrams", "views", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"weight {self.weight} must not be below 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must be at least 0 and below 1")


class Ngrams(NamedTuple):
    """The different n-grams of one n in captions."""

    rows: np.ndarray
    """The caption that each is in (G)."""
    hashes: np.ndarray
    """Equal for equal n-grams (G)."""
    counts: np.ndarray
    """How often it is there (G)."""


class ConsensusScorer:
    """Tells how much people would agree with a caption, from the features of its photo.

        u(p)     = max(0, gains * A^T (x(p) - x0) / spread + b)
        t(p)     = t0 + V^T W^T u(p)
        score(c) = 10/4 l(c) sum_n <g_n(c), t_n(p)> / |g_n(c)|  +  weight log P(c | p) / words

    g_n(c) has the TF-IDF weights of a caption's n-grams, END among the words, each counted once in
    the product; t is what people are expected to say, the mean of g_n / |g_n| over the captions of
    a photo, and l(c) the mean of CIDEr-D's punishment of length against all training captions.
    So it is CIDEr-D (Vedantam et al. 2015, arXiv:1411.5726) without the captions. After the
    consensus re-ranking of Devlin et al. 2015 (arXiv:1505.04467), who compared with what was
    written about similar photos.

    Args:
        hashes: Of the n-grams foretold, ascending (K).
        rarity: Their inverse document frequency, in nats.
        unseen: That of an n-gram that is not foretold.
        usual: How much of each is said where no hidden unit is awake (t0).
        basis: V, in whole numbers up to 127, (R, K).
        weights: W, with the scales of the basis, (U, R).
        hidden: A, in whole numbers up to 127, (X, U).
        gains: Of the hidden units, the scales of A (U).
        bias: Likewise, b (U).
        mean: Of the features (x0).
        spread: Their standard deviations.
        lengths: How many training captions have 0, 1, 2, ... words.
        config: The settings.
    """

    def __init__(
        self,
        hashes: Integer[np.ndarray, " K"],
        rarity: Float[np.ndarray, " K"],
        unseen: Float[np.ndarray, ""],
        usual: Float[np.ndarray, " K"],
        basis: Integer[np.ndarray, "R K"],
        weights: Float[np.ndarray, "U R"],
        hidden: Integer[np.ndarray, "X U"],
        gains: Float[np.ndarray, " U"],
        bias: Float[np.ndarray, " U"],
        mean: Float[np.ndarray, " X"],
        spread: Float[np.ndarray, " X"],
        lengths: Integer[np.ndarray, " L"],
        config: ConsensusConfig,
    ) -> None:
        self.hashes, self.rarity, self.unseen, self.usual = hashes, rarity, unseen, usual
        self.basis, self.weights = basis, weights
        self.hidden, self.gains, self.bias = hidden, gains, bias
        self.mean, self.spread, self.lengths = mean, spread, lengths
        self.config = config

    @cached_property
    def _in_floats(self) -> tuple[np.ndarray, np.ndarray]:
        """A and V, ready to be multiplied with; making them takes longer than that does."""
        return self.hidden.astype(np.float32), self.basis.astype(np.float32)

    def expect(self, features: Float[np.ndarray, "N X"]) -> Float[np.ndarray, "N K"]:
        """How much of each n-gram people are expected to say of N photos."""
        if features.shape[1] != len(self.mean):
            raise InputError(
                f"{FILE} is for {len(self.mean)} features of a photo, not {features.shape[1]}; "
                "run captioner consensus, or captioner export, again"
            )
        apart = ((features - self.mean) / self.spread).astype(np.float32)
        hidden, basis = self._in_floats
        # A thread is enough for so little; more would spin on, in the way of the CNN.
        with _blas().limit(limits=1, user_api="blas"):
            awake = np.maximum(apart @ hidden * self.gains + self.bias, 0)
            return self.usual + (awake @ self.weights) @ basis

    def agreement(
        self, features: Float[np.ndarray, "N X"], captions: Int[np.ndarray, "N B T"]
    ) -> Float[np.ndarray, "N B"]:
        """How much people are expected to agree with captions, from 0 to 10.

        Args:
            features: Pooled, of N photos.
            captions: B of each, as indices; what follows END is ignored.
        """
        N, B, T = captions.shape
        expected = self.expect(features)
        words = captions.reshape(N * B, T)
        total = np.zeros(N * B)
        for rows, hashes, counts in ngrams(words):
            places, known = find(self.hashes, hashes)
            rarity = np.where(known, self.rarity[places], self.unseen)
            norms = np.sqrt(np.bincount(rows, (counts * rarity) ** 2, N * B))
            agreed = np.where(known, rarity * expected[rows // B, places], 0.0)
            total += np.bincount(rows, agreed, N * B) / np.where(norms > 0, norms, 1)
        total *= self._punishment[np.minimum(lengths_of(words), len(self._punishment)) - 1]
        return (SCALE / MAX_N * total).reshape(N, B)

    @property
    def _punishment(self) -> Float[np.ndarray, " 255"]:
        """Of captions of 1, 2, ... words, END counted."""
        said = np.arange(1, 256)[:, None] - np.arange(len(self.lengths))
        share = self.lengths / self.lengths.sum()
        return np.exp(-(said.astype(np.float64) ** 2) / (2 * SIGMA**2)) @ share

    def save(self, folder: Path) -> None:
        """Write it into a model's folder.

        Raises:
            InputError: if it cannot be written.
        """
        every = vars(self).items()
        parts: dict[str, Any] = {name: of for name, of in every if isinstance(of, np.ndarray)}
        config = np.frombuffer(json.dumps(asdict(self.config)).encode(), dtype=np.uint8)
        with replacing(folder / FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **parts, config=config)


def find(known: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of hashes among others, which ascend, and whether they are there.

    >>> find(np.array([3, 5]), np.array([5, 4, 9]))
    (array([1, 1, 1]), array([ True, False, False]))
    """
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return places, known[places] == hashes


def lengths_of(words: Int[np.ndarray, "M T"]) -> Int[np.ndarray, " M"]:
    """Words of each caption, END counted.

    >>> lengths_of(np.array([[7, 8, END, 0], [7, END, 0, 0], [7, 8, 9, 7]]))
    array([3, 2, 4])
    """
    ended = words == END
    return np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, words.shape[1])


def ngrams(words: Int[np.ndarray, "M T"]) -> Iterator[Ngrams]:
    """For n = 1, 2, 3, 4 the different n-grams of captions, END among their words.

    >>> [found.counts.tolist() for found in ngrams(np.array([[7, 8, 7, 8, END, 0]]))]
    [[1, 2, 2], [1, 1, 2], [1, 1, 1], [1, 1]]
    """
    M, T = words.shape
    within = np.arange(T) < lengths_of(words)[:, None]
    # No word is nought, so that an n-gram is none of n + 1.
    number = words.astype(np.uint64) + np.uint64(1)
    hashes = np.zeros((M, T), dtype=np.uint64)
    for n in range(1, MAX_N + 1):
        places = T - n + 1
        if places < 1:
            return
        hashes = hashes[:, :places] * BASE + number[:, n - 1 :]
        ordered = np.sort(np.where(within[:, n - 1 :], hashes, NO_NGRAM), axis=1)
        first = np.ones((M, places), dtype=bool)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        begins = np.flatnonzero(first)
        counts = np.diff(begins, append=M * places)
        found = ordered.ravel()[begins]
        real = found != NO_NGRAM
        yield Ngrams(begins[real] // places, found[real], counts[real])


def read_consensus(folder: Path, made_from: str) -> ConsensusScorer | None:
    """The scorer in a model's folder; None where it has none.

    Args:
        folder: Of the model or of its export.
        made_from: SHA-256 of the model's weights.

    Raises:
        InputError: if it is damaged, or another model's.
    """
    file = folder / FILE
    if not file.exists():
        return None
    again = "delete it and run captioner consensus again"
    try:
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as opened:
            parts: dict[str, Any] = dict(opened)
        config = parse(ConsensusConfig, json.loads(parts.pop("config").tobytes()), file)
        found = ConsensusScorer(config=config, **parts)
        whole = _fit_together(found)
    except UNREADABLE as error:
        raise InputError(f"{file}: cannot be read ({str(error)[:200]}); {again}") from None
    if not whole:
        raise InputError(f"{file}: its parts do not fit together; {again}")
    if found.config.made_from != made_from:
        raise InputError(f"{file}: belongs to another model; {again}")
    return found


def _fit_together(found: ConsensusScorer) -> bool:
    (ranks, ngrams), features, units = found.basis.shape, len(found.mean), len(found.bias)
    words = (found.rarity, found.unseen, found.usual)
    numbers = (*words, found.weights, found.gains, found.bias, found.mean, found.spread)
    return (
        ngrams > 0
        and found.hashes.shape == found.rarity.shape == found.usual.shape == (ngrams,)
        and found.hidden.shape == (features, units)
        and found.weights.shape == (units, ranks)
        and found.gains.shape == (units,)
        and found.spread.shape == (features,)
        and found.lengths.ndim == 1
        and int(found.lengths.sum()) > 0
        and all(bool(np.isfinite(part).all()) for part in numbers)
        and bool((found.spread > 0).all())
        and bool((found.hashes[1:] > found.hashes[:-1]).all())
    )
