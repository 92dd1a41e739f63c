"""What the benchmarks of training share: steps on 16 photos with five captions each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.inputs import CAPTIONS, Setting
from benchmarks.measuring import Pair
from benchmarks.work import TRAINING, Sizes
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, TrainConfig
from captioner.data import CaptionData
from captioner.model import Captioner
from captioner.training import make_optimiser, train_step
from captioner.vocabulary import Vocabulary

PHOTOS = 16
RECIPE = TrainConfig(weight_decay=0.0)
"""Without decay both optimisers follow the same rule."""

PlainLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Features of some photos, which of them each caption is about, captions -> loss."""


def make_captioner(decoder: DecoderConfig, vocabulary: Vocabulary, seed: int) -> Captioner:
    """A captioner that has learned nothing, without a CNN."""
    torch.manual_seed(seed)
    width = decoder.features
    encoder = EncoderConfig(channels=width, last_channels=width, features=width)
    return Captioner(ModelConfig(encoder, decoder), vocabulary)


def make_noise(setting: Setting, *shape: int) -> np.ndarray:
    """Made-up features; their values do not change the time."""
    return np.random.default_rng(setting.seed).standard_normal(shape, dtype=np.float32)


def training_pair(
    captioner: Captioner,
    data: CaptionData,
    plain: nn.Module,
    plain_loss: PlainLoss,
    sizes: Sizes,
    flops: Callable[[Sizes, int, int], float],
) -> Pair:
    """Steps on all the captions, in batches: loss, gradients, clipping, the optimiser's change.

    Args:
        captioner: Ours; dropout and optimiser as in `captioner.training.fit`.
        data: What both learn from.
        plain: The same network with the same weights, written the usual way.
        plain_loss: Its loss.
        sizes: Of both networks, but for V, which is that of the vocabulary.
        flops: From sizes, photos and words to the operations of a forward pass.

    Raises:
        AssertionError: if the two losses differ.
    """
    batches = torch.arange(len(data)).split(PHOTOS * CAPTIONS)
    features = torch.from_numpy(data.features).float()
    adam = torch.optim.Adam(plain.parameters(), lr=RECIPE.learning_rate)
    optimiser = make_optimiser(RECIPE, captioner.decoder)

    def lessons() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for rows in batches:
            longest = int(data.length[rows].max()) + 1
            photos, photo = data.photo[rows].unique(return_inverse=True)
            yield features[photos], photo, data.words[rows, :longest]

    def usual() -> None:
        plain.train()
        for lesson in lessons():
            adam.zero_grad()
            loss = plain_loss(*lesson)
            loss.backward()
            nn.utils.clip_grad_norm_(plain.parameters(), RECIPE.clip_norm)
            adam.step()
            loss.item()

    def ours() -> None:
        captioner.train()
        for rows in batches:
            train_step(captioner, data.batch(rows), (), optimiser, RECIPE)

    check_losses(
        plain.eval(),
        captioner.eval(),
        lambda: plain_loss(*next(lessons())),
        lambda: captioner.loss(data.batch(batches[0]))[0],
    )
    words = int(data.length.sum())
    forward = flops(replace(sizes, words=len(captioner.vocabulary)), len(data.features), words)
    return Pair(
        usual,
        ours,
        amount=len(data),
        unit="captions",
        flops=TRAINING * forward,
        about={
            "steps": len(batches),
            "captions_per_step": PHOTOS * CAPTIONS,
            "words_per_caption": round(words / len(data), 2),
            "padding": round(padding(data, batches), 3),
            "vocabulary": len(captioner.vocabulary),
        },
    )


def check_losses(
    plain: nn.Module, captioner: nn.Module, usual: Callable[[], Tensor], ours: Callable[[], Tensor]
) -> None:
    """Refuse to compare networks that do not compute the same: loss and length of the gradient."""
    found = []
    for network, loss_of in ((plain, usual), (captioner, ours)):
        loss = loss_of()
        loss.backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        found.append(torch.stack([loss.detach(), nn.utils.get_total_norm(gradients)]))
        network.zero_grad()
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def padding(data: CaptionData, batches: Sequence[Tensor]) -> float:
    """Share of the places in padded batches that hold no word."""
    places = sum(len(rows) * int(data.length[rows].max()) for rows in batches)
    return 1 - int(data.length.sum()) / places
