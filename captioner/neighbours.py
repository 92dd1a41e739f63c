"""Consensus re-ranking: what people wrote about the most similar photos has a say in the choice.

A decoder knows of its training photos what its weights could take in. Here it may look them up:
of the captions of a beam, the one that the captions of similar photos agree with most is the best.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int, Integer, Real

from captioner.errors import InputError
from captioner.files import replacing
from captioner.folders import parse
from captioner.vocabulary import END

if TYPE_CHECKING:
    from captioner.metrics.reward import Consensus

FILE = "neighbours.npz"
"""In the folder of a model that has them; numbers alone, and NumPy can read them."""

UNREADABLE = (
    AttributeError, BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error
)  # fmt: skip
"""What reading that file raises where it is damaged, or is something else."""


@dataclass(frozen=True)
class Say:
    """How much of a say the neighbours have.

    Raises:
        ValueError: if a setting makes no sense.
    """

    photos: int = 60
    """Most similar photos that are asked (K)."""
    sharpness: float = 10.0
    """How much more the more similar of them count: the weights are softmax(sharpness cosine)."""
    weight: float = 0.2
    """Of the captioner's own opinion, the mean log-probability of a word in nats."""
    made_from: str = ""
    """SHA-256 of the weights (model.safetensors) of the captioner whose features these are."""

    def __post_init__(self) -> None:
        if self.photos < 1:
            raise ValueError(f"photos {self.photos} must be at least 1")
        for name in ("sharpness", "weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} {getattr(self, name)} must not be below 0")


class Neighbours:
    """Training photos, by their features, and what people wrote about them.

        score(c) = sum_p a_p CIDEr-D(c, captions of p)  +  weight log P(c | photo) / words
        a        = softmax over the K nearest p of  sharpness cos(photo, p)

    Words count by how rare they are among the training photos. After Devlin et al. 2015 (Exploring
    nearest neighbor approaches for image captioning, arXiv:1505.04467, section 3), who took a
    neighbour's caption itself, and Mao et al. 2015 (arXiv:1412.6632), who sorted a beam.

    Args:
        features: Pooled, of each training photo (P, D), of any length: only directions matter.
        words: The captions of all photos, one behind the other, as indices without START and END.
        lengths: Words of each caption.
        counts: Captions of each photo (P).
        say: How much of a say they have.
    """

    def __init__(
        self,
        features: Real[np.ndarray, "P D"],
        words: Integer[np.ndarray, " W"],
        lengths: Integer[np.ndarray, " S"],
        counts: Integer[np.ndarray, " P"],
        say: Say,
    ) -> None:
        self.features, self.words, self.lengths, self.counts = features, words, lengths, counts
        self.say = say
        self.photos = min(say.photos, len(features))

    @classmethod
    def of(
        cls, features: np.ndarray, captions: Sequence[Sequence[Sequence[int]]], say: Say
    ) -> "Neighbours":
        """Of photos whose captions are given as indices without START and END."""
        sentences = [caption for of_photo in captions for caption in of_photo]
        return cls(
            in_bytes(features),
            np.array([word for caption in sentences for word in caption], dtype=np.uint16),
            np.array([len(caption) for caption in sentences], dtype=np.uint8),
            np.array([len(of_photo) for of_photo in captions], dtype=np.uint8),
            say,
        )

    @cached_property
    def _directions(self) -> Float[np.ndarray, "D P"]:
        return directions(self.features.astype(np.float32)).T

    @cached_property
    def _consensus(self) -> "Consensus":
        from captioner.metrics.ngrams import BREAK
        from captioner.metrics.reward import Consensus

        words = self.words.astype(np.int64)
        text = np.insert(words, np.cumsum(self.lengths, dtype=np.int64), BREAK)
        return Consensus(text, self.counts.astype(np.int64), max(END, int(words.max())) + 1)

    def nearest(
        self, features: Float[np.ndarray, "N D"]
    ) -> tuple[Int[np.ndarray, "N K"], Float[np.ndarray, "N K"]]:
        """The most similar photos of each of N, and the cosines."""
        alike = directions(features) @ self._directions  # (N, P)
        near = np.argpartition(-alike, self.photos - 1, axis=1)[:, : self.photos]
        return near, np.take_along_axis(alike, near, axis=1)

    def agreement(
        self, features: Float[np.ndarray, "N D"], captions: Int[np.ndarray, "N B T"]
    ) -> Float[np.ndarray, "N B"]:
        """How much what people wrote about similar photos agrees with captions, from 0 to 10.

        Args:
            features: Pooled, of N photos.
            captions: B of each, as indices; what follows END is ignored.
        """
        near, alike = self.nearest(features)
        shares = attention(alike, self.say.sharpness)
        return np.einsum("nbk,nk->nb", self.compare(captions, near), shares)

    def compare(
        self, captions: Int[np.ndarray, "N B T"], near: Int[np.ndarray, "N K"]
    ) -> Float[np.ndarray, "N B K"]:
        """CIDEr-D of each of a photo's captions with what people wrote about each neighbour."""
        from captioner.metrics.reward import clip_and_punish

        N, B, T = captions.shape
        K = near.shape[1]
        ended = captions == END
        lengths = np.where(ended.any(axis=2), ended.argmax(axis=2), T)
        begins = np.arange(N * B) * T
        scores = self._consensus.compare(
            captions.ravel(),
            begins.repeat(K),
            lengths.ravel().repeat(K),
            near[:, None].repeat(B, axis=1).ravel(),
            clip_and_punish,
        )
        return scores.reshape(N, B, K)

    def save(self, folder: Path) -> None:
        """Write them into a model's folder.

        Raises:
            InputError: if it cannot be written.
        """
        with replacing(folder / FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                features=self.features,
                words=self.words,
                lengths=self.lengths,
                counts=self.counts,
                say=np.frombuffer(json.dumps(asdict(self.say)).encode(), dtype=np.uint8),
            )


