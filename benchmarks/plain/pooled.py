"""The pooled LSTM as tutorials write it: an `LSTMCell` in a loop over the steps of a caption."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioner.model import Captioner
from captioner.vocabulary import PAD


class PlainPooled(nn.Module):
    """h0 = features W + b; then as many steps for each caption as the longest one takes.

    Args:
        words: V.
        embedding: E.
        hidden: H.
        features: D.
        dropout: On word vectors and before the scores.
    """

    def __init__(
        self, words: int, embedding: int, hidden: int, features: int, dropout: float
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, embedding)
        self.init_h = nn.Linear(features, hidden)
        self.cell = nn.LSTMCell(embedding, hidden)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, words)

    @classmethod
    def like(cls, captioner: Captioner) -> "PlainPooled":
        """The same network as the decoder of a captioner, with the same weights."""
        config = captioner.config.decoder
        plain = cls(
            len(captioner.vocabulary),
            config.embedding,
            config.hidden,
            config.features,
            config.dropout,
        )
        plain.load_state_dict(weights_of(captioner, {"project": "init_h"}))
        return plain

    def start(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """h0 and an empty memory."""
        h = self.init_h(features)
        return h, torch.zeros_like(h)

    def step(
        self, words: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Log-probabilities of the next words, after one word more."""
        h, c = self.cell(self.embed(words), state)
        return F.log_softmax(self.score(h), dim=1), (h, c)

    def forward(self, features: Tensor, words: Tensor) -> Tensor:
        """Scores (N, T, V) of the word after each of `words` (N, T), padding included."""
        h, c = self.start(features)
        vectors = self.dropout(self.embed(words))  # (N, T, E)
        scores = []
        for t in range(words.shape[1]):
            h, c = self.cell(vectors[:, t], (h, c))
            scores.append(self.score(self.dropout(h)))  # (N, V)
        return torch.stack(scores, dim=1)

    def loss(self, features: Tensor, words: Tensor) -> Tensor:
        """Nats per caption of whole captions (N, T + 1), START to END and padding."""
        scores = self(features, words[:, :-1])
        return masked_loss(scores, words[:, 1:])


def weights_of(captioner: Captioner, names: Mapping[str, str]) -> dict[str, Tensor]:
    """The weights of a captioner's decoder under the names that a plain decoder gives them.

    Args:
        captioner: With one layer.
        names: What its modules are called there, where that is something else.
    """
    weights = {}
    for key, weight in captioner.decoder.state_dict().items():
        module, _, name = key.rpartition(".")
        weights[f"{names.get(module, module)}.{name.removesuffix('_l0')}"] = weight
    return weights


def masked_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy without what is said on padding, summed over words, averaged over captions."""
    total = F.cross_entropy(
        scores.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="sum"
    )
    return total / len(targets)
