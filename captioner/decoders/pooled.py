"""A decoder that sees the photo once."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from captioner.cells import State, first_state
from captioner.config import DecoderConfig
from captioner.decoders.base import Hidden, WordDecoder
from captioner.decoders.photo import PhotoDecoder
from captioner.decoders.running import Memory


class PooledDecoder(WordDecoder, PhotoDecoder):
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
    """

    places = False

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__(config, num_words)
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
        self, features: Float[Tensor, "P D"], photo: Int[Tensor, " N"], words: PackedSequence
    ) -> tuple[Hidden, Float[Tensor, ""]]:
        """The hidden states along the captions of P photos (teacher forcing)."""
        hidden = self.hidden(tuple(part[photo] for part in self.start(features)), words)
        return hidden, hidden.h.new_zeros(())
