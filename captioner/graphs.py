"""Networks of torch as ONNX graphs, in operations that every runtime has."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from captioner.cells import State
from captioner.decoders import GridDecoder, PhotoDecoder, PooledDecoder
from captioner.decoders.cell import PLAIN_STEPS
from captioner.encoder import Encoder, moments
from captioner.files import replacing


class DecoderStep(nn.Module):
    """`decoder.step` in matrix products: (words, *state, *memory) -> (log_probs, *state).

    Where the decoder looks at places, its attention (R, L) comes last.
    """

    def __init__(self, decoder: PhotoDecoder, parts: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.parts = parts
        """Of the state; the rest is memory."""

    def forward(self, words: Int[Tensor, " R"], *rest: Tensor) -> tuple[Tensor, ...]:
        """log_probs (R, V), the state after the words, and the attention, if any."""
        state, memory = rest[: self.parts], rest[self.parts :]
        if isinstance(self.decoder, GridDecoder):
            log_probs, after, alpha = self.decoder.look(words, state, memory)
            return log_probs, *after, alpha
        assert isinstance(self.decoder, PooledDecoder)
        log_probs, after = pooled_step(self.decoder, words, state)
        return log_probs, *after


def pooled_step(
    decoder: PooledDecoder, words: Int[Tensor, " R"], state: State
) -> tuple[Float[Tensor, "R V"], State]:
    """`PooledDecoder.step`, whose cells are torch's own, written out."""
    x = decoder.embed(words)  # (R, E)
    after = []
    for layer, weights in enumerate(decoder.cell.all_weights):
        now = tuple(part[:, layer] for part in state)
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        inputs = F.linear(x, weight_ih, bias_ih)
        recurrent = F.linear(now[0], weight_hh, bias_hh)
        after.append(PLAIN_STEPS[decoder.config.cell](inputs, recurrent, *now))
        x = after[-1][0]
    stacked = tuple(torch.stack(parts, dim=1) for parts in zip(*after, strict=True))
    return decoder.score(x).log_softmax(dim=1), stacked


class PhotosToState(nn.Module):
    """CNN, projection and the decoder's start: images -> (*state, *memory, pooled features)."""

    def __init__(self, encoder: Encoder, decoder: PhotoDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: Float[Tensor, "P 3 S S"]) -> tuple[Tensor, ...]:
        """The decoder's state before the first word, what it looks at again, and its `moments`."""
        maps = self.encoder.see(images)  # (P, L, C)
        features = self.encoder.project(maps if self.decoder.places else maps.mean(dim=1))
        state = self.decoder.start(features)
        # Zeros that depend on nothing would be as many in every batch as in that of the export.
        parts = 2 if self.decoder.config.cell == "lstm" else 1
        state = tuple(state[i - i % parts] * (1 - i % parts) for i in range(len(state)))
        return *state, *self.decoder.memory(features), moments(features)


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
