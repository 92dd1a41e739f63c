"""What can be set: typed, frozen, documented where declared, saved with the run.

The docstring under a field is its help on the command line; defaults are the `lstm` preset's.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from captioner.refinements import Refinements

Cell = Literal["rnn", "gru", "lstm"]
Kind = Literal["pooled", "attention", "adaptive", "att2in", "updown", "aoa"]
Maps = Literal["last", "early+last", "middle+last"]

SIZES = (32, 2048)
"""Least and greatest side in pixels of a CNN's square: one place of most, and what memory holds."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a photo before the CNN sees it. Belongs to the model, saved beside it."""

    size: int = 260
    """Side of the square in pixels."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Mean that is subtracted from each channel (of 0 to 1)."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Standard deviation that each channel is divided by."""
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    """How a photo is brought to its new size."""
    fit: Literal["squeeze", "crop"] = "squeeze"
    """squeeze: the whole photo, its aspect ratio given up. crop: the middle square."""


@dataclass(frozen=True)
class EncoderConfig:
    """The CNN that looks at the photo."""

    backbone: str = "tf_efficientnet_lite2"
    """Any network of timm by its name. tf_efficientnet_lite0, 1 and 2 need no download."""
    weights: Literal["package", "hub", "file", "model"] = "package"
    """Where its weights come from; set by the program. model: saved in the model's own folder."""
    weights_sha256: str = ""
    """Fingerprint of the weights; set by the program."""
    tuned: bool = False
    """Whether training has changed some of them; set by the program."""
    maps: Maps = "last"
    """last: what the CNN's last map tells of a place. early+last: also the colours and textures
    that two of its first maps find there, which the last one has mostly forgotten. middle+last:
    also what the map before its last downsampling finds there, in finer detail."""
    last_channels: int = 1280
    """Width of the CNN's last map; set by the program."""
    channels: int = 1280
    """Channels of a place in all (C); set by the program."""
    features: int = 512
    """Size of the features of a place (D); wider networks are brought to it by a PCA."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    """What is done to a photo first."""


@dataclass(frozen=True)
class DecoderConfig:
    """The recurrent network that writes the caption."""

    cell: Cell = "lstm"
    """Recurrent cell."""
    layers: int = 1
    """Cells on top of each other."""
    embedding: int = 256
    """Size of a word vector (E)."""
    hidden: int = 512
    """Size of the hidden state (H)."""
    dropout: float = 0.5
    """Share of units silenced in training: on word vectors, between layers and before the scores,
    never along time."""
    features: int = 512
    """Size of the photo's features (D)."""
    kind: Kind = "pooled"
    """pooled: sees the photo once. The others look at its places anew at every word. attention: by
    its state. adaptive: it may look away. att2in: what it sees sways no gate. updown: by a cell of
    its own. aoa: attention on attention, with heads."""
    attention: int = 512
    """Size of a key (A), where the decoder attends to places."""
    attention_penalty: float = 1.0
    """Weight of the wish that every place be looked at alike over a caption."""
    tie_weights: bool = False
    """Whether words are scored by the vectors with which they are read."""


