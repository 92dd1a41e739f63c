"""How good captions are: BLEU, ROUGE-L, CIDEr and CIDEr-D, without Java. Strings in, numbers out.

Captions come in as words separated by single spaces, lower case and without punctuation, as
`captioner.metrics.ptb` makes them. The values are those of coco-caption on the same words. BLEU,
ROUGE-L and METEOR go from 0 to 1, CIDEr and CIDEr-D from 0 to 10; papers print all of them times
100.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from captioner.metrics.bleu import MAX_N, Ngram, bleu_counts, corpus_bleu
from captioner.metrics.cider import CiderD, count_documents
from captioner.metrics.meteor.score import meteor_score
from captioner.metrics.reward import CiderReward
from captioner.metrics.rouge import rouge_l

__all__ = [
    "CiderD",
    "CiderReward",
    "bleu_counts",
    "bootstrap",
    "compare",
    "corpus_bleu",
    "count_documents",
    "interval",
    "resample",
    "rouge_l",
    "score_captions",
    "score_each",
    "summarise",
]

AT_ONCE = 50
"""Resamples whose weights are in memory together."""


def score_captions(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """All metrics of a corpus: one caption and several references for each photo.

    `cider_d` is what papers call CIDEr, `cider` the plain measure (see `captioner.metrics.cider`).

    Args:
        captions: One for each photo; an empty one counts as wrong in every metric.
        references: For each photo, what people wrote about it, in the same order.

    Returns:
        `bleu_1 bleu_2 bleu_3 bleu_4` of the corpus as a whole; `rouge_l cider cider_d` as means
        over photos.

    Raises:
        ValueError: if captions and references differ in number, if there are none, or if a photo
            has no references.

    Example: of 8 words 7 match, of 6 pairs 5, of 4 triples 3, of 2 quadruples 1; BLEU-2 is the root
    of 7/8 * 5/6. In CIDEr the first caption has (3/4 + 2/3 + 1/2 + 0) 10/4, the second 10.

        >>> scores = score_captions(["two dogs run fast", "a cat sleeps here"],
        ...                         [["two dogs run home"], ["a cat sleeps here"]])
        >>> [round(scores[f"bleu_{n}"], 4) for n in (1, 2, 3, 4)]
        [0.875, 0.8539, 0.8178, 0.7231]
        >>> [round(scores[name], 4) for name in ("rouge_l", "cider", "cider_d")]
        [0.875, 7.3958, 7.3958]
    """
    return summarise(score_each(captions, references))


def score_each(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    document_frequencies: tuple[Mapping[Ngram, int], int] | None = None,
) -> dict[str, np.ndarray]:
    """Metrics of every photo, in order: what `summarise` and `bootstrap` need.

    Args:
        captions: One for each photo.
        references: For each photo, what people wrote about it, in the same order.
        document_frequencies: How rare words are, as of `CiderD`.

    Returns:
        `rouge_l`, `cider` and `cider_d`, one number for each photo; and `bleu_counts`, nine whole
        numbers for each, as BLEU is no mean over photos but a ratio of sums.

    Raises:
        ValueError: as `score_captions`.

    Example:

        >>> score_each(["a cat"], [["a cat sleeps"]])["bleu_counts"]
        array([[2, 1, 0, 0, 2, 1, 0, 0, 3]])
    """
    scorer = CiderD(references, document_frequencies)
    cider, cider_d = scorer.score_plain(captions), scorer.score(captions)
    pairs = list(zip(captions, references, strict=True))
    return {
        "bleu_counts": np.stack([bleu_counts(caption, photo) for caption, photo in pairs]),
        "rouge_l": np.array([rouge_l(caption, photo) for caption, photo in pairs]),
        "cider": cider,
        "cider_d": cider_d,
    }


def summarise(each: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The metrics of a corpus from those of its photos.

    Args:
        each: Result of `score_each`, or the same rows taken out of all its arrays. Other metrics
            may be added to it: `meteor_counts` (see `captioner.metrics.meteor`) becomes `meteor`,
            and of anything else the mean is taken.

    Returns:
        As `score_captions`, and what was added.

    Example:

        >>> each = score_each(["a cat", "a cat"], [["a cat"], ["two dogs"]])
        >>> round(summarise(each)["rouge_l"], 4)
        0.5
    """
    sums = {name: values.sum(axis=0) for name, values in each.items()}
    return {name: float(score) for name, score in _combine(sums, len(each["rouge_l"])).items()}


