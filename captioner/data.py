"""Captions and the features of their photos, or running text, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from captioner.vocabulary import END, PAD, START, Vocabulary


@dataclass(frozen=True)
class Batch:
    """N captions and the features of their P photos; real words alone.

    Args:
        features: Each photo's once, however many of its captions are here; of no width where there
            is no photo.
        photo: The row of each caption's photo.
        words: Captions from START on, END left off.
        targets: The same captions from the first word on, END included.
    """

    features: Float[Tensor, "P ..."]
    photo: Int[Tensor, " N"]
    words: PackedSequence
    targets: PackedSequence

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        words, targets = (packed.to(device) for packed in (self.words, self.targets))  # type: ignore[arg-type]
        return Batch(self.features.to(device), self.photo.to(device), words, targets)

    def __len__(self) -> int:
        return len(self.photo)

    @property
    def num_words(self) -> int:
        """Words that are foretold, END counted."""
        return len(self.targets.data)


@runtime_checkable
class Shows(Protocol):
    """Photos that look otherwise in each epoch, as seed and epoch decide."""

    def __len__(self) -> int: ...
    def show(self, photos: np.ndarray, seed: int, epoch: int) -> np.ndarray: ...


class Variants:
    """Features of several views of the same photos: of each, one in every epoch, drawn by lot.

    Args:
        features: Of one view of every photo each, (P, D) or (P, L, D).
    """

    def __init__(self, features: Sequence[np.ndarray]) -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features[0])

    def show(self, photos: Int[np.ndarray, " n"], seed: int, epoch: int) -> np.ndarray:
        """The features of some photos (n, ...) in an epoch."""
        drawn = np.random.default_rng([seed, epoch]).integers(len(self.features), size=len(self))
        pairs = zip(drawn[photos], photos, strict=True)
        return np.stack([self.features[view][photo] for view, photo in pairs])


def shown(
    features: np.ndarray | Shows, photos: Int[Tensor, " n"], seed: int, epoch: int
) -> Float[Tensor, "n ..."]:
    """What training sees of some photos in an epoch."""
    rows = photos.numpy()
    seen = features.show(rows, seed, epoch) if isinstance(features, Shows) else features[rows]
    return torch.from_numpy(seen).float()


class CaptionData:
    """All captions of a split, encoded once.

    Args:
        captions: Those of each photo.
        features: Of each photo (P, D) or (P, L, D), may be fp16; or what shows them otherwise in
            each epoch.
        vocabulary: Gives the words their indices.
        together: Put all captions of a photo into one batch, so that its features are computed
            upon once for all of them.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[str]],
        features: np.ndarray | Shows,
        vocabulary: Vocabulary,
        together: bool = False,
    ) -> None:
        self.features = features
        self.together = together
        encoded = [
            (photo, vocabulary.encode(caption))
            for photo, of_photo in enumerate(captions)
            for caption in of_photo
        ]
        self.photo = torch.tensor([photo for photo, _ in encoded], dtype=torch.long)
        self.length = torch.tensor([len(words) - 1 for _, words in encoded], dtype=torch.long)
        width = vocabulary.max_words + 2
        self.words: Int[Tensor, "M T"] = torch.full((len(encoded), width), PAD)
        for row, (_, words) in enumerate(encoded):
            self.words[row, : len(words)] = torch.tensor(words)

    def __len__(self) -> int:
        return len(self.photo)

    def batch(self, rows: Int[Tensor, " N"], seed: int = 0, epoch: int = 0) -> Batch:
        """These captions, packed, and their photos as they are shown in an epoch."""
        words, lengths = self.words[rows], self.length[rows]
        packed, targets = (
            pack_padded_sequence(part, lengths, batch_first=True, enforce_sorted=False)
            for part in (words[:, :-1], words[:, 1:])
        )
        photos, photo = self.photo[rows].unique(return_inverse=True)
        return Batch(shown(self.features, photos, seed, epoch), photo, packed, targets)

    def batches(self, size: int, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """One epoch of batches, in an order that seed and epoch alone decide.

        Args:
            size: Captions in a batch; the last one may have fewer.
            seed: Of the run.
            epoch: Counted from nought.
            skip: Batches that were done before an interruption.
        """
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        order = torch.randperm(len(self), generator=generator)
        if self.together:  # photos in random order, the captions of each side by side
            rank = torch.randperm(len(self.features), generator=generator)
            order = order[rank[self.photo[order]].argsort(stable=True)]
        for rows in order.split(size)[skip:]:
            yield self.batch(rows, seed, epoch)

    def num_batches(self, size: int) -> int:
        """Batches in an epoch."""
        return -(-len(self) // size)


class RunningText:
    """A text whose lines go on where the last one ended, in chunks for truncated backpropagation.

    The text is cut into N long pieces that are read side by side; batch k holds steps k T to
    (k + 1) T of each piece, so that the state after one batch is the state before the next. A line
    break is END where it is to be foretold, and START where it is read (Williams & Peng 1990, An
    efficient gradient-based algorithm for on-line training of recurrent network trajectories).

    Args:
        lines: The text.
        vocabulary: Gives the words their indices.
        chunk: Steps in a batch (T).
    """

    def __init__(self, lines: Sequence[str], vocabulary: Vocabulary, chunk: int) -> None:
        inputs: list[int] = []
        targets: list[int] = []
        for line in lines:
            words = vocabulary.indices(vocabulary.split(line))
            inputs += [START, *words]
            targets += [*words, END]
        self.inputs, self.targets = torch.tensor(inputs), torch.tensor(targets)
        self.chunk = chunk

    def __len__(self) -> int:
        return len(self.inputs)

    def _shape(self, size: int) -> tuple[int, int]:
        """Pieces and the length of one; a short text gives fewer pieces than were asked for."""
        pieces = max(1, min(size, len(self) // self.chunk))
        return pieces, len(self) // pieces

    def num_batches(self, size: int) -> int:
        """Batches in an epoch."""
        return -(-self._shape(size)[1] // self.chunk)

    def batches(self, size: int, seed: int = 0, epoch: int = 0, skip: int = 0) -> Iterator[Batch]:
        """The text from beginning to end; its order leaves nothing to seed and epoch.

        Args:
            size: Pieces that are read side by side (N).
            seed: Of the run.
            epoch: Counted from nought.
            skip: Batches that were done before an interruption.
        """
        pieces, length = self._shape(size)
        inputs, targets = (
            whole[: pieces * length].view(pieces, length) for whole in (self.inputs, self.targets)
        )
        for first in range(skip * self.chunk, length, self.chunk):
            steps = slice(first, first + self.chunk)
            lengths = torch.full((pieces,), len(inputs[0, steps]))
            words, following = (
                pack_padded_sequence(part[:, steps], lengths, batch_first=True)
                for part in (inputs, targets)
            )
            yield Batch(torch.empty(pieces, 0), torch.arange(pieces), words, following)
