"""What a search takes and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int

from captioner.search.arrays import Array, device_of, namespace
from captioner.vocabulary import PAD

State = tuple[Array, ...]
"""What a network carries from word to word: a row per caption. Or what it looks at: per photo."""

Step = Callable[[Array, State, State], tuple[Array, State]]
"""(words, state, memory) -> (log_probs, state); see `captioner.search`."""


@dataclass(frozen=True)
class Found:
    """The captions found for N photos, K for each.

    Args:
        words: Indices without START, with END, then PAD. The best caption of a photo comes first;
            sampled ones come in the order in which they were drawn.
        log_probs: Sum over the words and END, in nats; -inf marks a place left empty because there
            were not so many captions.
    """

    words: Int[Array, "N K T"]
    log_probs: Float[Array, "N K"]


class Leaving:
    """Collects the captions of photos as they leave the batch."""

    def __init__(self) -> None:
        self.photos: list[Array] = []
        self.words: list[Array] = []
        self.log_probs: list[Array] = []

    def add(
        self, photos: Int[Array, " m"], words: Int[Array, "m K t"], log_probs: Float[Array, "m K"]
    ) -> None:
        """Captions of m photos that are done."""
        self.photos.append(photos)
        self.words.append(words)
        self.log_probs.append(log_probs)

    def found(self) -> Found:
        """All of them, in the order of the photos."""
        xp = namespace(self.photos[0])
        order = xp.argsort(xp.concat(self.photos))
        length = max(words.shape[2] for words in self.words)
        words = xp.concat([pad_words(words, length) for words in self.words])
        spoken = int(xp.max(xp.sum(xp.astype(words != PAD, xp.int64), axis=2)))
        return Found(
            words[order][:, :, :spoken],
            xp.concat(self.log_probs)[order],
        )


def pad_words(words: Int[Array, "*rows t"], length: int) -> Int[Array, "*rows T"]:
    """PAD after the words, up to so many in all."""
    missing = length - words.shape[-1]
    if not missing:
        return words
    xp = namespace(words)
    more = xp.zeros((*words.shape[:-1], missing), dtype=words.dtype, device=device_of(words))
    return xp.concat([words, more + PAD], axis=-1)
