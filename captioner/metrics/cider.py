"""CIDEr and CIDEr-D: how alike a caption and the references are, rare words counting for most.

Two measures carry nearly one name. **CIDEr-D** clips repeated n-grams and punishes a wrong length;
the scorer called `Cider` in coco-caption and pycocoevalcap computes it, so it is the number that
papers print under "CIDEr". **CIDEr** is the plain measure, which repeated words and odd lengths can
fool; it is never the lower one. Both are of Vedantam et al. 2015, "CIDEr: consensus-based image
description evaluation" (arXiv:1411.5726).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from captioner.metrics.bleu import MAX_N, Ngram, count_ngrams

# Standard deviation, in words, of the Gaussian that punishes a wrong length.
SIGMA = 6.0

# CIDEr-D is 10 at most; the paper's authors scale plain CIDEr by the same factor.
SCALE = 10.0


class TfIdf(NamedTuple):
    """One caption as CIDEr sees it: four sparse vectors, for n-grams of 1, 2, 3 and 4 words."""

    weights: dict[Ngram, float]
    """How often each n-gram occurs times its inverse document frequency, all n in one."""
    norms: list[float]
    """Euclidean length of each of the four vectors."""
    num_words: int
    """Length of the caption."""


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
    return _count_documents(_count_references(references))


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
        counted = _count_references(references)
        self._documents, num_photos = document_frequencies or _count_documents(counted)
        most = max(self._documents.values(), default=1)
        if num_photos < most:
            raise ValueError(f"Some n-gram is said to be in {most} of {num_photos} photos.")
        self._rarities = [math.log(num_photos / max(1, number)) for number in range(most + 1)]
        self._references = [[self._weigh(counts) for counts in photo] for photo in counted]

    def score(self, captions: Sequence[str], indices: Sequence[int] | None = None) -> np.ndarray:
        """CIDEr-D of each caption, from 0 to 10.

        Args:
            captions: Words separated by single spaces; an empty caption scores 0.
            indices: Which photo each caption is of, counted from 0; a photo may come more than
                once. By default one caption for each photo, in order.

        Raises:
            ValueError: if captions and photos differ in number, or a photo does not exist.
        """
        return self._mean_similarity(captions, indices, _clipped_similarity)

    def score_plain(
        self, captions: Sequence[str], indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Plain CIDEr of each caption, from 0 to 10: the cosine alone, neither clip nor length.

            CIDEr(c) = 10 * mean over references s, over n of g_n(c) . g_n(s) / (|g_n(c)| |g_n(s)|)

        (arXiv:1411.5726, eqs. 2-3, times 10 and without stemming, as the authors' own program.)
        Arguments and errors are those of `score`.
        """
        return self._mean_similarity(captions, indices, _cosine_similarity)

    def _weigh(self, counts: Mapping[Ngram, int]) -> TfIdf:
        weights = {
            ngram: count * self._rarities[self._documents.get(ngram, 0)]
            for ngram, count in counts.items()
        }
        squares = [0.0] * MAX_N
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight * weight
        num_words = sum(count for ngram, count in counts.items() if len(ngram) == 1)
        return TfIdf(weights, [math.sqrt(square) for square in squares], num_words)

    def _mean_similarity(
        self,
        captions: Sequence[str],
        indices: Sequence[int] | None,
        similarity: Callable[[TfIdf, TfIdf], float],
    ) -> np.ndarray:
        photos: Sequence[int] = range(len(self._references)) if indices is None else indices
        if isinstance(captions, str):
            raise ValueError("The captions are one string, not a list of strings.")
        if len(captions) != len(photos):
            raise ValueError(f"{len(captions)} captions given for {len(photos)} photos.")
        scores = np.zeros(len(captions))
        for i, (caption, photo) in enumerate(zip(captions, photos, strict=True)):
            if not 0 <= photo < len(self._references):
                raise ValueError(f"There is no photo {photo} among {len(self._references)}.")
            vector = self._weigh(count_ngrams(caption.split()))
            references = self._references[photo]
            total = sum(similarity(vector, reference) for reference in references)
            scores[i] = SCALE * total / (MAX_N * len(references))
        return scores


def _cosine_similarity(caption: TfIdf, reference: TfIdf) -> float:
    products = [0.0] * MAX_N
    for ngram, weight in caption.weights.items():
        if ngram in reference.weights:
            products[len(ngram) - 1] += weight * reference.weights[ngram]
    return _sum_normalised(products, caption, reference)


def _clipped_similarity(caption: TfIdf, reference: TfIdf) -> float:
    products = [0.0] * MAX_N
    for ngram, weight in caption.weights.items():
        if ngram in reference.weights:
            other = reference.weights[ngram]
            products[len(ngram) - 1] += min(weight, other) * other
    difference = caption.num_words - reference.num_words
    penalty = math.exp(-(difference**2) / (2 * SIGMA**2))
    return penalty * _sum_normalised(products, caption, reference)


def _sum_normalised(products: list[float], caption: TfIdf, reference: TfIdf) -> float:
    norms = zip(products, caption.norms, reference.norms, strict=True)
    return sum(product / (ours * theirs) for product, ours, theirs in norms if product)


def _count_references(references: Sequence[Sequence[str]]) -> list[list[dict[Ngram, int]]]:
    if not references:
        raise ValueError("There is no photo to score: the list of references is empty.")
    for i, photo in enumerate(references):
        # A string is a sequence of strings too, and would be scored letter by letter.
        if isinstance(photo, str):
            raise ValueError(f"The references of photo {i} are one string, not a list of strings.")
        if not photo:
            raise ValueError(f"Photo {i} has no references.")
    return [[count_ngrams(reference.split()) for reference in photo] for photo in references]


def _count_documents(counted: list[list[dict[Ngram, int]]]) -> tuple[Counter[Ngram], int]:
    documents: Counter[Ngram] = Counter()
    for photo in counted:
        documents.update(set().union(*photo))
    return documents, len(counted)
