"""METEOR 1.5: words, stems, synonyms and paraphrases that a caption has in common with references.

Where there is a Java and the package pycocoevalcap, the official program computes it
(`captioner.metrics.meteor.official`); elsewhere `count_pairs` does, without Java. The code was
written from the papers and from what the official program answers. Where several alignments are as
good as each other the two may choose otherwise: the counts of 3 in 100 pairs of a caption and a
reference differ, and the score of a corpus in its fourth digit (tests/test_meteor.py).
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from captioner.metrics.meteor.alignment import align
from captioner.metrics.meteor.score import NUM_COUNTS, best, meteor_score
from captioner.metrics.meteor.words import Words, find_package, normalise

__all__ = ["Meteor", "Words", "count_pair", "count_pairs", "find_package", "meteor_score"]


class Meteor:
    """Counts what captions and references have in common, each pair once.

    Args:
        count: Gives the counts of pairs of a caption and a reference (M, 23): `count_pairs` or
            `captioner.metrics.meteor.official.count_officially`.

    Example: one of three words is missing.

        >>> meteor = Meteor(lambda pairs: count_pairs(pairs, Words(None)))
        >>> counts = meteor.count(["a dog runs"], [["dogs run", "cats"]])
        >>> counts[0, :2].tolist(), counts[0, 20:].tolist()
        ([3.0, 2.0], [1.0, 2.0, 2.0])
    """

    def __init__(self, count: Callable[[Sequence[tuple[str, str]]], np.ndarray]) -> None:
        self._count = count
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def learn(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Count pairs that will be asked for, at once, which is quicker than bit by bit."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            self._known.update(zip(new, self._count(new), strict=True))

    def count(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
        """What METEOR needs to know about each photo: the counts with its best reference (N, 23).

        Args:
            captions: Words with single spaces between them, as `captioner.metrics.ptb` makes them.
            references: For each photo, what people wrote about it, likewise.
        """
        photos = list(zip(captions, references, strict=True))
        self.learn((own, other) for own, photo in photos for other in photo)
        return np.array([best([self._known[own, one] for one in photo]) for own, photo in photos])


def count_pairs(pairs: Sequence[tuple[str, str]], words: Words) -> np.ndarray:
    """The counts of captions and references, without Java (M, 23).

    Raises:
        InputError: if the lists of words cannot be read.
    """
    split = [(normalise(own), normalise(other)) for own, other in pairs]
    words.learn_paraphrases(text for pair in split for text in pair)
    return np.array([count_pair(*pair, words) for pair in split])


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
