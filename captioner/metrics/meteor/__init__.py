"""METEOR 1.5: words, stems, synonyms and paraphrases that a caption has in common with references.

Where there is a Java and the package pycocoevalcap, the official program computes it
(`captioner.metrics.meteor.official`); elsewhere `count_matches` does, without Java. On captions of
Flickr8k's test photos both come to the same third digit (tests/test_meteor.py). The code here was
written from the papers and from what the official program answers.
"""

from collections.abc import Sequence

import numpy as np

from captioner.metrics.meteor.alignment import align
from captioner.metrics.meteor.score import NUM_COUNTS, best, meteor_score
from captioner.metrics.meteor.words import Words, find_package, normalise

__all__ = ["Words", "count_matches", "count_pair", "find_package", "meteor_score"]


def count_matches(
    captions: Sequence[str], references: Sequence[Sequence[str]], words: Words
) -> np.ndarray:
    """What METEOR needs to know about each photo: the counts against its best reference (N, 23).

    Args:
        captions: Words with single spaces between them, as `captioner.metrics.ptb` makes them.
        references: For each photo, what people wrote about it, likewise.
        words: What is known about words.

    Raises:
        InputError: if the lists of words cannot be read.

    Example: one of three words is missing.

        >>> counts = count_matches(["a dog runs"], [["dogs run", "cats"]], Words(None))
        >>> counts[0, :2].tolist(), counts[0, 20:].tolist()
        ([3.0, 2.0], [1.0, 2.0, 2.0])
    """
    own = [normalise(caption) for caption in captions]
    others = [[normalise(text) for text in photo] for photo in references]
    words.learn_paraphrases([*own, *(text for photo in others for text in photo)])
    pairs = zip(own, others, strict=True)
    return np.array([best([count_pair(a, b, words) for b in photo]) for a, photo in pairs])


def count_pair(caption: Sequence[str], reference: Sequence[str], words: Words) -> list[int]:
    """The counts of a caption and one reference, as `meteor_score` takes them (23)."""
    matches = align(caption, reference, words)
    counts = [0] * NUM_COUNTS
    counts[:2] = len(caption), len(reference)
    counts[2:4] = (sum(word in words.functions for word in text) for text in (caption, reference))
    own_end = end = -1
    for begin, length, own_begin, own_length, matcher in matches:
        for word in caption[own_begin : own_begin + own_length]:
            counts[4 + 4 * matcher + 2 * (word in words.functions)] += 1
        for word in reference[begin : begin + length]:
            counts[5 + 4 * matcher + 2 * (word in words.functions)] += 1
        counts[20] += (own_begin, begin) != (own_end, end)
        own_end, end = own_begin + own_length, begin + length
        counts[21] += own_length
        counts[22] += length
    return counts
