"""All photos of a split together: distributions, words, and the difference of two models."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from captioner.metrics import summarise

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


def differences(
    each: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """How much better the one captioner is than the other, on the same photos.

    The photos are drawn anew as in `captioner.metrics.bootstrap`, the same ones for both: what
    makes a photo hard for both does not blur their difference.

    Args:
        each: Scores of the photos, as of `captioner.metrics.score_each`.
        other: The other's, of the same photos in the same order.
        num_resamples: How often to draw.
        seed: The same seed gives the same interval.

    Returns:
        For each metric the difference, and both ends of its 95 % interval.

    Example: of two photos the one has both right, the other one of them.

        >>> from captioner.metrics import score_each
        >>> people = [["a cat"], ["two dogs"]]
        >>> right, half = (score_each(["a cat", last], people) for last in ("two dogs", "a cat"))
        >>> differences(right, half)["rouge_l"]
        (0.5, 0.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    num_photos = len(each["bleu_counts"])
    drawn = []
    for _ in range(num_resamples):
        rows = generator.integers(num_photos, size=num_photos)
        one, two = ({k: v[rows] for k, v in scores.items()} for scores in (each, other))
        drawn.append(_less(summarise(one), summarise(two)))
    found = {}
    for name, difference in _less(summarise(each), summarise(other)).items():
        low, high = np.percentile([scores[name] for scores in drawn], [2.5, 97.5])
        found[name] = (difference, float(low), float(high))
    return found


def _less(one: dict[str, float], two: dict[str, float]) -> dict[str, float]:
    return {name: value - two[name] for name, value in one.items()}
