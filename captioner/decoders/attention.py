"""A decoder that looks at the photo anew at every word."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from captioner.cells import State, from_torch, to_torch
from captioner.config import DecoderConfig
from captioner.decoders.base import Hidden, Memory
from captioner.decoders.pooled import PooledDecoder
from captioner.kernels import PlacesInView, SharedLinear


class AttentionDecoder(PooledDecoder):
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

    places = True

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__(config, num_words, config.embedding + config.features)
        self.key = nn.Linear(config.features, config.attention, bias=False)
        # W_query and W_gate in one, since both are asked of h.
        self.ask = nn.Linear(config.hidden, config.attention + config.features)
        self.fit = nn.Linear(config.attention, 1, bias=False)
        for weight in (
            self.key.weight,
            *self.ask.weight.data.split([config.attention, config.features]),
        ):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.ask.bias)

    def start(self, features: Float[Tensor, "P L D"]) -> State:
        """The state before the first word, a row per photo."""
        return super().start(features.mean(dim=1))

    def memory(self, features: Float[Tensor, "P L D"]) -> Memory:
        """Keys (P, L, A), computed once per photo, and the places themselves."""
        return self.key(features), features

    def step(
        self, words: Int[Tensor, " R"], state: State, memory: Memory = ()
    ) -> tuple[Float[Tensor, "R V"], State]:
        """Log-probability of each next word, after one word more."""
        log_probs, after, _ = self.look(words, state, memory)
        return log_probs, after

    def look(
        self, words: Int[Tensor, " R"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "R V"], State, Float[Tensor, "R L"]]:
        """As `step`, with the attention alpha that each caption paid to each place."""
        keys, places = memory
        h = state[0][:, 0]  # of the lowest cell, (R, H)
        queries, gate = self.ask(h).split([self.config.attention, self.config.features], dim=1)
        queries = queries.unflatten(0, (len(keys), -1))  # (P, K, A)
        match = (keys.unsqueeze(1) + queries.unsqueeze(2)).tanh_()  # (P, K, L, A)
        alpha = self.fit(match).squeeze(3).softmax(dim=2)  # (P, K, L)
        z = gate.sigmoid() * (alpha @ places).flatten(0, 1)  # (R, D)
        x = torch.cat([self.embed(words), z], dim=1).unsqueeze(1)  # (R, 1, E + D)
        out, after = self.cell(x, to_torch(state))
        log_probs = self.score(out.squeeze(1)).log_softmax(dim=1)
        return log_probs, from_torch(after), alpha.flatten(0, 1)

    def read(
        self, features: Float[Tensor, "P L D"], photo: Int[Tensor, " N"], words: PackedSequence
    ) -> tuple[Hidden, Float[Tensor, ""]]:
        """The hidden states along the captions of P photos, and the penalty on their attention."""
        state = tuple(part[photo] for part in self.start(features))
        if words.sorted_indices is not None:
            photo = photo[words.sorted_indices]
        view = PlacesInView(self.key(features), features, self.fit.weight.squeeze(0), photo)
        ask = SharedLinear(self.ask.weight, self.ask.bias)
        alphas: list[Tensor] = []

        def look(h: Tensor) -> Tensor:
            queries, beta = ask(h).split([self.config.attention, self.config.features], dim=1)
            z, alpha = view(queries)
            alphas.append(alpha)
            return beta.sigmoid() * z

        hidden = self.hidden(state, words, look)
        return hidden, self.config.attention_penalty * unevenness(alphas) / len(photo)


def unevenness(looked: Sequence[Float[Tensor, "_ L"]]) -> Float[Tensor, ""]:
    """sum over captions and places of (1 - sum_t alpha_t)^2 (Xu et al. 2015, eq. 14).

    Args:
        looked: alpha at each step, of the captions that go on, the longest first.
    """
    flat = torch.cat(list(looked))
    caption = torch.cat([torch.arange(len(alpha), device=flat.device) for alpha in looked])
    total = flat.new_zeros(looked[0].shape).index_add(0, caption, flat)
    return (1 - total).square().sum()
