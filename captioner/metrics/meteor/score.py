"""METEOR from counts of matched words."""

from collections.abc import Sequence

import numpy as np

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
"""Of METEOR 1.5 for English: recall against precision, shape and weight of the penalty for
fragments, content words against function words."""

WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
"""Of a word matched exactly, by its stem, as a synonym, in a paraphrase."""

NUM_COUNTS = 23


def meteor_score(counts: np.ndarray) -> np.ndarray:
    """METEOR from counts of a photo, or from sums of them over photos.

        P = sum_m w_m (delta content_m + (1 - delta) function_m)
            / (delta content + (1 - delta) function)       of the caption; R of the reference
        F = P R / (alpha P + (1 - alpha) R)
        METEOR = F (1 - gamma (chunks / matched words) ** beta)

    over the matchers m (Denkowski and Lavie 2014, "Meteor universal: language specific translation
    evaluation for any target language", section 3). Matched words are those of the caption and of
    the reference, halved.

    Args:
        counts: Words of the caption and of the reference, function words of both; then for each of
            four matchers the matched content words of the caption and of the reference, and the
            function words of both; then chunks, and matched words of both (…, 23). The chunk of a
            caption that is its reference word for word counts as none.

    Returns:
        From 0 to 1 (…).

    Example: "a dog" against "a dog runs", "a" being a function word: P = 1, R = (0.75 + 0.25) /
    (1.5 + 0.25), one chunk of two words: R / (0.85 + 0.15 R) (1 - 0.6 (1/2) ** 0.2).

        >>> counts = np.zeros(23)
        >>> counts[:8] = 2, 3, 1, 1, 1, 1, 1, 1
        >>> counts[20:] = 1, 2, 2
        >>> round(float(meteor_score(counts)), 4)
        0.2917
    """
    counts = np.asarray(counts, dtype=float)
    lengths, functions = counts[..., 0:2], counts[..., 2:4]
    found = counts[..., 4:20].reshape(*counts.shape[:-1], 4, 4)  # matcher, of what
    content, function = found[..., :2], found[..., 2:]
    weighted = DELTA * content + (1 - DELTA) * function
    matches = (WEIGHTS[:, None] * weighted).sum(axis=-2)
    totals = DELTA * (lengths - functions) + (1 - DELTA) * functions
    shares = matches / np.where(totals, totals, 1)
    precision, recall = shares[..., 0], shares[..., 1]
    mean = precision * recall / np.maximum(ALPHA * precision + (1 - ALPHA) * recall, 1e-300)
    words = counts[..., 21:].mean(axis=-1)
    fragments = counts[..., 20] / np.where(words, words, 1)
    return mean * (1 - GAMMA * fragments**BETA)


def best(candidates: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    """Of the counts against each reference those with the highest score, the first of equals (23).

    A caption that is its reference word for word has no fragments.
    """
    counts = np.array(candidates, dtype=float)
    lengths, chunks, matched = counts[:, :2], counts[:, 20], counts[:, 21:]
    counts[:, 20] = np.where((chunks == 1) & (matched == lengths).all(axis=1), 0, chunks)
    return counts[meteor_score(counts).argmax()]