def bootstrap(
    each: Mapping[str, np.ndarray], num_resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """How far the metrics may be off, given that other photos could have been in the test set.

    As many photos as there are get drawn, with replacement, `num_resamples` times; the interval
    leaves out the lowest and the highest 2.5 % of the resulting scores (the percentile interval of
    Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3). Rarity of words
    remains that of the whole corpus.

    Args:
        each: Result of `score_each`.
        num_resamples: How often to draw.
        seed: The same seed gives the same interval.

    Returns:
        For each metric of `summarise`, both ends of its 95 % interval.

    Example: of two photos one is right. Of four equally likely draws one has no right photo and one
    only right ones.

        >>> each = score_each(["a cat", "a cat"], [["a cat"], ["two dogs"]])
        >>> bootstrap(each)["rouge_l"]
        (0.0, 1.0)
    """
    return {name: interval(scores) for name, scores in resample(each, num_resamples, seed).items()}


def resample(
    each: Mapping[str, np.ndarray], num_resamples: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """The metrics of photos drawn with replacement, as often as asked for (R).

    The same seed draws the same photos, so that two sets of captions of them can be compared pair
    by pair.

    Example: the better caption of either photo stays the better one, whichever are drawn.

        >>> good = score_each(["a cat", "two dogs"], [["a cat"], ["two dogs"]])
        >>> bad = score_each(["a cow", "one dog"], [["a cat"], ["two dogs"]])
        >>> bool((resample(good)["bleu_1"] > resample(bad)["bleu_1"]).all())
        True
    """
    generator = np.random.default_rng(seed)
    num_photos = len(each["rouge_l"])
    parts = []
    for first in range(0, num_resamples, AT_ONCE):
        rows = min(AT_ONCE, num_resamples - first)
        drawn = generator.integers(num_photos, size=(rows, num_photos))
        flat = drawn + num_photos * np.arange(rows)[:, None]
        times = np.bincount(flat.ravel(), minlength=rows * num_photos).reshape(rows, num_photos)
        weights = times.astype(float)
        sums = {name: weights @ values for name, values in each.items()}
        parts.append(_combine(sums, num_photos))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(scores: np.ndarray) -> tuple[float, float]:
    """Both ends of the middle 95 %.

    >>> interval(np.arange(201.0))
    (5.0, 195.0)
    """
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


class Comparison(NamedTuple):
    """Two captioners on the same photos."""

    difference: float
    """How much more the first one scores."""
    interval: tuple[float, float]
    """95 % interval of that, over photos."""
    better: float
    """Share of the resamples in which the first scores more; half of a tie."""


def compare(
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Whether one set of captions is better than another one of the same photos.

    Both are scored on the same resamples (paired bootstrap; Koehn 2004, "Statistical significance
    tests for machine translation evaluation"): photos that are hard for both cancel out.

    Args:
        first: Result of `score_each`.
        second: Of other captions of the same photos, in the same order.
        num_resamples: How often to draw.
        seed: The same seed gives the same result.

    Example:

        >>> photos = [["a cat"], ["two dogs"]]
        >>> good, bad = (score_each(texts, photos) for texts in (["a cat", "two dogs"], ["", "a"]))
        >>> compare(good, bad)["rouge_l"]
        Comparison(difference=1.0, interval=(1.0, 1.0), better=1.0)
    """
    scores = zip(summarise(first).items(), summarise(second).values(), strict=True)
    draws = [resample(each, num_resamples, seed) for each in (first, second)]
    found = {}
    for (name, ours), theirs in scores:
        gains = draws[0][name] - draws[1][name]
        better = float((gains > 0).mean() + (gains == 0).mean() / 2)
        found[name] = Comparison(ours - theirs, interval(gains), better)
    return found


def _combine(sums: Mapping[str, np.ndarray], num_photos: int) -> dict[str, np.ndarray]:
    """Metrics from sums over photos, whose last axis holds what belongs to one metric."""
    bleu = corpus_bleu(sums["bleu_counts"])
    scores = {f"bleu_{n + 1}": bleu[..., n] for n in range(MAX_N)}
    if "meteor_counts" in sums:
        scores["meteor"] = meteor_score(sums["meteor_counts"])
    means = [name for name in sums if not name.endswith("_counts")]
    return scores | {name: sums[name] / num_photos for name in means}
