"""BLEU: which share of the words, pairs, triples and quadruples of a caption people wrote too."""

from collections.abc import Sequence

import numpy as np

Ngram = tuple[str, ...]

MAX_N = 4

# coco-caption's guards against dividing by zero, kept so that the numbers agree. A precision of
# 0 / 0, where no caption of the corpus has n words, comes out as one in a million.
TINY = 1e-15
SMALL = 1e-9


def count_ngrams(words: Sequence[str]) -> dict[Ngram, int]:
    """How often each run of 1, 2, 3 or 4 words occurs in one caption.

    Args:
        words: The words of the caption.

    Returns:
        Counts in order of n, then of first occurrence.

    Example:

        >>> counts = count_ngrams(["the", "cat", "the"])
        >>> counts[("the",)], counts[("the", "cat")], len(counts)
        (2, 1, 5)
    """
    counts: dict[Ngram, int] = {}
    for n in range(1, MAX_N + 1):
        for ngram in zip(*(words[k:] for k in range(n)), strict=False):
            counts[ngram] = counts.get(ngram, 0) + 1
    return counts


def bleu_counts(caption: str, references: Sequence[str]) -> np.ndarray:
    """What BLEU needs to know about one photo. Sums of these over photos give the corpus' BLEU.

    A match is an n-gram of the caption that a reference has too, counted at most as often as in
    the reference that has it most (Papineni et al. 2002, section 2.1).

    Args:
        caption: Words separated by single spaces; may be empty.
        references: What people wrote about the photo, in the same form.

    Returns:
        Nine whole numbers: matches for n = 1 to 4, n-grams in the caption for n = 1 to 4, and the
        number of words of the reference whose length is closest (the shorter one if two are).

    Raises:
        ValueError: if there is no reference.

    Example: of seven times "the", two count, as the first reference has it twice. References of six
    and of seven words; seven is closest.

        >>> bleu_counts("the the the the the the the",
        ...             ["the cat is on the mat", "there is a cat on the mat"])
        array([2, 0, 0, 0, 7, 6, 5, 4, 7])
    """
    if not references:
        raise ValueError("BLEU needs at least one reference for every photo.")
    words = caption.split()
    reference_words = [reference.split() for reference in references]
    reference_counts = [count_ngrams(others) for others in reference_words]
    matches = [0] * MAX_N
    for ngram, count in count_ngrams(words).items():
        most = max(counts.get(ngram, 0) for counts in reference_counts)
        matches[len(ngram) - 1] += min(count, most)
    guesses = [max(0, len(words) - n) for n in range(MAX_N)]
    lengths = [len(others) for others in reference_words]
    closest = min(lengths, key=lambda length: (abs(length - len(words)), length))
    return np.array([*matches, *guesses, closest])


def corpus_bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-1 to BLEU-4 of a corpus, from the sums of `bleu_counts` over its photos.

        BLEU-N = min(1, exp(1 - r / c)) * (p_1 p_2 ... p_N) ** (1 / N),   p_n = matches / n-grams

    with c words in the captions and r in the closest references (Papineni et al. 2002, "BLEU: a
    method for automatic evaluation of machine translation", section 2.3). This is BLEU as
    coco-caption computes it, its two guards against dividing by zero included. It is no mean over
    photos: photos without a match of four words are common, and only lower the sum.

    Args:
        counts: Nine sums over photos, in the order of `bleu_counts`; or several such rows (…, 9).

    Returns:
        Four numbers from 0 to 1, for N = 1, 2, 3, 4 (…, 4).

    Example: 2 of 7 words match, and no pair does; the lengths are equal.

        >>> corpus_bleu(np.array([2, 0, 0, 0, 7, 6, 5, 4, 7])).round(4)
        array([0.2857, 0.    , 0.    , 0.    ])
    """
    matches, guesses = counts[..., :MAX_N], counts[..., MAX_N:-1]
    precisions = (matches + TINY) / (guesses + SMALL)
    means = np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, MAX_N + 1))
    ratio = (guesses[..., :1] + TINY) / (counts[..., -1:] + SMALL)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / ratio))
    return means * brevity


def smooth_bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-4 of each caption by itself, with one match more for pairs, triples and quadruples.

    Without that a caption of which no quadruple matches would have nought (Lin & Och 2004, ORANGE:
    a method for evaluating automatic evaluation metrics for machine translation).

    Args:
        counts: Of each caption, as `bleu_counts` gives them (M, 9).

    Example: of 3 words 2 match, of 2 pairs 1, of one triple none: 2/3 * 2/3 * 1/2 * 1.

        >>> counts = bleu_counts("a dog sits", ["a dog runs"])
        >>> smooth_bleu(counts[None]).round(4) == round((2 / 9) ** (1 / 4), 4)
        array([ True])
    """
    more = np.array([0, 1, 1, 1])
    matches, totals, closest = counts[:, :MAX_N], counts[:, MAX_N:-1], counts[:, -1]
    precisions = (matches + more) / np.maximum(totals + more, TINY)
    lengths = np.maximum(totals[:, 0], TINY)
    brevity = np.exp(np.minimum(0, 1 - closest / lengths))
    return brevity * np.maximum(precisions, TINY).prod(axis=1) ** (1 / MAX_N)
