"""How good captions are: BLEU, ROUGE-L, CIDEr and CIDEr-D, without Java. Strings in, numbers out.

Captions come in as words separated by single spaces, lower case and without punctuation. The values
are those of coco-caption on the same words. BLEU and ROUGE-L go from 0 to 1, CIDEr and CIDEr-D from
0 to 10; papers print all of them times 100.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.metrics.bleu import bleu_counts, corpus_bleu
from captioner.metrics.cider import CiderD, count_documents
from captioner.metrics.reward import CiderReward
from captioner.metrics.rouge import rouge_l

__all__ = [
    "CiderD",
    "CiderReward",
    "bleu_counts",
    "bootstrap",
    "corpus_bleu",
    "count_documents",
    "rouge_l",
    "score_captions",
    "score_each",
    "summarise",
]


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
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, np.ndarray]:
    """Metrics of every photo, in order: what `summarise` and `bootstrap` need.

    Args:
        captions: One for each photo.
        references: For each photo, what people wrote about it, in the same order.

    Returns:
        `rouge_l`, `cider` and `cider_d`, one number for each photo; and `bleu_counts`, nine whole
        numbers for each, as BLEU is no mean over photos but a ratio of sums.

    Raises:
        ValueError: as `score_captions`.

    Example:

        >>> score_each(["a cat"], [["a cat sleeps"]])["bleu_counts"]
        array([[2, 1, 0, 0, 2, 1, 0, 0, 3]])
    """
    scorer = CiderD(references)
    each = {"cider": scorer.score_plain(captions), "cider_d": scorer.score(captions)}
    pairs = list(zip(captions, references, strict=True))
    each["rouge_l"] = np.array([rouge_l(caption, photo) for caption, photo in pairs])
    each["bleu_counts"] = np.stack([bleu_counts(caption, photo) for caption, photo in pairs])
    return each


def summarise(each: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The metrics of a corpus from those of its photos.

    Args:
        each: Result of `score_each`, or the same rows taken out of all its arrays.

    Returns:
        As `score_captions`.

    Example:

        >>> each = score_each(["a cat", "a cat"], [["a cat"], ["two dogs"]])
        >>> round(summarise(each)["rouge_l"], 4)
        0.5
    """
    bleu = corpus_bleu(each["bleu_counts"].sum(axis=0))
    scores = {f"bleu_{n}": float(score) for n, score in enumerate(bleu, start=1)}
    return scores | {name: float(each[name].mean()) for name in ("rouge_l", "cider", "cider_d")}


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
        For each metric of `score_captions`, both ends of its 95 % interval.

    Example: of two photos one is right. Of four equally likely draws one has no right photo and one
    only right ones.

        >>> each = score_each(["a cat", "a cat"], [["a cat"], ["two dogs"]])
        >>> bootstrap(each)["rouge_l"]
        (0.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    num_photos = len(each["bleu_counts"])
    resampled = []
    for _ in range(num_resamples):
        drawn = generator.integers(num_photos, size=num_photos)
        resampled.append(summarise({name: values[drawn] for name, values in each.items()}))
    intervals = {}
    for name in resampled[0]:
        low, high = np.percentile([scores[name] for scores in resampled], [2.5, 97.5])
        intervals[name] = (float(low), float(high))
    return intervals
