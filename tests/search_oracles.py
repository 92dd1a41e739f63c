"""Made-up networks, and plain searches over them that the fast ones are held against."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch

from captioner.config import SearchConfig
from captioner.search import Found, State, search
from captioner.vocabulary import END, PAD, START, UNK

NEVER = float("-inf")

Caption = tuple[int, ...]
"""Words of a caption, END included."""


@dataclass
class MadeUp:
    """A network whose next word depends on the photo and on all words so far.

    Its state is a number made of the words so far, its memory the photo's number.
    """

    seed: int
    V: int = 7
    sharpness: float = 2.0
    of: Callable[[np.ndarray], Any] = torch.from_numpy
    """What its arrays are; `np.asarray` for NumPy's own."""

    def __post_init__(self) -> None:
        self.codes = 10007 if self.V < 100 else 1009  # histories of one code go on alike
        scores = np.random.default_rng(self.seed).normal(size=(self.codes, self.V))
        scores *= self.sharpness
        table = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        self.table = table.astype(np.float32)
        self.shared = self.of(self.table)
        self.rows: list[tuple[int, int]] = []  # captions and photos of each step
        self.lists: dict[int, list[float]] = {}

    def step(self, words: Any, state: State, memory: State) -> tuple[Any, State]:
        """The step function."""
        captions, photos = len(words), len(memory[0])
        assert captions % photos == 0
        assert state[0].shape == (captions, 1)
        self.rows.append((captions, photos))
        code = (state[0].reshape(photos, -1) * 31 + words.reshape(photos, -1) + 7) % self.codes
        seen = (code + 101 * memory[0]) % self.codes
        return self.shared[seen.reshape(-1)], (code.reshape(-1, 1),)

    def photos(self, numbers: Sequence[int]) -> tuple[State, State]:
        """State and memory of these photos before the first word."""
        memory = np.array(numbers, dtype=np.int64)[:, None]
        return (self.of(memory * 0),), (self.of(memory),)

    def log_probs(self, photo: int, words: Sequence[int]) -> list[float]:
        """Of the next word after these."""
        code = 0
        for word in (START, *words):
            code = (code * 31 + word + 7) % self.codes
        code = (code + 101 * photo) % self.codes
        if code not in self.lists:
            self.lists[code] = self.table[code].tolist()
        return self.lists[code]

    def log_prob(self, photo: int, caption: Caption) -> float:
        """Of a whole caption."""
        return sum(self.log_probs(photo, caption[:t])[word] for t, word in enumerate(caption))

    def search(self, photos: Sequence[int], config: SearchConfig, **more: Any) -> Found:
        """The search that is tested."""
        return search(self.step, *self.photos(photos), config, **more)


def captions(found: Found, place: int) -> list[Caption]:
    """Those found for a photo, the empty places left out."""
    return [
        tuple(word for word in words if word != PAD)
        for words, log_prob in zip(
            found.words[place].tolist(), found.log_probs[place].tolist(), strict=True
        )
        if log_prob > NEVER
    ]


def repeats(words: Caption, size: int) -> bool:
    """Whether so many words in a row come twice."""
    runs = [words[i : i + size] for i in range(len(words) - size + 1)]
    return size > 0 and len(set(runs)) < len(runs)


def every_caption(
    made_up: MadeUp,
    photo: int,
    config: SearchConfig,
    must: Sequence[int] = (),
    must_not: Sequence[int] = (),
) -> list[tuple[float, Caption]]:
    """All captions that the rules allow with their value, the best first."""
    found = []
    for length in range(config.min_words, config.max_words + 1):
        for words in product(range(UNK + 1, made_up.V), repeat=length):
            if {*must} <= {*words} and not {*must_not} & {*words}:
                if repeats(words, config.no_repeat):
                    continue
                value = made_up.log_prob(photo, (*words, END)) / (length + 1) ** (
                    config.length_penalty
                )
                found.append((value, (*words, END)))
    return sorted(found, reverse=True)


@dataclass(frozen=True)
class Beginning:
    """A beam of the plain search."""

    words: Caption
    log_prob: float


def plain_beam_search(
    made_up: MadeUp,
    photo: int,
    config: SearchConfig,
    must: Sequence[int] = (),
    must_not: Sequence[int] = (),
) -> list[Caption]:
    """Beam search for one photo, in plain Python, for rules that some caption can keep.

    Its lanes of beams are (group, words said of those that must be).
    """
    G, alpha, every = config.groups, config.length_penalty, frozenset(must)
    B = config.beam_size // G
    lanes = {(group, frozenset[int]()): [Beginning((), 0.0)] for group in range(G)}
    finished: list[list[tuple[float, Caption]]] = [[] for _ in range(G)]
    for t in range(config.max_words + 1):
        coming: dict[tuple[int, frozenset[int]], list[Beginning]] = {}
        for (group, said), beams in lanes.items():
            for beam in beams:
                log_probs = made_up.log_probs(photo, beam.words)
                for word in allowed(beam.words, config, must_not, made_up.V):
                    if word != END or said == every:
                        new = Beginning((*beam.words, word), beam.log_prob + log_probs[word])
                        coming.setdefault((group, said | every & {word}), []).append(new)
        lanes, now = {}, Counter[int]()
        for group, said in sorted(coming, key=lambda lane: lane[0]):

            def order(new: Beginning, now: Counter[int] = now) -> float:
                return new.log_prob - (config.diversity * now[new.words[-1]] if G > 1 else 0)

            ranked = sorted(coming[group, said], key=order, reverse=True)
            finished[group] += [
                (new.log_prob / (t + 1) ** alpha, new.words)
                for new in ranked[:B]
                if new.words[-1] == END
            ]
            finished[group] = sorted(finished[group], reverse=True)[:B]
            going = [new for new in ranked if new.words[-1] != END][:B]
            lanes[group, said] = going
            now = now + Counter(new.words[-1] for new in going)
        if not any(
            len(finished[group]) < B or beam.log_prob / (t + 1) ** alpha > finished[group][-1][0]
            for (group, _), beams in lanes.items()
            for beam in beams
        ):
            break
    best = sorted((item for pool in finished for item in pool), reverse=True)
    return [words for _, words in best[: config.num_captions]]


def allowed(said: Caption, config: SearchConfig, must_not: Sequence[int], V: int) -> Iterator[int]:
    """What may be said next."""
    if len(said) < config.max_words:
        for word in range(UNK + 1, V):
            if word not in must_not and not repeats((*said, word), config.no_repeat):
                yield word
    if len(said) >= config.min_words:
        yield END


def with_beams(config: SearchConfig, beam_size: int, num_captions: int = 1) -> SearchConfig:
    return replace(config, beam_size=beam_size, num_captions=num_captions)
