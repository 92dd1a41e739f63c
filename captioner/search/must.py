"""Words that must be said: beams of their own for each set of them."""

from collections.abc import Sequence

from jaxtyping import Bool, Float, Int, Shaped

from captioner.search.arrays import NEVER, Array, device_of, namespace, topk
from captioner.search.candidates import Candidates, best_of_lanes


class MustSay:
    """Constrained beam search: B beams for each set of the C words said so far, 2**C sets in all.

    A beginning that has said the words of set s stands in lane s, so beginnings compete only with
    those that have said as much; a new one of the C words moves it to another lane. Captions that
    end count in the last lane alone, where all are said. Anderson et al. 2017 (Guided open
    vocabulary image captioning with constrained beam search, arXiv:1612.00576), with one word per
    constraint.

    Args:
        words: Indices of the C words; bit c of a set stands for the c-th of them.
        beams: Beams of a set (B).
    """

    def __init__(self, words: Sequence[int], beams: int) -> None:
        self.words = tuple(words)
        self.beams = beams
        self.sets = 2 ** len(words)

    def candidates(
        self, log_probs: Float[Array, "n R V"], totals: Float[Array, "n L B"]
    ) -> Candidates:
        """The best 2B beginnings for each set.

        Args:
            log_probs: Of the next word. Written into.
            totals: Of the beams so far, the lanes in the order of the sets; at first one lane of
                one beam, that of the empty set.
        """
        xp = namespace(log_probs)
        n, L, B = totals.shape
        of_sets = xp.reshape(log_probs, (n, L, B, log_probs.shape[2]))  # a view
        columns = xp.asarray(self.words, device=device_of(log_probs))
        has = self._has(columns)[:L, None, :]  # (L, 1, C)
        must = of_sets[..., columns]  # (n, L, B, C)
        of_sets[..., columns] = xp.where(has, must, NEVER)
        same = best_of_lanes(log_probs, totals, 2 * self.beams)  # (n, L, 2B)
        moved = self._moved(totals[..., None] + must, columns)
        if self.sets > L:
            log_probs, rows, words = same
            same = Candidates(self._fill(log_probs, NEVER), self._fill(rows), self._fill(words))
        both = Candidates(*(xp.concat(parts, axis=2) for parts in zip(same, moved, strict=True)))
        return both.choose(topk(both.log_probs, 2 * self.beams)[1])

    def fullest(self, totals: Float[Array, "n S B"]) -> Float[Array, "n S B"]:
        """The beams that have said the most of the words; -inf for all others."""
        xp = namespace(totals)
        said = [s.bit_count() for s in range(totals.shape[1])]
        num = xp.zeros_like(totals) + xp.asarray(said, device=device_of(totals))[:, None]
        num = xp.where(totals > NEVER, num, -1.0)
        most = xp.max(num, axis=(1, 2), keepdims=True)
        return xp.where(num == most, totals, NEVER)

    def _has(self, columns: Int[Array, " C"]) -> Bool[Array, "S C"]:
        """Which words are in which set."""
        xp = namespace(columns)
        bits = 2 ** xp.arange(columns.shape[0], device=device_of(columns))
        sets = xp.arange(self.sets, device=device_of(columns))
        return (sets[:, None] // bits) % 2 == 1

    def _moved(self, log_probs: Float[Array, "n L B C"], columns: Int[Array, " C"]) -> Candidates:
        """What comes to each set (S) by one of its words (C), from the set without that word."""
        xp = namespace(log_probs)
        n, L, B, C = log_probs.shape
        device = device_of(columns)
        bits = 2 ** xp.arange(C, device=device)
        has = self._has(columns)  # (S, C)
        of = xp.where(has, xp.arange(self.sets, device=device)[:, None] - bits, 0)  # (S, C)
        has = has & (of < L)
        of = xp.where(has, of, 0)
        turned = xp.permute_dims(log_probs, (0, 1, 3, 2))  # (n, L, C, B)
        come = turned[:, of, xp.arange(C, device=device)]  # (n, S, C, B)
        come = xp.where(has[..., None], come, NEVER)
        rows = (of * B)[..., None] + xp.arange(B, device=device)  # (S, C, B)
        words = xp.zeros_like(rows) + columns[:, None]
        shape = (n, self.sets, C * B)
        rows, words = (xp.reshape(part, shape[1:]) for part in (rows, words))
        return Candidates(
            xp.reshape(come, shape), xp.broadcast_to(rows, shape), xp.broadcast_to(words, shape)
        )

    def _fill(self, part: Shaped[Array, "n L M"], value: float = 0) -> Shaped[Array, "n S M"]:
        """More lanes of `value`, one for each set in all."""
        xp = namespace(part)
        shape = (part.shape[0], self.sets - part.shape[1], part.shape[2])
        more = xp.full(shape, value, dtype=part.dtype, device=device_of(part))
        return xp.concat([part, more], axis=1)
