"""How precisely the weights of an ONNX file are stored: in 32, 16 or 8 bits."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from captioner.files import replacing


def halve(file: Path, exactly: bool) -> None:
    """Store the matrices of a network in half precision; they are cast back when it is loaded.

    What is computed with them has 32 bits as before.

    Args:
        file: An ONNX file, written anew.
        exactly: Halve only those that lose nothing, such as those of a model that was saved in half
            precision.
    """
    model = onnx.load(file)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if not np.isfinite(halved).all() or (exactly and (halved != values).any()):
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(halved, f"{tensor.name}.half"))
        cast = helper.make_node(
            "Cast",
            [f"{tensor.name}.half"],
            [tensor.name],
            f"{tensor.name}.cast",
            to=TensorProto.FLOAT,
        )
        casts.append(cast)
    for place, cast in enumerate(casts):
        graph.node.insert(place, cast)
    with replacing(file) as temporary:
        onnx.save(model, temporary)


def quantise_weights(file: Path) -> None:
    """Store the matrices of a network in 8 bits, and multiply in whole numbers.

    Of each column of a matrix the largest number becomes 127. What the matrices are multiplied with
    is brought to 8 bits as it comes.

    Args:
        file: An ONNX file, written anew.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with replacing(file) as temporary, _quietly():
        quantize_dynamic(file, temporary, per_channel=True, weight_type=QuantType.QInt8)


def quantise_convolutions(file: Path, batches: Iterable[dict[str, np.ndarray]]) -> None:
    """Store the weights of a CNN in 8 bits, and convolve in whole numbers.

    The range of what each layer gives is that of the batches, so they ought to be like the photos
    that come later.

    Args:
        file: An ONNX file, written anew.
        batches: Its inputs by name, to look at what the layers give.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        left = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with replacing(file) as temporary, _quietly():
        quantize_static(
            file,
            temporary,
            Reader(),
            op_types_to_quantize=["Conv", "Add", "Clip"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """onnxruntime tells the root logger each time how else files could be prepared."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
