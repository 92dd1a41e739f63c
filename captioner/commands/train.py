"""`captioner train`, also `python train.py`."""

import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import check_seed, choose_device, find_data
from captioner.config import PRESETS, TrainConfig
from captioner.errors import InputError

DEFAULT_PRESET = "lstm"
"""For photos. Without --data the scenes are drawn, and their own preset is the default."""


@dataclass(frozen=True)
class TrainOptions:
    """Train a captioner: train.py [PRESET] [options]."""

    data: str = "scenes"
    """Data set: COCO (official or captions_*.json), Karpathy's JSON, Flickr8k/30k, or a folder with
    captions.csv. scenes: pictures that the program draws itself."""
    out: Path | None = None
    """Folder of the run; by default runs/DATA-PRESET-seedN."""
    seed: int = 0
    """Same seed, same numbers."""
    split_seed: int = 0
    """Draws the splits of a data set that names none, whatever --seed is."""
    resume: Path | None = None
    """Go on with an interrupted run in this folder; its settings are taken from there."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    backbone_weights: Path | None = None
    """Local file with the CNN's weights (safetensors, or .pth with nothing but tensors)."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    config: Annotated[TrainConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TrainConfig)


def main(argv: Sequence[str] | None = None) -> None:
    """Train; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _train(argv))


def _train(argv: list[str]) -> int:
    preset = argv.pop(0) if argv and not argv[0].startswith("-") else None
    if preset not in (None, *PRESETS):
        raise InputError(f"no preset {preset!r}; choose among: {', '.join(PRESETS)}")
    drawn = not any(argument.split("=")[0] in ("--data", "--resume") for argument in argv)
    name = preset or ("demo" if drawn else DEFAULT_PRESET)
    default = TrainOptions(config=PRESETS[name])
    about = (
        f"Train a captioner: train.py [PRESET] [options]. Presets: {', '.join(PRESETS)}; "
        f"the defaults below are those of {name}."
    )
    options = tyro.cli(TrainOptions, default=default, args=argv, prog="train.py", description=about)

    from captioner.runs import Run, begin, recall, train_captioner

    if options.resume:
        given = ["the preset"] * bool(preset) + _changed(options, default)
        if given:
            raise InputError(
                f"--resume takes all settings from {options.resume / 'run.json'}; "
                f"leave out {', '.join(given)}"
            )
        folder, run = options.resume, recall(options.resume)
        choose_device(run.device)
    else:
        check_seed(options.seed)
        config, device = _checked(options.config), choose_device(options.device)
        data = find_data(options.data)
        folder = options.out or Path("runs") / f"{data.stem}-{name}-seed{options.seed}"
        run = Run(
            data=str(data.resolve()),
            seed=options.seed,
            split_seed=options.split_seed,
            skip_bad=options.skip_bad,
            backbone_weights=str(options.backbone_weights.resolve())
            if options.backbone_weights
            else None,
            device=device,
            config=config,
        )
        begin(folder, run)
    try:
        state = train_captioner(folder, run)
    except KeyboardInterrupt:
        print(
            f"captioner: interrupted; go on with: python train.py --resume {folder}",
            file=sys.stderr,
        )
        return 130
    except InputError as error:
        if (folder / "data.json").exists():
            raise InputError(f"{error}; go on with: python train.py --resume {folder}") from None
        if not options.resume:
            _forget(folder)
        raise
    say(
        f"best CIDEr-D {state.best:.4f} on validation photos in epoch {state.best_epoch}, "
        f"{state.seconds / 60:.1f} minutes; model: {folder / 'best'}"
    )
    return 0


def _changed(options: TrainOptions, default: TrainOptions) -> list[str]:
    """The options that were given another value than they have by default."""
    return [
        f"--{item.name.replace('_', '-')}"
        for given, usual in ((options, default), (options.config, default.config))
        for item in fields(given)
        if item.name not in ("resume", "config")
        and getattr(given, item.name) != getattr(usual, item.name)
    ]


def _forget(folder: Path) -> None:
    """Leave no trace of a run whose data or CNN could not be used: it never began to learn.

    Or else the same command, once the mistake is mended, would be refused for the run in its way.
    """
    for name in ("run.json", "split.json"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _checked(config: TrainConfig) -> TrainConfig:
    """Refuse numbers that make no sense, before hours are spent on them."""
    positive = (
        *("layers", "embedding", "hidden", "batch_size", "epochs", "patience", "min_count"),
        *("max_words", "learning_rate", "clip_norm", "val_photos", "val_beam_size"),
    )
    for name in positive:
        if not 0 < getattr(config, name) < math.inf:
            raise InputError(f"--{name.replace('_', '-')} must be above 0")
    if not 0 <= config.weight_decay < math.inf:
        raise InputError("--weight-decay must not be below 0")
    if not 0 <= config.dropout < 1:
        raise InputError("--dropout must be at least 0 and below 1")
    return config
