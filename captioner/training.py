"""fit(): the whole training loop, in plain view."""

import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from captioner.config import TrainConfig
from captioner.data import CaptionData
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.resume import RunState, load_state, save_state
from captioner.vocabulary import tokenise

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "sgd": functools.partial(torch.optim.SGD, momentum=0.9),
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    # Share of training done -> share of the first learning rate.
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}


@runtime_checkable
class Listener(Protocol):
    """Whoever wants to know how training goes."""

    def goes_on_from(self, step: int) -> None: ...
    def epoch_begins(self, epoch: int, done: int, batches: int) -> None: ...
    def step_done(self, record: dict[str, Any]) -> None: ...
    def epoch_ends(self, record: dict[str, Any], captions: list[str]) -> None: ...


class Validation:
    """CIDEr-D of captions that are really decoded, never of teacher forcing.

    Args:
        maps: Pooled maps of the photos (P, C).
        captions: Their human captions; the words of these are counted once.
        beam_size: Beams of the search.
    """

    def __init__(self, maps: np.ndarray, captions: list[tuple[str, ...]], beam_size: int) -> None:
        self.maps = torch.from_numpy(np.asarray(maps)).float()
        self.scorer = CiderD([[" ".join(tokenise(c)) for c in photo] for photo in captions])
        self.beam_size = beam_size

    @torch.inference_mode()
    def score(self, captioner: Captioner) -> tuple[float, list[str]]:
        """CIDEr-D, and the captions it was given for."""
        captioner.eval()
        device = captioner.decoder.embed.weight.device
        captions = [
            found[0].caption
            for maps in self.maps.split(500)
            for found in captioner.search(maps.to(device), self.beam_size)
        ]
        scores = self.scorer.score([" ".join(tokenise(caption)) for caption in captions])
        return float(scores.mean()), captions


def make_optimiser(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The optimiser; biases are not pulled to zero."""
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    free = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return OPTIMISERS[config.optimiser](groups, lr=config.learning_rate)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Rate of a step: a straight rise over the warm-up, then the schedule down to the end."""
    rise = min(1.0, (step + 1) / max(config.warmup, 1))
    return config.learning_rate * rise * SCHEDULES[config.schedule](step / steps)


def fit(
    captioner: Captioner,
    train: CaptionData,
    validation: Validation,
    config: TrainConfig,
    seed: int,
    folder: Path,
    keep_best: Callable[[Captioner, dict[str, Any]], None],
    listener: Listener,
) -> RunState:
    """Train the decoder; keep the weights with the best CIDEr-D; stop when it no longer rises.

    Killed at any moment and called again with the same arguments, it goes on from the last
    checkpoint in `folder` and ends with the very weights of an unbroken run: the order of the
    captions depends on seed and epoch alone, and the checkpoint holds the optimiser and the state
    of the random numbers.

    Args:
        captioner: On the device to train on. Its encoder is fitted and stays as it is.
        train: Captions to learn from.
        validation: Photos to choose the best weights by.
        config: How.
        seed: Of the order of the captions; that of the weights was set by the caller.
        folder: Of the run.
        keep_best: Called with the captioner and the epoch's record when CIDEr-D was never higher.
        listener: Is told of each step and epoch.

    Returns:
        How far the run came.
    """
    decoder = captioner.decoder
    device = decoder.embed.weight.device
    optimiser = make_optimiser(config, decoder)
    batches = train.num_batches(config.batch_size)
    steps = config.epochs * batches
    run = load_state(folder, decoder, optimiser) or RunState()
    listener.goes_on_from(run.epoch * batches + run.batch)
    saved_at = time.monotonic()

    while run.epoch < config.epochs and run.epochs_without_gain < config.patience:
        captioner.train()
        began = time.monotonic()
        listener.epoch_begins(run.epoch, run.batch, batches)
        for batch in train.batches(config.batch_size, seed, run.epoch, skip=run.batch):
            rate = learning_rate(config, run.epoch * batches + run.batch, steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            batch = batch.to(device)
            loss = captioner.loss(batch.maps, batch.words, batch.targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(decoder.parameters(), config.clip_norm)
            if not torch.isfinite(norm):
                raise FloatingPointError(
                    f"the loss is {loss.item()} at step {run.epoch * batches + run.batch}: "
                    "training has diverged; try a smaller --learning-rate"
                )
            optimiser.step()
            run.batch += 1
            run.loss_sum += loss.item() * len(batch.maps)
            run.captions_seen += len(batch.maps)
            listener.step_done(
                {
                    "step": run.epoch * batches + run.batch,
                    "loss": loss.item(),
                    "learning_rate": rate,
                    "gradient_norm": norm.item(),
                }
            )
            if time.monotonic() - saved_at > 60 * config.checkpoint_minutes:
                run.seconds += time.monotonic() - began
                began = saved_at = time.monotonic()
                save_state(folder, run, decoder, optimiser)

        cider_d, captions = validation.score(captioner)
        run.seconds += time.monotonic() - began
        record = {
            "epoch": run.epoch + 1,
            "step": (run.epoch + 1) * batches,
            "train_loss": run.loss_sum / run.captions_seen,
            "val_cider_d": cider_d,
            "val_different": len(set(captions)),
            "seconds": round(run.seconds, 1),
        }
        run.epoch_done(record)
        if run.epochs_without_gain == 0:
            keep_best(captioner, record)
        save_state(folder, run, decoder, optimiser)
        saved_at = time.monotonic()
        listener.epoch_ends(record, captions)
    return run
