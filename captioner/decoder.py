"""Features of a photo and the words so far -> scores of the next word."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from captioner.cells import State, first_state, from_torch, make_cell, to_torch
from captioner.config import DecoderConfig


class PooledDecoder(nn.Module):
    """A recurrent network that sees the photo once, as its first hidden state.

        h0       = features W_proj + b_proj           photo -> state       (D) -> (layers, H)
        x_t      = W_embed[word_t]                    word  -> vector      (V) -> (E)
        h_t      = cell(x_t, h_{t-1})                 rnn, gru or lstm     (E), (H) -> (H)
        scores_t = h_t W_vocab + b_vocab              temporal affine      (H) -> (V)

    After Karpathy & Fei-Fei 2015 (arXiv:1412.2306, section 3.2) and Vinyals et al. 2015
    (arXiv:1411.4555). Dropout as in Zaremba et al. 2014 (arXiv:1409.2329): across layers only.

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__()
        self.config = config
        self.project = nn.Linear(config.features, config.layers * config.hidden)
        self.embed = nn.Embedding(num_words, config.embedding)
        self.cell = make_cell(
            config.cell, config.embedding, config.hidden, config.layers, config.dropout
        )
        self.dropout = nn.Dropout(config.dropout)
        self.score = nn.Linear(config.hidden, num_words)
        nn.init.normal_(self.project.weight, std=config.features**-0.5)
        nn.init.zeros_(self.project.bias)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.score.weight, std=config.hidden**-0.5)
        nn.init.zeros_(self.score.bias)

    def start(self, features: Float[Tensor, "N D"]) -> State:
        """The state before the first word."""
        h0 = self.project(features)  # (N, layers * H)
        return first_state(self.cell, h0.unflatten(1, (self.config.layers, self.config.hidden)))

    def step(self, words: Int[Tensor, " N"], state: State) -> tuple[Float[Tensor, "N V"], State]:
        """Log-probability of each next word, after one word more."""
        x = self.embed(words).unsqueeze(1)  # (N, 1, E)
        h, after = self.cell(x, to_torch(state))  # (N, 1, H)
        return self.score(h.squeeze(1)).log_softmax(dim=1), from_torch(after)

    def forward(
        self, features: Float[Tensor, "N D"], words: Int[Tensor, "N T"]
    ) -> Float[Tensor, "N T V"]:
        """Scores of the word after each of `words` (teacher forcing)."""
        lengths = torch.full((len(words),), words.shape[1])
        scores = self.packed_scores(
            features, pack_padded_sequence(words, lengths, batch_first=True)
        )
        return pad_packed_sequence(scores, batch_first=True)[0]

    def packed_scores(
        self, features: Float[Tensor, "N D"], words: PackedSequence
    ) -> PackedSequence:
        """The same on real words alone: nothing is computed on padding.

        Args:
            features: One row per caption, in the captions' own order.
            words: Indices; `data` holds the M real words.

        Returns:
            Scores (M, V), packed as `words` are.
        """
        if words.sorted_indices is not None:
            features = features[words.sorted_indices]
        x = words._replace(data=self.dropout(self.embed(words.data)))  # (M, E)
        # The rows are sorted already, so the cell need not sort the state again.
        x = x._replace(sorted_indices=None, unsorted_indices=None)
        h, _ = self.cell(x, to_torch(self.start(features)))  # (M, H)
        return words._replace(data=self.score(self.dropout(h.data)))  # (M, V)
