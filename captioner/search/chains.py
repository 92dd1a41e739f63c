"""One word after another, each caption for itself: greedy search and sampling."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from captioner.search.arrays import NEVER, Array, device_of, namespace, rows_of
from captioner.search.candidates import best_words
from captioner.search.draw import draw, pick
from captioner.search.found import Found, Leaving, State, Step
from captioner.search.randomness import uniforms
from captioner.search.rules import Rules
from captioner.vocabulary import END, PAD

Choose = Callable[[Array, Array, int], Array]
"""(log_probs (n, R, V), photos (n,), words said so far) -> words (n, K)."""


class ChainSearch:
    """Writes K captions of each photo, none of which knows of the others.

    A photo leaves the batch when all its captions have ended. A caption that has nothing to say
    that it may say ends at once.

    Args:
        rules: What may be said, and the settings.
        numbers: Of the photos; what is drawn for a photo depends on its number. By default they
            are counted from 0.
    """

    def __init__(self, rules: Rules, numbers: Sequence[int] | None = None) -> None:
        self.rules = rules
        self.config = rules.config
        self.numbers = numbers

    def run(self, step: Step, state: State, memory: State, words: Int[Array, " N"]) -> Found:
        """The captions of N photos, whose last words are `words`."""
        xp = namespace(words)
        n, K, device = words.shape[0], self.config.num_captions, device_of(words)
        choose = self._choice(words)
        photos = xp.arange(n, device=device)  # those that still run
        said = xp.zeros((n, K, 0), dtype=words.dtype, device=device)
        totals = xp.zeros((n, K), dtype=xp.float32, device=device)
        running = totals == 0
        leaving = Leaving()
        while True:
            n, _, t = said.shape
            log_probs, state = step(words, state, memory)
            log_probs = xp.reshape(log_probs, (n, -1, log_probs.shape[1]))  # (n, R, V)
            R = log_probs.shape[1]
            end = self.rules.apply(log_probs, said[:, :R])
            if t < self.config.max_words:
                chosen = xp.broadcast_to(choose(log_probs, photos, t), (n, K))
                gain = pick(log_probs, chosen[:, :, None])[:, :, 0]
            else:
                chosen, gain = xp.full((n, K), END, device=device), end
            # Where nothing may be said any more.
            chosen = xp.where(gain > NEVER, chosen, END)
            gain = xp.where(gain > NEVER, gain, end)
            totals = totals + xp.where(running, gain, 0.0)
            chosen = xp.where(running, chosen, PAD)
            said = xp.concat([said, chosen[:, :, None]], axis=2)
            running = running & (chosen != END)
            open_ = xp.any(running, axis=1)
            stay = xp.nonzero(open_)[0]
            if stay.shape[0] < n:
                leaving.add(*rows_of((photos, said, totals), xp.nonzero(~open_)[0]))
                if not stay.shape[0]:
                    return leaving.found()
                photos, said, totals, running, chosen, *memory_rows = rows_of(
                    (photos, said, totals, running, chosen, *memory), stay
                )
                memory = tuple(memory_rows)
            if R < K or stay.shape[0] < n:
                rows = stay[:, None] * R + xp.arange(K, device=device) % R
                state = rows_of(state, xp.reshape(rows, (-1,)))
            words = xp.reshape(chosen, (-1,))

    def _choice(self, words: Int[Array, " N"]) -> Choose:
        """How the next words are chosen."""
        xp, config = namespace(words), self.config
        if not config.sample or config.temperature == 0:
            return _likeliest
        numbers = np.asarray(range(words.shape[0]) if self.numbers is None else self.numbers)
        drawn = uniforms(config.seed, numbers, config.num_captions, config.max_words)
        lots = xp.asarray(drawn, device=device_of(words))  # (N, K, T)

        def choose(log_probs: Array, photos: Array, t: int) -> Array:
            lot = lots[:, :, t][photos]  # (n, K)
            return draw(log_probs, lot, config.temperature, config.top_k, config.top_p)

        return choose


def _likeliest(
    log_probs: Float[Array, "n R V"], photos: Int[Array, " n"], t: int
) -> Int[Array, "n R"]:
    xp = namespace(log_probs)
    n, R, V = log_probs.shape
    totals = xp.zeros((n * R, 1), dtype=log_probs.dtype, device=device_of(log_probs))
    return xp.reshape(best_words(xp.reshape(log_probs, (n * R, 1, V)), totals, 1).words, (n, R))
