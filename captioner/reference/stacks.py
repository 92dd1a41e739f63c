"""Several cells put together: on top of each other, and in both directions of time.

    deep:           h^1 = cell(x), h^2 = cell(h^1), ...          each layer reads the one below
    bidirectional:  [cell(x) , reversed cell(reversed x)]        what came before and what follows
    both:           each layer reads both directions of the one below

Deep: Graves et al. 2013, arXiv:1303.5778. Bidirectional: Schuster & Paliwal 1997. A network that
reads to the end of a text cannot write it, so the captioner's decoder runs in one direction.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from captioner.reference.cells import CELLS, Weights

Pair = tuple[Weights, Weights]
"""Weights of the cell that reads forwards and of the one that reads backwards."""


def deep_forward(
    cell: str, x: np.ndarray, h0: Sequence[np.ndarray], weights: Sequence[Weights]
) -> tuple[np.ndarray, list[Any]]:
    """Cells on top of each other.

    Args:
        cell: rnn, gru or lstm.
        x: Inputs of the lowest layer (N, T, D).
        h0: First hidden state of each layer, the lowest first; (N, H) each.
        weights: (Wx, Wh, b) of each layer; Wx is (D, gates * H) in the lowest, then
            (H, gates * H).

    Returns:
        h: Hidden states of the highest layer (N, T, H).
        cache: One for each layer.

    Example: tanh(ln 2) = 0.6, and tanh(ln 3) = 0.8.

        >>> one, zero, x = np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1, 1), np.log(2))
        >>> layers = [(one, zero, np.zeros(1)), (one / 0.6 * np.log(3), zero, np.zeros(1))]
        >>> deep_forward("rnn", x, [zero, zero], layers)[0].round(6).tolist()
        [[[0.8]]]
    """
    h, caches = x, []
    for first, layer in zip(h0, weights, strict=True):
        h, cache = CELLS[cell].forward(h, first, *layer)
        caches.append(cache)
    return h, caches


def deep_backward(
    cell: str, dh: np.ndarray, cache: list[Any]
) -> tuple[np.ndarray, list[np.ndarray], list[Weights]]:
    """From the highest layer down: dx of one layer is dh of the layer below it.

    Args:
        dh: Gradient of the highest layer's hidden states (N, T, H).

    Returns:
        dx (N, T, D), and dh0 and (dWx, dWh, db) of each layer, the lowest first.
    """
    dh0, dweights = [], []
    for layer in reversed(cache):
        dh, first, dWx, dWh, db = CELLS[cell].backward(dh, layer)
        dh0.append(first)
        dweights.append((dWx, dWh, db))
    return dh, dh0[::-1], dweights[::-1]


def bidirectional_forward(
    cell: str, x: np.ndarray, h0: Sequence[np.ndarray], weights: Pair
) -> tuple[np.ndarray, tuple[Any, Any]]:
    """Two cells, one of which reads from the end; their states of the same word side by side.

    Args:
        cell: rnn, gru or lstm.
        x: Inputs (N, T, D).
        h0: First hidden state of the forward and of the backward cell; (N, H) each.
        weights: (Wx, Wh, b) of the forward and of the backward cell.

    Returns:
        h: Forward and backward states (N, T, 2H).
        cache: One for each direction.

    Example: only the middle word is not zero; who has heard of it?

        >>> one, x = np.ones((1, 1)), np.array([[[0.0], [1.0], [0.0]]])
        >>> weights = (one, one, np.zeros(1))
        >>> h, _ = bidirectional_forward("rnn", x, [0 * one, 0 * one], (weights, weights))
        >>> (h != 0).astype(int).tolist()
        [[[0, 1], [1, 1], [1, 0]]]
    """
    ahead, ahead_cache = CELLS[cell].forward(x, h0[0], *weights[0])
    back, back_cache = CELLS[cell].forward(x[:, ::-1], h0[1], *weights[1])
    return np.concatenate([ahead, back[:, ::-1]], axis=2), (ahead_cache, back_cache)


def bidirectional_backward(
    cell: str, dh: np.ndarray, cache: tuple[Any, Any]
) -> tuple[np.ndarray, list[np.ndarray], Pair]:
    """Each direction gets its half of dh; x, which both read, gets the sum of what they return.

    Args:
        dh: Gradient of the states of both directions (N, T, 2H).

    Returns:
        dx (N, T, D), and dh0 and (dWx, dWh, db) of the forward and of the backward cell.
    """
    ahead, back = np.split(dh, 2, axis=2)  # (N, T, H) each
    dx, dh0, dWx, dWh, db = CELLS[cell].backward(ahead, cache[0])
    dx_back, dh0_back, *dback = CELLS[cell].backward(back[:, ::-1], cache[1])
    dWx_back, dWh_back, db_back = dback
    return (
        dx + dx_back[:, ::-1],
        [dh0, dh0_back],
        ((dWx, dWh, db), (dWx_back, dWh_back, db_back)),
    )


def deep_bidirectional_forward(
    cell: str, x: np.ndarray, h0: Sequence[Sequence[np.ndarray]], weights: Sequence[Pair]
) -> tuple[np.ndarray, list[tuple[Any, Any]]]:
    """Bidirectional layers on top of each other.

    Args:
        cell: rnn, gru or lstm.
        x: Inputs of the lowest layer (N, T, D).
        h0: A pair of (N, H) for each layer, the lowest first.
        weights: A pair of (Wx, Wh, b) for each layer; Wx is (2H, gates * H) from the second on.

    Returns:
        h: Forward and backward states of the highest layer (N, T, 2H).
        cache: One for each layer.
    """
    h, caches = x, []
    for first, layer in zip(h0, weights, strict=True):
        h, cache = bidirectional_forward(cell, h, first, layer)
        caches.append(cache)
    return h, caches


def deep_bidirectional_backward(
    cell: str, dh: np.ndarray, cache: list[tuple[Any, Any]]
) -> tuple[np.ndarray, list[list[np.ndarray]], list[Pair]]:
    """From the highest layer down, as in `deep_backward`.

    Args:
        dh: Gradient of the highest layer's states (N, T, 2H).

    Returns:
        dx (N, T, D), and a pair of dh0 and of (dWx, dWh, db) for each layer, the lowest first.
    """
    dh0, dweights = [], []
    for layer in reversed(cache):
        dh, firsts, pair = bidirectional_backward(cell, dh, layer)
        dh0.append(firsts)
        dweights.append(pair)
    return dh, dh0[::-1], dweights[::-1]
