"""All that a run needs to go on exactly where it was: weights, optimiser, random numbers, place."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from captioner.errors import InputError
from captioner.files import replacing

FILE = "checkpoint.safetensors"

NO_AVERAGE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass
class RunState:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are done."""
    batch: int = 0
    """Batches that are done in this one."""
    loss_sum: float = 0.0
    """Sum of the loss over the captions of this epoch, as far as it came, in nats."""
    captions_seen: int = 0
    """Captions in that sum."""
    words_seen: int = 0
    """Words in it, END counted."""
    seconds: float = 0.0
    """Time spent so far, of all the parts of an interrupted run."""
    best: float | None = None
    """Best value of the measure that the run is judged by; None before the first epoch ends."""
    best_epoch: int = 0
    """The epoch that reached it."""
    epochs_without_gain: int = 0
    """Epochs since then."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What was measured after each epoch."""

    def batch_done(self, loss: float, captions: int, words: int) -> None:
        """Note a batch and its loss in nats per caption."""
        self.batch += 1
        self.loss_sum += loss * captions
        self.captions_seen += captions
        self.words_seen += words

    def epoch_done(self, record: dict[str, Any], measure: str, higher_is_better: bool) -> None:
        """Note an epoch's result and begin the next."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.captions_seen, self.words_seen = 0.0, 0, 0
        self.history.append(record)
        value = record[measure]
        if self.best is None or (value > self.best if higher_is_better else value < self.best):
            self.best, self.best_epoch = value, self.epoch
            self.epochs_without_gain = 0
        else:
            self.epochs_without_gain += 1


def save_state(
    folder: Path,
    run: RunState,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    carried: tuple[Tensor, ...] = (),
    average: Mapping[str, Tensor] = NO_AVERAGE,
) -> None:
    """Write the checkpoint, in one file and in one step.

    Args:
        folder: Of the run.
        run: How far it came.
        model: What is trained.
        optimiser: With all that it remembers.
        carried: The state that the network takes along to the next batch.
        average: The mean of its weights, by name.

    Raises:
        InputError: if it cannot be written; the last one stays.
    """
    import json

    from safetensors.torch import save_file

    tensors = {f"model.{name}": value.detach() for name, value in model.state_dict().items()}
    for number, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:
                tensors[f"optimiser.{number}.{name}"] = torch.as_tensor(value)
    tensors |= {f"carried.{place}": part for place, part in enumerate(carried)}
    tensors |= {f"average.{name}": weight for name, weight in average.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    notes = {"run": json.dumps(dataclasses.asdict(run))}
    with replacing(folder / FILE) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, notes)


def load_state(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor] = NO_AVERAGE,
) -> tuple[RunState, tuple[Tensor, ...]] | None:
    """Bring model, optimiser, average and random numbers to where the checkpoint was written.

    Returns:
        How far the run had come and the state it carries; None if there is no checkpoint yet.

    Raises:
        InputError: if the file is cut short or belongs to another run.
    """
    import json

    from safetensors import SafetensorError, safe_open

    file = folder / FILE
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            run = RunState(**json.loads((opened.metadata() or {})["run"]))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        model.load_state_dict(_under(tensors, "model."), strict=True)
        _load_optimiser(optimiser, _under(tensors, "optimiser."))
        for name, weight in average.items():
            weight.copy_(tensors[f"average.{name}"])
        torch.set_rng_state(tensors["random.cpu"])
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{file}: cannot be resumed from ({str(error)[:200]}); it is cut short or of another "
            "run: delete it to begin this run anew"
        ) from None
    carried = _under(tensors, "carried.")
    return run, tuple(carried[str(place)] for place in range(len(carried)))


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(
        {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
    )
