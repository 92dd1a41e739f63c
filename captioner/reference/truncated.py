"""Backpropagation through time, cut into chunks that fit into memory and patience."""

from collections.abc import Callable

import numpy as np

from captioner.reference.cells import CELLS, State

Loss = Callable[[np.ndarray, slice], tuple[float, np.ndarray]]
"""From the hidden states h (N, t, H) of the steps of a slice to their loss, and dloss/dh."""


def truncated_bptt(
    cell: str,
    x: np.ndarray,
    h0: np.ndarray,
    Wx: np.ndarray,
    Wh: np.ndarray,
    b: np.ndarray,
    loss: Loss,
    chunk: int,
) -> tuple[float, tuple[np.ndarray, ...]]:
    """Chunk after chunk: the state is carried across the border, its gradient is not.

    The hidden states, and so the loss, are those of the whole sequence. The gradient lacks all that
    would flow back across a border: what a chunk could have told an earlier one. What it saves is
    memory, since one chunk's cache is kept at a time. (Williams & Peng 1990; Elman 1990 cut after
    every step.) Here the gradients of all chunks add up; a trainer may as well take a step after
    each.

    Args:
        cell: rnn, gru or lstm.
        x: Inputs (N, T, D).
        h0: Hidden state before the first step (N, H); the LSTM's memory starts empty.
        Wx, Wh, b: Weights and bias of the cell.
        loss: The loss of the hidden states of some steps, and its gradient (N, t, H).
        chunk: Steps of a chunk; the last one may be shorter. With T or more, nothing is cut.

    Returns:
        The sum of the losses, and (dx, dh0, dWx, dWh, db), where dh0 comes from the first chunk.

    Raises:
        ValueError: if `chunk` is not positive.

    Example: the loss is the sum of all states. At zero tanh is straight and each step back halves
    the gradient; cut in two, the first two steps hear nothing of the last two.

        >>> one = np.ones((1, 1))
        >>> given = (np.zeros((1, 4, 1)), 0 * one, one, 0.5 * one, np.zeros(1))
        >>> sum_of_states = lambda h, steps: (h.sum(), np.ones_like(h))
        >>> truncated_bptt("rnn", *given, sum_of_states, chunk=4)[1][0].ravel().tolist()
        [1.875, 1.75, 1.5, 1.0]
        >>> truncated_bptt("rnn", *given, sum_of_states, chunk=2)[1][0].ravel().tolist()
        [1.5, 1.0, 1.5, 1.0]
    """
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; it must be 1 or more")
    T = x.shape[1]
    state: State = (h0,)
    total, dx, dh0 = 0.0, [], np.zeros_like(h0)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for start in range(0, T, chunk):
        steps = slice(start, min(start + chunk, T))
        first, *memory = state
        h, cache = CELLS[cell].forward(x[:, steps], first, Wx, Wh, b, *memory)
        state = CELLS[cell].last_state(cache)  # the value goes on, the gradient ends here
        part, dh = loss(h, steps)
        total += part
        dx_chunk, dfirst, *dweights = CELLS[cell].backward(dh, cache)
        dx.append(dx_chunk)
        if start == 0:
            dh0 = dfirst
        for gradient, addend in zip((dWx, dWh, db), dweights, strict=True):
            gradient += addend
    return total, (np.concatenate(dx, axis=1), dh0, dWx, dWh, db)
