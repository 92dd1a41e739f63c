"""Attention whose result is itself attended to."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.cell import Cell
from captioner.decoders.grid import GridDecoder, Step, linear
from captioner.decoders.running import Memory, Running

HEAD = 64
"""Numbers of a head."""


class AoADecoder(GridDecoder):
    """Attention on attention: a gate lets through what of the seen fits the question.

        AoA(q, a)  = sigmoid([dot(q, a), q] W_g + b_g) * ([dot(q, a), q] W_i + b_i)
        a'         = norm(a + AoA(a, a)),  a = places W_enter + b          places, refined  (L, H)
        h_t        = cell([W_embed[word_t], mean of a' + context_{t-1}], h_{t-1})
        context_t  = AoA(h_t, a')                                          (H), before: nought
        scores_t   = context_t W_vocab + b_vocab

    dot(q, a) is dot-product attention, of several heads side by side:

        alpha      = softmax over places of (q W_q) . (a_l W_k) / sqrt(size of a head)
        dot(q, a)  = sum_l alpha_l (a_l W_v)

    After Huang et al. 2019 (Attention on attention for image captioning, arXiv:1908.06954):
    sections 3.1 and 3.2, with one layer that refines the places in place of six. The gate asks of q
    rather than of q W_q, which comes to the same. Heads have 64 numbers; where H is no multiple of
    that, there is one.

    Args:
        config: Cell, layers (1) and sizes; `attention` is not used.
        num_words: Size of the vocabulary (V).
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        H, D = config.hidden, config.features
        super().__init__(config, num_words, [Cell(config.cell, config.embedding, H, H)])
        self.heads = 1 if H % HEAD else H // HEAD
        self.enter = linear(D, H)
        # W_q, W_k and W_v in one; then W_i and W_g.
        self.refine = linear(H, 3 * H, bias=False, parts=[H, H, H])
        self.refine_gate = linear(2 * H, 2 * H, parts=[H, H])
        self.norm = nn.LayerNorm(H)
        self.key_value = linear(H, 2 * H, bias=False, parts=[H, H])
        self.query = linear(H, H, bias=False)
        self.gate = linear(2 * H, 2 * H, parts=[H, H])

    def start(self, features: Float[Tensor, "P L D"]) -> State:
        """The state of the cell, and the context before the first word: nought."""
        of_cell = super().start(features)
        # Made of h0, zeros are a row per photo in an exported graph too.
        return *of_cell, 0 * of_cell[0]

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys and values (P, heads, L, H / heads), and what the mean does to the gates (P, G)."""
        places = self.enter(features)  # (P, L, H)
        seen, _ = dot(*(self._split(part) for part in self.refine(places).chunk(3, dim=2)))
        both = torch.cat([seen, places], dim=2)
        places = self.norm(places + F.glu(self.refine_gate(both), dim=2))
        key, value = (self._split(part) for part in self.key_value(places).chunk(2, dim=2))
        return key.contiguous(), value.contiguous(), self.cells[0].z(places.mean(dim=1))

    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more."""
        *of_cell, context = state
        after = run.advance(self.cells[0], run.with_photo(x, 2), context, tuple(of_cell))
        query = run.put(run(self.query, after[0]))  # (P, K, H)
        seen, alpha = dot(self._split(query), run.places(0, query), run.places(1, query))
        both = torch.cat([run.take(seen), after[0]], dim=1)
        context = F.glu(run(self.gate, both), dim=1)
        return Step(context, (*after, context), run.take(alpha))

    def _split(self, x: Float[Tensor, "P K H"]) -> Float[Tensor, "P heads K d"]:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def dot(
    query: Float[Tensor, "P heads K d"],
    key: Float[Tensor, "P heads L d"],
    value: Float[Tensor, "P heads L d"],
) -> tuple[Float[Tensor, "P K H"], Float[Tensor, "P K L"]]:
    """Scaled dot-product attention of several heads (Vaswani et al. 2017, arXiv:1706.03762, eq. 1).

    Returns:
        What they read, side by side, and where, on average over them.
    """
    alpha = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(dim=3)
    return (alpha @ value).transpose(1, 2).flatten(2), alpha.mean(dim=1)
