"""Soft attention that can also look away from the photo."""

import torch
from jaxtyping import Float
from torch import Tensor

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.cell import Cell
from captioner.decoders.grid import GridDecoder, Step, linear
from captioner.decoders.running import Memory, Running


class AdaptiveDecoder(GridDecoder):
    """Adaptive attention: for each word it weighs what it sees against what it remembers.

        x_t       = [W_embed[word_t], mean of the places]
        h_t, m_t  = LSTM(x_t, h_{t-1}, m_{t-1})
        s         = sigmoid(x_t W_x + h_{t-1} W_h + b) * tanh(m_t)    the sentinel, memory  (H)
        e_l       = w . tanh(a_l W_key + h_t W_query + b_query)       how well place l fits
        e_s       = w . tanh(s W_sentinel + h_t W_query + b_query)    how well the sentinel fits
        alpha     = softmax over places and sentinel of [e, e_s]      beta: the sentinel's share
        context   = beta s + sum_l alpha_l (a_l W_see + b_see)        (H)
        scores_t  = (context + h_t) W_vocab + b_vocab

    After Lu et al. 2017 (Knowing when to look, arXiv:1612.01887): eqs. 6 to 13. Places are brought
    to the size of h by a linear layer, without the rectifiers of their eqs. 4 and 5. Words such as
    `of` can so be told from memory; the attention to places then sums to 1 - beta.

    Args:
        config: Cell (lstm), layers (1) and sizes.
        num_words: Size of the vocabulary (V).
    """

    lstm_only = True

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        E, H, A, D = config.embedding, config.hidden, config.attention, config.features
        super().__init__(config, num_words, [Cell("lstm", E, D, H)])
        # One gate has the weights of an rnn.
        self.gate = Cell("rnn", E, D, H)
        self.key = linear(D, A, bias=False)
        self.sentinel_key = linear(H, A, bias=False)
        self.query = linear(H, A)
        self.fit = linear(A, 1, bias=False)
        self.see = linear(D, H)

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys (P, L, A), the places, and what their mean does to all gates (P, 5H)."""
        mean = features.mean(dim=1)
        gates = torch.cat([self.cells[0].z(mean), self.gate.z(mean)], dim=1)
        return self.key(features), features, gates

    def of_words(self, vectors: Float[Tensor, "M E"]) -> Float[Tensor, "M G"]:
        """What words do to the gates of the cell and to that of the sentinel."""
        return torch.cat([super().of_words(vectors), self.gate.x(vectors)], dim=1)

    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more."""
        H = self.config.hidden
        x, gate = run.with_photo(x, 2).split([4 * H, H], dim=1)
        gate = gate + run(self.gate.h, state[0])
        h, m = run.advance(self.cells[0], x, None, state)
        sentinel = gate.sigmoid() * m.tanh()
        query = run(self.query, h)
        z, alpha, total = run.attend(self.fit, query, total=True)
        assert total is not None
        match = (run(self.sentinel_key, sentinel) + query).tanh()
        # In a softmax over places and sentinel it has exp(e_s) of exp(e_s) + sum exp(e).
        beta = (run(self.fit, match) - total.unsqueeze(1)).sigmoid()
        context = beta * sentinel + (1 - beta) * run(self.see, z)
        return Step(context + h, (h, m), (1 - beta) * alpha)
