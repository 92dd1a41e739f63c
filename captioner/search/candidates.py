"""The likeliest of very many words, without sorting them."""

from typing import NamedTuple

from jaxtyping import Float, Int

from captioner.search.arrays import NEVER, Array, along, device_of, namespace, topk
from captioner.vocabulary import END, PAD

LANES = 128
"""Words w with the same w % LANES are looked at together first."""
FEW_ROWS = 16
"""Fewer rows than these are looked through at once: two steps would take longer."""


class Candidates(NamedTuple):
    """Beginnings of captions, one word longer than those that they come from; the best first."""

    log_probs: Float[Array, "*lanes M"]
    """Sum over all their words; -inf for one that cannot be."""
    rows: Int[Array, "*lanes M"]
    """Which row of its photo each goes on from."""
    words: Int[Array, "*lanes M"]
    """The word that it adds."""

    def choose(self, places: Int[Array, "*lanes m"]) -> "Candidates":
        """Those at these places along the last axis."""
        return Candidates(*(along(part, places, axis=-1) for part in self))


def going_on(best: Candidates, num: int) -> Candidates:
    """The first `num` of each lane that do not end, in their order; -inf where there are fewer.

    >>> import numpy as np
    >>> best = Candidates(np.array([-1.0, -2.0, -3.0]), np.array([0, 0, 1]), np.array([5, END, 7]))
    >>> going_on(best, 2).words.tolist()
    [5, 7]
    """
    xp = namespace(best.words)
    ends = xp.astype(best.words == END, xp.int64)
    going = best.choose(xp.argsort(ends, axis=-1, stable=True)[..., :num])
    return going._replace(log_probs=xp.where(going.words == END, NEVER, going.log_probs))


def lanes_of(num_words: int) -> int:
    """Into how many lanes a vocabulary is split: a large one into `LANES`, a small one not."""
    return LANES if num_words >= 4 * LANES else num_words


def best_words(
    log_probs: Float[Array, "m B V"], totals: Float[Array, "m B"], count: int
) -> Candidates:
    """The `count` best words of B beams together.

    Where there are many rows, in two steps, and exactly: the largest of each lane of words, then
    all words of those `count` lanes that have the largest; no other lane can hold one of the best.

    Args:
        log_probs: Of the next word; of PAD they are -inf.
        totals: Log-probability of each beam so far.
        count: Candidates to give; where there are fewer, the rest are -inf.

    Example: a word of the first beam is the best, then one of the second.

        >>> import numpy as np
        >>> log_probs = np.log([[[1e-9, 0.6, 0.3, 0.1], [1e-9, 0.1, 0.2, 0.7]]])
        >>> best = best_words(log_probs, np.log([[0.5, 0.4]]), count=2)
        >>> best.rows.tolist(), best.words.tolist(), np.exp(best.log_probs).round(2).tolist()
        ([[0, 1]], [[1, 3]], [[0.3, 0.28]])
    """
    xp = namespace(log_probs)
    m, B, V = log_probs.shape
    if count > B * V:
        best = best_words(log_probs, totals, B * V)
        more = count - B * V
        empty = xp.zeros((m, more), dtype=best.rows.dtype, device=device_of(best.rows))
        never = xp.zeros((m, more), dtype=best.log_probs.dtype, device=device_of(empty)) + NEVER
        return Candidates(
            xp.concat([best.log_probs, never], axis=1),
            xp.concat([best.rows, empty], axis=1),
            xp.concat([best.words, empty], axis=1),
        )
    width = lanes_of(V)
    if width == V or 2 * count > B * width or m * B < FEW_ROWS:
        sums, places = topk(xp.reshape(log_probs + totals[:, :, None], (m, B * V)), count)
        return Candidates(sums, places // V, places % V)
    depth, rest = divmod(V, width)
    largest = xp.max(xp.reshape(log_probs[:, :, : depth * width], (m, B, depth, width)), axis=2)
    if rest:
        tail = xp.maximum(largest[:, :, :rest], log_probs[:, :, depth * width :])
        largest[:, :, :rest] = tail
    _, places = topk(xp.reshape(largest + totals[:, :, None], (m, B * width)), count)
    beams, lanes = places // width, places % width
    words = members(lanes, V, width)  # (m, count, depth)
    flat = xp.reshape(beams[:, :, None] * V + words, (m, -1))
    inside = xp.reshape(along(xp.reshape(log_probs, (m, B * V)), flat, axis=1), words.shape)
    inside = inside + along(totals, beams, axis=1)[:, :, None]
    sums, places = topk(xp.reshape(inside, (m, -1)), count)
    of = places // words.shape[2]
    return Candidates(
        sums,
        along(beams, of, axis=1),
        along(xp.reshape(words, (m, -1)), places, axis=1),
    )


def best_of_lanes(
    log_probs: Float[Array, "n R V"], totals: Float[Array, "n L B"], count: int
) -> Candidates:
    """The `count` best words of each lane of beams."""
    xp = namespace(log_probs)
    n, L, B = totals.shape
    flat = best_words(xp.reshape(log_probs, (n * L, B, -1)), xp.reshape(totals, (n * L, B)), count)
    sums, rows, words = (xp.reshape(part, (n, L, count)) for part in flat)
    if L > 1:
        rows = rows + B * xp.arange(L, device=device_of(rows))[:, None]
    return Candidates(sums, rows, words)


def members(lanes: Int[Array, "*lanes"], num_words: int, width: int) -> Int[Array, "*lanes depth"]:
    """The words of lanes; PAD in the place of those that there are not.

    >>> import numpy as np
    >>> members(np.array([1, 2]), num_words=5, width=3).tolist()
    [[1, 4], [2, 0]]
    """
    xp = namespace(lanes)
    depth = -(-num_words // width)
    words = lanes[..., None] + width * xp.arange(depth, device=device_of(lanes))
    return xp.where(words < num_words, words, PAD) if num_words % width else words
