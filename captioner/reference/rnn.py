"""The simple recurrent network: the hidden state sees the new word and its own past.

    h_t = tanh(x_t Wx + h_{t-1} Wh + b)                                             (Elman 1990)

Shapes: x (N, T, D), h (N, T, H), h0 (N, H), Wx (D, H), Wh (H, H), b (H,).
"""

from typing import NamedTuple

import numpy as np


class RNNStep(NamedTuple):
    """What the backward pass of one step needs again."""

    x: np.ndarray  # (N, D)
    prev_h: np.ndarray  # (N, H)
    next_h: np.ndarray  # (N, H)
    Wx: np.ndarray
    Wh: np.ndarray


def rnn_step_forward(
    x: np.ndarray, prev_h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, RNNStep]:
    """One word more: next_h = tanh(x Wx + prev_h Wh + b).

    Args:
        x: Inputs of this step (N, D).
        prev_h: Hidden state before it (N, H).
        Wx, Wh, b: Weights (D, H), (H, H) and bias (H,), the same at every step.

    Returns:
        next_h (N, H) and the cache.

    Example: tanh(ln 2) = (4 - 1) / (4 + 1).

        >>> one = np.ones((1, 1))
        >>> next_h, _ = rnn_step_forward(one, one, np.log(2) * one, one, np.array([-1.0]))
        >>> round(next_h.item(), 6)
        0.6
    """
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, RNNStep(x, prev_h, next_h, Wx, Wh)


def rnn_step_backward(
    dnext_h: np.ndarray, cache: RNNStep
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Back through the tanh, then through two matrix products and a sum.

        da      = dnext_h (1 - next_h^2)                   a is what goes into the tanh
        dx      = da Wx^T              dWx = x^T da
        dprev_h = da Wh^T              dWh = prev_h^T da              db = sum over the batch of da

    Returns:
        dx (N, D), dprev_h (N, H), dWx (D, H), dWh (H, H), db (H,).
    """
    x, prev_h, next_h, Wx, Wh = cache
    da = dnext_h * (1 - next_h**2)  # (N, H)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def rnn_forward(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, list[RNNStep]]:
    """Unrolled over time: the same step with the same weights, T times.

    Args:
        x: Inputs (N, T, D).
        h0: Hidden state before the first step (N, H).

    Returns:
        h: Hidden state after each step (N, T, H).
        cache: One `RNNStep` for each step.

    Example: inputs that take off what comes from the past, so that each tanh is that of ln 2.

        >>> one, ln2 = np.ones((1, 1)), np.log(2)
        >>> x = np.array([[[ln2], [ln2 - 0.6], [ln2 - 0.6]]])
        >>> rnn_forward(x, 0 * one, one, one, np.zeros(1))[0].round(6).tolist()
        [[[0.6], [0.6], [0.6]]]
    """
    h, cache = h0, []
    for t in range(x.shape[1]):
        h, step = rnn_step_forward(x[:, t], h, Wx, Wh, b)
        cache.append(step)
    return np.stack([step.next_h for step in cache], axis=1), cache


def rnn_backward(
    dh: np.ndarray, cache: list[RNNStep]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Backpropagation through time (Werbos 1990): from the last step to the first.

    A hidden state is used twice: for the scores of its own step, whose gradient is `dh[:, t]`, and
    by the next step, which hands back `dprev_h`. The two add up. So do the gradients of the weights
    over all steps, since all steps share them.

    Args:
        dh: Gradient that each hidden state gets from its own scores (N, T, H).

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, H), dWh (H, H), db (H,).

    Example: at zero tanh is straight; the last state's gradient is halved with each step back.

        >>> one = np.ones((1, 1))
        >>> _, cache = rnn_forward(np.zeros((1, 3, 1)), 0 * one, one, 0.5 * one, np.zeros(1))
        >>> dx, dh0, *_ = rnn_backward(np.array([[[0.0], [0.0], [1.0]]]), cache)
        >>> dx.ravel().tolist(), dh0.item()
        ([0.25, 0.5, 1.0], 0.125)
    """
    dx = []
    dprev_h = np.zeros_like(dh[:, 0])
    dWx, dWh = np.zeros_like(cache[0].Wx), np.zeros_like(cache[0].Wh)
    db = np.zeros_like(dWh[0])
    for t in reversed(range(len(cache))):
        dx_t, dprev_h, dWx_t, dWh_t, db_t = rnn_step_backward(dh[:, t] + dprev_h, cache[t])
        dx.append(dx_t)
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return np.stack(dx[::-1], axis=1), dprev_h, dWx, dWh, db


def concatenated(Wx: np.ndarray, Wh: np.ndarray) -> np.ndarray:
    """The one matrix W (H + D, H) of the form with [h, x]: Wh above Wx."""
    return np.concatenate([Wh, Wx], axis=0)


def rnn_step_concatenated(
    x: np.ndarray, prev_h: np.ndarray, W: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """The same step with one matrix: next_h = tanh([prev_h, x] W + b).

    [h, x] W is h Wh + x Wx, since a product sums over the entries of the row, whatever their order.

        >>> x, h, W = np.ones((1, 2)), np.ones((1, 1)), np.array([[0.1], [0.2], [0.3]])
        >>> two, _ = rnn_step_forward(x, h, W[1:], W[:1], np.zeros(1))
        >>> bool(np.allclose(rnn_step_concatenated(x, h, W, np.zeros(1)), two))
        True
    """
    return np.tanh(np.concatenate([prev_h, x], axis=1) @ W + b)
