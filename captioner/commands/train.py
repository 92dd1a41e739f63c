"""`captioner train`, also `python train.py`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.settings import changed, check_recipe, forget
from captioner.commands.sources import check_seed, choose_device, find_data
from captioner.config import TrainConfig
from captioner.errors import InputError
from captioner.presets import PRESETS

DEFAULT_PRESET = "lstm"
"""For photos. Without --data the scenes are drawn, and their own preset is the default."""

_NAMES = (
    "cell layers embedding hidden decoder attention tie-weights backbone maps fit size min-count "
    "max-words backbone-weights"
)
OF_THE_MODEL = {f"--{name}" for name in _NAMES.split()}
"""Options of what a trained captioner is already."""


@dataclass(frozen=True)
class TrainOptions:
    """Train a captioner: train.py [PRESET] [options]."""

    data: str = "scenes"
    """Data set: COCO (official or captions_*.json), Karpathy's JSON, Flickr8k/30k, or a folder with
    captions.csv. scenes: pictures that the program draws itself."""
    more_data: tuple[str, ...] = ()
    """Other data sets whose training photos are learned from as well."""
    out: Path | None = None
    """Folder of the run; by default runs/DATA-PRESET-seedN."""
    seed: int = 0
    """Same seed, same numbers."""
    split_seed: int = 0
    """Draws the splits of a data set that names none, and --train-photos, whatever --seed is."""
    resume: Path | None = None
    """Go on with an interrupted run in this folder; its settings are taken from there."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    backbone_weights: Path | None = None
    """Local file with the CNN's weights (safetensors, or .pth with nothing but tensors), or the
    folder of a captioner, whose CNN is then taken: one that was fine-tuned, for instance."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    init_decoder: Path | None = None
    """Language model (of `captioner lm train`) whose words and cell the decoder begins with."""
    begin_with: Path | None = None
    """A trained captioner to go on with: the folder of its run or model. It keeps its words and its
    networks; needed for self-critical training."""
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
        given = ["the preset"] * bool(preset) + changed(options, default)
        if given:
            raise InputError(
                f"--resume takes all settings from {options.resume / 'run.json'}; "
                f"leave out {', '.join(given)}"
            )
        folder, run = options.resume, recall(options.resume, Run)
        choose_device(run.device)
    else:
        check_seed(options.seed)
        device = choose_device(options.device)
        check_recipe(options.config)
        if options.begin_with:
            own = [name for name in changed(options, default) if name in OF_THE_MODEL]
            if own:
                raise InputError(
                    f"--begin-with takes over the model as it is; leave out {', '.join(own)}"
                )
        data = find_data(options.data)
        folder = options.out or Path("runs") / f"{data.stem}-{name}-seed{options.seed}"
        run = Run(
            data=str(data.resolve()),
            more_data=tuple(str(find_data(name).resolve()) for name in options.more_data),
            seed=options.seed,
            split_seed=options.split_seed,
            skip_bad=options.skip_bad,
            backbone_weights=str(options.backbone_weights.resolve())
            if options.backbone_weights
            else None,
            device=device,
            config=options.config,
            init_decoder=str(options.init_decoder.resolve()) if options.init_decoder else None,
            begin_with=str(options.begin_with.resolve()) if options.begin_with else None,
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
            forget(folder)
        raise
    say(
        f"best CIDEr-D {state.best:.4f} on validation photos in epoch {state.best_epoch}, "
        f"{state.seconds / 60:.1f} minutes; model: {folder / 'best'}"
    )
    return 0
