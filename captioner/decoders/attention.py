"""Soft attention."""

from jaxtyping import Float
from torch import Tensor

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.cell import Cell
from captioner.decoders.grid import GridDecoder, Step, linear
from captioner.decoders.running import Memory, Running


class AttentionDecoder(GridDecoder):
    """Soft attention: before each word it looks where its state tells it to look.

        h0        = mean of the places W_proj + b_proj                       (L, D) -> (layers, H)
        e_l       = w . tanh(a_l W_key + h_{t-1} W_query + b_query)          how well place l fits
        alpha     = softmax over the places of e                             where to look  (L)
        z         = sigmoid(h_{t-1} W_gate + b_gate) * sum_l alpha_l a_l     what is seen   (D)
        h_t       = cell([W_embed[word_t], z], h_{t-1})
        scores_t  = h_t W_vocab + b_vocab

    After Xu et al. 2015 (Show, attend and tell, arXiv:1502.03044): eqs. 4 to 6, the gate beta of
    section 4.2.1, here one for each feature, and the penalty of eq. 14, which wants every place to
    be looked at about as much as any other over the whole caption. Scores are those of the pooled
    decoder rather than their eq. 7. In a stack of cells the lowest one looks.

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).
    """

    penalised = True
    stacked = True

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        H, A, D = config.hidden, config.attention, config.features
        upper = [Cell(config.cell, 0, H, H) for _ in range(config.layers - 1)]
        super().__init__(config, num_words, [Cell(config.cell, config.embedding, D, H), *upper])
        self.key = linear(D, A, bias=False)
        # W_query and W_gate in one, since both are asked of h.
        self.ask = linear(H, A + D, parts=[A, D])
        self.fit = linear(A, 1, bias=False)

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys (P, L, A), computed once per photo, and the places themselves."""
        return self.key(features), features

    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more."""
        lowest, *upper = self.of_cells(state)
        sizes = [self.config.attention, self.config.features]
        queries, beta = run(self.ask, lowest[0]).split(sizes, dim=1)
        z, alpha, _ = run.attend(self.fit, queries)
        after = [run.advance(self.cells[0], x, beta.sigmoid() * z, lowest)]
        for cell, of_cell in zip(self.cells[1:], upper, strict=True):
            after.append(run.advance(cell, None, self._drop(after[-1][0]), of_cell))
        return Step(after[-1][0], tuple(part for of_cell in after for part in of_cell), alpha)
