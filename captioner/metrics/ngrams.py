"""N-grams as whole numbers, so that NumPy counts those of a whole corpus in a few operations.

Sentences lie one after another in a **running text**: an array of the numbers of their words, with
BREAK after each sentence. An n-gram is known by the place where it begins.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from captioner.metrics.bleu import MAX_N

BREAK = -1
"""Ends each sentence of a running text."""

PAD = -2
"""Fills captions up to one length. It differs from BREAK, so that the two never match."""

# An odd number near 2**64 / golden ratio: the leading bits of its multiples are spread evenly, and
# no two keys have one hash. With this one, 2**64 - 1 is no hash of a key below 2**63.
SPREAD = np.uint64(0x9E3779B97F4A7C17)
EMPTY = np.uint64(2**64 - 1)


class Ngrams(NamedTuple):
    """The n-grams of one n in a text."""

    places: np.ndarray
    """Where each begins (K)."""
    numbers: np.ndarray
    """Equal for equal n-grams (K)."""


class KeyTable:
    """Gives whole numbers a slot each, and finds the slots of many at once.

    A hash table with linear probing (Knuth 1998, "The art of computer programming", volume 3,
    section 6.4), filled in order of hash: the slot of a key is the leading bits of its hash, or the
    one after the slot before if that is later. At most half of the slots are taken.

    Args:
        keys: Different numbers from 0 to 2**63 - 1.

    Attributes:
        slots: That of each key.

    Example:

        >>> table = KeyTable(np.array([70, 50, 60]))
        >>> table.find(np.array([60, 10, 70])) == [table.slots[2], -1, table.slots[0]]
        array([ True,  True,  True])
    """

    def __init__(self, keys: np.ndarray) -> None:
        bits = max(1, (2 * len(keys)).bit_length())
        self._shift = np.uint64(64 - bits)
        hashes = keys.view(np.uint64) * SPREAD
        order = hashes.argsort()
        hashes = hashes[order]
        steps = np.arange(len(keys))
        taken = np.maximum.accumulate((hashes >> self._shift).view(np.int64) - steps) + steps
        self.slots = np.empty_like(taken)
        self.slots[order] = taken
        self.size = max(2**bits, int(taken.max(initial=0)) + 2)
        # No hash is beyond an empty slot, so every search ends there.
        self._hashes = np.full(self.size, EMPTY)
        self._hashes[taken] = hashes

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Slot of each key, -1 where it has none."""
        hashes = keys.view(np.uint64) * SPREAD
        slots = (hashes >> self._shift).view(np.int64)
        slots += self._hashes[slots] < hashes
        # Few are further off than one slot.
        before = np.flatnonzero(self._hashes[slots] < hashes)
        while before.size:
            slots[before] += 1
            before = before[self._hashes[slots[before]] < hashes[before]]
        return np.where(self._hashes[slots] == hashes, slots, -1)


class NgramIndex:
    """Numbers for all n-grams of a running text, for n = 1, 2, 3, 4.

    A word is its own number. A longer n-gram is told by the number of its first n - 1 words and by
    its last word, so words need not fit into a few bits, however many there are:

        key = number of the first n - 1 words * num_words + last word.

    Args:
        words: The running text.
        num_words: More than the highest number in it.

    Raises:
        ValueError: if numbers of words take more than 31 bits, so that keys need not fit into 63.

    Attributes:
        ngrams: Those of the text, for each n; equal ones side by side and in order of place.
        sizes: More than the highest number of an n-gram, for each n.

    Example: "1 2" is known, and "2 1" is not.

        >>> index = NgramIndex(np.array([1, 2, 3, 1, 2, BREAK]), 4)
        >>> index.ngrams[1].places
        array([2, 0, 3, 1])
        >>> [places.tolist() for places, _ in index.find(np.array([[1], [2], [1], [PAD]]))]
        [[0, 1, 2], [0], [], []]
    """

    def __init__(self, words: np.ndarray, num_words: int) -> None:
        if num_words > 2**31:
            raise ValueError(f"Numbers of words go up to {2**31 - 1}, not {num_words - 1}.")
        self._num_words = num_words
        self._tables: list[KeyTable] = []
        places = np.flatnonzero(words >= 0)
        places = places[_sort(words[places])]
        self.ngrams = [Ngrams(places, words[places])]
        for n in range(1, MAX_N):
            places, numbers = self.ngrams[-1]
            last = words[places + n]
            inside = np.flatnonzero(last >= 0)
            # Equal beginnings are side by side already, and stay in order where last words agree.
            order = inside[_sort(last[inside])]
            keys = numbers[order] * num_words + last[order]
            first = differs_from_last(keys)
            table = KeyTable(keys[first])
            self._tables.append(table)
            self.ngrams.append(Ngrams(places[order], table.slots[np.cumsum(first) - 1]))
        self.sizes = [num_words, *(table.size for table in self._tables)]

    def find(self, captions: np.ndarray) -> Iterator[Ngrams]:
        """For n = 1, 2, 3, 4 those n-grams of captions that are known, by places in all captions.

        Args:
            captions: M captions (T, M), negative after the last word, at least once in each.
        """
        words, step = captions.ravel(), captions.shape[1]
        known = (words >= 0) & (words < self._num_words)
        places = np.flatnonzero(known)
        numbers = words[places]
        yield Ngrams(places, numbers)
        for n, table in enumerate(self._tables, start=1):
            last = places + n * step
            further = np.flatnonzero(known[last])
            places, last = places[further], last[further]
            numbers = table.find(numbers[further] * self._num_words + words[last])
            found = np.flatnonzero(numbers >= 0)
            places, numbers = places[found], numbers[found]
            yield Ngrams(places, numbers)


