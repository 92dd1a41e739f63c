"""The settings of a training run, as a person gives them: checked, compared, forgotten."""

import math
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from captioner.config import Recipe
from captioner.errors import InputError
from captioner.refinements import Refinements


def check_recipe(config: Recipe) -> None:
    """Refuse numbers that make no sense, before hours are spent on them.

    Raises:
        InputError: naming the option.
    """
    own = ["size", "train_photos", *(item.name for item in fields(Refinements))]
    # Those refuse by themselves.
    not_below = ("weight_decay", "attention_penalty")
    free = ("dropout", "warmup", "checkpoint_minutes", *not_below, *own)
    for item in fields(config):
        value = getattr(config, item.name)
        number = isinstance(value, int | float) and item.name not in free
        if number and not 0 < value < math.inf:
            raise InputError(f"--{item.name.replace('_', '-')} must be above 0")
    for name in not_below:
        if not 0 <= getattr(config, name, 0.0) < math.inf:
            raise InputError(f"--{name.replace('_', '-')} must not be below 0")
    if not 0 <= config.dropout < 1:
        raise InputError("--dropout must be at least 0 and below 1")


def changed(options: Any, default: Any) -> list[str]:
    """The options that were given another value than they have by default."""
    return [
        f"--{item.name.replace('_', '-')}"
        for given, usual in ((options, default), (options.config, default.config))
        for item in fields(given)
        if item.name not in ("resume", "config")
        and getattr(given, item.name) != getattr(usual, item.name)
    ]


def forget(folder: Path) -> None:
    """Leave no trace of a run whose data or CNN could not be used: it never began to learn.

    Or else the same command, once the mistake is mended, would be refused for the run in its way.
    """
    for name in ("run.json", "split.json"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
