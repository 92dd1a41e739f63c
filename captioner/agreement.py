"""How well an exported captioner agrees with the model that it was made from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from captioner.model import Captioner
from captioner.runtime import OnnxCaptioner
from captioner.search import Member
from captioner.streaming import Caption
from captioner.vocabulary import START

TIE = 1e-4
"""Nats per word by which two captions are equally good."""
STEPS = 3
"""Words of a caption whose log-probabilities are compared."""


@dataclass(frozen=True)
class Agreement:
    """How an export compares with the model that it was made from."""

    photos: int
    """On so many."""
    difference: float
    """The largest of a number that the networks give, in parts of that number (of 1 at least)."""
    same_captions: int
    """Photos with the same caption, or with another that is as likely."""


def compare(
    captioner: Captioner, exported: OnnxCaptioner, batches: Iterable[np.ndarray]
) -> Agreement:
    """Hold an export against its model.

    Args:
        captioner: The model.
        exported: What was made from it.
        batches: Photos (N, 3, S, S).
    """
    photos = same = 0
    difference = 0.0
    for images in batches:
        ours = captioner.features(captioner.make_look(1)(images))
        theirs = exported.features(exported.make_look(1)(images))
        apart = _difference(captioner.begin(ours), exported.begin(theirs))
        difference = max(difference, apart)
        captions = zip(captioner.search(ours), exported.search(theirs), strict=True)
        same += sum(_alike(first[0], second[0]) for first, second in captions)
        photos += len(images)
    return Agreement(photos, difference, same)


def _difference(of_torch: Member, of_onnx: Member) -> float:
    """The largest of an output: state and memory, then the first words' log-probabilities."""
    (step, state, memory), (other_step, other_state, other_memory) = of_torch, of_onnx
    pairs = [*zip(state, other_state, strict=True), *zip(memory, other_memory, strict=True)]
    words = torch.full((len(state[0]),), START)
    with torch.inference_mode():
        for _ in range(STEPS):
            log_probs, state = step(words, state, memory)
            other, other_state = other_step(words.numpy(), other_state, other_memory)
            pairs += [(log_probs, other), *zip(state, other_state, strict=True)]
            words = log_probs.argmax(dim=1)
    return max(_apart(a.numpy(), b) for a, b in pairs)


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max())


def _alike(first: Caption, second: Caption) -> bool:
    """The same caption, or two between which the last digit of a sum decides."""
    per_word = [c.log_prob / (len(c.caption.split()) + 1) for c in (first, second)]
    return first.caption == second.caption or abs(per_word[0] - per_word[1]) < TIE
