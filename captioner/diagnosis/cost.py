"""What training will take: time for the CNN, time for an epoch, disk and memory."""

import os
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from captioner.config import TrainConfig
from captioner.data import CaptionData
from captioner.diagnosis.finding import Finding
from captioner.model import Captioner
from captioner.training import make_optimiser, train_step

TRIES = 3
"""Steps of training that are timed, after one that is not."""
FULL = 0.8
"""Share of the memory from which on it is not enough."""
GIB = 2**30


def check_cost(
    captioner: Captioner,
    maps: np.ndarray,
    captions: Sequence[Sequence[str]],
    config: TrainConfig,
    photos: int,
    num_captions: int,
    look_seconds: float,
    waiting: int,
) -> list[Finding]:
    """Time and memory of a training with these settings, from a few of its steps.

    Args:
        captioner: As it is at the beginning of training; its decoder takes some steps and is to be
            thrown away.
        maps: Of a few photos (P, C) or (P, L, C), that stand for all.
        captions: Of these.
        config: Of the training.
        photos: To learn from, in all.
        num_captions: To learn from, in all.
        look_seconds: Time of a photo in the CNN.
        waiting: Photos of which features are not kept yet, those of val included.
    """
    features = captioner.features(maps).cpu().numpy()
    data = CaptionData(captions, features, captioner.vocabulary, captioner.places)
    seconds = _step_seconds(captioner, data, config)
    batches = -(-num_captions // config.batch_size)
    epoch = seconds * batches
    row = maps[0].size * 2
    kept = row * photos
    # Maps as they are read, features of each view beside them, weights with gradient and Adam's
    # two moments.
    weights = sum(weight.numel() for weight in captioner.decoder.parameters())
    width = 2 if captioner.places else 4
    held = features[0].size * width * photos * config.views
    needed = kept + held + 16 * weights
    have = total_memory()
    looking = look_seconds * waiting * max(1, config.views)
    findings = [
        Finding(
            "time", "well",
            f"about {_told(looking)} for the CNN, once for all trainings, and {_told(epoch)} "
            f"for each of at most {config.epochs} epochs ({batches:,} batches of "
            f"{config.batch_size})",
        )
    ]  # fmt: skip
    told = (
        f"about {_size(needed)} beside Python and torch, of {_size(have)}; "
        f"{_size(kept * config.views)} of features on disk"
    )
    if needed > FULL * have:
        remedy = "fewer --views or --train-photos, or --decoder pooled, which keeps no places"
        findings.append(Finding("memory", "bad", told, remedy))
    else:
        findings.append(Finding("memory", "well", told))
    return findings


def time_of(look: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    """Seconds that a photo takes in a CNN, once that has warmed up.

    Args:
        look: The CNN.
        images: Photos (P, 3, S, S).
    """
    look(images[:1])
    began = time.perf_counter()
    look(images)
    return (time.perf_counter() - began) / len(images)


def total_memory() -> int:
    """Bytes of memory of this machine; a guess of 8 GiB where it does not tell."""
    if sys.platform == "win32":
        return 8 * GIB
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 8 * GIB


def _step_seconds(captioner: Captioner, data: CaptionData, config: TrainConfig) -> float:
    """Of a step with as many captions as a batch has, the fastest of some tries."""
    rows = torch.arange(config.batch_size) % len(data)
    batch = data.batch(rows)
    optimiser = make_optimiser(config, captioner.trained)
    captioner.train()
    times = []
    for _ in range(TRIES + 1):
        began = time.perf_counter()
        train_step(captioner, batch, (), optimiser, config)
        times.append(time.perf_counter() - began)
    captioner.eval()
    return min(times[1:])


def _told(seconds: float) -> str:
    """A time as people say it.

    >>> _told(3), _told(250), _told(9000)
    ('3 s', '4 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(number: float) -> str:
    """Bytes, as people say them.

    >>> _size(3.2 * GIB), _size(GIB / 100)
    ('3.2 GiB', '10 MiB')
    """
    return f"{number / GIB:.1f} GiB" if number >= GIB / 10 else f"{1024 * number / GIB:.0f} MiB"