@dataclass(frozen=True)
class ModelConfig:
    """What the network is. Saved beside the weights."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)


@dataclass(frozen=True)
class LanguageConfig:
    """What a language model is: a decoder without a photo. Saved beside the weights."""

    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    running: bool = False
    """Whether each line goes on where the last one ended, as in a book; captions stand alone."""


BEAMS, CHOICE, MAX_VIEWS = 3, 20, 10
"""Beams of a search that says nothing of them, usually and where what people would say chooses; and
views of a photo at most."""


@dataclass(frozen=True)
class SearchConfig:
    """How a caption is looked for, and what it must be like.

    Raises:
        ValueError: if settings make no sense, alone or together.
    """

    beam_size: int = 0
    """Beams of the search; 1 is greedy. 0: 3, or 20 where what people would say chooses
    among them (`consensus`). With `must`, so many for each set of its words."""
    num_captions: int = 1
    """Captions per photo; a search for more than it has beams has as many beams as captions."""
    max_words: int = 20
    """A caption ends after so many words at the latest."""
    min_words: int = 1
    """It has so many words at least."""
    length_penalty: float = 1.0
    """Captions are compared by log-probability / words ** this: 0 favours short ones, 1 is the mean
    of their words."""
    no_repeat: int = 0
    """No so many words in a row are said twice; 0 lets them be."""
    must: tuple[str, ...] = ()
    """Words that the caption must have, four at most."""
    must_not: tuple[str, ...] = ()
    """Words that it must not have."""
    groups: int = 1
    """Groups of beams that keep apart from one another, so that several captions differ more."""
    diversity: float = 0.5
    """How much it counts against a word that another group says at the same place, in nats."""
    sample: bool = False
    """Draw each word by lot, in place of beams."""
    temperature: float = 1.0
    """Of sampling: below 1 the likely words become likelier; 0 always takes the likeliest."""
    top_k: int = 0
    """Of sampling: only among so many likeliest words; 0 for all."""
    top_p: float = 1.0
    """Of sampling: only among the fewest likeliest words with this share of the chance."""
    seed: int = 0
    """Of what is drawn by lot: same seed, same captions."""
    views: int = 1
    """Views of each photo that captions are made from together, ten at most: the whole, its mirror
    image, and parts of it. Better captions, for so many times the work."""
    consensus: bool = True
    """Let what people would say choose among the captions of the beams, where the model has learned
    it (by `captioner consensus`)."""

    def __post_init__(self) -> None:
        for name in ("num_captions", "max_words", "min_words", "groups", "views"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        for name in ("beam_size", "no_repeat", "diversity", "temperature", "top_k"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} {getattr(self, name)} must not be below 0")
        both = sorted({*self.must} & {*self.must_not})
        lot = (self.temperature, self.top_k, self.top_p) != (1.0, 0, 1.0)
        wrong = {
            "top_p must be above 0 and at most 1": not 0 < self.top_p <= 1,
            "seed must be from 0 to 2**64 - 1": not 0 <= self.seed < 2**64,
            "length_penalty must be a number": not abs(self.length_penalty) < float("inf"),
            "min_words must not be above max_words": self.min_words > self.max_words,
            f"must and must_not both have {', '.join(both)}": both,
            "groups must divide beam_size": self.beam_size % self.groups,
            f"there are {MAX_VIEWS} views of a photo at most": self.views > MAX_VIEWS,
            "groups do not go together with must": self.groups > 1 and self.must,
            "groups do not go together with sample": self.groups > 1 and self.sample,
            "must does not go together with sample": self.must and self.sample,
            "temperature, top_k and top_p are for sample": lot and not self.sample,
        }
        for message, found in wrong.items():
            if found:
                raise ValueError(message)

    def settled(self, beams: int = BEAMS) -> "SearchConfig":
        """The same with so many beams where it says none; with groups or `must` a few will do.

        >>> SearchConfig().settled(20).beam_size, SearchConfig(groups=2).settled(20).beam_size
        (20, 4)
        """
        if self.groups > 1 or self.must:
            beams = -(-BEAMS // self.groups) * self.groups
        return replace(self, beam_size=self.beam_size or beams)


@dataclass(frozen=True)
class Recipe:
    """What a decoder is and how it is trained, with a photo or without."""

    cell: Cell = "lstm"
    """Recurrent cell of the decoder."""
    layers: int = 1
    """Recurrent layers on top of each other."""
    embedding: int = 256
    """Size of a word vector (E)."""
    hidden: int = 512
    """Size of the hidden state (H)."""
    dropout: float = 0.5
    """Share of units silenced in training, never along time."""
    min_count: int = 5
    """Words that the training texts say less often become UNK."""
    optimiser: Literal["adamw", "adam", "rmsprop", "adagrad", "sgd"] = "adamw"
    """Rule by which the weights are changed."""
    learning_rate: float = 1e-3
    """Size of the first steps."""
    weight_decay: float = 1e-4
    """How strongly weights are pulled to zero."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls from its first value to nought over all epochs."""
    warmup: int = 100
    """Steps over which the learning rate rises from nought to its first value."""
    batch_size: int = 64
    """Captions in a batch (N)."""
    epochs: int = 8
    """Times that every caption is seen, at most."""
    patience: int = 3
    """Stop after so many epochs in which the validation score did not get better."""
    clip_norm: float = 5.0
    """The gradient is scaled down to this norm where it is longer."""
    checkpoint_minutes: float = 2.0
    """A checkpoint to resume from is written at least this often."""


@dataclass(frozen=True)
class TrainConfig(Refinements, Recipe):
    """How a captioner is trained.

    Raises:
        ValueError: if settings make no sense.
    """

    decoder: Kind = "pooled"
    """pooled: sees the photo once. The others look at its places anew at every word. attention: by
    its state. adaptive: it may look away. att2in: what it sees sways no gate. updown: by a cell of
    its own. aoa: attention on attention, with heads."""
    attention: int = 512
    """Size of a key (A), where the decoder attends to places."""
    attention_penalty: float = 1.0
    """Weight of the wish that every place be looked at alike over a caption."""
    backbone: str = "tf_efficientnet_lite2"
    """CNN, by its name in timm. tf_efficientnet_lite0, 1 and 2 need no download."""
    maps: Maps = "last"
    """What is taken of the CNN: its last map; with early+last colours and textures of early ones as
    well, with middle+last the finer detail of the one before its last downsampling."""
    fit: Literal["squeeze", "crop"] = "squeeze"
    """squeeze: the CNN sees the whole photo, pressed into a square. crop: its middle square."""
    size: int = 0
    """Side in pixels of the square that the CNN sees; 0: as it was trained."""
    max_words: int = 16
    """Captions are cut after so many words."""
    train_photos: int = 0
    """Learn from so many training photos only, drawn by --split-seed, those of a smaller number
    among those of a greater one; 0: all."""
    val_photos: int = 1000
    """Photos captioned after each epoch to measure CIDEr-D, at most."""
    val_beam_size: int = 1
    """Beams for that; 1 is greedy search."""

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest, largest = SIZES
        if self.size and not smallest <= self.size <= largest:
            raise ValueError(f"size {self.size} must be from {smallest} to {largest} pixels, or 0")
        if self.train_photos < 0:
            raise ValueError(f"train_photos {self.train_photos} must not be below 0")


@dataclass(frozen=True)
class LanguageTrainConfig(Recipe):
    """How a language model is trained."""

    unit: Literal["word", "char"] = "word"
    """What it reads and writes: words in lower case without punctuation, or single characters."""
    lines: Literal["auto", "apart", "running"] = "auto"
    """apart: each line of the text stands alone, as a caption does. running: each goes on where the
    last one ended. auto: apart for captions, running for any other text."""
    chunk: int = 64
    """Steps that gradients flow back through in running text; the state flows on for ever."""
    embedding: int = 128
    """Size of a word vector (E)."""
    hidden: int = 256
    """Size of the hidden state (H)."""
    dropout: float = 0.2
    """Share of units silenced in training, never along time."""
    min_count: int = 2
    """Words, or characters, that the text has less often become UNK."""
    learning_rate: float = 3e-3
    """Size of the first steps."""
    batch_size: int = 32
    """Lines in a batch, or places of the running text read side by side (N)."""
