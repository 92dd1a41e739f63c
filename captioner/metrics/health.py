"""What a score does not see: captions that break off, stammer, or are learned by heart."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

_UNFINISHED = (
    "a an the of in with and or to at for from into over under near his its their is are has as "
    "through while that who wearing holding"
)
_LIGHT = "on by her him it they them there behind outside up down"

DANGLING = frozenset(_UNFINISHED.split())
"""English words that a caption does not end with: fewer than one in two hundred of people's do."""

FUNCTION = DANGLING | frozenset(_LIGHT.split())
"""Words that may well come twice."""


class Health(NamedTuple):
    """Of many captions."""

    words: float
    """Mean length."""
    different: float
    """Different captions, as a share of all."""
    dangling: float
    """Share that end badly: on "with a"."""
    stammering: float
    """Share that say a word twice in a row, or the same thing twice."""
    copied: float
    """Share that are training captions, word for word."""


def ends_badly(words: Sequence[str]) -> bool:
    """Whether a caption breaks off.

    >>> ends_badly("a man with a".split()), ends_badly("a man with a dog".split())
    (True, False)
    """
    return not words or words[-1] in DANGLING


def stammers(words: Sequence[str]) -> bool:
    """Whether a caption says a word twice in a row, or a pair of words twice that names a thing.

    >>> stammers("a a dog".split()), stammers("a black dog and a black dog".split())
    (True, True)
    >>> stammers("a man in a hat in a car".split())
    False
    """
    pairs = list(pairwise(words))
    things = [pair for pair in pairs if pair[0] not in FUNCTION and pair[1] not in FUNCTION]
    return any(a == b for a, b in pairs) or len(set(things)) < len(things)


def letters(text: str) -> str:
    """A text by which it is known again, however it is spaced and punctuated.

    >>> letters("A man's dog .") == letters("a man 's dog")
    True
    """
    return re.sub(r"\W+", "", text.lower())


def health(captions: Sequence[str], known: Collection[str] = ()) -> Health:
    """What is wrong with captions as a whole.

    Args:
        captions: Words with single spaces between them; one at least.
        known: The `letters` of training captions; a set is quickest.

    Example:

        >>> health(["a dog", "a dog", "a man with a", "a cat"], {letters("A cat.")})
        Health(words=2.5, different=0.75, dangling=0.25, stammering=0.0, copied=0.25)
    """
    split = [caption.split() for caption in captions]
    num = len(split)
    return Health(
        sum(map(len, split)) / num,
        len(set(captions)) / num,
        sum(map(ends_badly, split)) / num,
        sum(map(stammers, split)) / num,
        sum(letters(caption) in known for caption in captions) / num,
    )
