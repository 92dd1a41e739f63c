"""Gradients checked by small steps, and measured as they fade with distance."""

from collections.abc import Callable

import numpy as np

from captioner.reference.cells import CELLS


def numerical_gradient(
    f: Callable[[np.ndarray], np.ndarray | float],
    x: np.ndarray,
    df: np.ndarray | float = 1.0,
    step: float = 1e-5,
) -> np.ndarray:
    """The gradient by central differences, which knows nothing of any formula.

        dx[i] = sum of  df (f(x + step e_i) - f(x - step e_i)) / (2 step)

    The error is of the order step^2, and of rounding / step; hence 1e-5, and 64 bits alone.

    Args:
        f: A function of x, with an output of any shape. It is called twice for each entry of x.
        x: Where; changed in place during the calls, restored after.
        df: Gradient of the loss with respect to the output of f; 1 if f is the loss itself.

    Raises:
        TypeError: if x is not float64.

    Example: x^3 at 2.

        >>> numerical_gradient(lambda x: x**3, np.array([2.0])).round(6).tolist()
        [12.0]
    """
    if x.dtype != np.float64:
        raise TypeError(f"x is {x.dtype}; differences so small need float64")
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        here = x[i]
        try:
            x[i] = here + step
            above = np.array(f(x))  # a copy, as f may return x itself
            x[i] = here - step
            below = np.array(f(x))
        finally:
            x[i] = here
        gradient[i] = np.sum(df * (above - below)) / (2 * step)
    return gradient


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, relative to the largest entry: max |a - b| / max(|a|, |b|).

    Relative to the largest entry of all, since single entries may truly be zero.

    >>> relative_error(np.array([1.0, 0.0]), np.array([1.0, 0.1]))
    0.1
    """
    scale = max(np.abs(a).max(), np.abs(b).max())
    return float(np.abs(a - b).max() / scale) if scale > 0 else 0.0


def gradient_by_distance(
    cell: str,
    Wx: np.ndarray,
    Wh: np.ndarray,
    b: np.ndarray,
    x: np.ndarray,
    h0: np.ndarray,
) -> np.ndarray:
    """How strongly the last hidden state still depends on the state k steps before it.

        distance[k] = || d (u . h_T) / d state_{T-k} ||,      u = (1, ..., 1) / sqrt(H)

    u . h_T is the sum of the last hidden state's units, divided by sqrt(H) so that u has length 1;
    hence distance[0] = 1. The state is h, and for the LSTM h and c together, both of which go on to
    the next step. The norm is taken for each caption and averaged over the N.

    Each step back multiplies the gradient by the Jacobian of one step. In the simple RNN that is
    Wh^T diag(1 - h^2): below length 1 the product fades, above it explodes, at the speed of a power
    (Bengio et al. 1994; Pascanu et al. 2013, arXiv:1211.5063). The gates of the LSTM and the GRU
    keep one way open on which the gradient is only multiplied by f, or by z: it lives as long as
    these gates are open. A GRU whose update gate is half shut forgets as fast as a simple RNN.

    Args:
        cell: rnn, gru or lstm.
        Wx, Wh, b: Weights and bias of the cell.
        x: Inputs (N, T, D).
        h0: Hidden state before the first step (N, H).

    Returns:
        The norms (T,), for k = 0, 1, ..., T-1 steps of distance.

    Example: one unit that is always near 0, where tanh is straight; each step multiplies by Wh.

        >>> zero = np.zeros((1, 1))
        >>> x = np.zeros((1, 4, 1))
        >>> gradient_by_distance("rnn", zero, zero + 0.5, np.zeros(1), x, zero).tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    H = len(Wh)
    h, cache = CELLS[cell].forward(x, h0, Wx, Wh, b)
    dh = np.full_like(h[:, -1], H**-0.5)
    dstate = [dh, *(np.zeros_like(dh) for _ in CELLS[cell].last_state(cache)[1:])]
    norms = []
    for step in reversed(cache):
        norms.append(np.linalg.norm(np.concatenate(dstate, axis=1), axis=1).mean())
        _, *dstate, _, _, _ = CELLS[cell].step_backward(*dstate, step)
    return np.array(norms)
