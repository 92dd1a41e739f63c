"""What the gates of a cell did, word by word, for whoever wants to draw them."""

from collections.abc import Sequence

import numpy as np

from captioner.reference.gru import GRUStep
from captioner.reference.lstm import LSTMStep


def lstm_gates(cache: Sequence[LSTMStep]) -> dict[str, np.ndarray]:
    """The gates, candidates and memories of an LSTM at each step.

    Args:
        cache: As `lstm_forward` gives it.

    Returns:
        "input", "forget", "output" from 0 to 1, "candidate" from -1 to 1, and "memory", which has
        no bounds; each (N, T, H).

    Example: without weights each gate is half open.

        >>> from captioner.reference.lstm import lstm_forward
        >>> h0, W = np.zeros((1, 1)), np.zeros((1, 4))
        >>> _, cache = lstm_forward(np.zeros((1, 3, 1)), h0, W, W, np.zeros(4))
        >>> lstm_gates(cache)["forget"].ravel().tolist()
        [0.5, 0.5, 0.5]
    """
    return {
        "input": np.stack([step.input for step in cache], axis=1),
        "forget": np.stack([step.forget for step in cache], axis=1),
        "output": np.stack([step.output for step in cache], axis=1),
        "candidate": np.stack([step.candidate for step in cache], axis=1),
        "memory": np.stack([step.next_c for step in cache], axis=1),
    }


def gru_gates(cache: Sequence[GRUStep]) -> dict[str, np.ndarray]:
    """The gates and candidates of a GRU at each step.

    Args:
        cache: As `gru_forward` gives it.

    Returns:
        "reset" and "update" from 0 to 1, "candidate" from -1 to 1; each (N, T, H).
    """
    return {
        "reset": np.stack([step.reset for step in cache], axis=1),
        "update": np.stack([step.update for step in cache], axis=1),
        "candidate": np.stack([step.candidate for step in cache], axis=1),
    }
