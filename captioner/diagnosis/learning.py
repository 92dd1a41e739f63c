"""Can it learn at all, and does it look at the photo? Four captions by heart tell in seconds."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from captioner.config import DecoderConfig, ModelConfig, SearchConfig
from captioner.data import CaptionData
from captioner.diagnosis.finding import Finding
from captioner.encoder import Encoder
from captioner.model import Captioner
from captioner.vocabulary import PAD, Vocabulary

NUM = 4
"""Captions that are learned by heart."""
STEPS = 300
"""Steps of training after which that must be done."""
SIZE = {"embedding": 64, "hidden": 128, "attention": 64, "dropout": 0.0}
"""Of a decoder that is to learn four captions."""
SURELY = 3.0
"""Standard errors by which a difference counts as one."""
SAME = 0.05
"""Share of different captions below which a captioner says the same of every photo."""


def check_by_heart(
    encoder: Encoder, maps: np.ndarray, captions: Sequence[str], decoder: DecoderConfig, seed: int
) -> list[Finding]:
    """Let a small decoder of this kind learn a caption of each of some photos by heart.

    What cannot learn four captions word for word, from photo to caption, has a fault somewhere
    between the photo and the loss. With the photos exchanged it must say each one's own caption.

    Args:
        encoder: With its PCA fitted.
        maps: Of the photos (P, C), or of their places (P, L, C).
        captions: A different one of each.
        decoder: Its kind and cell are tried.
        seed: Of the weights.
    """
    vocabulary = Vocabulary.of(captions, min_count=1, max_words=30)
    torch.manual_seed(seed)
    config = replace(decoder, features=encoder.config.features, **SIZE)  # type: ignore[arg-type]
    captioner = Captioner(ModelConfig(encoder.config, config), vocabulary)
    captioner.encoder.load_state_dict(encoder.state_dict(), strict=False)
    features = captioner.features(maps)
    data = CaptionData([(c,) for c in captions], features.numpy(), vocabulary, captioner.places)
    optimiser = torch.optim.Adam(captioner.decoder.parameters(), lr=1e-2)
    began = time.perf_counter()
    wanted = [vocabulary.decode(vocabulary.encode(caption)) for caption in captions]
    said: list[str] = []
    step, loss = 0, float("inf")
    while said != wanted and step < STEPS:
        captioner.train()
        for _ in range(10):
            value, _ = captioner.loss(data.batch(torch.arange(len(captions))))
            optimiser.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(captioner.decoder.parameters(), 5.0)
            optimiser.step()
            step, loss = step + 1, value.item()
        said = _say(captioner.eval(), features)
    seconds = time.perf_counter() - began
    known = sum(one == other for one, other in zip(said, wanted, strict=True))
    told = f"{known} of {len(captions)} captions after {step} steps, {seconds:.1f} s"
    if known < len(captions):
        remedy = (
            "look whether these photos differ and their captions belong to them; else something is "
            f"wrong between photo and loss (loss {loss:.2f} nats): please report it"
        )
        return [Finding("by heart", "bad", told, remedy)]
    moved = _say(captioner, features.roll(1, dims=0))
    follow = moved == wanted[-1:] + wanted[:-1]
    findings = [Finding("by heart", "well", told)]
    if follow:
        findings.append(Finding("sees the photo", "well", "photos exchanged, captions follow them"))
    else:
        remedy = "the photos may be the same to the CNN; look at them, or try another --backbone"
        told = "photos exchanged, captions do not follow them"
        findings.append(Finding("sees the photo", "bad", told, remedy))
    return findings


def check_looks(
    captioner: Captioner, maps: np.ndarray, captions: Sequence[Sequence[str]], seed: int
) -> list[Finding]:
    """Whether human captions are likelier to a captioner beside their own photo than another's.

    A captioner that is no better with the right photo has learned a language, and no photos.

    Args:
        captioner: Trained.
        maps: Of photos that it did not learn from (P, C) or (P, L, C); 2 at least.
        captions: Of each.
        seed: Exchanges the photos.
    """
    features = captioner.features(maps)
    order = torch.randperm(len(maps), generator=torch.Generator().manual_seed(seed))
    other = torch.empty_like(order)
    other[order] = order.roll(1)  # each one gets another's
    nats = [_nats(captioner, part, captions) for part in (features, features[other])]
    gain = nats[1] - nats[0]
    error = gain.std().item() / len(gain) ** 0.5
    told = (
        f"a human caption takes {nats[0].mean().item():.1f} nats with its photo, "
        f"{gain.mean().item():.2f} ± {error:.2f} more with another's"
    )
    findings = []
    if gain.mean() > SURELY * error:
        findings.append(Finding("looks at the photo", "well", told))
    else:
        findings.append(
            Finding(
                "looks at the photo", "bad", told,
                "it has learned a language and no photos: is this the preprocessing that it was "
                "trained with, and are captions and photos paired rightly?",
            )
        )  # fmt: skip
    said = _say(captioner, features)
    share = len(set(said)) / len(said)
    told = f"{len(set(said))} different captions of {len(said)} photos"
    if share > SAME:
        findings.append(Finding("different captions", "well", told))
    else:
        findings.append(
            Finding(
                "different captions", "bad", f"{told}, mostly {max(set(said), key=said.count)!r}",
                "train longer or on more photos; if it did better before, its photos now reach the "
                "CNN in another way than in training",
            )
        )  # fmt: skip
    return findings


@torch.inference_mode()
def _nats(
    captioner: Captioner, features: Float[Tensor, "P ..."], captions: Sequence[Sequence[str]]
) -> Float[Tensor, " P"]:
    """Of the first caption of each photo."""
    encoded = [torch.tensor(captioner.vocabulary.encode(of_photo[0])) for of_photo in captions]
    words = pad_sequence(encoded, batch_first=True, padding_value=PAD).to(features.device)
    scores = captioner.decoder(features, words[:, :-1])  # (P, T, V)
    nats = F.cross_entropy(scores.transpose(1, 2), words[:, 1:], ignore_index=PAD, reduction="none")
    return nats.sum(dim=1).cpu()


def _say(captioner: Captioner, features: Float[Tensor, "P ..."]) -> list[str]:
    limit = SearchConfig(beam_size=1, max_words=captioner.vocabulary.max_words, consensus=False)
    return [found[0].caption for found in captioner.search(features, limit)]
