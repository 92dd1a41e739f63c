"""Why these words: how likely each was, what else might have come, where the decoder looked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Float, Shaped

from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.images import Source
from captioner.search import Array
from captioner.search.arrays import device_of, forbid, namespace, no_gradients, topk
from captioner.several import whole
from captioner.streaming import Caption, PhotoCaptioner
from captioner.vocabulary import END, PAD, START, UNK, words_of

NEVER_SAID = (PAD, START, UNK)
"""No search says them, so that they are no alternatives."""


@dataclass(frozen=True)
class Word:
    """One step of a caption."""

    word: str
    """What was said; empty where the caption ended."""
    probability: float
    """Of it, given the photo and the words before it; of UNK, where the model does not know it."""
    likeliest: tuple[tuple[str, float], ...]
    """The likeliest words that can be said here with their probabilities, the best first; what was
    said is among them if it is so likely, and the end of the caption is empty."""
    attention: Float[np.ndarray, "rows columns"] | None
    """How much the decoder looked at each place of the square that the CNN sees, as it said the
    word; None where it looks at no places. The sum is 1, or less where it looked away from the
    photo (adaptive attention)."""


Explained = tuple[list[Caption], list[list[Word]]]
"""The captions of a photo, the best first, and the words of each that is explained."""


@dataclass
class Branch:
    """A word in the tree of a beam, with all that came after it."""

    word: str
    """Empty where a caption ended, and at the root."""
    captions: list[int]
    """Numbers of the captions that go through here, in the order of the beam."""
    after: "list[Branch]" = field(default_factory=list)
    """What followed, that of the earliest caption first."""


def explain(
    captioner: PhotoCaptioner, features: Any, captions: Sequence[Sequence[str]], k: int = 5
) -> list[list[list[Word]]]:
    """How likely a captioner finds the words of captions, its own or anybody's.

        log P(caption) = sum over its words and the end of log P(word | photo, words before it)

    Args:
        captioner: The model.
        features: Of N photos, as `captioner.features` gives them.
        captions: Of each photo, as many as one likes, as a captioner writes them.
        k: How many of the likeliest words to tell at each step.

    Returns:
        For each caption of each photo its words, and its end.
    """
    most = max(map(len, captions), default=0)
    if not most:
        return [[] for _ in captions]
    # A step wants as many captions of each photo, side by side.
    texts = [(*of_photo, *[""] * (most - len(of_photo))) for of_photo in captions]
    said = [words_of(caption) for of_photo in texts for caption in of_photo]
    columns = _read(captioner, features, said, most, k)
    words = captioner.vocabulary.words

    def word_at(row: int, t: int) -> Word:
        chance, best, chances, attention = (part[row] for part in columns[t])
        spelled = ("" if i == END else words[i] for i in best.tolist())
        return Word(
            said[row][t] if t < len(said[row]) else "",
            float(chance),
            tuple(zip(spelled, chances.tolist(), strict=True)),
            attention,
        )

    rows = [[word_at(row, t) for t in range(len(text) + 1)] for row, text in enumerate(said)]
    return [rows[n * most : n * most + len(of_photo)] for n, of_photo in enumerate(captions)]


def explain_photos(
    captioner: PhotoCaptioner,
    photos: Sequence[Source],
    config: SearchConfig | None = None,
    k: int = 5,
    most: int | None = None,
) -> Iterator[Explained | InputError]:
    """Caption photos in batches, and explain their captions.

    Args:
        captioner: The model.
        photos: Files, bytes, pictures or arrays.
        config: How to search; it gives `num_captions` of each, the best first.
        k: As of `explain`.
        most: Captions of each photo that are explained, the best ones; all by default.

    Yields:
        For each photo its captions and the words of those that are explained; or the error of one
        that cannot be read.
    """
    views = config.views if config else 1
    for batch in captioner.in_batches(photos, views=views):
        found: list[list[Caption]] = []
        told: list[list[list[Word]]] = []
        if batch.numbers:
            found = captioner.search(batch.features, config, batch.numbers)
            texts = [[caption.caption for caption in of_photo[:most]] for of_photo in found]
            told = explain(captioner, whole(batch.features), texts, k)
        yield from batch.in_order([*zip(found, told, strict=True)])


def explain_photo(
    captioner: PhotoCaptioner, photo: Source, config: SearchConfig | None = None, k: int = 5
) -> Explained:
    """As `explain_photos`, of one photo.

    Raises:
        InputError: if it cannot be read.
    """
    result = next(explain_photos(captioner, [photo], config, k))
    if isinstance(result, InputError):
        raise result
    return result


def beam_tree(captions: Sequence[str]) -> Branch:
    """The captions of a beam as a tree: they part where they begin to differ.

    Args:
        captions: The best first, as a captioner writes them.

    Example:

        >>> root = beam_tree(["a dog runs", "a dog sits", "two dogs"])
        >>> [(branch.word, branch.captions) for branch in root.after]
        [('a', [0, 1]), ('two', [2])]
        >>> [branch.word for branch in root.after[0].after[0].after]
        ['runs', 'sits']
    """
    root = Branch("", list(range(len(captions))))
    for number, caption in enumerate(captions):
        branch = root
        for word in (*words_of(caption), ""):
            found = next((one for one in branch.after if one.word == word), None)
            if found is None:
                found = Branch(word, [])
                branch.after.append(found)
            found.captions.append(number)
            branch = found
    return root


def _read(
    captioner: PhotoCaptioner, features: Any, said: Sequence[Sequence[str]], most: int, k: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, Any]]:
    """At each step, for all rows: chance of the word, the likeliest, theirs, and the attention."""
    vocabulary = captioner.vocabulary
    k = min(k, len(vocabulary) - len(NEVER_SAID))
    length = max(map(len, said)) + 1
    indices = np.full((length, len(said)), PAD)
    for row, words in enumerate(said):
        indices[: len(words) + 1, row] = [*vocabulary.indices(words), END]
    look, state, memory = captioner.watch(features)
    xp, device = namespace(state[0]), device_of(state[0])
    never = xp.asarray(np.tile(NEVER_SAID, (len(said), 1)), device=device)
    columns = []
    with no_gradients(state[0]):
        state = tuple(xp.repeat(part, most, axis=0) for part in state)
        before = np.full(len(said), START)
        for now in indices:
            words = xp.asarray(before, device=device)
            log_probs, state, alpha = look(words, state, memory)
            chance = _numpy(log_probs)[np.arange(len(said)), now]  # copied, before some are erased
            forbid(log_probs, never)
            best, places = topk(log_probs, k)
            attention = [None] * len(said) if alpha is None else _square(_numpy(alpha))
            columns.append((np.exp(chance), _numpy(places), np.exp(_numpy(best)), attention))
            before = now
    return columns


def _square(alpha: Float[np.ndarray, "R L"]) -> Float[np.ndarray, "R S S"]:
    """The places as they lie: the CNN sees a square."""
    side = isqrt(alpha.shape[1])
    return alpha.reshape(len(alpha), side, side)


def _numpy(array: Shaped[Array, "..."]) -> np.ndarray:
    return np.asarray(array_api_compat.to_device(array, "cpu"))
