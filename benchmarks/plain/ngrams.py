"""CIDEr-D as a reward the way self-critical training usually has it: dictionaries of strings."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

Ngram = tuple[str, ...]
Vector = tuple[list[dict[Ngram, float]], list[float], int]
"""TF-IDF by n-gram for each n, the Euclidean length for each n, and the number of words."""

MAX_N = 4
SIGMA = 6.0


class PlainReward:
    """The reward of each sample, with document frequencies known and all else counted anew.

    In each step the samples become strings, their n-grams and those of the references of their
    photos are counted, and every sample is compared with the five references of its photo. The
    references of a photo are counted once a step, not once for each of its samples.

    Args:
        references: For each training photo, what people wrote about it as word indices.
        end: Index of END, which counts as a word.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[int]]], end: int) -> None:
        self.end = end
        self.references = [
            [" ".join(map(str, [*words, end])) for words in photo] for photo in references
        ]
        self.documents: Counter[Ngram] = Counter()
        for photo in self.references:
            self.documents.update({ngram for text in photo for ngram in count_ngrams(text)})
        self.log_photos = math.log(len(references))

    def score(self, words: np.ndarray, photos: np.ndarray) -> np.ndarray:
        """CIDEr-D of samples (M, T) of these photos (M), from 0 to 10."""
        counted = {
            photo: [self.weigh(count_ngrams(text)) for text in self.references[photo]]
            for photo in set(photos.tolist())
        }
        scores = np.zeros(len(words))
        for i, photo in enumerate(photos.tolist()):
            sample = self.weigh(count_ngrams(self.write(words[i])))
            similarities = [compare(sample, reference) for reference in counted[photo]]
            scores[i] = 10 * sum(similarities) / len(similarities)
        return scores

    def write(self, words: np.ndarray) -> str:
        """A sample as a string of numbers, up to END."""
        text = []
        for word in words.tolist():
            text.append(str(word))
            if word == self.end:
                break
        return " ".join(text)

    def weigh(self, counts: dict[Ngram, int]) -> Vector:
        """The TF-IDF vectors of a caption."""
        vectors: list[dict[Ngram, float]] = [{} for _ in range(MAX_N)]
        squares = [0.0] * MAX_N
        num_words = 0
        for ngram, count in counts.items():
            n = len(ngram) - 1
            weight = count * (self.log_photos - math.log(max(1, self.documents.get(ngram, 0))))
            vectors[n][ngram] = weight
            squares[n] += weight * weight
            if n == 0:
                num_words += count
        return vectors, [math.sqrt(square) for square in squares], num_words


def count_ngrams(text: str) -> dict[Ngram, int]:
    """How often each run of 1 to 4 words occurs."""
    words = text.split()
    counts: dict[Ngram, int] = {}
    for n in range(1, MAX_N + 1):
        for i in range(len(words) - n + 1):
            ngram = tuple(words[i : i + n])
            counts[ngram] = counts.get(ngram, 0) + 1
    return counts


def compare(caption: Vector, reference: Vector) -> float:
    """The clipped cosine of two captions, averaged over n, times the penalty for a wrong length."""
    total = 0.0
    for vector, other, norm, other_norm in zip(
        caption[0], reference[0], caption[1], reference[1], strict=True
    ):
        product = 0.0
        for ngram, weight in vector.items():
            if ngram in other:
                product += min(weight, other[ngram]) * other[ngram]
        if product:
            total += product / (norm * other_norm)
    difference = caption[2] - reference[2]
    return total / MAX_N * math.exp(-(difference**2) / (2 * SIGMA**2))
