"""`captioner train`, also `python train.py`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish
from captioner.config import PRESETS, TrainConfig
from captioner.errors import InputError

DEFAULT_PRESET = "lstm"


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
    name = preset or DEFAULT_PRESET
    default = TrainOptions(config=PRESETS[name])
    about = (
        f"Train a captioner: train.py [PRESET] [options]. Presets: {', '.join(PRESETS)}; "
        f"the defaults below are those of {name}."
    )
    options = tyro.cli(TrainOptions, default=default, args=argv, prog="train.py", description=about)

    from captioner.commands.sources import choose_device, find_data
    from captioner.runs import Run, begin, recall, train_captioner

    if options.resume:
        changed = [
            item.name
            for item in fields(options)
            if item.name != "resume" and getattr(options, item.name) != getattr(default, item.name)
        ]
        if changed or preset:
            raise InputError(
                f"--resume takes all settings from {options.resume / 'run.json'}; leave out "
                + ", ".join(["the preset"] * bool(preset) + [f"--{n}" for n in changed])
            )
        folder, run = options.resume, recall(options.resume)
    else:
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
            device=choose_device(options.device),
            config=_checked(options.config),
        )
        begin(folder, run)
    try:
        state = train_captioner(folder, run)
    except KeyboardInterrupt:
        raise InputError(f"interrupted; go on with: python train.py --resume {folder}") from None
    print(
        f"best CIDEr-D {state.best_cider_d:.4f} on validation photos in epoch {state.best_epoch}, "
        f"{state.seconds / 60:.1f} minutes; model: {folder / 'best'}"
    )
    return 0


def _checked(config: TrainConfig) -> TrainConfig:
    """Refuse numbers that make no sense, before hours are spent on them."""
    positive = ("layers", "embedding", "hidden", "batch_size", "epochs", "patience", "min_count",
                "max_words", "learning_rate", "clip_norm", "val_photos", "val_beam_size")  # fmt: skip
    for name in positive:
        if getattr(config, name) <= 0:
            raise InputError(f"--{name.replace('_', '-')} must be above 0")
    if not 0 <= config.dropout < 1:
        raise InputError("--dropout must be at least 0 and below 1")
    return config
