"""Soft attention by a cell of its own."""

import torch
from jaxtyping import Float
from torch import Tensor

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.cell import GATES, Cell
from captioner.decoders.grid import GridDecoder, Step, linear
from captioner.decoders.running import Memory, Running


class UpDownDecoder(GridDecoder):
    """Top-down attention: one cell decides where to look, another one what to say.

        h1_t      = cell1([h2_{t-1}, mean of the places, W_embed[word_t]], h1_{t-1})
        e_l       = w . tanh(a_l W_key + h1_t W_query + b_query)      how well place l fits
        alpha     = softmax over the places of e                      where to look  (L)
        z         = sum_l alpha_l a_l                                 what is seen   (D)
        h2_t      = cell2([z, h1_t], h2_{t-1})
        scores_t  = h2_t W_vocab + b_vocab

    After Anderson et al. 2018 (Bottom-up and top-down attention, arXiv:1707.07998): section 3.2,
    eqs. 2 to 7, where the cells are LSTMs.

    Args:
        config: Cell, layers (1, which is both cells) and sizes.
        num_words: Size of the vocabulary (V).
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        H, A, D = config.hidden, config.attention, config.features
        looks = Cell(config.cell, config.embedding, H, H)
        speaks = Cell(config.cell, 0, D + H, H)
        super().__init__(config, num_words, [looks, speaks])
        gates = [H] * GATES[config.cell]
        self.mean = linear(D, sum(gates), bias=False, parts=gates)
        self.key = linear(D, A, bias=False)
        self.query = linear(H, A)
        self.fit = linear(A, 1, bias=False)

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys (P, L, A), the places, and what their mean does to the first cell's gates (P, G)."""
        return self.key(features), features, self.mean(features.mean(dim=1))

    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more."""
        looks, speaks = self.of_cells(state)
        looks = run.advance(self.cells[0], run.with_photo(x, 2), speaks[0], looks)
        z, alpha, _ = run.attend(self.fit, run(self.query, looks[0]))
        seen = torch.cat([z, self._drop(looks[0])], dim=1)
        speaks = run.advance(self.cells[1], None, seen, speaks)
        return Step(speaks[0], (*looks, *speaks), alpha)
