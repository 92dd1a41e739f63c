"""Networks that read a whole text: as a bag of words, forwards, in both directions, deep."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from captioner.cells import from_torch, make_cell


def pack(texts: Sequence[Int[Tensor, "_ ..."]]) -> PackedSequence:
    """Texts of different lengths as one batch without padding; `data` holds the M real words."""
    return pack_sequence(list(texts), enforce_sorted=False)


def turn(words: PackedSequence) -> Int[Tensor, " M"]:
    """For each packed word, the place in `data` of its mirror image: word t <-> word T + 1 - t.

    `data[turn(words)]` is each text backwards, in the same packing; twice turned is unturned.

    Example: "abc" and "x" are packed as a x b c.

        >>> turn(pack([torch.tensor([1, 2, 3]), torch.tensor([9])])).tolist()
        [3, 1, 2, 0]
    """
    sizes = words.batch_sizes  # texts that have a word t, (T)
    time = torch.arange(len(sizes)).repeat_interleave(sizes)  # (M)
    text = torch.cat([torch.arange(size) for size in sizes.tolist()])  # (M)
    length = (sizes.unsqueeze(1) > torch.arange(int(sizes[0]))).sum(dim=0)  # (N)
    begins = sizes.cumsum(dim=0) - sizes  # where in `data` step t begins, (T)
    return (begins[length[text] - 1 - time] + text).to(words.data.device)


class Bag(nn.Module):
    """Which words a text has, in whatever order; no recurrence.

        bag[v] = how often word v is said                    text -> vector    (T) -> (V)
        h      = tanh(bag W1 + b1)                                             (V) -> (H)
        scores = h W2 + b2                                   one-to-one        (H) -> (outputs)

    Args:
        num_words: Size of the vocabulary (V).
        outputs: Scores to give.
        hidden: Size of the hidden layer (H).
    """

    def __init__(self, num_words: int, outputs: int, *, hidden: int) -> None:
        super().__init__()
        self.hide = nn.Linear(num_words, hidden)
        self.score = nn.Linear(hidden, outputs)

    def forward(self, texts: Sequence[Int[Tensor, " _"]]) -> Float[Tensor, "N outputs"]:
        """Scores of each text."""
        V = self.hide.in_features
        bags = torch.stack([torch.bincount(text, minlength=V) for text in texts])  # (N, V)
        return self.score(self.hide(bags.to(self.hide.weight.dtype)).tanh())


class Layer(nn.Module):
    """One recurrent layer over whole texts, forwards alone or in both directions.

        f_t = cell_f(x_t, f_{t-1})        from the first word to the last, f_0 = 0
        b_t = cell_b(x_t, b_{t+1})        from the last word to the first, b_{T+1} = 0
        h_t = [f_t; b_t]                  what stands before t, t itself, what stands after

    Bidirectional networks: Schuster & Paliwal 1997 (IEEE Transactions on Signal Processing 45(11),
    its first part); with LSTM cells: Graves 2012 (Supervised Sequence Labelling with Recurrent
    Neural Networks, section 3.2.4). Two networks that do not meet: each has weights of its own.

    Args:
        cell: rnn, gru or lstm.
        inputs: Size of x.
        hidden: Size of f, and of b (H).
        bidirectional: Whether there is a b; h is f alone otherwise.
    """

    def __init__(self, cell: str, inputs: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        self.ahead = make_cell(cell, inputs, hidden, layers=1, dropout=0.0)
        self.back = make_cell(cell, inputs, hidden, 1, 0.0) if bidirectional else None

    def forward(self, x: PackedSequence) -> tuple[PackedSequence, Float[Tensor, "N F"]]:
        """Every h_t, packed as `x` is, and where each direction ends, [f_T; b_1]: F = H or 2 H."""
        h, end = self.ahead(x)  # (M, H)
        states, ends = [h.data], [from_torch(end)[0][:, 0]]
        if self.back is not None:
            mirror = turn(x)
            h, end = self.back(x._replace(data=x.data[mirror]))
            states.append(h.data[mirror])
            ends.append(from_torch(end)[0][:, 0])
        return x._replace(data=torch.cat(states, dim=1)), torch.cat(ends, dim=1)


class Reader(nn.Module):
    """A deep network that reads a whole text, to say one thing of it or one of each of its words.

        x_t^1       = W_embed[word_t]                     word  -> vector      (V) -> (E)
        h_t^l       = Layer^l(x^l)_t,  x^{l+1} = h^l      each layer reads both directions of the
                                                          one below            (E), (F) -> (F)
        many-to-one:   scores   = [f_T; b_1] W + b        of the highest layer (F) -> (outputs)
        many-to-many:  scores_t = h_t W + b               of the highest layer (F) -> (outputs)

    F = H where it reads forwards alone, 2 H where in both directions. Deep: Graves et al. 2013
    (arXiv:1303.5778, section 2); deep and bidirectional: there too, and Irsoy & Cardie 2014
    (Opinion mining with deep recurrent neural networks, EMNLP, section 3).

    Args:
        cell: rnn, gru or lstm.
        num_words: Size of the vocabulary (V).
        outputs: Scores to give.
        embedding: Size of a word vector (E).
        hidden: Size of the state of one direction (H).
        layers: Layers on top of each other.
        bidirectional: Whether it reads backwards as well.
    """

    def __init__(
        self,
        cell: str,
        num_words: int,
        outputs: int,
        *,
        embedding: int,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        width = 2 * hidden if bidirectional else hidden
        self.embed = nn.Embedding(num_words, embedding)
        self.layers = nn.ModuleList(
            Layer(cell, width if place else embedding, hidden, bidirectional)
            for place in range(layers)
        )
        self.score = nn.Linear(width, outputs)

    def _read(self, texts: Sequence[Tensor]) -> tuple[PackedSequence, Tensor]:
        words = pack(texts)
        x = words._replace(data=self.embed(words.data))  # (M, E)
        for layer in self.layers:
            x, ends = layer(x)  # (M, F), (N, F)
        return x, ends

    def forward(self, texts: Sequence[Int[Tensor, " _"]]) -> Float[Tensor, "N outputs"]:
        """Many-to-one: scores of each text, in the order given."""
        return self.score(self._read(texts)[1])

    def label(self, texts: Sequence[Int[Tensor, " _"]]) -> Float[Tensor, "M outputs"]:
        """Many-to-many: scores of each word, in the order of `pack(texts)`."""
        return self.score(self._read(texts)[0].data)


class GapReader(nn.Module):
    """Foretells each word of a text from all the other words, which it alone must not see.

        f_t      = stack_f(word_t, f_{t-1})               from START on        (E), (H) -> (H)
        b_t      = stack_b(word_t, b_{t+1})               from END on, back    (E), (H) -> (H)
        scores_t = [f_{t-1}; b_{t+1}] W + b               no word_t in it      (F) -> (V)

    The layers of `Reader` would not do: its second layer at t - 1 has read b_{t-1}, and with it
    word t. So two deep networks, one a direction, that meet at the scores alone (Peters et al.
    2018, arXiv:1802.05365, section 3.1, whose two directions do not even meet there).

    Args:
        cell: rnn, gru or lstm.
        num_words: Size of the vocabulary (V).
        embedding: Size of a word vector (E).
        hidden: Size of the state of one direction (H).
        layers: Layers of each direction.
        bidirectional: Whether it reads what comes after; a language model otherwise.
    """

    def __init__(
        self,
        cell: str,
        num_words: int,
        *,
        embedding: int,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(num_words, embedding)
        self.ahead = make_cell(cell, embedding, hidden, layers, dropout=0.0)
        self.back = make_cell(cell, embedding, hidden, layers, 0.0) if bidirectional else None
        self.score = nn.Linear(2 * hidden if bidirectional else hidden, num_words)

    def forward(self, texts: Sequence[Int[Tensor, " _"]]) -> Float[Tensor, "M V"]:
        """Scores of each word between START and END, packed as they are.

        Raises:
            RuntimeError: if a text has no word between them.
        """
        before = pack([text[:-2] for text in texts])  # word t - 1 stands where t is asked for
        h, _ = self.ahead(before._replace(data=self.embed(before.data)))  # (M, H)
        states = [h.data]
        if self.back is not None:
            after = pack([text[2:] for text in texts])  # and word t + 1
            mirror = turn(after)
            h, _ = self.back(after._replace(data=self.embed(after.data)[mirror]))
            states.append(h.data[mirror])
        return self.score(torch.cat(states, dim=1))
