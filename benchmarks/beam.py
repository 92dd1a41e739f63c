"""Captions of photos by beam search, from features that are known.

Usual: one photo at a time, a step of K rows in a Python loop, finished captions in Python lists.
Ours: `Captioner.search`, all photos together. The rules are the same, and so are the captions. The
pooled LSTM learned for seconds from made-up captions, so that it ends its own as a real one does.
"""

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.inputs import Setting, make_captions, make_features, make_vocabulary
from benchmarks.measuring import Pair
from benchmarks.plain.beam import beam_caption
from benchmarks.plain.pooled import PlainPooled
from benchmarks.training import RECIPE, make_captioner
from benchmarks.work import SIZES, Sizes, pooled_flops
from captioner.config import DecoderConfig, SearchConfig
from captioner.data import CaptionData
from captioner.model import Captioner
from captioner.training import make_optimiser, train_step
from captioner.vocabulary import END

TAUGHT = 200
"""Photos whose captions are learned."""
STEPS, BATCH, LEARNING_RATE = 40, 24, 6e-3
RELUCTANCE = 2.0
"""How much less END is scored than was learned: the mean log-probability likes short captions as
long as a network knows little; captions now end after about ten words."""
SAME = 0.99
"""Share of the captions that have to be the same: the last digit of a sum may decide the others."""


def beam(setting: Setting, beam_size: int = 3, sizes: Sizes = SIZES, steps: int = STEPS) -> Pair:
    """Captions, the usual way and ours."""
    vocabulary = make_vocabulary(sizes.words)
    photos = setting.size(quick=320, full=1000)
    captions, topic = make_captions(TAUGHT + photos, vocabulary, setting.seed)
    features = make_features(topic, sizes.features, setting.seed)
    config = DecoderConfig(
        cell="lstm", embedding=sizes.embedding, hidden=sizes.hidden, features=sizes.features
    )
    captioner = make_captioner(config, vocabulary, setting.seed)
    teach(captioner, CaptionData(captions[:TAUGHT], features[:TAUGHT], vocabulary), steps)
    plain = PlainPooled.like(captioner).eval()
    unseen = torch.from_numpy(features[TAUGHT:]).float()

    def usual(some: int = photos) -> list[str]:
        limit = vocabulary.max_words
        return [
            vocabulary.decode(beam_caption(plain, of_photo, beam_size, limit))
            for of_photo in unseen[:some]
        ]

    @torch.inference_mode()
    def ours() -> list[str]:
        return [
            found[0].caption
            for found in captioner.search(unseen, SearchConfig(beam_size=beam_size))
        ]

    found = ours()
    checked = setting.size(quick=min(photos, 30), full=photos)
    same = share_of_same(usual(checked), found[:checked])
    lengths = [len(vocabulary.split(caption)) + 1 for caption in found]
    return Pair(
        usual,
        ours,
        amount=photos,
        unit="captions",
        flops=pooled_flops(sizes, photos, beam_size * sum(lengths)),
        warm_up=ours,
        about={
            "beam_size": beam_size,
            "vocabulary": len(vocabulary),
            "words_per_caption": round(float(np.mean(lengths)), 2),
            "different_captions": len(set(found)),
            "same_captions": same,
        },
    )


def beam_of_five(setting: Setting) -> Pair:
    """The same with five beams."""
    return beam(setting, beam_size=5)


def teach(captioner: Captioner, data: CaptionData, steps: int) -> None:
    """Bring a decoder so far that it says captions of a natural length."""
    optimiser = make_optimiser(RECIPE, captioner.decoder)
    for group in optimiser.param_groups:
        group["lr"] = LEARNING_RATE
    captioner.train()
    epochs = -(-steps // data.num_batches(BATCH))
    batches = (batch for epoch in range(epochs) for batch in data.batches(BATCH, 0, epoch))
    for batch, _ in zip(batches, range(steps), strict=False):
        train_step(captioner, batch, (), optimiser, RECIPE)
    with torch.no_grad():
        captioner.decoder.score.bias[END] -= RELUCTANCE
    captioner.eval()


def share_of_same(usual: Sequence[str], ours: Sequence[str]) -> float:
    """How many captions are the same, as a share.

    Raises:
        AssertionError: if more differ than rounding explains.
    """
    same = sum(a == b for a, b in zip(usual, ours, strict=True)) / len(ours)
    if same < SAME:
        raise AssertionError(f"only {same:.1%} of the captions are the same both ways")
    return same
