"""A word by lot, without sorting the vocabulary."""

from types import ModuleType

from jaxtyping import Float, Int, Shaped

from captioner.search.arrays import NEVER, Array, along, device_of, namespace
from captioner.search.candidates import best_words, lanes_of, members

FEW = 64
"""So many of the likeliest words hold the share `top_p`, as a rule."""


def draw(
    log_probs: Float[Array, "n R V"],
    lots: Float[Array, "n K"],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Int[Array, "n K"]:
    """Draw K words for each photo, each with the chance that it has.

    A word's chance is softmax(log_probs / temperature), among the `top_k` likeliest words (Fan et
    al. 2018, arXiv:1805.04833) and among the fewest that hold the share `top_p` of all chances
    together (Holtzman et al. 2020, arXiv:1904.09751). The word drawn is the one in whose part of
    the line from 0 to 1 the lot falls.

    Args:
        log_probs: Of the words that may follow: R = K rows per photo, or one for all K. Of PAD they
            are -inf.
        lots: From 0 to 1, never 1.
        temperature: Above 0.
        top_k: 0 for all words.
        top_p: 1 for all words.

    Returns:
        The words; any where all are -inf.

    Example: chances of 1/4 and 3/4; lots below 1/4 draw the first of the two.

        >>> import numpy as np
        >>> log_probs = np.array([[[-np.inf, np.log(0.25), np.log(0.75)]]])
        >>> draw(log_probs, np.array([[0.2, 0.3, 0.9]])).tolist()
        [[1, 2, 2]]
    """
    xp = namespace(log_probs)
    if top_k or top_p < 1:
        words, chances = _likeliest(log_probs, temperature, top_k, top_p)
        return pick(words, _place(xp, chances, lots)[:, :, None])[:, :, 0]
    top = xp.max(log_probs, axis=2, keepdims=True)
    chances = xp.exp((log_probs - xp.where(top > NEVER, top, 0.0)) / temperature)
    n, R, V = chances.shape
    width = lanes_of(V)
    depth, rest = divmod(V, width)
    sums = xp.sum(xp.reshape(chances[:, :, : depth * width], (n, R, depth, width)), axis=2)
    sums[:, :, :rest] += chances[:, :, depth * width :]
    lane = _place(xp, sums, lots)  # (n, K)
    # Where in its lane's part of the line the lot has fallen, again from 0 to 1.
    line = xp.cumulative_sum(sums, axis=2)
    part = pick(sums, lane[:, :, None])[:, :, 0]
    begin = pick(line, lane[:, :, None])[:, :, 0] - part
    lots = (lots * line[:, :, -1] - begin) / xp.where(part > 0, part, 1.0)
    lots = xp.clip(lots, 0.0, 1 - 2.0**-23)
    words = members(lane, V, width)  # (n, K, depth)
    return pick(words, _place(xp, pick(chances, words), lots)[:, :, None])[:, :, 0]


def pick(values: Shaped[Array, "n R V"], places: Int[Array, "n K P"]) -> Shaped[Array, "n K P"]:
    """The values of K captions at these places; R = K rows per photo, or one for all K."""
    xp = namespace(values)
    n, K, P = places.shape
    if values.shape[1] == K:
        return along(values, places, axis=2)
    flat = along(values, xp.reshape(places, (n, 1, K * P)), axis=2)
    return xp.reshape(flat, (n, K, P))


def _place(
    xp: ModuleType, chances: Float[Array, "n R P"], lots: Float[Array, "n K"]
) -> Int[Array, "n K"]:
    """Where on a line of these parts the lots fall; never on a part of no length."""
    line = xp.cumulative_sum(chances, axis=2)
    target = lots * line[:, :, -1]
    place = xp.sum(xp.astype(line <= target[:, :, None], xp.int64), axis=2)
    return xp.clip(place, 0, chances.shape[2] - 1)


def _likeliest(
    log_probs: Float[Array, "n R V"], temperature: float, top_k: int, top_p: float
) -> tuple[Int[Array, "n R P"], Float[Array, "n R P"]]:
    """The words that may be drawn, and their chances (not normalised)."""
    xp = namespace(log_probs)
    n, R, V = log_probs.shape
    flat = xp.reshape(log_probs, (n * R, 1, V))
    zeros = xp.zeros((n * R, 1), dtype=log_probs.dtype, device=device_of(log_probs))
    count = min(top_k or FEW, V)
    whole = None
    while True:
        best = best_words(flat, zeros, count)
        top = xp.where(best.log_probs[:, :1] > NEVER, best.log_probs[:, :1], 0.0)
        chances = xp.exp((best.log_probs - top) / temperature)
        if whole is None:
            whole = xp.sum(xp.exp((flat[:, 0] - top) / temperature), axis=1, keepdims=True)
            whole = xp.where(whole > 0, whole, 1.0)
        share = xp.cumulative_sum(chances, axis=1) / whole
        if top_k or count == V or bool(xp.all(share[:, -1] >= top_p)):
            break
        count = min(4 * count, V)
    # A word stays if those before it do not hold the share yet, so the likeliest always stays.
    before = share - chances / whole
    chances = xp.where(before < top_p, chances, 0.0)
    return xp.reshape(best.words, (n, R, count)), xp.reshape(chances, (n, R, count))
