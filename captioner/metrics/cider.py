"""CIDEr and CIDEr-D: how alike a caption and the references are, rare words counting for most.

Two measures carry nearly one name. **CIDEr-D** clips repeated n-grams and punishes a wrong length;
the scorer called `Cider` in coco-caption and pycocoevalcap computes it, so it is the number that
papers print under "CIDEr". **CIDEr** is the plain measure, which repeated words and odd lengths can
fool; it is never the lower one. Both are of Vedantam et al. 2015, "CIDEr: consensus-based image
description evaluation" (arXiv:1411.5726).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np

from captioner.metrics.bleu import Ngram, count_ngrams
from captioner.metrics.ngrams import BREAK, look_up_words, number_words
from captioner.metrics.reward import Consensus, Matches, Rarities, clip_and_punish, count_all


def count_documents(references: Sequence[Sequence[str]]) -> tuple[Counter[Ngram], int]:
    """In how many photos each n-gram occurs: what `CiderD` knows about words being rare.

    Args:
        references: For each photo, what people wrote about it.

    Returns:
        For each n-gram of 1 to 4 words the number of photos that have it in at least one
        reference, and the number of all photos.

    Raises:
        ValueError: if there is no photo, or a photo without references.

    Example: "a" is in both photos, "dog" (twice) in one.

        >>> counts, num_photos = count_documents([["a dog", "the dog"], ["a cat"]])
        >>> counts[("a",)], counts[("dog",)], num_photos
        (2, 1, 2)
    """
    _check(references)
    documents: Counter[Ngram] = Counter()
    for photo in references:
        documents.update({ngram for text in photo for ngram in count_ngrams(text.split())})
    return documents, len(references)


class CiderD:
    """Scores captions against references whose TF-IDF vectors are computed once, on construction.

        g(s)[w] = count of w in s  *  log(photos / max(1, photos whose references have w))

        CIDEr-D(c) = 10 * mean over references s, over n = 1..4 of
                     exp(-(|c| - |s|)^2 / (2 * 6^2)) * min(g_n(c), g_n(s)) . g_n(s)
                                                       / (|g_n(c)| |g_n(s)|)

    (arXiv:1411.5726, eqs. 1 and 4; no stemming, as in coco-caption). The score of a photo depends
    on the corpus that it is in: a corpus of one photo has log(1) = 0 everywhere and scores 0.

    Args:
        references: For each photo, what people wrote about it: words separated by single spaces.
        document_frequencies: Result of `count_documents` on another corpus, which then says how
            rare a word is: for rewards in training, or for scoring few photos. By default the
            references count themselves.

    Raises:
        ValueError: if there is no photo, or a photo without references, or an n-gram said to be in
            more photos than there are.

    Example: "a" is in both photos and weighs nothing; all else weighs log 2. One of two such words
    agrees, and one of two pairs, no triple: 10 * (1/2 + 1/2 + 0 + 0) / 4.

        >>> scorer = CiderD([["a dog runs"], ["a cat sleeps"]])
        >>> scorer.score(["a dog sleeps", "a cat sleeps"]).round(4)
        array([2.5, 7.5])
        >>> scorer.score(["a dog dog"], indices=[0]).round(4)
        array([2.1339])
        >>> scorer.score_plain(["a dog dog"], indices=[0]).round(4)
        array([3.0178])
    """

    def __init__(
        self,
        references: Sequence[Sequence[str]],
        document_frequencies: tuple[Mapping[Ngram, int], int] | None = None,
    ) -> None:
        _check(references)
        known, num_photos = document_frequencies or ({}, len(references))
        most = max(1, max(known.values(), default=1))
        if num_photos < most:
            raise ValueError(f"Some n-gram is said to be in {most} of {num_photos} photos.")
        num_references = np.array([len(photo) for photo in references])
        texts = [*chain.from_iterable(references), *map(" ".join, known)]
        words, self._numbers = number_words(texts)
        num_words = len(self._numbers) + 1
        end = np.flatnonzero(words == BREAK)[num_references.sum() - 1] + 1
        given = None
        if document_frequencies:
            counts = np.array(list(known.values()))
            given = Rarities.of_counts(words[end:], counts, num_photos, num_words)
        self._num_photos = len(references)
        self._consensus = Consensus(words[:end], num_references, num_words, given)

    def score(self, captions: Sequence[str], indices: Sequence[int] | None = None) -> np.ndarray:
        """CIDEr-D of each caption, from 0 to 10.

        Args:
            captions: Words separated by single spaces; an empty caption scores 0.
            indices: Which photo each caption is of, counted from 0; a photo may come more than
                once. By default one caption for each photo, in order.

        Raises:
            ValueError: if captions and photos differ in number, or a photo does not exist.
        """
        return self._compare(captions, indices, clip_and_punish)

    def score_plain(
        self, captions: Sequence[str], indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Plain CIDEr of each caption, from 0 to 10: the cosine alone, neither clip nor length.

            CIDEr(c) = 10 * mean over references s, over n of g_n(c) . g_n(s) / (|g_n(c)| |g_n(s)|)

        (arXiv:1411.5726, eqs. 2-3, times 10 and without stemming, as the authors' own program.)
        Arguments and errors are those of `score`.
        """
        return self._compare(captions, indices, count_all)

    def _compare(
        self,
        captions: Sequence[str],
        indices: Sequence[int] | None,
        weigh: Callable[[Matches], np.ndarray],
    ) -> np.ndarray:
        if isinstance(captions, str):
            raise ValueError("The captions are one string, not a list of strings.")
        words = look_up_words(captions, self._numbers)
        ends = np.flatnonzero(words == BREAK)
        lengths = np.diff(ends, prepend=-1) - 1
        photos = np.arange(self._num_photos) if indices is None else np.asarray(indices, dtype=int)
        return self._consensus.compare(words, ends - lengths, lengths, photos, weigh)


def _check(references: Sequence[Sequence[str]]) -> None:
    if not references:
        raise ValueError("There is no photo to score: the list of references is empty.")
    for i, photo in enumerate(references):
        # A string is a sequence of strings too, and would be scored letter by letter.
        if isinstance(photo, str):
            raise ValueError(f"The references of photo {i} are one string, not a list of strings.")
        if not photo:
            raise ValueError(f"Photo {i} has no references.")
