"""Words so far -> scores of the next word."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from captioner.cells import State, first_state, from_torch, make_cell, to_torch
from captioner.config import DecoderConfig
from captioner.decoders.running import Memory
from captioner.kernels import STEPS, SharedLinear, dropout
from captioner.kernels.loss import linear_softmax_loss


class Hidden(NamedTuple):
    """What the words of a batch did to the hidden state."""

    h: Float[Tensor, "M H"]
    """After each of the M real words, in their packed order."""
    last: State
    """After each caption's last word, in the captions' own order."""


class TiedScore(nn.Module):
    """Scores of words by the vectors with which they are read, which are learned once.

        scores = (h W_out) W_embed^T + b_vocab        (H) -> (E) -> (V)

    Press & Wolf 2017 (arXiv:1608.05859), Inan et al. 2017 (arXiv:1611.01462).

    Args:
        embed: The word vectors.
        hidden: H.
    """

    def __init__(self, embed: nn.Embedding, hidden: int) -> None:
        super().__init__()
        self.out = nn.Linear(hidden, embed.embedding_dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(embed.num_embeddings))
        nn.init.xavier_uniform_(self.out.weight)
        # In a tuple, for torch not to see, and save, the vectors a second time.
        self._embed = (embed,)

    @property
    def weight(self) -> Float[Tensor, "V E"]:
        """The word vectors."""
        return self._embed[0].weight

    def forward(self, h: Float[Tensor, "R H"]) -> Float[Tensor, "R V"]:
        """Scores of the next word."""
        return F.linear(self.out(h), self.weight, self.bias)


class Decoder(nn.Module):
    """What every decoder has: vectors of words at one end, scores of the next word at the other.

        x_t      = W_embed[word_t]                    word  -> vector      (V) -> (E)
        h_t      = whatever the decoder is
        scores_t = h_t W_vocab + b_vocab              temporal affine      (H) -> (V)

    With `config.tie_weights` scores are those of `TiedScore`.

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).

    Raises:
        ValueError: if a size or the dropout makes no sense.
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__()
        if not 0 <= config.dropout < 1:
            raise ValueError(f"dropout {config.dropout} must be at least 0 and below 1")
        self.config = config
        self.embed = nn.Embedding(num_words, config.embedding)
        self.score: nn.Linear | TiedScore
        if config.tie_weights:
            nn.init.normal_(self.embed.weight, std=0.1)
            self.score = TiedScore(self.embed, config.hidden)
        else:
            self.score = nn.Linear(config.hidden, num_words)
            nn.init.normal_(self.embed.weight, std=0.1)
            nn.init.normal_(self.score.weight, std=config.hidden**-0.5)
            nn.init.zeros_(self.score.bias)

    def loss(
        self,
        hidden: Hidden,
        targets: PackedSequence,
        smoothing: float = 0.0,
        importance: Float[Tensor, " M"] | None = None,
        unsaid: Sequence[int] = (),
    ) -> Float[Tensor, ""]:
        """Softmax loss of the words that truly came next, in nats per caption.

        Args:
            hidden: What the words did.
            targets: The words that came next.
            smoothing: Share of the target spread evenly over all words, for the gradient alone:
                the value is that of the plain loss, and so can be compared.
            importance: Weight of each word, of any sign.
            unsaid: Words that cannot come; the others share their chance.
        """
        h = self.score.out(hidden.h) if isinstance(self.score, TiedScore) else hidden.h
        num_captions = int(targets.batch_sizes[0])
        weight: Tensor = self.score.weight
        bias: Tensor = self.score.bias
        if unsaid:
            bias = bias.index_fill(0, torch.tensor(unsaid, device=bias.device), float("-inf"))
        loss, plain = linear_softmax_loss(
            h, weight, bias, targets.data, num_captions, smoothing, importance
        )
        return plain + (loss - loss.detach()) if smoothing else loss

    def scores(self, hidden: Hidden) -> Float[Tensor, "M V"]:
        """Scores of the word after each real word."""
        return self.score(hidden.h)

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.config.dropout, self.training)


