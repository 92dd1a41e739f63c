"""Features of a photo and the words so far -> scores of the next word."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from captioner.cells import State, first_state, from_torch, make_cell, to_torch
from captioner.config import DecoderConfig


class Decoder(nn.Module):
    """A recurrent network over words: from the words so far to scores of the next.

    It knows no photo; its state before the first word, h0, is given to it or nought.

        x_t      = W_embed[word_t]                    word  -> vector      (V) -> (E)
        h_t      = cell(x_t, h_{t-1})                 rnn, gru or lstm     (E), (H) -> (H)
        scores_t = h_t W_vocab + b_vocab              temporal affine      (H) -> (V)

    After Mikolov et al. 2010 (Recurrent neural network based language model, Interspeech). Dropout
    as in Zaremba et al. 2014 (arXiv:1409.2329): across layers only.

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(num_words, config.embedding)
        self.cell = make_cell(
            config.cell, config.embedding, config.hidden, config.layers, config.dropout
        )
        self.dropout = nn.Dropout(config.dropout)
        self.score = nn.Linear(config.hidden, num_words)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.score.weight, std=config.hidden**-0.5)
        nn.init.zeros_(self.score.bias)

    def empty_state(self, num: int) -> State:
        """The state before the first word of `num` texts of which nothing is known: h0 = 0."""
        h0 = self.embed.weight.new_zeros(num, self.config.layers, self.config.hidden)
        return first_state(self.cell, h0)

    def step(self, words: Int[Tensor, " N"], state: State) -> tuple[Float[Tensor, "N V"], State]:
        """Log-probability of each next word, after one word more."""
        x = self.embed(words).unsqueeze(1)  # (N, 1, E)
        h, after = self.cell(x, to_torch(state))  # (N, 1, H)
        return self.score(h.squeeze(1)).log_softmax(dim=1), from_torch(after)

    def packed_scores(self, state: State, words: PackedSequence) -> tuple[PackedSequence, State]:
        """Scores of the word after each word, on real words alone: nothing is spent on padding.

        Args:
            state: Before the first words; a row per caption, in the captions' own order.
            words: Indices; `data` holds the M real words.

        Returns:
            Scores (M, V), packed as `words` are, and the state after each caption's last word.
        """
        if words.sorted_indices is not None:
            state = tuple(part[words.sorted_indices] for part in state)
        x = words._replace(data=self.dropout(self.embed(words.data)))  # (M, E)
        # The rows are sorted already, so the cell need not sort the state again.
        x = x._replace(sorted_indices=None, unsorted_indices=None)
        h, after = self.cell(x, to_torch(state))  # (M, H)
        last = from_torch(after)
        if words.unsorted_indices is not None:
            last = tuple(part[words.unsorted_indices] for part in last)
        return words._replace(data=self.score(self.dropout(h.data))), last  # (M, V)


class PooledDecoder(Decoder):
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

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__(config, num_words)
        self.project = nn.Linear(config.features, config.layers * config.hidden)
        nn.init.normal_(self.project.weight, std=config.features**-0.5)
        nn.init.zeros_(self.project.bias)

    def start(self, features: Float[Tensor, "N D"]) -> State:
        """The state before the first word."""
        h0 = self.project(features)  # (N, layers * H)
        return first_state(self.cell, h0.unflatten(1, (self.config.layers, self.config.hidden)))

    def forward(
        self, features: Float[Tensor, "N D"], words: Int[Tensor, "N T"]
    ) -> Float[Tensor, "N T V"]:
        """Scores of the word after each of `words` (teacher forcing)."""
        lengths = torch.full((len(words),), words.shape[1])
        packed = pack_padded_sequence(words, lengths, batch_first=True)
        scores, _ = self.packed_scores(self.start(features), packed)
        return pad_packed_sequence(scores, batch_first=True)[0]
