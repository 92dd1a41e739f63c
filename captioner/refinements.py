"""What training may do besides, so that a captioner learns less by heart; off by default.

The docstring under a field is its help on the command line.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SelfCriticalSettings:
    """How a captioner learns from the scores of captions that it draws itself.

    Raises:
        ValueError: if there are too few captions to compare.
    """

    self_critical: bool = False
    """Learn from the scores (CIDEr-D) of captions that the captioner draws itself, once it has
    learned from human ones (see --begin-with); a batch is then one of photos (Rennie et al. 2017).
    """
    samples: int = 5
    """Captions drawn of each photo for that."""
    baseline: Literal["mean", "greedy"] = "mean"
    """What each is compared to: the mean of the photo's others, or the caption of greedy search."""
    bleu_reward: float = 0.0
    """Weight of BLEU-4 beside CIDEr-D in the score."""
    repetition_penalty: float = 0.0
    """What a caption loses that says something twice; CIDEr-D is 10 at most."""

    def __post_init__(self) -> None:
        if self.samples < 1 + (self.baseline == "mean"):
            raise ValueError(f"samples {self.samples} are too few for the {self.baseline} baseline")
        for name in ("bleu_reward", "repetition_penalty"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} {getattr(self, name)} must not be below 0")


@dataclass(frozen=True)
class FineTuningSettings:
    """How the CNN learns, if it does.

    Raises:
        ValueError: if a setting makes no sense.
    """

    cnn_learning_rate: float = 0.0
    """Train the end of the CNN, too, at this rate, with another view of the photos in each epoch;
    for a captioner that has settled (see --begin-with)."""
    cnn_stages: int = 2
    """Stages at the end of the CNN that are then trained; BatchNorm stays as it is."""

    def __post_init__(self) -> None:
        if self.cnn_stages < 1:
            raise ValueError(f"cnn_stages {self.cnn_stages} must be at least 1")
        if not 0 <= self.cnn_learning_rate < 1:
            raise ValueError(f"cnn_learning_rate {self.cnn_learning_rate} must be from 0 to 1")


@dataclass(frozen=True)
class Refinements(SelfCriticalSettings, FineTuningSettings):
    """What may be added to the training of a captioner; 0 leaves a thing out.

    Raises:
        ValueError: if a share is none.
    """

    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all words (Szegedy et al. 2016)."""
    tie_weights: bool = False
    """Score words by the vectors with which they are read (Press & Wolf 2017)."""
    word_dropout: float = 0.0
    """Share of the words read in training that become UNK (Bowman et al. 2016)."""
    feature_dropout: float = 0.0
    """Share of a photo's features silenced in training, the same ones at all places and words."""
    scheduled_sampling: float = 0.0
    """Chance, at the most, that a word read in training is one that the decoder drew itself (Bengio
    et al. 2015)."""
    scheduled_sampling_rise: float = 1.0
    """Share of the epochs over which that chance rises from nought; 0: whole from the start."""
    average: float = 0.0
    """Validate and keep a running mean of the weights, of which each step keeps this share, such as
    0.999 (Polyak & Juditsky 1992)."""

    views: int = 1
    """Views of each training photo that are put through the CNN and kept; each epoch learns from
    one, by lot. 1: the whole photo. 2: it mirrored as well, unless captions tell left from right.
    More: also parts of it."""

    def __post_init__(self) -> None:
        SelfCriticalSettings.__post_init__(self)
        FineTuningSettings.__post_init__(self)
        if self.views < 1:
            raise ValueError(f"views {self.views} must be at least 1")
        for name in ("label_smoothing", "word_dropout", "feature_dropout", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 0 and below 1")
        for name in ("scheduled_sampling", "scheduled_sampling_rise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} must be from 0 to 1")
