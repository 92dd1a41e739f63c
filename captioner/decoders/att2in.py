"""Soft attention to the candidate of an LSTM alone."""

import torch
from jaxtyping import Float
from torch import Tensor

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.cell import Cell
from captioner.decoders.grid import GridDecoder, Step, linear
from captioner.decoders.running import Memory, Running


class Att2inDecoder(GridDecoder):
    """Att2in: what is seen enters the memory as a candidate, and sways no gate.

        e_l       = w . tanh(a_l W_key + h_{t-1} W_query + b_query)   how well place l fits
        alpha     = softmax over the places of e                      where to look  (L)
        z         = sum_l alpha_l a_l                                 what is seen   (D)
        i, f, o   = sigmoid of x_t W_x + h_{t-1} W_h + b, for each    x_t = W_embed[word_t]
        n         = max of x_t W_x + h_{t-1} W_h + z W_z + b, of two  maxout, no tanh
        c_t       = f * c_{t-1} + i * n
        h_t       = o * tanh(c_t)
        scores_t  = h_t W_vocab + b_vocab

    After Rennie et al. 2017 (Self-critical sequence training, arXiv:1612.00563): section 2.2. The
    maxout over two candidates is that of Goodfellow et al. 2013 (arXiv:1302.4389).

    Args:
        config: Cell (lstm), layers (1) and sizes.
        num_words: Size of the vocabulary (V).
    """

    lstm_only = True

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        E, H, A, D = config.embedding, config.hidden, config.attention, config.features
        super().__init__(config, num_words, [Cell("lstm", E, 0, H)])
        # A candidate has the weights of an rnn; the first of the two is the cell's own.
        self.second = Cell("rnn", E, 0, H)
        self.see = linear(D, 2 * H, bias=False, parts=[H, H])
        self.key = linear(D, A, bias=False)
        self.query = linear(H, A)
        self.fit = linear(A, 1, bias=False)

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys (P, L, A), computed once per photo, and the places themselves."""
        return self.key(features), features

    def of_words(self, vectors: Float[Tensor, "M E"]) -> Float[Tensor, "M G"]:
        """What words do to the gates and to both candidates."""
        return torch.cat([super().of_words(vectors), self.second.x(vectors)], dim=1)

    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more."""
        h, c = state
        z, alpha, _ = run.attend(self.fit, run(self.query, h))
        recurrent = torch.cat([run(self.cells[0].h, h), run(self.second.h, h)], dim=1)
        i, f, first, o, second = (x + recurrent).chunk(5, dim=1)
        of_first, of_second = run(self.see, z).chunk(2, dim=1)
        candidate = torch.maximum(first + of_first, second + of_second)
        c = f.sigmoid() * c + i.sigmoid() * candidate
        h = o.sigmoid() * c.tanh()
        return Step(h, (h, c), alpha)
