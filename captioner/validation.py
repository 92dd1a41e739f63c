"""What a captioner, or a language model, is judged by while it is trained."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from captioner.cells import State
from captioner.config import SearchConfig
from captioner.data import CaptionData, RunningText
from captioner.language import LanguageModel
from captioner.losses import perplexity
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.vocabulary import tokenise

SAMPLES = 3
"""Captions, or texts, shown after each epoch."""


class Validation:
    """CIDEr-D of captions that are really decoded, never of teacher forcing.

    Args:
        features: Of the photos (P, D) or (P, L, D).
        captions: Their human captions; the words of these are counted once.
        names: Of the photos, for the samples.
        beam_size: Beams of the search.
    """

    measure = "val_cider_d"
    higher_is_better = True

    def __init__(
        self,
        features: np.ndarray,
        captions: Sequence[tuple[str, ...]],
        names: Sequence[str],
        beam_size: int,
    ) -> None:
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
        scores = self.scorer.score([" ".join(tokenise(caption)) for caption in captions])
        samples = zip(self.names[:SAMPLES], captions[:SAMPLES], strict=True)
        return (
            {self.measure: float(scores.mean()), "val_different": len(set(captions))},
            [f"{name}: {caption}" for name, caption in samples],
        )


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
