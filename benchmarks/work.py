"""Multiply-adds that real words need, whatever a way of computing them really does."""

from dataclasses import dataclass

FORWARD = 2
"""Floating-point operations of a multiply-add."""
TRAINING = 3
"""Products in training for one forward: the forward itself, and two backward."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the captioner that is measured; the letters are those of `captioner`."""

    words: int = 2500
    """V"""
    embedding: int = 256
    """E"""
    hidden: int = 512
    """H"""
    features: int = 512
    """D"""
    places: int = 49
    """L"""
    attention: int = 512
    """A"""


SIZES = Sizes()


def pooled_flops(sizes: Sizes, photos: int, words: int) -> float:
    """Floating-point operations of the pooled LSTM, forward: 2 (photos D H + words (...)).

    A word costs its step, 4 H (E + H), and its scores, H V.

    >>> pooled_flops(Sizes(words=10, embedding=2, hidden=3, features=4), photos=1, words=5)
    924.0
    """
    V, E, H, D = sizes.words, sizes.embedding, sizes.hidden, sizes.features
    return float(FORWARD * (photos * D * H + words * (4 * H * (E + H) + H * V)))


def attention_flops(sizes: Sizes, photos: int, words: int) -> float:
    """Floating-point operations of the LSTM with soft attention, forward.

    A photo costs its keys, L D A, and its first state, D H. A word costs its question, H A, the
    weights, L A, their sum over places, L D, the gate, H D, its step, 4 H (E + D + H), and its
    scores, H V.

    >>> sizes = Sizes(words=10, embedding=2, hidden=3, features=4, places=6, attention=5)
    >>> attention_flops(sizes, photos=1, words=1)  # 2 (120 + 12 + 15 + 30 + 24 + 12 + 108 + 30)
    702.0
    """
    V, E, H, D = sizes.words, sizes.embedding, sizes.hidden, sizes.features
    L, A = sizes.places, sizes.attention
    of_photo = L * D * A + D * H
    of_word = H * A + L * A + L * D + H * D + 4 * H * (E + D + H) + H * V
    return float(FORWARD * (photos * of_photo + words * of_word))
