"""A decoder that sees the photo once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from captioner.cells import State, first_state
from captioner.config import DecoderConfig
from captioner.decoders.base import Decoder, Hidden, Memory


class PooledDecoder(Decoder):
    """A decoder that sees the photo once, as its first hidden state.

        h0       = features W_proj + b_proj           photo -> state       (D) -> (layers, H)
        x_t      = W_embed[word_t]                    word  -> vector      (V) -> (E)
        h_t      = cell(x_t, h_{t-1})                 rnn, gru or lstm     (E), (H) -> (H)
        scores_t = h_t W_vocab + b_vocab              temporal affine      (H) -> (V)

    After Karpathy & Fei-Fei 2015 (arXiv:1412.2306, section 3.2) and Vinyals et al. 2015
    (arXiv:1411.4555).

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).
        inputs: As for `Decoder`.
    """

    places = False
    """Whether it looks at places (N, L, D) rather than at their mean (N, D)."""

    def __init__(self, config: DecoderConfig, num_words: int, inputs: int | None = None) -> None:
        super().__init__(config, num_words, inputs)
        self.project = nn.Linear(config.features, config.layers * config.hidden)
        nn.init.normal_(self.project.weight, std=config.features**-0.5)
        nn.init.zeros_(self.project.bias)

    def start(self, features: Float[Tensor, "P D"]) -> State:
        """The state before the first word, a row per photo."""
        h0 = self.project(features)  # (P, layers * H)
        return first_state(self.cell, h0.unflatten(1, (self.config.layers, self.config.hidden)))

    def memory(self, features: Float[Tensor, "P D"]) -> Memory:
        """What it looks at again at every word: nothing."""
        return ()

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
        hidden = self.hidden(tuple(part[photo] for part in self.start(features)), words)
        return hidden, hidden.h.new_zeros(())

    def forward(
        self, features: Float[Tensor, "N ..."], words: Int[Tensor, "N T"]
    ) -> Float[Tensor, "N T V"]:
        """Scores of the word after each of `words` (teacher forcing)."""
        lengths = torch.full((len(words),), words.shape[1])
        packed = pack_padded_sequence(words, lengths, batch_first=True)
        photo = torch.arange(len(words), device=words.device)
        scores = self.scores(self.read(features, photo, packed)[0])
        return pad_packed_sequence(packed._replace(data=scores), batch_first=True)[0]
