"""The gated recurrent unit: no memory apart, the hidden state itself is kept or renewed.

    r_t = sigmoid(x_t Wx_r + h_{t-1} Wh_r + b_r)                  reset gate: how much past is seen
    z_t = sigmoid(x_t Wx_z + h_{t-1} Wh_z + b_z)                  update gate: how much past is kept
    g_t = tanh(x_t Wx_g + b_g + r_t * (h_{t-1} Wh_g + b_h))       candidate
    h_t = z_t * h_{t-1} + (1 - z_t) * g_t

Cho et al. 2014, arXiv:1406.1078, in its first version (v1), which cuDNN and torch compute as well.
The third version (v3) resets h before the product, (r_t * h_{t-1}) Wh_g, which needs a second
matrix product after the gates are known. Some texts swap z and 1 - z: only another name.

The three lie side by side, in the order reset, update, candidate:
x (N, T, D), h (N, T, H), h0 (N, H), Wx (D, 3H), Wh (H, 3H), and b (3H,), which has b_h = 0, or
b (4H,), whose fourth part is b_h, the bias inside the reset that torch has.
"""

from typing import NamedTuple

import numpy as np

from captioner.reference.activations import sigmoid


class GRUStep(NamedTuple):
    """What the backward pass of one step needs again."""

    x: np.ndarray  # (N, D)
    prev_h: np.ndarray  # (N, H), as all that follow
    reset: np.ndarray
    update: np.ndarray
    candidate: np.ndarray
    inner: np.ndarray
    next_h: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray
    b: np.ndarray


def gru_step_forward(
    x: np.ndarray, prev_h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, GRUStep]:
    """One word more.

    Args:
        x: Inputs of this step (N, D).
        prev_h: Hidden state before it (N, H).
        Wx, Wh, b: Weights (D, 3H), (H, 3H) and bias (3H,) or (4H,).

    Returns:
        next_h (N, H) and the cache.

    Raises:
        ValueError: if b has another length.

    Example: without weights the update gate is half open and the candidate 0; half the past stays.

        >>> x, h = np.zeros((1, 1)), np.array([[4.0]])
        >>> gru_step_forward(x, h, *np.zeros((2, 1, 3)), np.zeros(3))[0].item()
        2.0
    """
    H = prev_h.shape[1]
    if len(b) not in (3 * H, 4 * H):
        raise ValueError(f"b has {len(b)} entries; it must have 3H = {3 * H} or 4H = {4 * H}")
    inner_bias = b[3 * H :] if len(b) == 4 * H else np.zeros_like(b[:H])
    x_r, x_z, x_g = np.split(x @ Wx + b[: 3 * H], 3, axis=1)  # (N, H) each
    h_r, h_z, h_g = np.split(prev_h @ Wh, 3, axis=1)  # (N, H) each
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    inner = h_g + inner_bias
    g = np.tanh(x_g + r * inner)
    next_h = z * prev_h + (1 - z) * g
    return next_h, GRUStep(x, prev_h, r, z, g, inner, next_h, Wx, Wh, b)


def gru_step_backward(
    dnext_h: np.ndarray, cache: GRUStep
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Back through the mixture, the candidate and the two gates; a is what each of them saw.

        da_g = dnext_h (1 - z) (1 - g^2)                      the candidate
        da_z = dnext_h (prev_h - g) z (1 - z)                 the update gate
        da_r = da_g inner r (1 - r)                           the reset gate
        dinner = da_g r                                       inner = prev_h Wh_g + b_h
        dprev_h = dnext_h z + [da_r, da_z, dinner] Wh^T       z alone on the direct way

    Returns:
        dx (N, D), dprev_h (N, H), dWx (D, 3H), dWh (H, 3H), db as long as b.
    """
    x, prev_h, r, z, g, inner, _, Wx, Wh, b = cache
    da_g = dnext_h * (1 - z) * (1 - g**2)  # (N, H), as all of these
    da_z = dnext_h * (prev_h - g) * z * (1 - z)
    da_r = da_g * inner * r * (1 - r)
    dinner = da_g * r
    from_x = np.concatenate([da_r, da_z, da_g], axis=1)  # (N, 3H)
    from_h = np.concatenate([da_r, da_z, dinner], axis=1)  # (N, 3H)
    # The bias inside the reset, if there is one, comes last.
    db = np.concatenate([from_x, dinner], axis=1).sum(axis=0)[: len(b)]
    return (
        from_x @ Wx.T,
        dnext_h * z + from_h @ Wh.T,
        x.T @ from_x,
        prev_h.T @ from_h,
        db,
    )


def gru_forward(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, list[GRUStep]]:
    """Unrolled over time.

    Args:
        x: Inputs (N, T, D).
        h0: Hidden state before the first step (N, H).
        Wx, Wh, b: Weights (D, 3H), (H, 3H) and bias (3H,) or (4H,), the same at every step.

    Returns:
        h: Hidden state after each step (N, T, H).
        cache: One `GRUStep` for each step.

    Example: without weights half of the past stays after each step.

        >>> x, h0, W = np.zeros((1, 3, 1)), np.array([[4.0]]), np.zeros((1, 3))
        >>> gru_forward(x, h0, W, W, np.zeros(3))[0].ravel().tolist()
        [2.0, 1.0, 0.5]
    """
    h, cache = h0, []
    for t in range(x.shape[1]):
        h, step = gru_step_forward(x[:, t], h, Wx, Wh, b)
        cache.append(step)
    return np.stack([step.next_h for step in cache], axis=1), cache


def gru_backward(
    dh: np.ndarray, cache: list[GRUStep]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Backpropagation through time, as in `rnn_backward`.

    Args:
        dh: Gradient that each hidden state gets from its own scores (N, T, H).

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, 3H), dWh (H, 3H), db as long as b.
    """
    dx = []
    dprev_h = np.zeros_like(dh[:, 0])
    dWx, dWh = np.zeros_like(cache[0].Wx), np.zeros_like(cache[0].Wh)
    db = np.zeros_like(cache[0].b)
    for t in reversed(range(len(cache))):
        dx_t, dprev_h, dWx_t, dWh_t, db_t = gru_step_backward(dh[:, t] + dprev_h, cache[t])
        dx.append(dx_t)
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return np.stack(dx[::-1], axis=1), dprev_h, dWx, dWh, db
