"""A recurrent cell with two inputs, one of which is known before the others."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from captioner.cells import State

Gates = Float[Tensor, "R G"]
Rows = Float[Tensor, "R H"]

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


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


PLAIN_STEPS: dict[str, Callable[..., State]] = {"rnn": rnn, "gru": gru, "lstm": lstm}
"""One step of a cell: step(W_ih x + b_ih, W_hh h + b_hh, *state) -> state, h first.

Written out, since ONNX's own GRU and RNN cannot be computed in whole numbers.
"""


class Cell(nn.Module):
    """The weights of a recurrent cell that takes in x, known beforehand (the word), and z.

        inputs, recurrent = W_x x + b + W_z z, W_h h         then a step of rnn, gru or lstm

    Where x is of no width, there is none. Initial weights as those of
    `captioner.cells.make_cell`.

    Args:
        name: rnn, gru or lstm.
        x: Width of x, or 0.
        z: Width of z, or 0.
        hidden: H.
    """

    x: nn.Linear
    z: nn.Linear

    def __init__(self, name: str, x: int, z: int, hidden: int) -> None:
        super().__init__()
        self.name = name
        gates = GATES[name]
        whole = torch.empty(gates, hidden, x + z)
        for gate in whole:
            nn.init.xavier_uniform_(gate)
        parts = whole.flatten(0, 1).split([x, z], dim=1)
        for key, width, part in zip("xz", (x, z), parts, strict=True):
            if width:
                first = key == "x" or not x
                layer = nn.Linear(width, gates * hidden, bias=first)
                layer.weight.data.copy_(part)
                setattr(self, key, layer)
                if first:
                    nn.init.zeros_(layer.bias)
                    if name == "lstm":  # the forget gate starts open
                        nn.init.ones_(layer.bias.data[hidden : 2 * hidden])
        self.h = nn.Linear(hidden, gates * hidden, bias=name == "gru")
        for gate in self.h.weight.data.split(hidden):
            nn.init.orthogonal_(gate)
        if name == "gru":
            nn.init.zeros_(self.h.bias)

    def empty(self, h0: Float[Tensor, "N H"]) -> State:
        """The state before the first word: h0, and an empty memory c0 = 0 for the LSTM."""
        return (h0, torch.zeros_like(h0)) if self.name == "lstm" else (h0,)
