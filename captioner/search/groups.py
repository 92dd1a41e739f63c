"""Diverse beam search: groups of beams that keep apart from one another."""

from jaxtyping import Int

from captioner.search.arrays import NEVER, Array, namespace, topk
from captioner.search.candidates import Candidates, going_on
from captioner.vocabulary import PAD


def keep_apart(best: Candidates, num_groups: int, beams: int, diversity: float) -> Candidates:
    """The best 2B candidates of each group, where words of other groups count less.

        order of y:  log_prob(y) - diversity * |beams of groups before that say y's word now|

    Hamming diversity of Vijayakumar et al. 2018 (Diverse beam search, arXiv:1610.02424): group by
    group, each keeps apart from those before it. The log-probabilities stay the network's own, and
    END counts for all groups alike: a caption may end when another does.

    Args:
        best: Of each group, or one lane for all while the groups are still the same; so many that
            the 2B wanted are among them whatever counts less.
        num_groups: Groups (G).
        beams: Beams of a group (B).
        diversity: Nats that each beam before it counts against a word.

    Returns:
        2B of each group, in that order.

    Example: two groups of one beam; the first says 4, so the second likes 5 better.

        >>> import numpy as np
        >>> log_probs, words = np.array([[[-0.6, -0.9, -3.0]]]), np.array([[[4, 5, 6]]])
        >>> best = Candidates(log_probs, np.zeros_like(words), words)
        >>> keep_apart(best, 2, 1, diversity=0.5).words.tolist()
        [[[4, 5], [5, 4]]]
    """
    xp = namespace(best.words)
    lanes = best.words.shape[1]
    said = best.words[:, 0, :0]  # what the groups before say now, (n, b)
    chosen: list[Candidates] = []
    for g in range(num_groups):
        own = Candidates(*(part[:, g % lanes] for part in best))  # (n, M)
        order = own.log_probs - diversity * _times(own.words, said)
        own = own.choose(topk(order, 2 * beams)[1])  # (n, 2B)
        chosen.append(own)
        going = going_on(own, beams)
        going_words = xp.where(going.log_probs > NEVER, going.words, PAD)
        said = xp.concat([said, going_words], axis=1)
    return Candidates(*(xp.stack(parts, axis=1) for parts in zip(*chosen, strict=True)))


def _times(words: Int[Array, "n M"], said: Int[Array, "n b"]) -> Int[Array, "n M"]:
    """How often each word is among those said."""
    xp = namespace(words)
    return xp.sum(xp.astype(words[:, :, None] == said[:, None, :], xp.int64), axis=2)
