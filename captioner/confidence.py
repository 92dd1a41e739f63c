"""How likely a caption is to be good, learned from captions that were scored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.files import read_json
from captioner.folders import checksums, parse, read_about

FILE = "confidence.json"
"""In the folder of a model that has one."""
BAR = 0.4
"""CIDEr-D, from 0 to 10, of a good caption: what two in three people's captions reach, held against
the four others of the photo (Flickr8k, validation), and half of the models' do, whose mean is 0.5
to 0.6."""
SIGNALS = ("log_prob_per_word", "words", "margin", "agreement")
"""What a caption is judged by; see `signals_of`."""


@runtime_checkable
class Said(Protocol):
    """A caption and what is known of it; see `captioner.streaming.Caption`."""

    @property
    def caption(self) -> str: ...
    @property
    def log_prob(self) -> float: ...
    @property
    def agreement(self) -> float: ...


@dataclass(frozen=True)
class Chance:
    """The chance that a caption is good: P(good) = sigmoid(bias + sum_i weights_i signal_i)."""

    bias: float
    weights: tuple[float, ...]
    """Of the signals, in the order of `SIGNALS`."""
    captions: int
    """Fitted on so many."""
    good: float
    """The share of these that is good."""
    calibration_error: float
    """Expected error of this chance on photos that it was not fitted on (`calibration_error`)."""

    def __call__(self, signals: Float[np.ndarray, "M S"]) -> Float[np.ndarray, " M"]:
        """The chance of each of M captions."""
        return sigmoid(self.bias + signals @ np.array(self.weights))


@dataclass(frozen=True)
class Confidence:
    """The chance that a caption of a beam is good: that its CIDEr-D is `bar` or more.

    It holds for captions of the search that it was fitted on: another number of beams, or a rule
    about what may be said, gives other captions, of whose signals nothing is known.
    """

    beam_size: int
    """Beams of that search."""
    bar: float
    """CIDEr-D, from 0 to 10, from which on a caption is good."""
    best: Chance
    """Of the best caption of a beam."""
    others: Chance
    """Of the captions after the best; with one beam there are none, and it is that of the best."""
    fitted_on: str
    """Split, data set and number of photos."""
    made_from: str
    """SHA-256 of the weights (model.safetensors) of the captioner that it belongs to."""
    consensus: bool = False
    """Whether what people would say had a say in what was best."""
    views: int = 1
    """Views of each photo in that search."""

    def fits(self, search: SearchConfig, longest: int, consensus: bool = False) -> bool:
        """Whether captions that are looked for in this way get a confidence.

        Args:
            search: The settings, with a number of beams.
            longest: Words that the model says in a caption at most.
            consensus: Whether what people would say chooses.
        """
        usual = SearchConfig()
        free = {"beam_size", "num_captions", "max_words", "seed", "consensus", "views"}
        wanted, given = asdict(usual), asdict(search)
        return (
            max(search.beam_size, search.num_captions) == self.beam_size
            and consensus == self.consensus
            and search.views == self.views
            and min(search.max_words, longest) == min(usual.max_words, longest)
            and all(given[name] == wanted[name] for name in wanted.keys() - free)
        )

    def __call__(self, signals: Float[np.ndarray, "K S"]) -> Float[np.ndarray, " K"]:
        """The confidence of the K captions of one photo, the best first."""
        return np.concatenate([self.best(signals[:1]), self.others(signals[1:])])


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    return np.exp(-np.logaddexp(0, -z))


def signals_of(captions: Sequence[Said]) -> Float[np.ndarray, "K S"]:
    """What is known of the captions of one photo without knowing what people say of it.

        log_prob_per_word   END counted as a word
        words               how many, END counted
        margin              log_prob_per_word, less that of the likeliest other caption; alone: 0
        agreement           with the captions of similar photos, where these are asked

    Example:

        >>> from captioner.streaming import Caption
        >>> car = Caption("a red car", -2.0, agreement=0.7)
        >>> signals_of([car, Caption("a red", -3.0)]).tolist()
        [[-0.5, 4.0, 0.5, 0.7], [-1.0, 3.0, -0.5, 0.0]]
    """
    lengths = np.array([len(caption.caption.split()) + 1 for caption in captions], dtype=float)
    per_word = np.array([caption.log_prob for caption in captions], dtype=float) / lengths
    others = [np.delete(per_word, k).max(initial=-np.inf) for k in range(len(per_word))]
    margins = per_word - np.where(np.isfinite(others), others, per_word)
    agreements = np.array([caption.agreement for caption in captions], dtype=float)
    return np.stack([per_word, lengths, margins, agreements], axis=1)


def read_confidence(folder: Path) -> Confidence | None:
    """The confidence of the model in a folder, or of its export; None where it has none.

    Raises:
        InputError: if it is damaged, or another model's.
    """
    file = folder / FILE
    if not file.exists():
        return None
    again = "delete it and run captioner calibrate again"
    value = read_json(file, "the confidence of a model")
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name != "made_by"}
    found: Confidence = parse(Confidence, value, file)
    for chance in (found.best, found.others):
        numbers = (chance.bias, *chance.weights)
        if len(chance.weights) != len(SIGNALS) or not np.isfinite(numbers).all():
            raise InputError(f"{file}: its weights cannot be used; {again}")
    if found.made_from != weights_of(folder):
        raise InputError(f"{file}: belongs to another model; {again}")
    return found


def weights_of(folder: Path) -> str:
    """The SHA-256 of the weights of the model in a folder, or of the one that it was exported from.

    Raises:
        InputError: if there is no model.
    """
    about = read_about(folder)
    return str(about.get("made_from") or checksums(about).get("model.safetensors", ""))
