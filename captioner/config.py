"""What can be set: typed, frozen, documented where declared, saved with the run.

The docstring under a field is its help on the command line; defaults are the `lstm` preset's.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

Cell = Literal["rnn", "gru", "lstm"]


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
    maps: Literal["last", "early+last"] = "last"
    """last: what the CNN's last map tells of a place. early+last: also the colours and textures
    that two of its first maps find there, which the last one has mostly forgotten."""
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
class TrainConfig(Recipe):
    """How a captioner is trained."""

    backbone: str = "tf_efficientnet_lite2"
    """CNN, by its name in timm. tf_efficientnet_lite0, 1 and 2 need no download."""
    maps: Literal["last", "early+last"] = "last"
    """What is taken of the CNN: its last map, or colours and textures of early ones as well."""
    fit: Literal["squeeze", "crop"] = "squeeze"
    """squeeze: the CNN sees the whole photo, pressed into a square. crop: its middle square."""
    max_words: int = 16
    """Captions are cut after so many words."""
    val_photos: int = 1000
    """Photos captioned after each epoch to measure CIDEr-D, at most."""
    val_beam_size: int = 1
    """Beams for that; 1 is greedy search."""


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


PRESETS: dict[str, TrainConfig] = {}
"""Settings by name. Each comment states command, data, time on two cores, and CIDEr-D to expect."""

# python train.py lstm --data data/flickr8k: 8 epochs of 30,450 captions in 20 minutes on one of two
# cores (Xeon, 2.5 GHz); CIDEr-D 0.447 on the validation photos by greedy search, 0.483 with beam 3.
PRESETS["lstm"] = TrainConfig()

# python train.py gru --data data/flickr8k: likewise, 18 minutes, 0.456 and 0.483.
PRESETS["gru"] = replace(PRESETS["lstm"], cell="gru")

# python train.py rnn --data data/flickr8k: likewise, 10 minutes, 0.403 and 0.427.
PRESETS["rnn"] = replace(PRESETS["lstm"], cell="rnn", learning_rate=5e-4)

# python train.py: learns the drawn scenes in 3 minutes on two cores, besides two to draw them and
# to put them through the CNN; CIDEr-D 2.45 on the test pictures. Their colours are lost in the
# CNN's last map, so the early ones are taken too.
PRESETS["demo"] = TrainConfig(
    backbone="tf_efficientnet_lite0",
    maps="early+last",
    hidden=256,
    dropout=0.2,
    learning_rate=3e-3,
    batch_size=128,
    epochs=10,
)

# python train.py tiny: seconds, to try a data set or the program itself.
PRESETS["tiny"] = TrainConfig(
    embedding=32,
    hidden=64,
    dropout=0.0,
    min_count=1,
    learning_rate=5e-3,
    warmup=5,
    batch_size=16,
    epochs=4,
    backbone="tf_efficientnet_lite0",
)
