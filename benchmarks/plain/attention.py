"""Soft attention as the best-known research code has it: a loop over the steps of a caption."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain.pooled import masked_loss, weights_of
from captioner.model import Captioner
from captioner.vocabulary import PAD


class PlainAttention(nn.Module):
    """An LSTM that looks at L places anew before each word (Xu et al. 2015, arXiv:1502.03044).

    The keys are projected once per photo and then repeated for its captions.

        e_t     = w . tanh(keys + W_q h_{t-1})        over the places       (eqs. 4 and 5)
        alpha_t = softmax(e_t)
        z_t     = beta_t  sum_l alpha_t[l] a[l],  beta_t = sigmoid(W_b h_{t-1})     (section 4.2.1)
        h_t     = LSTMCell([x_t; z_t], h_{t-1})

    Args:
        words: V.
        embedding: E.
        hidden: H.
        features: D.
        attention: A.
        dropout: On word vectors and before the scores.
    """

    def __init__(
        self, words: int, embedding: int, hidden: int, features: int, attention: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embed = nn.Embedding(words, embedding)
        self.init_h = nn.Linear(features, hidden)
        self.key = nn.Linear(features, attention, bias=False)
        self.query = nn.Linear(hidden, attention)
        self.energy = nn.Linear(attention, 1, bias=False)
        self.gate = nn.Linear(hidden, features)
        self.cell = nn.LSTMCell(embedding + features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, words)

    @classmethod
    def like(cls, captioner: Captioner) -> "PlainAttention":
        """The same network as the decoder of a captioner, with the same weights."""
        config = captioner.config.decoder
        plain = cls(
            len(captioner.vocabulary),
            config.embedding,
            config.hidden,
            config.features,
            config.attention,
            config.dropout,
        )
        weights = weights_of(captioner, {"project": "init_h", "fit": "energy"})
        x, z, h = (weights.pop(f"cells.0.{part}.weight") for part in "xzh")
        weights["cell.weight_ih"], weights["cell.weight_hh"] = torch.cat([x, z], dim=1), h
        weights["cell.bias_ih"] = weights.pop("cells.0.x.bias")
        weights["cell.bias_hh"] = torch.zeros_like(weights["cell.bias_ih"])
        for part in ("weight", "bias"):  # ours asks both of h in one layer
            sizes = [config.attention, config.features]
            query, gate = weights.pop(f"ask.{part}").split(sizes)
            weights |= {f"query.{part}": query, f"gate.{part}": gate}
        plain.load_state_dict(weights)
        plain.cell.bias_hh.requires_grad_(False)  # a second bias that ours has not
        return plain

    def forward(self, places: Tensor, photo: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, T, V), padding included, and where it looked (N, T, L).

        Args:
            places: Features of the photos (P, L, D).
            photo: Which of them each caption is about (N).
            words: START and what follows (N, T).
        """
        keys = self.key(places)[photo]  # (N, L, A)
        h = self.init_h(places.mean(dim=1))[photo]  # (N, H)
        c = torch.zeros_like(h)
        places = places[photo]  # (N, L, D)
        vectors = self.dropout(self.embed(words))  # (N, T, E)
        scores, looks = [], []
        for t in range(words.shape[1]):
            energy = self.energy(torch.tanh(keys + self.query(h).unsqueeze(1))).squeeze(2)
            alpha = F.softmax(energy, dim=1)  # (N, L)
            z = torch.bmm(alpha.unsqueeze(1), places).squeeze(1)  # (N, D)
            z = torch.sigmoid(self.gate(h)) * z
            h, c = self.cell(torch.cat([vectors[:, t], z], dim=1), (h, c))
            scores.append(self.score(self.dropout(h)))
            looks.append(alpha)
        return torch.stack(scores, dim=1), torch.stack(looks, dim=1)

    def loss(self, places: Tensor, photo: Tensor, words: Tensor, penalty: float) -> Tensor:
        """Nats per caption, and the doubly stochastic penalty (eq. 14).

        penalty / N  sum_n  sum_l  (1 - sum_t alpha[n, t, l])^2
        """
        scores, looks = self(places, photo, words[:, :-1])
        targets = words[:, 1:]
        looked = (looks * (targets != PAD).unsqueeze(2)).sum(dim=1)  # (N, L)
        doubly = (1 - looked).square().sum() / len(words)
        # The penalty is learned from, and not told as nats.
        return masked_loss(scores, targets) + penalty * (doubly - doubly.detach())
