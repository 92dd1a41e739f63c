"""CIDEr-D of captions that are word indices: the reward of self-critical training.

`CiderD` numbers the words of its strings and computes with the same classes.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from captioner.metrics.bleu import MAX_N
from captioner.metrics.ngrams import (
    BREAK,
    PAD,
    NgramIndex,
    Ngrams,
    count_matches,
    differs_from_last,
)

# Standard deviation, in words, of the Gaussian that punishes a wrong length.
SIGMA = 6.0

# CIDEr-D is 10 at most; the paper's authors scale plain CIDEr by the same factor.
SCALE = 10.0

# Pairs of a word in a caption and one in a reference that are compared at a time. More would not
# stay in the cache of a core; with fewer, NumPy is called more often.
PAIRS = 2**20


class Matches(NamedTuple):
    """N-grams of references that are in captions too: each place in a reference by itself."""

    in_caption: np.ndarray
    """How often the n-gram is in the caption."""
    in_reference: np.ndarray
    """How often it is in the reference."""
    surplus: np.ndarray
    """Words that the caption has more than the reference."""


class CiderReward:
    """Scores sampled captions of training photos, batch after batch, without making strings.

    The score is that of `CiderD` with the same references. In self-critical training END counts as
    a word, in captions and references: otherwise captions learn to break off after "on a" (Rennie
    et al. 2017, "Self-critical sequence training for image captioning", arXiv:1612.00563, and the
    programs that followed it).

    Args:
        references: For each training photo, what people wrote about it as word indices, without
            START and END.
        end: Index of END.
        count_end: Whether END counts as a word.

    Raises:
        ValueError: if there is no photo, or a photo without references, or if a reference holds END
            or a negative number.

    Example: 4 is in both photos, as is END, and neither weighs anything. Of two words that weigh
    the same one agrees, "4 5" of three pairs, and no triple: 10 * (1/2 + 1/3 + 0 + 0) / 4.

        >>> reward = CiderReward([[[4, 5, 6]], [[4, 7, 8]]], end=2)
        >>> reward.score(np.array([[4, 5, 8, 2, 0], [4, 7, 8, 2, 0]]), np.array([0, 1])).round(4)
        array([ 2.0833, 10.    ])
    """

    def __init__(
        self, references: Sequence[Sequence[Sequence[int]]], end: int, count_end: bool = True
    ) -> None:
        if not references or not all(references):
            raise ValueError("Every photo needs a reference, and there has to be a photo.")
        self._end, self._count_end = end, count_end
        sentences = list(chain.from_iterable(references))
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        spoken = np.fromiter(chain.from_iterable(sentences), np.int64, lengths.sum())
        if (spoken == end).any() or spoken.min(initial=0) < 0:
            raise ValueError(
                f"A reference holds END, {end}, or a negative index; give words alone."
            )
        ends = np.cumsum(lengths)
        words = np.insert(spoken, ends, BREAK)
        if count_end:
            words = np.insert(words, ends + np.arange(len(ends)), end)
        num_references = np.array([len(photo) for photo in references])
        self._consensus = Consensus(words, num_references, max(end, int(words.max())) + 1)

    def score(self, words: np.ndarray, photos: np.ndarray) -> np.ndarray:
        """CIDEr-D of each caption, from 0 to 10 (M, float64).

        Args:
            words: Captions (M, T) of whole numbers. What follows END is ignored; a caption without
                END is all words.
            photos: Which photo each is of, counted from 0 (M).

        Raises:
            ValueError: if captions and photos differ in number, or a photo does not exist.
        """
        num, width = words.shape
        ended = np.ones((num, width + 1), dtype=bool)
        ended[:, :-1] = words == self._end
        lengths = np.minimum(ended.argmax(axis=1) + self._count_end, width)
        begins = np.arange(num) * width
        return self._consensus.compare(words.ravel(), begins, lengths, photos, clip_and_punish)


def clip_and_punish(matches: Matches) -> np.ndarray:
    """What each match counts in CIDEr-D."""
    far = np.abs(matches.surplus)
    penalties = np.exp(np.arange(far.max(initial=0) + 1) ** 2 / (-2 * SIGMA**2))
    return penalties[far] * np.minimum(matches.in_caption, matches.in_reference)


def count_all(matches: Matches) -> np.ndarray:
    """What each match counts in plain CIDEr."""
    return matches.in_caption


class Rarities:
    """How rare each n-gram is: log(photos / max(1, photos whose references have it)), squared.

    Args:
        index: Numbers n-grams.
        documents: In how many photos the n-gram of each number is, for each n; last comes 0, for
            n-grams never seen, whose number is -1.
        num_photos: How many photos there are.
    """

    def __init__(self, index: NgramIndex, documents: Sequence[np.ndarray], num_photos: int) -> None:
        self._index = index
        most = max(int(counts.max(initial=1)) for counts in documents)
        by_count = np.log(num_photos / np.maximum(1, np.arange(most + 1))) ** 2
        self._squares = [by_count[counts] for counts in documents]

    @classmethod
    def of_photos(cls, index: NgramIndex, photo: np.ndarray) -> "Rarities":
        """Counted in the references that were indexed, `photo` being that of each place in them."""
        documents = []
        for (places, numbers), size in zip(index.ngrams, index.sizes, strict=True):
            first = differs_from_last(numbers) | differs_from_last(photo[places])
            documents.append(np.bincount(numbers[first], minlength=size + 1))
        return cls(index, documents, int(photo[-1]) + 1)

    @classmethod
    def of_counts(
        cls, words: np.ndarray, counts: np.ndarray, num_photos: int, num_words: int
    ) -> "Rarities":
        """Given for n-grams that are the sentences of a running text."""
        index = NgramIndex(words, num_words)
        ends = np.flatnonzero(words == BREAK)
        lengths = np.diff(ends, prepend=-1) - 1
        documents = []
        for n, (places, numbers) in enumerate(index.ngrams, start=1):
            number_at = np.zeros(len(words), dtype=np.int64)
            number_at[places] = numbers
            documents.append(np.zeros(index.sizes[n - 1] + 1, dtype=np.int64))
            documents[-1][number_at[ends[lengths == n] - n]] = counts[lengths == n]
        return cls(index, documents, num_photos)

    def look_up(self, captions: np.ndarray, found: Iterable[Ngrams] | None = None) -> np.ndarray:
        """The squared rarity of the n-gram at each place of captions.

        Args:
            captions: M captions (T, M), negative after the last word, at least once in each.
            found: Their n-grams in the index, where these are known already.

        Returns:
            For each n (4, T, M); it means nothing where no n-gram begins.
        """
        squares = np.full((MAX_N, captions.size), self._squares[0][-1])
        found = self._index.find(captions) if found is None else found
        for of_one_n, known, (places, numbers) in zip(squares, self._squares, found, strict=True):
            of_one_n[places] = known[numbers]
        return squares.reshape(MAX_N, *captions.shape)


class Consensus:
    """The references of all photos in numbers, every n-gram of theirs weighed once.

    Products of TF-IDF vectors are sums over places in the reference: where an n-gram is there
    twice, each place has half of

        min(g(c), g(s)) * g(s)  =  rarity^2 * min(count in c, count in s) * count in s.

    Args:
        words: Running text of the references, photo after photo.
        num_references: How many each photo has.
        num_words: More than the highest number of a word.
        given: How rare n-grams are; by default the references themselves tell.
    """

    def __init__(
        self,
        words: np.ndarray,
        num_references: np.ndarray,
        num_words: int,
        given: Rarities | None = None,
    ) -> None:
        ends = np.flatnonzero(words == BREAK)
        lengths = np.diff(ends, prepend=-1) - 1
        sentence = np.repeat(np.arange(len(ends)), lengths + 1)  # of each place
        photo = np.repeat(np.arange(len(num_references)), num_references)[sentence]
        # Narrow words are compared faster.
        self._words = words.astype(np.min_scalar_type(-num_words))
        self._lengths = lengths.astype(np.min_scalar_type(lengths.max()))[sentence]
        self._num_references = num_references
        self._ends = ends[np.cumsum(num_references) - 1]
        self._begins = np.append(0, self._ends[:-1] + 1)

        index = NgramIndex(words, num_words)
        self._rarities = given or Rarities.of_photos(index, photo)
        counts = np.zeros((MAX_N, len(words)), dtype=np.min_scalar_type(lengths.max()))
        for (places, numbers), count in zip(index.ngrams, counts, strict=True):
            first = differs_from_last(numbers) | differs_from_last(sentence[places])
            runs = np.diff(np.append(np.flatnonzero(first), len(first)))
            count[places] = np.repeat(runs, runs)
        found = None if given else index.ngrams
        weights = self._rarities.look_up(words[:, None], found)[:, :, 0]
        for count, weight in zip(counts, weights, strict=True):
            squares = np.bincount(sentence, count * weight, len(ends))
            # An n-gram that is in all photos may be all there is: 0 / 0, and nothing to compare.
            weight /= np.sqrt(np.where(squares, squares, 1))[sentence]
        # One after another for each place, as they are looked up.
        self._counts, self._weights = counts.T.ravel(), weights.T.ravel()

    def compare(
        self,
        words: np.ndarray,
        begins: np.ndarray,
        lengths: np.ndarray,
        photos: np.ndarray,
        weigh: Callable[[Matches], np.ndarray],
    ) -> np.ndarray:
        """How alike each of M captions and the references of its photo are, from 0 to 10 (M).

        Args:
            words: The words of all captions.
            begins: Where in it each caption begins (M).
            lengths: Number of its words (M).
            photos: Which photo it is of (M).
            weigh: What a match counts.

        Raises:
            ValueError: if captions and photos differ in number, or a photo does not exist.
        """
        if len(begins) != len(photos):
            raise ValueError(f"{len(begins)} captions given for {len(photos)} photos.")
        wrong = photos[(photos < 0) | (photos >= len(self._ends))]
        if wrong.size:
            raise ValueError(f"There is no photo {wrong[0]} among {len(self._ends)}.")
        words = words.astype(np.int64, copy=False)
        narrow = np.min_scalar_type(-1 - words.max(initial=1))
        longest = (self._ends - self._begins)[photos].max(initial=1)
        totals = np.zeros(len(begins))
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        while order.size:
            size = int(lengths[order[0]])
            num = max(2, PAIRS // (size * max(size, longest)))
            rows, order = order[:num], order[num:]
            # NumPy would sum a column alone in another order, and change the last digit.
            rows = np.resize(rows, max(2, len(rows)))
            steps = np.arange(size + 1)[:, None]
            captions = words[begins[rows] + np.minimum(steps, lengths[rows] - 1)]  # (T + 1, M)
            captions[steps >= lengths[rows]] = PAD
            squares = self._rarities.look_up(captions)[:, :-1]
            captions = captions[:-1].astype(narrow)
            own = count_matches(captions, np.where(captions == PAD, narrow.type(BREAK), captions))
            norms = np.sqrt((own * squares).sum(axis=1))
            products = self._multiply(captions, lengths[rows], photos[rows], weigh)
            totals[rows] = (products / np.where(norms, norms, 1)).sum(axis=0)
        return SCALE * totals / (MAX_N * self._num_references[photos])

    def _multiply(
        self,
        captions: np.ndarray,
        lengths: np.ndarray,
        photos: np.ndarray,
        weigh: Callable[[Matches], np.ndarray],
    ) -> np.ndarray:
        """Products of captions (T, M) with unit vectors of references, summed over these (4, M)."""
        num = len(photos)
        begins, ends = self._begins[photos], self._ends[photos]
        places = np.minimum(begins + np.arange((ends - begins).max())[:, None], ends)  # (J, M)
        counts = count_matches(captions, self._words[places]).ravel()  # (4 * J * M)
        hits = np.flatnonzero(counts != 0)
        n = hits // places.size
        there = hits - n * places.size
        rows = there - there // num * num
        at = places.ravel()[there]
        surplus = lengths[rows] - self._lengths[at]
        at = MAX_N * at + n
        values = weigh(Matches(counts[hits], self._counts[at], surplus)) * self._weights[at]
        return np.bincount(n * num + rows, values, MAX_N * num).reshape(MAX_N, num)
