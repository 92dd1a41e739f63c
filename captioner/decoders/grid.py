"""What the decoders share that look at the photo anew at every word."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from captioner.cells import State
from captioner.config import DecoderConfig
from captioner.decoders.base import Hidden
from captioner.decoders.cell import Cell
from captioner.decoders.photo import PhotoDecoder
from captioner.decoders.running import AllSteps, Memory, Running, StepByStep


class Step(NamedTuple):
    """What comes of a word."""

    out: Float[Tensor, "R H"]
    """What the next word is scored by."""
    state: State
    """Of all cells, one after the other."""
    alpha: Float[Tensor, "R L"]
    """Where the decoder looked."""


class GridDecoder(PhotoDecoder):
    """A decoder with some cells that looks at L places of a photo, once for each word.

    Each kind of it says in `advance` what happens at a word; the same lines are run step by step in
    a search and at all steps in training.

        h0 of each cell = mean of the places W_proj + b_proj

    Args:
        config: Cell, layers and sizes.
        num_words: Size of the vocabulary (V).
        cells: Of its state, the first one reading the word.

    Raises:
        ValueError: if it has no such cell, or no such number of layers.
    """

    places = True
    penalised = False
    """Whether it is asked to look at all places alike (`attention_penalty`)."""
    stacked = False
    """Whether `layers` may be other than 1."""
    lstm_only = False
    """Whether `cell` must be an LSTM."""
    cells: Sequence[Cell]

    def __init__(self, config: DecoderConfig, num_words: int, cells: Sequence[Cell]) -> None:
        self.check(config.cell, config.layers)
        super().__init__(config, num_words)
        self.cells = nn.ModuleList(cells)  # type: ignore[assignment]
        self.project = nn.Linear(config.features, len(cells) * config.hidden)
        nn.init.normal_(self.project.weight, std=config.features**-0.5)
        nn.init.zeros_(self.project.bias)

    @classmethod
    def check(cls, cell: str, layers: int) -> None:
        """Refuse what there is no such decoder of."""
        name = cls.__name__.removesuffix("Decoder").lower()
        if layers != 1 and not cls.stacked:
            raise ValueError(f"the {name} decoder has one layer, not {layers}")
        if cell != "lstm" and cls.lstm_only:
            raise ValueError(f"the {name} decoder is made of an lstm, not of {cell}")

    @abstractmethod
    def advance(self, x: Float[Tensor, "R G"], state: State, run: Running) -> Step:
        """One word more.

        Args:
            x: What `of_words` makes of the word.
            state: Before it; h and, of an LSTM, c of each cell (R, H).
            run: Runs the layers.
        """

    def of_words(self, vectors: Float[Tensor, "M E"]) -> Float[Tensor, "M G"]:
        """What is made of words before all else is known: W_x W_embed[word] + b."""
        x: Tensor = self.cells[0].x(vectors)
        return x

    def start(self, features: Float[Tensor, "P L D"]) -> State:
        """The state before the first word, a row per photo."""
        h0 = self.project(features.mean(dim=1)).split(self.config.hidden, dim=1)
        return tuple(part for cell, h in zip(self.cells, h0, strict=True) for part in cell.empty(h))

    def of_cells(self, state: State) -> list[State]:
        """The state of each cell."""
        parts = len(state) // len(self.cells)
        return [state[i : i + parts] for i in range(0, len(state), parts)]

    def look(
        self, words: Int[Tensor, " R"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "R V"], State, Float[Tensor, "R L"]]:
        """As `step`, with the attention alpha that each caption paid to each place."""
        x = self.of_words(self.embed(words))
        out, after, alpha = self.advance(x, state, StepByStep(memory))
        return self.score(out).log_softmax(dim=1), after, alpha

    def step(
        self, words: Int[Tensor, " R"], state: State, memory: Memory = ()
    ) -> tuple[Float[Tensor, "R V"], State]:
        """Log-probability of each next word, after one word more."""
        return self.look(words, state, memory)[:2]

    def read(
        self, features: Float[Tensor, "P L D"], photo: Int[Tensor, " N"], words: PackedSequence
    ) -> tuple[Hidden, Float[Tensor, ""]]:
        """The hidden states along the captions of P photos, and the penalty on their attention."""
        if words.sorted_indices is not None:
            photo = photo[words.sorted_indices]
        run = AllSteps(self.memory(features), photo)
        state = tuple(part.index_select(0, photo) for part in self.start(features))
        x = self.of_words(self._drop(self.embed(words.data)))  # (M, G)
        outs, alphas, ended = [], [], []
        sizes = words.batch_sizes.tolist()
        for n, of_step in zip(sizes, x.split(sizes), strict=True):
            if n < len(state[0]):
                ended.append(tuple(part[n:] for part in state))
                state = tuple(part[:n] for part in state)
            out, state, alpha = self.advance(of_step, state, run)
            outs.append(out)
            alphas.append(alpha)
        parts = zip(state, *reversed(ended), strict=True)
        last = tuple(torch.cat(part) for part in parts)
        if words.unsorted_indices is not None:
            last = tuple(part[words.unsorted_indices] for part in last)
        penalty = photo.new_zeros((), dtype=outs[0].dtype)
        if self.penalised and self.config.attention_penalty:
            penalty = self.config.attention_penalty * unevenness(alphas) / len(photo)
        return Hidden(self._drop(torch.cat(outs)), last), penalty


def unevenness(looked: Sequence[Float[Tensor, "_ L"]]) -> Float[Tensor, ""]:
    """sum over captions and places of (1 - sum_t alpha_t)^2 (Xu et al. 2015, eq. 14).

    Args:
        looked: alpha at each step, of the captions that go on, the longest first.
    """
    flat = torch.cat(list(looked))
    caption = torch.cat([torch.arange(len(alpha), device=flat.device) for alpha in looked])
    total = flat.new_zeros(looked[0].shape).index_add(0, caption, flat)
    return (1 - total).square().sum()


def linear(inputs: int, outputs: int, bias: bool = True, parts: Sequence[int] = ()) -> nn.Linear:
    """A layer with Xavier's weights, for each of its parts by itself, and biases of nought."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    for weight in layer.weight.data.split(list(parts) or [outputs]):
        nn.init.xavier_uniform_(weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
