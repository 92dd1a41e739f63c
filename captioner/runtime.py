"""A captioner that was exported to ONNX: photos in, captions out, without torch."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from captioner.confidence import read_confidence
from captioner.config import Preprocessing
from captioner.consensus import read_consensus
from captioner.errors import InputError
from captioner.extraction import Look, num_threads, open_session, side_by_side
from captioner.folders import (
    ABOUT,
    DEFAULT_MODEL,
    check_file,
    checksums,
    find_model,
    parse,
    read_about,
)
from captioner.images import check_preprocessing
from captioner.search import Member, State
from captioner.streaming import PhotoCaptioner, Watched
from captioner.vocabulary import Vocabulary

KIND = "captioner exported to ONNX"
FILES = ("vocabulary.json", "encoder.onnx", "step.onnx")
ATTENTION = "attention"
"""Output of step.onnx: where the decoder looked (R, L). Older exports do not have it."""

Precision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class ExportConfig:
    """What an export is. Saved beside it, as config.json."""

    precision: Precision
    """How its weights are stored."""
    max_words: int
    """A caption ends after so many words at the latest."""
    states: tuple[str, ...]
    """Names of what the decoder carries from word to word: outputs of encoder.onnx, inputs of
    step.onnx, and its outputs with `next_` before them."""
    memories: tuple[str, ...]
    """Names of what it looks at again at every word: outputs of encoder.onnx, inputs of step.onnx,
    a row per photo."""
    made_from: str
    """SHA-256 of the model.safetensors that was exported."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    """What is done to a photo first."""


class OnnxCaptioner(PhotoCaptioner):
    """Photos in, captions out, by onnxruntime: the same captions as of the `Captioner` exported.

        photos          -> encoder.onnx -> state, memory
        words so far, state, memory -> step.onnx -> log-probabilities of the next word, state

    Args:
        config: What the export is.
        vocabulary: The words that it knows.
        encoder: The session of encoder.onnx that has so many threads.
        step: Session of step.onnx.
    """

    def __init__(
        self,
        config: ExportConfig,
        vocabulary: Vocabulary,
        encoder: Callable[[int], Any],
        step: Any,
    ) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self._encoder = encoder
        self._step = step
        shapes = {one.name: one.shape for one in encoder(num_threads()).get_outputs()}
        self._begun = [*config.states, *config.memories]
        self._seen = [*self._begun, *["pooled"] * ("pooled" in shapes)]  # older ones have it not
        self._shapes = [tuple(shapes[name][1:]) for name in self._seen]
        self._given = ["log_probs", *(f"next_{name}" for name in config.states)]
        self._attends = ATTENTION in {output.name for output in step.get_outputs()}

    @classmethod
    def from_pretrained(cls, name: str | Path = DEFAULT_MODEL) -> "OnnxCaptioner":
        """The export of a captioner, ready to caption.

        Args:
            name: The folder of an export, or of a model or run that has one in `onnx`; or the name
                of a model of the package.

        Raises:
            InputError: if there is none, or its files are not whole.
        """
        folder = find_export(name)
        if folder is None:
            raise InputError(
                f"{name}: has no export; make one with captioner export {name} {name}/onnx"
            )
        return cls.from_folder(folder)

    @classmethod
    def from_folder(cls, folder: str | Path) -> "OnnxCaptioner":
        """An exported captioner, ready to caption.

        Args:
            folder: That `captioner export` wrote.

        Raises:
            InputError: if it is none, or its files are not whole.
        """
        folder = Path(folder)
        encoder = cache(partial(open_session, folder / "encoder.onnx"))
        about = read_about(folder)
        config = read_export(folder, about)
        with ThreadPoolExecutor() as pool:
            sums = checksums(about)
            checks = [pool.submit(check_file, folder / name, sums.get(name)) for name in FILES]
            encoding = pool.submit(encoder, num_threads())
            stepping = pool.submit(open_session, folder / "step.onnx", num_threads())
            for check in checks:
                check.result()
            vocabulary = Vocabulary.load(folder / "vocabulary.json")
            encoding.result()
            step = stepping.result()
        try:
            check_preprocessing(config.preprocessing)
            captioner = cls(config, vocabulary, encoder, step)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{folder / 'config.json'}: does not fit the other files ({error}); "
                "export the model again"
            ) from None
        captioner.confidence = read_confidence(folder)
        captioner.consensus = read_consensus(folder, config.made_from)
        return captioner

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a photo before the CNN sees it."""
        return self.config.preprocessing

    def make_look(self, photos: int) -> Look:
        """Photos (N, 3, S, S) -> what encoder.onnx gives of each, in one row (N, X)."""

        def look(encoder: Any, images: np.ndarray) -> np.ndarray:
            parts = encoder.run(self._seen, {"images": images})
            return np.concatenate([part.reshape(len(images), -1) for part in parts], axis=1)

        return side_by_side(self._encoder, look)

    def features(self, maps: Float[np.ndarray, "N X"]) -> list[np.ndarray]:
        """State, memory and pooled features of N photos, from such rows."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        parts = np.split(maps, ends, axis=1)
        return [
            part.reshape(len(maps), *shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def begin(self, features: list[np.ndarray]) -> Member:
        """What a search takes: the decoder's step, its first state and its memory."""
        states, parts = len(self.config.states), len(self._begun)
        return self.step, tuple(features[:states]), tuple(features[states:parts])

    def pooled(self, features: list[np.ndarray]) -> Float[np.ndarray, "N D"]:
        """Mean and standard deviation over all places; of a single vector, itself."""
        return features[-1]

    def watch(self, features: list[np.ndarray]) -> Watched:
        """As `begin`, with a step that also tells where the decoder looked."""
        if not self._attends:
            return super().watch(features)
        _, state, memory = self.begin(features)
        return self.look, state, memory

    def step(
        self, words: Int[np.ndarray, " R"], state: State, memory: State
    ) -> tuple[Float[np.ndarray, "R V"], State]:
        """Log-probability of each next word, after one word more."""
        log_probs, *after = self._run(self._given, words, state, memory)
        return log_probs, tuple(after)

    def look(
        self, words: Int[np.ndarray, " R"], state: State, memory: State
    ) -> tuple[Float[np.ndarray, "R V"], State, Float[np.ndarray, "R L"]]:
        """As `step`, with the attention that each caption paid to each place."""
        log_probs, *after, alpha = self._run([*self._given, ATTENTION], words, state, memory)
        return log_probs, tuple(after), alpha

    def _run(self, wanted: list[str], words: np.ndarray, state: State, memory: State) -> Any:
        given = dict(zip(self._begun, (*state, *memory), strict=True))
        return self._step.run(wanted, {"words": words, **given})


