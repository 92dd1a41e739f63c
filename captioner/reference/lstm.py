"""Long short-term memory: a memory cell c beside the hidden state, and gates that guard it.

    i_t = sigmoid(x_t Wx_i + h_{t-1} Wh_i + b_i)        input gate: what is written
    f_t = sigmoid(x_t Wx_f + h_{t-1} Wh_f + b_f)        forget gate: what is kept
    o_t = sigmoid(x_t Wx_o + h_{t-1} Wh_o + b_o)        output gate: what is shown
    g_t =    tanh(x_t Wx_g + h_{t-1} Wh_g + b_g)        candidate: what could be written
    c_t = f_t * c_{t-1} + i_t * g_t                     the memory
    h_t = o_t * tanh(c_t)                               the hidden state

Hochreiter & Schmidhuber 1997; the forget gate is by Gers, Schmidhuber & Cummins 2000. From c_t back
to c_{t-1} the gradient is only multiplied by f_t, so that an open forget gate lets it live long.

The four lie side by side, in the order input, forget, output, candidate:
x (N, T, D), h (N, T, H), h0 (N, H), c0 (N, H), Wx (D, 4H), Wh (H, 4H), b (4H,).
"""

from typing import NamedTuple

import numpy as np

from captioner.reference.activations import sigmoid


class LSTMStep(NamedTuple):
    """What the backward pass of one step needs again."""

    x: np.ndarray  # (N, D)
    prev_h: np.ndarray  # (N, H), as all that follow
    prev_c: np.ndarray
    input: np.ndarray
    forget: np.ndarray
    output: np.ndarray
    candidate: np.ndarray
    next_c: np.ndarray
    next_h: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


def lstm_step_forward(
    x: np.ndarray,
    prev_h: np.ndarray,
    prev_c: np.ndarray,
    Wx: np.ndarray,
    Wh: np.ndarray,
    b: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, LSTMStep]:
    """One word more.

    Args:
        x: Inputs of this step (N, D).
        prev_h, prev_c: Hidden state and memory before it, each (N, H).
        Wx, Wh, b: Weights (D, 4H), (H, 4H) and bias (4H,).

    Returns:
        next_h (N, H), next_c (N, H) and the cache.

    Example: without weights every gate is half open and the candidate is 0; half the memory stays.

        >>> zero = np.zeros((1, 1))
        >>> _, c, _ = lstm_step_forward(zero, zero, zero + 4, *np.zeros((2, 1, 4)), np.zeros(4))
        >>> c.item()
        2.0
    """
    a = x @ Wx + prev_h @ Wh + b  # (N, 4H)
    a_input, a_forget, a_output, a_candidate = np.split(a, 4, axis=1)  # (N, H) each
    i, f, o, g = sigmoid(a_input), sigmoid(a_forget), sigmoid(a_output), np.tanh(a_candidate)
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    return next_h, next_c, LSTMStep(x, prev_h, prev_c, i, f, o, g, next_c, next_h, Wx, Wh)


def lstm_step_backward(
    dnext_h: np.ndarray, dnext_c: np.ndarray, cache: LSTMStep
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two gradients come in, since the step after this one uses both h and c.

        dc      = dnext_c + dnext_h o (1 - tanh(c)^2)        c is seen through h as well
        do      = dnext_h tanh(c)      df = dc prev_c      di = dc g      dg = dc i
        dprev_c = dc f                                        no matrix and no tanh on this way

    and each gate's gradient goes through its sigmoid, s (1 - s), or its tanh, 1 - g^2.

    Returns:
        dx (N, D), dprev_h (N, H), dprev_c (N, H), dWx (D, 4H), dWh (H, 4H), db (4H,).
    """
    x, prev_h, prev_c, i, f, o, g, next_c, _, Wx, Wh = cache
    shown = np.tanh(next_c)
    dc = dnext_c + dnext_h * o * (1 - shown**2)  # (N, H)
    da = np.concatenate(
        [
            dc * g * i * (1 - i),
            dc * prev_c * f * (1 - f),
            dnext_h * shown * o * (1 - o),
            dc * i * (1 - g**2),
        ],
        axis=1,
    )  # (N, 4H)
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def lstm_forward(
    x: np.ndarray,
    h0: np.ndarray,
    Wx: np.ndarray,
    Wh: np.ndarray,
    b: np.ndarray,
    c0: np.ndarray | None = None,
) -> tuple[np.ndarray, list[LSTMStep]]:
    """Unrolled over time.

    Args:
        x: Inputs (N, T, D).
        h0: Hidden state before the first step (N, H).
        Wx, Wh, b: Weights (D, 4H), (H, 4H) and bias (4H,), the same at every step.
        c0: Memory before the first step (N, H); empty, all zeros, if not given.

    Returns:
        h: Hidden state after each step (N, T, H).
        cache: One `LSTMStep` for each step; the last memory is `cache[-1].next_c`.

    Example: a forget gate wide open and an input gate shut; the memory stays as it was.

        >>> zero, b = np.zeros((1, 1)), np.array([-50.0, 50.0, 0.0, 0.0])
        >>> x, W = np.zeros((1, 9, 1)), np.zeros((1, 4))
        >>> _, cache = lstm_forward(x, zero, W, W, b, c0=zero + 4)
        >>> cache[-1].next_c.item()
        4.0
    """
    h, c = h0, np.zeros_like(h0) if c0 is None else c0
    cache = []
    for t in range(x.shape[1]):
        h, c, step = lstm_step_forward(x[:, t], h, c, Wx, Wh, b)
        cache.append(step)
    return np.stack([step.next_h for step in cache], axis=1), cache


def lstm_backward(
    dh: np.ndarray, cache: list[LSTMStep]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Backpropagation through time; the memory carries a gradient of its own from step to step.

    Args:
        dh: Gradient that each hidden state gets from its own scores (N, T, H).

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, 4H), dWh (H, 4H), db (4H,).
    """
    dx = []
    # Nothing comes after the last step, and no score looks at its memory.
    dprev_h, dprev_c = np.zeros_like(dh[:, 0]), np.zeros_like(dh[:, 0])
    dWx, dWh = np.zeros_like(cache[0].Wx), np.zeros_like(cache[0].Wh)
    db = np.zeros_like(dWh[0])
    for t in reversed(range(len(cache))):
        dx_t, dprev_h, dprev_c, dWx_t, dWh_t, db_t = lstm_step_backward(
            dh[:, t] + dprev_h, dprev_c, cache[t]
        )
        dx.append(dx_t)
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return np.stack(dx[::-1], axis=1), dprev_h, dWx, dWh, db
