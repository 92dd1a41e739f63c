"""fit(): the whole training loop, in plain view."""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from captioner.averaging import Average
from captioner.cells import State
from captioner.config import Recipe
from captioner.losses import perplexity
from captioner.resume import RunState, load_state, save_state

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    # Fused: one pass over the weights in place of ten.
    "adamw": functools.partial(torch.optim.AdamW, fused=True),
    "adam": functools.partial(torch.optim.Adam, fused=True),
    "rmsprop": torch.optim.RMSprop,
    "adagrad": functools.partial(torch.optim.Adagrad, fused=True),
    "sgd": functools.partial(torch.optim.SGD, momentum=0.9, fused=True),
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    # Share of training done -> share of the first learning rate.
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}

NO_PACES: Mapping[str, float] = MappingProxyType({})


@runtime_checkable
class Lesson(Protocol):
    """A batch: captions, or photos of which captions are to be drawn."""

    @property
    def num_words(self) -> int: ...
    def to(self, device: torch.device) -> Any: ...
    def __len__(self) -> int: ...


@runtime_checkable
class Learner(Protocol):
    """What has a network to train: a captioner, or a language model."""

    @property
    def trained(self) -> nn.Module:
        """What learns, as far as its weights ask for gradients."""
        ...

    def loss(self, batch: Any, carried: State) -> tuple[Tensor, State]: ...
    def train(self) -> Any: ...


@runtime_checkable
class Examples(Protocol):
    """What it learns from, in batches that seed and epoch alone decide."""

    def num_batches(self, size: int) -> int: ...
    def batches(self, size: int, seed: int, epoch: int, skip: int) -> Iterator[Lesson]: ...


@runtime_checkable
class Goal(Protocol):
    """What it is judged by after each epoch."""

    measure: str
    """Name of the figure that decides which weights are the best; `stop`, where there is such a
    figure, says why training must not go on."""
    higher_is_better: bool

    def score(self, learner: Any) -> tuple[dict[str, Any], list[str]]:
        """The figures of the epoch, that one among them, and samples to show."""
        ...


@runtime_checkable
class Listener(Protocol):
    """Whoever wants to know how training goes."""

    def goes_on_from(self, step: int) -> None: ...
    def epoch_begins(self, epoch: int, done: int, batches: int) -> None: ...
    def step_done(self, record: dict[str, Any]) -> None: ...
    def epoch_ends(self, record: dict[str, Any], samples: list[str]) -> None: ...


L = TypeVar("L", bound=Learner)


