"""The one way into every search."""

from collections.abc import Sequence

from jaxtyping import Int

from captioner.config import SearchConfig
from captioner.search.arrays import Array, device_of, namespace, no_gradients
from captioner.search.beams import BeamSearch
from captioner.search.chains import ChainSearch
from captioner.search.found import Found, State, Step
from captioner.search.rules import Rules
from captioner.vocabulary import START


def search(
    step: Step,
    state: State,
    memory: State = (),
    config: SearchConfig | None = None,
    *,
    must: Sequence[int] = (),
    must_not: Sequence[int] = (),
    words: Int[Array, " N"] | None = None,
    numbers: Sequence[int] | None = None,
) -> Found:
    """Captions of N photos by greedy search, by beam search, or drawn by lot.

    Finished captions are compared by log-probability / length ** `length_penalty`, END counted
    (Wu et al. 2016, arXiv:1609.08144, section 7, with the length itself for their lp). Each comes
    with an END after `max_words` words at the latest; none has PAD, START or UNK.

    Where the rules leave nothing to say, END gives way: the caption then ends early, with fewer
    than `min_words` words, or without some of the words that it must have (it has as many of them
    as could be said). `max_words`, `must_not` and `no_repeat` always hold.

    Args:
        step: The network; see `captioner.search`.
        state: Its state before the first word, a row per photo.
        memory: What it looks at again at every word, a row per photo.
        config: What is looked for; its `must` and `must_not` are strings and are not looked at.
        must: Indices of words that the caption must have.
        must_not: Indices of words that it must not have.
        words: The words said last, if a beginning of the caption is given; START by default. The
            rules and `max_words` are about what comes after.
        numbers: Of these photos, counted from 0 by default. What is drawn by lot for a photo
            depends on its number and on `config.seed` alone, not on the photos beside it.

    Returns:
        `config.num_captions` captions of each photo. Those of a beam search differ, except between
        groups of beams that too little `diversity` keeps apart.

    Raises:
        ValueError: if words are given that cannot be used, or neither state nor memory.

    Example: a network that says 4, 5 and END one after the other.

        >>> import numpy as np
        >>> def step(words, state, memory):
        ...     log_probs = np.full((len(words), 6), -9.0)
        ...     log_probs[np.arange(len(words)), np.where(words == START, 4, words + 1) % 6] = -0.1
        ...     log_probs[words == 5, 2] = -0.1
        ...     return log_probs, state
        >>> found = search(step, (np.zeros((2, 1)),))
        >>> found.words.tolist(), found.log_probs.round(1).tolist()
        ([[[4, 5, 2]], [[4, 5, 2]]], [[-0.3], [-0.3]])
    """
    if not (*state, *memory):
        raise ValueError("give the search a state or a memory, with a row per photo")
    config = (config or SearchConfig()).settled()
    if config.num_captions > config.beam_size and not config.sample:
        raise ValueError(
            f"num_captions {config.num_captions} must not be above beam_size {config.beam_size}"
        )
    rules = Rules(config, must, must_not)
    rows = (*state, *memory)[0]
    xp, device = namespace(rows), device_of(rows)
    if not rows.shape[0]:
        none = xp.zeros((0, config.num_captions), dtype=xp.float32, device=device)
        return Found(xp.zeros((*none.shape, 0), dtype=xp.int64, device=device), none)
    if words is None:
        words = xp.full((rows.shape[0],), START, dtype=xp.int64, device=device)
    alone = config.sample or (config.beam_size == 1 and not must)
    way = ChainSearch(rules, numbers) if alone else BeamSearch(rules)
    with no_gradients(rows):
        found = way.run(step, state, memory, words)
    # Copies are ordinary tensors: words that are to be learnt from may be looked up again.
    return Found(xp.asarray(found.words, copy=True), xp.asarray(found.log_probs, copy=True))