def read_export(folder: Path, about: dict[str, Any]) -> ExportConfig:
    """What an export is, as its config.json says.

    Raises:
        InputError: if it is another kind of model, or damaged.
    """
    kind = about.get("kind", "captioner")
    if kind != KIND:
        raise InputError(f"{folder}: this is a {kind}; what is wanted here is a {KIND}")
    settings = {name: part for name, part in about.items() if name not in ABOUT}
    config: ExportConfig = parse(ExportConfig, settings, folder / "config.json")
    return config


def is_export(name: str | Path) -> bool:
    """Whether a model is an export itself, and not what one was made from.

    Raises:
        InputError: if there is no such model.
    """
    return read_about(find_model(name)).get("kind") == KIND


def find_export(name: str | Path) -> Path | None:
    """The export of a model: its own folder, or `onnx` in the folder of the model or of its run.

    Args:
        name: Of the model, as for `find_model`.

    Returns:
        None where there is none, or only one that was made from other weights.

    Raises:
        InputError: if there is no such model.
    """
    model = find_model(name)
    about = read_about(model)
    if about.get("kind") == KIND:
        return model
    weights = checksums(about).get("model.safetensors")
    for folder in dict.fromkeys((model / "onnx", Path(name) / "onnx")):
        if (folder / "config.json").is_file():
            found = read_about(folder)
            if found.get("kind") == KIND and found.get("made_from") == weights:
                return folder
    return None
