"""All that a run needs to go on exactly where it was: weights, optimiser, random numbers, place."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from captioner.errors import InputError
from captioner.files import replacing

FILE = "checkpoint.safetensors"


@dataclass
class RunState:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are done."""
    batch: int = 0
    """Batches that are done in this one."""
    loss_sum: float = 0.0
    """Sum of the loss over the captions of this epoch, as far as it came."""
    captions_seen: int = 0
    """Captions in that sum."""
    seconds: float = 0.0
    """Time spent so far, of all the parts of an interrupted run."""
    best_cider_d: float = -1.0
    """Highest CIDEr-D on the validation photos."""
    best_epoch: int = 0
    """The epoch that reached it."""
    epochs_without_gain: int = 0
    """Epochs since then."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What was measured after each epoch."""

    def epoch_done(self, record: dict[str, Any]) -> None:
        """Note an epoch's result and begin the next."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.captions_seen = 0.0, 0
        self.history.append(record)
        if record["val_cider_d"] > self.best_cider_d:
            self.best_cider_d, self.best_epoch = record["val_cider_d"], self.epoch
            self.epochs_without_gain = 0
        else:
            self.epochs_without_gain += 1


def save_state(
    folder: Path, run: RunState, model: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write the checkpoint, in one file and in one step.

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
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    notes = {"run": json.dumps(dataclasses.asdict(run))}
    with replacing(folder / FILE) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, notes)


def load_state(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> RunState | None:
    """Bring model, optimiser and random numbers to where the checkpoint was written.

    Returns:
        How far the run had come; None if there is no checkpoint yet.

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
        torch.set_rng_state(tensors["random.cpu"])
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{file}: cannot be resumed from ({str(error)[:200]}); it is cut short or of another "
            "run: delete it to begin this run anew"
        ) from None
    return run


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
