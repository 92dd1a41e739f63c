"""What every captioner does, whatever computes it: photos in, captions out, one by one or many."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from captioner.confidence import Confidence, signals_of
from captioner.config import BEAMS, CHOICE, Preprocessing, SearchConfig
from captioner.consensus import ConsensusScorer
from captioner.errors import InputError
from captioner.extraction import Look, look_at
from captioner.images import Source
from captioner.search import Array, Member, State, search
from captioner.several import SeveralViews, begin_together, whole
from captioner.views import View, several_views
from captioner.vocabulary import Vocabulary

T = TypeVar("T")
Looked = tuple[Array, State, Array | None]
"""log_probs (R, V) of the next word, the state then, and the attention (R, L), if there is any."""
Watched = tuple[Callable[[Array, State, State], Looked], State, State]
"""A step that tells where it looked, the state before the first word, and the memory."""


@dataclass(frozen=True)
class Caption:
    """One caption of a photo, its log-probability in nats, END included, and its confidence.

    The confidence is the chance that the caption is good (see `captioner.confidence`); None where
    nobody knows: the model was not calibrated, or the search is not the one that it was
    calibrated for.
    """

    caption: str
    log_prob: float
    confidence: float | None = None
    agreement: float = 0.0
    """How much what people wrote about similar photos agrees, from 0 to 10; 0 if nobody asked."""

    @property
    def log_prob_per_word(self) -> float:
        """The mean, END counted as a word."""
        return self.log_prob / (len(self.caption.split()) + 1)


class Batch(NamedTuple):
    """Some photos, one after the other in the order in which they came."""

    numbers: list[int]
    """Of those that can be read, counted from the first photo of all."""
    features: Any
    """Of these; None if there are none."""
    errors: dict[int, InputError]
    """Of the others, by number."""

    def in_order(self, results: Sequence[T]) -> Iterator[T | InputError]:
        """The results of those that can be read, with the errors of the others between them."""
        known = dict(zip(self.numbers, results, strict=True))
        for number in sorted({*known, *self.errors}):
            yield self.errors[number] if number in self.errors else known[number]


class PhotoCaptioner(ABC):
    """Photos -> CNN -> maps -> features -> search over the decoder's steps -> captions."""

    vocabulary: Vocabulary
    rerank: Callable[[list[list[Caption]]], list[list[Caption]]] | None = None
    """Sorts the captions of each photo's beam anew, as `captioner.reranking.Reranker` does."""
    confidence: Confidence | None = None
    """Tells how likely a caption is to be good, once the captioner was calibrated."""
    consensus: ConsensusScorer | None = None
    """Training photos; what people wrote about those alike has a say in the choice of a caption."""

    @property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """What is done to a photo before the CNN sees it."""

    @abstractmethod
    def make_look(self, photos: int) -> Look:
        """The fastest way to put about so many photos through the CNN."""

    @abstractmethod
    def features(self, maps: np.ndarray) -> Any:
        """What the decoder takes of the maps of N photos, as the CNN or a cache gives them."""

    @abstractmethod
    def begin(self, features: Any) -> Member:
        """What a search takes: the decoder's step, its first state and its memory."""

    def watch(self, features: Any) -> Watched:
        """As `begin`, with a step that also tells where the decoder looked."""
        step, state, memory = self.begin(features)

        def look(words: Array, state: State, memory: State) -> Looked:
            return *step(words, state, memory), None

        return look, state, memory

    @abstractmethod
    def pooled(self, features: Any) -> Float[np.ndarray, "N D"]:
        """Mean and standard deviation over all places, by which `consensus` judges."""

    def search(
        self,
        features: Any,
        config: SearchConfig | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[list[Caption]]:
        """The captions of photos whose features are known, the best first.

        Args:
            features: As `features` gives them, or in several views.
            config: How to search; its `max_words` counts where it is below the model's own. There
                are as many beams as captions at least.
            numbers: Of these photos, for captions drawn by lot; counted from 0 by default.

        Raises:
            InputError: if words are asked for that the model does not know, or more words than it
                says in a caption, or other views than these.
        """
        config = self.settle(config or SearchConfig())
        limit = min(config.max_words, self.vocabulary.max_words)
        if config.min_words > limit:
            raise InputError(f"this model's captions have at most {limit} words")
        beams = max(config.beam_size, config.num_captions)
        asked = replace(config, max_words=limit, beam_size=beams)
        confident = self.is_confident(config)
        consulted = self.asks_consensus(config)
        if confident or consulted or (self.rerank and not config.sample):
            asked = replace(asked, num_captions=beams)
        try:
            found = search(
                *begin_together(self.begin, features, config.views, self.vocabulary),
                asked,
                must=self._indices(config.must),
                must_not=self._indices(config.must_not),
                numbers=numbers,
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        captions = [
            [
                Caption(self.vocabulary.decode(words), log_prob)
                for words, log_prob in zip(*of_photo, strict=True)
                if log_prob > float("-inf")
            ]
            for of_photo in zip(found.words.tolist(), found.log_probs.tolist(), strict=True)
        ]
        if consulted:
            captions = self._consult(captions, self.pooled(whole(features)), found.words)
        if self.rerank:
            captions = self.rerank(captions)
        elif confident:
            captions = [self._with_confidence(of_photo) for of_photo in captions]
        return [of_photo[: config.num_captions] for of_photo in captions]

    def is_confident(self, config: SearchConfig) -> bool:
        """Whether captions that are looked for in this way get a confidence."""
        if self.confidence is None or self.rerank:
            return False
        config = self.settle(config)
        longest = self.vocabulary.max_words
        return self.confidence.fits(config, longest, self.asks_consensus(config))

    def asks_consensus(self, config: SearchConfig) -> bool:
        """Whether captions that are looked for in this way are chosen by what people would say."""
        wanted = config.consensus and not config.sample and not self.rerank
        return bool(self.consensus and wanted)

    def settle(self, config: SearchConfig) -> SearchConfig:
        """The same search with its number of beams, where it leaves that to the captioner."""
        return config.settled(CHOICE if self.asks_consensus(config) else BEAMS)

    def _consult(self, found: list[list[Caption]], pooled: np.ndarray, words: Any) -> Any:
        """The captions of each photo, the one first that people would most agree with."""
        assert self.consensus is not None
        agreements = self.consensus.agreement(pooled, np.asarray(words.tolist())).tolist()
        weight = self.consensus.config.weight

        def value(caption: Caption) -> float:
            return caption.agreement + weight * caption.log_prob_per_word

        known = (
            # A place of the beam that stayed empty is behind all captions.
            [replace(c, agreement=a) for c, a in zip(of_photo, agreed, strict=False)]
            for of_photo, agreed in zip(found, agreements, strict=True)
        )
        return [sorted(of_photo, key=value, reverse=True) for of_photo in known]

    def _with_confidence(self, of_photo: list[Caption]) -> list[Caption]:
        """All captions of a photo's beam."""
        assert self.confidence is not None
        chances = self.confidence(signals_of(of_photo)).tolist()
        return [replace(c, confidence=p) for c, p in zip(of_photo, chances, strict=True)]

    def _indices(self, words: Sequence[str]) -> list[int]:
        unknown = [word for word in words if word.lower() not in self.vocabulary.index]
        if unknown:
            raise InputError(f"the model does not know the word {', '.join(unknown)}")
        return self.vocabulary.indices([word.lower() for word in words])

    def stream(
        self,
        sources: Sequence[Source] | Iterable[Source],
        config: SearchConfig | None = None,
        batch_size: int = 64,
    ) -> Iterator[list[Caption] | InputError]:
        """Captions of each photo in turn, or the error of one that cannot be read.

        Photos are decoded in parallel with the network, and captioned in batches.
        """
        views = config.views if config else 1
        for batch in self.in_batches(sources, batch_size, views):
            found = self.search(batch.features, config, batch.numbers) if batch.numbers else []
            yield from batch.in_order(found)

    def in_batches(
        self,
        sources: Sequence[Source] | Iterable[Source],
        batch_size: int = 64,
        views: int = 1,
    ) -> Iterator[Batch]:
        """The features of photos, each in so many views, so many of them at a time."""
        photos = len(sources) if isinstance(sources, Sequence) else batch_size
        look = self.make_look(photos * views)
        seen_as = several_views(views) if views > 1 else []
        pending: list[np.ndarray | InputError] = []
        done = 0
        for seen, maps, errors in look_at(sources, look, self.preprocessing, together=seen_as):
            found = dict(zip(seen, maps, strict=True)) | errors
            pending.extend(found[i] for i in sorted(found))
            if len(pending) >= batch_size:
                yield self._batch(pending, done, seen_as)
                done += len(pending)
                pending = []
        yield self._batch(pending, done, seen_as)

    def _batch(
        self, pending: list[np.ndarray | InputError], first: int, seen_as: list[View]
    ) -> Batch:
        numbered = [*enumerate(pending, first)]
        errors = {number: item for number, item in numbered if isinstance(item, InputError)}
        maps = {number: item for number, item in numbered if isinstance(item, np.ndarray)}
        features = None
        if maps and seen_as:
            in_views = zip(*maps.values(), strict=True)
            features = SeveralViews([self.features(np.stack(view)) for view in in_views], seen_as)
        elif maps:
            features = self.features(np.stack([*maps.values()]))
        return Batch([*maps], features, errors)

    def __call__(self, photos: Any, config: SearchConfig | None = None, **settings: Any) -> Any:
        """The best caption of a photo, or of each of a list of photos.

        Args:
            photos: Path, PIL image, array (H, W, 3) or bytes of a file; or a list of these.
            config: How to search.
            settings: Fields of `SearchConfig` by name, such as `beam_size=5`.

        Raises:
            InputError: if a photo cannot be read.
        """
        alone = not isinstance(photos, list | tuple)
        captions = []
        config = replace(config or SearchConfig(), **settings)
        for result in self.stream([photos] if alone else photos, config):
            if isinstance(result, InputError):
                raise result
            captions.append(result[0].caption)
        return captions[0] if alone else captions
