"""All photos of a split together: distributions and words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

STEPS = (1, 2, 5)
MOST_BINS = 20


def bins_of(values: np.ndarray) -> np.ndarray:
    """Edges of round numbers from 0 on, twenty bins at most; a few outliers share the last bin.

    >>> bins_of(np.array([3.0, 41.0, 95.0])).tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, \
80.0, 85.0, 90.0, 95.0, inf]
    """
    top = max(float(np.percentile(values, 98)), 1e-9)
    wide = (step * 10.0**power for power in range(-9, 9) for step in STEPS)
    step = next(step for step in wide if step * (MOST_BINS - 1) >= top)
    return np.append(np.arange(int(np.ceil(top / step)) + 1) * step, np.inf)


def shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    """How many of the values lie in each bin, in percent; a value on an edge lies above it.

    >>> shares(np.array([0.0, 1.0, 1.5, 9.0]), np.array([0.0, 1.0, 2.0, np.inf]))
    [25.0, 50.0, 25.0]
    """
    places = np.searchsorted(edges, values, side="right") - 1
    counts = np.bincount(places.clip(0, len(edges) - 2), minlength=len(edges) - 1)
    return [round(100 * int(count) / max(1, len(values)), 2) for count in counts]


def word_shares(captions: Sequence[Sequence[str]]) -> dict[str, float]:
    """In how many of the captions each word stands, in percent, the most said first.

    >>> word_shares([["a", "dog"], ["a", "cat", "a"]])
    {'a': 100.0, 'cat': 50.0, 'dog': 50.0}
    """
    counts = Counter(word for caption in captions for word in set(caption))
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {word: round(100 * count / len(captions), 2) for word, count in ranked}