class WordDecoder(Decoder):
    """A recurrent network over words: from the words so far to scores of the next.

    It knows no photo; its state before the first word, h0, is given to it or nought.

        h_t      = cell(x_t, h_{t-1})                 rnn, gru or lstm     (E), (H) -> (H)

    After Mikolov et al. 2010 (Recurrent neural network based language model, Interspeech). Dropout
    as in Zaremba et al. 2014 (arXiv:1409.2329): across layers only.
    """

    def __init__(self, config: DecoderConfig, num_words: int) -> None:
        super().__init__(config, num_words)
        self.cell = make_cell(
            config.cell, config.embedding, config.hidden, config.layers, config.dropout
        )

    def empty_state(self, num: int) -> State:
        """The state before the first word of `num` texts of which nothing is known: h0 = 0."""
        h0 = self.embed.weight.new_zeros(num, self.config.layers, self.config.hidden)
        return first_state(self.cell, h0)

    def step(
        self, words: Int[Tensor, " R"], state: State, memory: Memory = ()
    ) -> tuple[Float[Tensor, "R V"], State]:
        """Log-probability of each next word, after one word more.

        Args:
            words: The last words of R captions, those of a photo side by side.
            state: A row per caption.
            memory: A row per photo.
        """
        x = self.embed(words).unsqueeze(1)  # (R, 1, E)
        h, after = self.cell(x, to_torch(state))  # (R, 1, H)
        return self.score(h.squeeze(1)).log_softmax(dim=1), from_torch(after)

    def hidden(self, state: State, words: PackedSequence) -> Hidden:
        """The hidden states of whole captions, on real words alone: nothing is spent on padding.

        Args:
            state: Before the first words; a row per caption, in the captions' own order.
            words: Indices; `data` holds the M real words.
        """
        if words.sorted_indices is not None:
            state = tuple(part[words.sorted_indices] for part in state)
        x = self._drop(self.embed(words.data))  # (M, E)
        if x.is_cuda:  # cuDNN has all steps in one call
            packed, after = self.cell(PackedSequence(x, words.batch_sizes), to_torch(state))
            h, last = packed.data, from_torch(after)
        else:
            h, last = self._run(x, state, words.batch_sizes.tolist())
        if words.unsorted_indices is not None:
            last = tuple(part[words.unsorted_indices] for part in last)
        return Hidden(self._drop(h), last)

    def _run(
        self, h: Float[Tensor, "M I"], state: State, sizes: list[int]
    ) -> tuple[Float[Tensor, "M H"], State]:
        """All layers, one after the other, over all words; captions in packed order."""
        step, last = STEPS[self.config.cell], []
        for layer in range(self.config.layers):
            h = self._drop(h) if layer else h
            weights: list[Tensor] = list(self.cell.all_weights[layer])
            weight_ih, weight_hh, bias_ih, bias_hh = weights
            apart = self.config.cell == "gru"  # whose n sees r (W_hh h + b_hh)
            bias = bias_ih if apart else bias_ih + bias_hh
            inputs = F.linear(h, weight_ih, bias)
            linear = SharedLinear(weight_hh, bias_hh if apart else inputs)
            now = tuple(part[:, layer] for part in state)
            ended, hs = [], []
            for n, part in zip(sizes, inputs.split(sizes), strict=True):
                if n < len(now[0]):
                    ended.append(tuple(whole[n:] for whole in now))
                    now = tuple(whole[:n] for whole in now)
                gates = [part, linear(now[0])] if apart else [linear(now[0])]
                now = step(*gates, *now)
                hs.append(now[0])
            h = torch.cat(hs)
            parts = zip(now, *reversed(ended), strict=True)
            last.append([torch.cat(part) for part in parts])
        return h, tuple(torch.stack(parts, dim=1) for parts in zip(*last, strict=True))
