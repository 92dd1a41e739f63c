"""Several networks as one."""

from collections.abc import Sequence

from captioner.search.arrays import NEVER, Array, namespace
from captioner.search.found import State, Step

Member = tuple[Step, State, State]
"""A network's step, its state before the first word, and its memory."""


def joint_step(members: Sequence[Member], weights: Sequence[float] | None = None) -> Member:
    """An ensemble: one step whose probabilities are the mean of several networks'.

        P(word) = sum_i  w_i P_i(word)

    Args:
        members: The networks, of the same vocabulary and for the same photos.
        weights: How much each counts, in relation to the others; alike by default.

    Returns:
        What `search` takes: the joint step, and the states and memories of all in a row.

    Raises:
        ValueError: if there is no network, or the weights are not as many or not above 0.

    Example: one network gives a word 0.2, the other 0.4 and counts three times as much.

        >>> import numpy as np
        >>> one = lambda words, state, memory: (np.log([[0.2, 0.8]]), state)
        >>> other = lambda words, state, memory: (np.log([[0.4, 0.6]]), state)
        >>> step, state, memory = joint_step([(one, (), ()), (other, (), ())], weights=[1.0, 3.0])
        >>> np.exp(step(np.array([1]), state, memory)[0]).round(2).tolist()
        [[0.35, 0.65]]
    """
    weights = [1.0] * len(members) if weights is None else list(weights)
    if not members or len(weights) != len(members) or not all(weight > 0 for weight in weights):
        raise ValueError("an ensemble needs networks, and a weight above 0 for each")
    shares = [weight / sum(weights) for weight in weights]
    states = [len(state) for _, state, _ in members]
    memories = [len(memory) for _, _, memory in members]

    def step(words: Array, state: State, memory: State) -> tuple[Array, State]:
        log_probs: list[Array] = []
        after: list[Array] = []
        own_states, own_memories = _split(state, states), _split(memory, memories)
        for (single, _, _), of, looked_at in zip(members, own_states, own_memories, strict=True):
            scored, then = single(words, of, looked_at)
            log_probs.append(scored)
            after += then
        return _mean(log_probs, shares), tuple(after)

    return (
        step,
        tuple(part for _, state, _ in members for part in state),
        tuple(part for _, _, memory in members for part in memory),
    )


def exchanging(member: Member, first: int, second: int) -> Member:
    """A network for which two words have changed places, in what it reads and in what it says.

    Looking into a mirror, a network that knows left from right says the one and means the other.

    Args:
        member: The network.
        first: One of the words.
        second: The other.
    """
    step, state, memory = member

    def exchanged(words: Array, state: State, memory: State) -> tuple[Array, State]:
        xp = namespace(words)
        was_first, was_second = words == first, words == second
        words = xp.where(was_first, second, xp.where(was_second, first, words))
        log_probs, after = step(words, state, memory)
        log_probs[:, [first, second]] = log_probs[:, [second, first]]
        return log_probs, after

    return exchanged, state, memory


def _split(parts: State, sizes: Sequence[int]) -> list[State]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [parts[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _mean(log_probs: Sequence[Array], shares: Sequence[float]) -> Array:
    """log sum_i share_i exp(log_probs_i), however small the probabilities are."""
    xp = namespace(log_probs[0])
    top = log_probs[0]
    for other in log_probs[1:]:
        top = xp.maximum(top, other)
    top = xp.where(top > NEVER, top, 0.0)
    total = xp.exp(log_probs[0] - top) * shares[0]
    for share, other in zip(shares[1:], log_probs[1:], strict=True):
        total += xp.exp(other - top) * share
    floor = xp.where(total > 0, total, 1.0)
    return xp.where(total > 0, xp.log(floor) + top, NEVER)