def attention(alike: Float[np.ndarray, "N K"], sharpness: float) -> Float[np.ndarray, "N K"]:
    """How much each neighbour counts: softmax(sharpness cosine)."""
    weights = np.exp(sharpness * (alike - alike.max(axis=1, keepdims=True)))
    return weights / weights.sum(axis=1, keepdims=True)


def in_bytes(features: Float[np.ndarray, "P D"]) -> Int[np.ndarray, "P D"]:
    """The directions of vectors, in whole numbers up to 127: a fourth of the space.

    >>> in_bytes(np.array([[0.5, -1.0, 0.001], [0.0, 0.0, 0.0]])).tolist()
    [[64, -127, 0], [0, 0, 0]]
    """
    largest = np.abs(features).max(axis=1, keepdims=True)
    return np.rint(127 * features / np.where(largest, largest, 1)).astype(np.int8)


def directions(features: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """The same vectors with length 1."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths, lengths, 1)


def read_neighbours(folder: Path, made_from: str) -> Neighbours | None:
    """The neighbours in a model's folder; None where it has none.

    Args:
        folder: Of the model or of its export.
        made_from: SHA-256 of the model's weights.

    Raises:
        InputError: if they are damaged, or another model's.
    """
    file = folder / FILE
    if not file.exists():
        return None
    again = "delete it and run captioner neighbours again"
    try:
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as opened:
            parts: dict[str, Any] = dict(opened)
        say = parse(Say, json.loads(parts.pop("say").tobytes()), file)
        found = Neighbours(say=say, **parts)
        whole = _fit_together(found)
    except UNREADABLE as error:
        raise InputError(f"{file}: cannot be read ({str(error)[:200]}); {again}") from None
    if not whole:
        raise InputError(f"{file}: its parts do not fit together; {again}")
    if found.say.made_from != made_from:
        raise InputError(f"{file}: belongs to another model; {again}")
    return found


def _fit_together(found: Neighbours) -> bool:
    return (
        found.features.ndim == 2
        and len(found.features) == len(found.counts) > 0
        and int(found.counts.min()) > 0
        and int(found.counts.sum()) == len(found.lengths)
        and int(found.lengths.sum()) == len(found.words)
        and bool(np.isfinite(found.features).all())
    )
