"""The three cells by name, so that what is built on top of them is written once.

Each is called in the same way but for the state: (h,) or, for the LSTM, (h, c). With
`h0, *memory = state` that is

    h, cache              = cell.forward(x, h0, Wx, Wh, b, *memory)        x (N, T, D), h (N, T, H)
    dx, dh0, dWx, dWh, db = cell.backward(dh, cache)
    state                 = cell.last_state(cache)                         each part (N, H)

and a single step back, with the gradient of each part of the state, is

    dx, *dstate, dWx, dWh, db = cell.step_backward(*dstate, cache[t])
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from captioner.reference.gru import gru_backward, gru_forward, gru_step_backward
from captioner.reference.lstm import lstm_backward, lstm_forward, lstm_step_backward
from captioner.reference.rnn import rnn_backward, rnn_forward, rnn_step_backward

State = tuple[np.ndarray, ...]
"""What a cell carries from step to step: h, and c for the LSTM; each (N, H)."""
Weights = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Wx, Wh and b of one cell."""


class Cell(NamedTuple):
    """The functions of one cell."""

    forward: Callable[..., tuple[np.ndarray, Any]]
    backward: Callable[..., tuple[np.ndarray, ...]]
    step_backward: Callable[..., tuple[np.ndarray, ...]]
    last_state: Callable[[Any], State]
    gates: int
    """How many blocks of H columns Wx and Wh have."""


CELLS = {
    "rnn": Cell(rnn_forward, rnn_backward, rnn_step_backward, lambda c: (c[-1].next_h,), gates=1),
    "gru": Cell(gru_forward, gru_backward, gru_step_backward, lambda c: (c[-1].next_h,), gates=3),
    "lstm": Cell(
        lstm_forward,
        lstm_backward,
        lstm_step_backward,
        lambda c: (c[-1].next_h, c[-1].next_c),
        gates=4,
    ),
}