def number_words(sentences: Sequence[str]) -> tuple[np.ndarray, dict[str, int]]:
    """A running text of these sentences, and the number of each word.

    Args:
        sentences: Words separated by spaces.

    Example:

        >>> words, numbers = number_words(["a dog", "", "a cat"])
        >>> words
        array([ 1,  2, -1, -1,  1,  3, -1])
        >>> numbers["cat"]
        3
    """
    mark = _mark_breaks(sentences)
    numbers: defaultdict[str, int] = defaultdict(None, {mark: BREAK})
    numbers.default_factory = numbers.__len__
    spoken = _split(sentences, mark)
    words = np.fromiter(map(numbers.__getitem__, spoken), np.int64, len(spoken))
    del numbers[mark]
    return words, dict(numbers)


def look_up_words(sentences: Sequence[str], numbers: dict[str, int]) -> np.ndarray:
    """A running text of these sentences, in words that have their numbers.

    Args:
        sentences: Words separated by spaces.
        numbers: Of `number_words`; other words get the numbers that come next, for this once.

    Example:

        >>> look_up_words(["a dog dog yaps"], {"a": 1})
        array([ 1,  2,  2,  3, -1])
    """
    mark = _mark_breaks(sentences)
    spoken = _split(sentences, mark)
    known = numbers | {mark: BREAK}
    words = np.fromiter(map(known.get, spoken, repeat(PAD)), np.int64, len(spoken))
    unknown = np.flatnonzero(words == PAD)
    others: dict[str, int] = {}
    words[unknown] = [others.setdefault(spoken[i], len(known) + len(others)) for i in unknown]
    return words


def differs_from_last(values: np.ndarray) -> np.ndarray:
    """Where a value differs from the one before it; the first always does.

    >>> differs_from_last(np.array([5, 5, 6]))
    array([ True, False,  True])
    """
    differs = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=differs[1:])
    return differs


def count_matches(captions: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """How often the n-gram that begins at each place of a text occurs in its caption.

    Words i of the caption and j of the text begin equal n-grams if the words are equal, and if
    i + 1 and j + 1 begin equal n-grams of one word less.

    Args:
        captions: M captions (T, M), filled up with PAD.
        texts: For each a running text (J, M), without PAD.

    Returns:
        Counts (4, J, M) for n = 1, 2, 3, 4.

    Example: "1 2 1" has 1 twice, 2 once, "1 2" once.

        >>> count_matches(np.array([[1], [2], [1]]), np.array([[1], [2], [BREAK]]))[:2, :, 0]
        array([[2, 1, 0],
               [1, 0, 0]], dtype=uint8)
    """
    counts = np.zeros((MAX_N, *texts.shape), dtype=np.min_scalar_type(len(captions)))
    equal = captions[:, None] == texts  # (T, J, M)
    begins = equal.copy()
    for n in range(min(MAX_N, *equal.shape[:2])):
        if n:
            begins = begins[:-1, :-1]  # (T - n, J - n, M)
            begins &= equal[n:, n:]
        ones = begins.view(np.uint8)
        np.add.reduce(ones, axis=0, dtype=counts.dtype, out=counts[n, : len(texts) - n])
    return counts


def _sort(words: np.ndarray) -> np.ndarray:
    """The order that sorts words, equal ones as they come.

    Words of 31 bits leave room for the places. Sorting both together is several times as fast as
    sorting places by word.
    """
    bits = len(words).bit_length()
    return np.sort(words << bits | np.arange(len(words))) & (2**bits - 1)


def _mark_breaks(sentences: Sequence[str]) -> str:
    """A word that no sentence has."""
    text, mark = "\n".join(sentences), "\0"
    while mark in text:
        mark += "\0"
    return mark


def _split(sentences: Sequence[str], mark: str) -> list[str]:
    """All words in a row; to split once is faster than to split each."""
    return f" {mark} ".join((*sentences, "")).split()
