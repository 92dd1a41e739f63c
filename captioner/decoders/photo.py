"""What every decoder that writes about a photo can do."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from captioner.cells import State
from captioner.decoders.base import Decoder, Hidden
from captioner.decoders.running import Memory


class PhotoDecoder(Decoder, ABC):
    """A decoder whose first state is made of a photo's features."""

    places: bool
    """Whether it looks at places (N, L, D) rather than at their mean (N, D)."""

    @classmethod
    def check(cls, cell: str, layers: int) -> None:
        """Refuse what there is no such decoder of.

        Raises:
            ValueError: if it cannot be made of this cell, or of so many layers.
        """

    @abstractmethod
    def start(self, features: Float[Tensor, "P ..."]) -> State:
        """The state before the first word, a row per photo."""

    @abstractmethod
    def memory(self, features: Float[Tensor, "P ..."]) -> Memory:
        """What it looks at again at every word, a row per photo."""

    @abstractmethod
    def step(
        self, words: Int[Tensor, " R"], state: State, memory: Memory = ()
    ) -> tuple[Float[Tensor, "R V"], State]:
        """Log-probability of each next word, after one word more.

        Args:
            words: The last words of R captions, those of a photo side by side.
            state: A row per caption.
            memory: A row per photo.
        """

    @abstractmethod
    def read(
        self, features: Float[Tensor, "P ..."], photo: Int[Tensor, " N"], words: PackedSequence
    ) -> tuple[Hidden, Float[Tensor, ""]]:
        """The hidden states along the captions of P photos (teacher forcing).

        Args:
            features: Of each photo, computed upon once however many captions it has.
            photo: Which photo each caption is of.
            words: The captions.

        Returns:
            They, and what the decoder adds to the loss, per caption.
        """

    def forward(
        self, features: Float[Tensor, "N ..."], words: Int[Tensor, "N T"]
    ) -> Float[Tensor, "N T V"]:
        """Scores of the word after each of `words` (teacher forcing)."""
        lengths = torch.full((len(words),), words.shape[1])
        packed = pack_padded_sequence(words, lengths, batch_first=True)
        photo = torch.arange(len(words), device=words.device)
        scores = self.scores(self.read(features, photo, packed)[0])
        return pad_packed_sequence(packed._replace(data=scores), batch_first=True)[0]
