"""What a captioner, or a language model, is judged by while it is trained."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from captioner.cells import State
from captioner.config import SearchConfig
from captioner.data import CaptionData, RunningText
from captioner.finetuning import FineTuned
from captioner.language import LanguageModel
from captioner.losses import perplexity
from captioner.metrics import CiderD
from captioner.metrics.health import health
from captioner.model import Captioner
from captioner.selfcritical import SelfCritical
from captioner.vocabulary import tokenise

SAMPLES = 3
"""Captions, or texts, shown after each epoch."""


class Validation:
    """CIDEr-D of captions that are really decoded, never of teacher forcing.

    It counts the vocabulary's own words: it only chooses among epochs. Records of evaluations are
    scored as the COCO scorer does (`captioner.scoring`).

    Args:
        features: Of the photos (P, D) or (P, L, D).
        captions: Their human captions; the words of these are counted once.
        names: Of the photos, for the samples.
        beam_size: Beams of the search.
        known: The `letters` of training captions, to see which ones are learned by heart.
    """

    measure = "val_cider_d"
    higher_is_better = True

    def __init__(
        self,
        features: np.ndarray,
        captions: Sequence[tuple[str, ...]],
        names: Sequence[str],
        beam_size: int,
        known: Collection[str] = (),
    ) -> None:
        self.known = known
        self.features = torch.from_numpy(features)
        self.scorer = CiderD([[" ".join(tokenise(c)) for c in photo] for photo in captions])
        self.names = names
        self.search = SearchConfig(beam_size=beam_size)

    @torch.inference_mode()
    def score(self, learner: Captioner) -> tuple[dict[str, Any], list[str]]:
        """CIDEr-D, the number of different captions, and some of them."""
        learner.eval()
        device = learner.decoder.embed.weight.device
        captions = [
            found[0].caption
            for features in self.features.split(500)
            for found in learner.search(features.to(device).float(), self.search)
        ]
        words = [" ".join(tokenise(caption)) for caption in captions]
        figures = {
            self.measure: float(self.scorer.score(words).mean()),
            "val_different": len(set(captions)),
        }
        state = health(words, self.known)._asdict()
        del state["different"]
        figures |= {f"val_{name}": round(value, 4) for name, value in state.items()}
        samples = zip(self.names[:SAMPLES], captions[:SAMPLES], strict=True)
        return figures, [f"{name}: {caption}" for name, caption in samples]


class Relooked:
    """Validation of fine-tuning, where the CNN sees the photos otherwise after each epoch.

    Args:
        validation: Of the captioner.
        files: Its photos.
    """

    measure = Validation.measure
    higher_is_better = True

    def __init__(self, validation: Validation, files: Sequence[Path]) -> None:
        self.validation, self.files = validation, files

    def score(self, learner: FineTuned) -> tuple[dict[str, Any], list[str]]:
        """As of `Validation`."""
        self.validation.features = learner.features(self.files).cpu()
        return self.validation.score(learner.captioner)


class Guarded:
    """Validation of self-critical training, which stops when captions go bad as scores rise.

    Args:
        validation: Of the captioner.
        learner: Tells the mean reward, and how many of the drawn captions ended by themselves.
    """

    measure = Validation.measure
    higher_is_better = True

    def __init__(self, validation: Validation, learner: SelfCritical) -> None:
        self.validation = validation
        self.before, _ = validation.score(learner.captioner)

    def score(self, learner: SelfCritical) -> tuple[dict[str, Any], list[str]]:
        """As of `Validation`, with `reward`, `finished`, and `stop` if something has gone bad."""
        figures, samples = self.validation.score(learner.captioner)
        figures |= learner.figures()
        stop = gone_bad(figures, self.before)
        return figures | ({"stop": stop} if stop else {}), samples


def gone_bad(figures: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Why training must not go on, or nothing.

    >>> good = {"val_different": 90, "val_words": 10.0, "val_dangling": 0.0, "val_stammering": 0.02}
    >>> gone_bad(good | {"finished": 0.99}, before=good)
    ''
    >>> gone_bad(good | {"finished": 0.99, "val_dangling": 0.1}, before=good)
    'too many captions break off'
    """
    signs = {
        "too many captions break off": figures["val_dangling"] > before["val_dangling"] + 0.05,
        "too many captions say something twice": figures["val_stammering"]
        > before["val_stammering"] + 0.05,
        "too few captions differ": figures["val_different"] < before["val_different"] / 3,
        "captions are of another length": abs(figures["val_words"] / before["val_words"] - 1) > 0.4,
        "too few captions come to an end": figures["finished"] < 0.5,
    }
    return "; ".join(sign for sign, found in signs.items() if found)


class Perplexity:
    """What a language model is judged by while it is trained.

    Args:
        examples: Lines or running text to foretell.
        batch_size: Rows at once.
        prompt: What the samples begin with.
    """

    measure = "val_perplexity"
    higher_is_better = False

    def __init__(
        self, examples: CaptionData | RunningText, batch_size: int, prompt: str = ""
    ) -> None:
        self.examples = examples
        self.batch_size = batch_size
        self.prompt = prompt

    @torch.inference_mode()
    def score(self, learner: LanguageModel) -> tuple[dict[str, float], list[str]]:
        """Perplexity per word, or per character, and three samples."""
        learner.eval()
        carried: State = ()
        nats, words = 0.0, 0
        for batch in self.examples.batches(self.batch_size, seed=0, epoch=0):
            loss, carried = learner.loss(batch.to(learner.device), carried)
            nats += loss.item() * len(batch)
            words += len(batch.targets.data)
        samples = learner.write(self.prompt, length=60, num=SAMPLES)
        return {self.measure: perplexity(nats, words)}, samples
