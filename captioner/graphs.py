"""Networks of torch as ONNX graphs, in operations that every runtime has."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from captioner.cells import State
from captioner.decoders import AttentionDecoder, Memory, PooledDecoder
from captioner.encoder import Encoder
from captioner.files import replacing

Gates = Float[Tensor, "R G"]
Rows = Float[Tensor, "R H"]


def lstm(inputs: Gates, recurrent: Gates, h: Rows, c: Rows) -> State:
    """i, f, o = sigmoid, a = tanh; c' = f c + i a; h' = o tanh c'."""
    i, f, a, o = (inputs + recurrent).split(h.shape[1], dim=1)
    c = f.sigmoid() * c + i.sigmoid() * a.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(inputs: Gates, recurrent: Gates, h: Rows) -> State:
    """r, z = sigmoid; n = tanh(x_n + r h_n); h' = (1 - z) n + z h."""
    x_r, x_z, x_n = inputs.split(h.shape[1], dim=1)
    h_r, h_z, h_n = recurrent.split(h.shape[1], dim=1)
    n = (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
    return (n + (x_z + h_z).sigmoid() * (h - n),)


def rnn(inputs: Gates, recurrent: Gates, h: Rows) -> State:
    """h' = tanh."""
    return ((inputs + recurrent).tanh(),)


CELLS: dict[str, Callable[..., State]] = {"rnn": rnn, "gru": gru, "lstm": lstm}
"""One step of a cell: step(W_ih x + b_ih, W_hh h + b_hh, *state) -> state, h first.

Written out, since ONNX's own GRU and RNN cannot be computed in whole numbers.
"""


class DecoderStep(nn.Module):
    """`decoder.step` in matrix products: (words, *state, *memory) -> (log_probs, *state)."""

    def __init__(self, decoder: PooledDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, words: Int[Tensor, " R"], *rest: Tensor) -> tuple[Tensor, ...]:
        """log_probs (R, V), and the state after the words."""
        parts = 2 if self.decoder.config.cell == "lstm" else 1
        state, memory = rest[:parts], rest[parts:]
        x = self.decoder.embed(words)  # (R, E)
        if isinstance(self.decoder, AttentionDecoder):
            x = torch.cat([x, look(self.decoder, state[0][:, 0], memory)], dim=1)
        after = []
        for layer, weights in enumerate(self.decoder.cell.all_weights):
            now = tuple(part[:, layer] for part in state)
            weight_ih, weight_hh, bias_ih, bias_hh = weights
            inputs = F.linear(x, weight_ih, bias_ih)
            recurrent = F.linear(now[0], weight_hh, bias_hh)
            after.append(CELLS[self.decoder.config.cell](inputs, recurrent, *now))
            x = after[-1][0]
        stacked = (torch.stack(parts, dim=1) for parts in zip(*after, strict=True))
        return self.decoder.score(x).log_softmax(dim=1), *stacked


def look(
    decoder: AttentionDecoder, h: Float[Tensor, "R H"], memory: Memory
) -> Float[Tensor, "R D"]:
    """What soft attention sees of each photo; the numbers of photos and captions stay open."""
    keys, places = memory
    queries, gate = decoder.ask(h).split([keys.shape[2], places.shape[2]], dim=1)
    queries = queries.unflatten(0, (keys.shape[0], -1))  # (P, K, A)
    match = (keys.unsqueeze(1) + queries.unsqueeze(2)).tanh()  # (P, K, L, A)
    alpha = decoder.fit(match).squeeze(3).softmax(dim=2)  # (P, K, L)
    return gate.sigmoid() * (alpha @ places).flatten(0, 1)  # (R, D)


class PhotosToState(nn.Module):
    """CNN, pooling, projection and the decoder's start: images -> (*state, *memory)."""

    def __init__(self, encoder: Encoder, decoder: PooledDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: Float[Tensor, "P 3 S S"]) -> tuple[Tensor, ...]:
        """The decoder's state before the first word, and what it looks at again."""
        maps = self.encoder.see(images)  # (P, L, C)
        features = self.encoder.project(maps if self.decoder.places else maps.mean(dim=1))
        h0, *zeros = self.decoder.start(features)
        # Zeros that depend on nothing would be as many in every batch as in that of the export.
        return h0, *(h0 * 0 for _ in zeros), *self.decoder.memory(features)


class PhotosToMaps(nn.Module):
    """The CNN: images -> maps of all places, and pooled."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Float[Tensor, "P 3 S S"]) -> tuple[Tensor, Tensor]:
        """Maps (P, L, C) and their mean (P, C)."""
        places = self.encoder.see(images)
        return places, places.mean(dim=1)


def write_graph(
    network: nn.Module, inputs: Mapping[str, Tensor], rows: Mapping[str, str], file: Path
) -> None:
    """Write a network as an ONNX file.

    Args:
        network: Brought to evaluation mode, and left in it.
        inputs: Examples by name, in the order in which the network takes them.
        rows: Letter of the first axis, of any length, of each input and then of each output.
        file: Where to.

    Raises:
        InputError: if it cannot be written.
    """
    with (
        replacing(file) as temporary,
        warnings.catch_warnings(),
        torch.inference_mode(),
        _known_sizes(),
    ):
        # The exporter without torch.export is ten times quicker; that it is the older one is known.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            str(temporary),
            input_names=[*inputs],
            output_names=[name for name in rows if name not in inputs],
            dynamic_axes={name: {0: letter} for name, letter in rows.items()},
            dynamo=False,
        )
        _tell_sizes(temporary, network(*inputs.values()))


def _tell_sizes(file: Path, outputs: Sequence[Tensor]) -> None:
    """Write down the sizes of outputs: but for the first axis they never change."""
    model = onnx.load(file)
    for described, output in zip(model.graph.output, outputs, strict=True):
        for dim, size in list(zip(described.type.tensor_type.shape.dim, output.shape, strict=True))[
            1:
        ]:
            dim.dim_value = size
    onnx.save(model, file)


@contextmanager
def _known_sizes() -> Iterator[None]:
    """Padding that timm computes from the size of a map is written down as a number.

    All photos have one size. Else the graph would compute the padding anew for each batch, with as
    many operations as the network itself has, which take long to load.
    """
    from timm.layers import padding

    compute = padding.get_same_padding
    padding.get_same_padding = lambda size, *rest: compute(int(size), *rest)
    try:
        yield
    finally:
        padding.get_same_padding = compute
