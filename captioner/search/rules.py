"""What may be said next."""

from collections.abc import Sequence

from jaxtyping import Float, Int

from captioner.config import SearchConfig
from captioner.search.arrays import NEVER, Array, forbid, namespace
from captioner.vocabulary import END, PAD, START, UNK

MOST_MUST = 4
"""Words that must be said, at most: each doubles the work."""
LEAST = -1e4
"""Log-probability of an END that the network would never say, where a caption has to end."""


class Rules:
    """What may be said next: never PAD, START or UNK, no END too early, and what the config says.

    Args:
        config: Its `min_words`, `max_words` and `no_repeat` are kept.
        must: Indices of words that the caption must have.
        must_not: Indices of words that it must not have.

    Raises:
        ValueError: if these words cannot be used, alone or together.
    """

    def __init__(
        self, config: SearchConfig, must: Sequence[int] = (), must_not: Sequence[int] = ()
    ) -> None:
        self.config = config
        self.must = tuple(dict.fromkeys(must))
        self.must_not = tuple(dict.fromkeys(must_not))
        for name in ("must", "must_not"):
            if getattr(config, name) and not getattr(self, name):
                raise ValueError(f"config.{name} has words; give the search their indices as well")
            if any(word <= UNK for word in getattr(self, name)):
                raise ValueError(f"{name} has an index that is no word's")
        if {*self.must} & {*self.must_not}:
            raise ValueError("the same word is in must and in must_not")
        if len(self.must) > MOST_MUST:
            raise ValueError(f"must has {len(self.must)} words; {MOST_MUST} are the most")
        if len(self.must) > config.max_words:
            raise ValueError("must has more words than max_words")
        if self.must and (config.sample or config.groups > 1):
            raise ValueError("must goes neither with sample nor with groups")

    def check(self, num_words: int) -> None:
        """Refuse words that a vocabulary of `num_words` does not have.

        Raises:
            ValueError: if there are such words, or `must_not` leaves none to say.
        """
        if any(word >= num_words for word in (*self.must, *self.must_not)):
            raise ValueError(f"must or must_not has an index above {num_words - 1}, the last word")
        if num_words - len(self.must_not) <= UNK + 1:
            raise ValueError("must_not leaves no word to say")

    def apply(
        self, log_probs: Float[Array, "n R V"], said: Int[Array, "n R t"]
    ) -> Float[Array, "n R"]:
        """Write -inf where a word may not be said.

        Args:
            log_probs: Of the next word.
            said: All words before it.

        Returns:
            The log-probability of END, were it allowed and possible.
        """
        xp = namespace(log_probs)
        spoken = said.shape[2]
        if not spoken:
            self.check(log_probs.shape[2])
        end = log_probs[:, :, END]
        end = xp.where(end > LEAST, end, LEAST)
        log_probs[:, :, PAD] = NEVER
        log_probs[:, :, START] = NEVER
        log_probs[:, :, UNK] = NEVER
        if spoken < self.config.min_words:
            log_probs[:, :, END] = NEVER
        if self.must_not:
            log_probs[:, :, list(self.must_not)] = NEVER
        if 0 < self.config.no_repeat <= spoken:
            forbid(log_probs, repeating(said, self.config.no_repeat))
        return end


def repeating(said: Int[Array, "n R t"], size: int) -> Int[Array, "n R P"]:
    """The words that would say `size` words in a row a second time; PAD where there is none.

    Paulus et al. 2018 (A deep reinforced model for abstractive summarization, arXiv:1705.04304,
    section 2.5).

    Args:
        said: The words so far, at least `size`.
        size: Words in a row.

    Example: after 5 6 7 5 6 no 7 may follow, if no three words are to come twice.

        >>> import numpy as np
        >>> repeating(np.array([[[5, 6, 7, 5, 6]]]), 3).tolist()
        [[[7, 0, 0]]]
    """
    xp = namespace(said)
    places = said.shape[2] - size + 1
    again = xp.ones_like(said[:, :, :places], dtype=xp.bool)
    for i in range(size - 1):
        again = again & (said[:, :, i : i + places] == said[:, :, places + i, None])
    return xp.where(again, said[:, :, size - 1 :], PAD)
