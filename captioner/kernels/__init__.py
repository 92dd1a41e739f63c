"""The decoders' layers in the form in which a processor is quickest, each with its backward pass.

Plain forms that say the same stand in `captioner.reference` and in torch.nn; the tests hold these
against them. What makes them quick:

- a weight that is used at every step is put in the order that suits the processor once;
- the gradient of a weight that is used at every step is one product over all steps;
- what a backward pass can compute again in the processor's cache is not kept in memory.
"""

from captioner.kernels.attention import PlacesInView
from captioner.kernels.cells import STEPS
from captioner.kernels.dropout import dropout
from captioner.kernels.grid import Grid
from captioner.kernels.linear import SharedLinear
from captioner.kernels.loss import linear_softmax_loss

__all__ = [
    "STEPS",
    "Grid",
    "PlacesInView",
    "SharedLinear",
    "dropout",
    "linear_softmax_loss",
]