def make_optimiser(
    config: Recipe, model: nn.Module, paces: Mapping[str, float] = NO_PACES
) -> torch.optim.Optimizer:
    """The optimiser of all weights that ask for gradients; biases are not pulled to zero.

    Args:
        config: Which, and its settings.
        model: What is trained.
        paces: Share of the learning rate at which weights learn whose names begin so; 1 else.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            pace = next((share for start, share in paces.items() if name.startswith(start)), 1.0)
            groups.setdefault((weight.ndim > 1, pace), []).append(weight)
    return OPTIMISERS[config.optimiser](
        [
            {"params": weights, "pace": pace, "weight_decay": config.weight_decay * decayed}
            for (decayed, pace), weights in sorted(groups.items(), key=lambda item: item[0])[::-1]
        ],
        lr=config.learning_rate,
    )


def learning_rate(config: Recipe, step: int, steps: int) -> float:
    """Rate of a step: a straight rise over the warm-up, then the schedule down to the end."""
    rise = min(1.0, (step + 1) / max(config.warmup, 1))
    return config.learning_rate * rise * SCHEDULES[config.schedule](step / steps)


def train_step(
    learner: Learner,
    batch: Lesson,
    carried: State,
    optimiser: torch.optim.Optimizer,
    config: Recipe,
) -> tuple[float, float, State]:
    """Learn from one batch; where the gradient is not finite, the weights stay as they are.

    Returns:
        Loss, norm of the gradient before it was clipped, and what the next batch carries on.
    """
    loss, carried = learner.loss(batch, carried)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    weights = [weight for weight in learner.trained.parameters() if weight.requires_grad]
    grads = [weight.grad for weight in weights if weight.grad is not None]
    norm = nn.utils.get_total_norm(grads).item()
    if norm > config.clip_norm:  # gradients that are short enough need not be walked over
        nn.utils.clip_grads_with_norm_(weights, config.clip_norm, torch.tensor(norm))
    if math.isfinite(norm):
        optimiser.step()
    return loss.item(), norm, carried


def fit(
    learner: L,
    train: Examples,
    goal: Goal,
    config: Recipe,
    seed: int,
    folder: Path,
    keep_best: Callable[[L, dict[str, Any]], None],
    listener: Listener,
    average: float = 0.0,
    paces: Mapping[str, float] = NO_PACES,
) -> RunState:
    """Train a network; keep the weights that `goal` finds best; stop when it finds none better.

    Killed at any moment and called again with the same arguments, it goes on from the last
    checkpoint in `folder` and ends with the very weights of an unbroken run: the order of the
    batches depends on seed and epoch alone, and the checkpoint holds the optimiser, the state of
    the random numbers and what the network carries from batch to batch.

    Args:
        learner: On the device to train on. Nothing changes but what it calls `trained`.
        train: What to learn from.
        goal: What to choose the best weights by.
        config: How.
        seed: Of the order of the batches; that of the weights was set by the caller.
        folder: Of the run.
        keep_best: Called with the learner and the epoch's record when it was never better.
        listener: Is told of each step and epoch.
        average: Decay of a mean of the weights, which is then what is judged and kept; see
            `Average`. 0 judges and keeps the weights themselves.
        paces: See `make_optimiser`.

    Returns:
        How far the run came.
    """
    network = learner.trained
    device = next(network.parameters()).device
    optimiser = make_optimiser(config, network, paces)
    batches = train.num_batches(config.batch_size)
    steps = config.epochs * batches
    mean = Average(network, average)
    run, carried = load_state(folder, network, optimiser, mean.weights) or (RunState(), ())
    carried = tuple(part.to(device) for part in carried)
    listener.goes_on_from(run.epoch * batches + run.batch)
    saved_at = time.monotonic()

    while (
        run.epoch < config.epochs
        and run.epochs_without_gain < config.patience
        and not (run.history and run.history[-1].get("stop"))
    ):
        learner.train()
        began = time.monotonic()
        listener.epoch_begins(run.epoch, run.batch, batches)
        for batch in train.batches(config.batch_size, seed, run.epoch, skip=run.batch):
            rate = learning_rate(config, run.epoch * batches + run.batch, steps)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["pace"]
            step = run.epoch * batches + run.batch
            loss, norm, carried = train_step(learner, batch.to(device), carried, optimiser, config)
            if not math.isfinite(norm):
                raise FloatingPointError(
                    f"the loss is {loss} at step {step}: "
                    "training has diverged; try a smaller --learning-rate"
                )
            mean.update(step)
            run.batch_done(loss, len(batch), batch.num_words)
            listener.step_done(
                {"step": step + 1, "loss": loss, "learning_rate": rate, "gradient_norm": norm}
            )
            if time.monotonic() - saved_at > 60 * config.checkpoint_minutes:
                run.seconds += time.monotonic() - began
                began = saved_at = time.monotonic()
                save_state(folder, run, network, optimiser, carried, mean.weights)

        with mean.shown():
            figures, samples = goal.score(learner)
        run.seconds += time.monotonic() - began
        record = {
            "epoch": run.epoch + 1,
            "step": (run.epoch + 1) * batches,
            "train_loss": run.loss_sum / run.captions_seen,
            **figures,
            "seconds": round(run.seconds, 1),
        }
        if run.words_seen:
            record["train_perplexity"] = perplexity(run.loss_sum, run.words_seen)
        run.epoch_done(record, goal.measure, goal.higher_is_better)
        if run.epochs_without_gain == 0:
            with mean.shown():
                keep_best(learner, record)
        carried = ()
        save_state(folder, run, network, optimiser, carried, mean.weights)
        saved_at = time.monotonic()
        listener.epoch_ends(record, samples)
    return run
