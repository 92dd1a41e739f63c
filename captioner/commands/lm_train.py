"""`captioner lm train`."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.settings import changed, check_recipe, forget
from captioner.commands.sources import check_seed, choose_device
from captioner.config import LanguageTrainConfig
from captioner.errors import InputError


@dataclass(frozen=True)
class LanguageTrainOptions:
    """Train a language model: what a captioner's decoder learns, without a photo."""

    text: Annotated[str, tyro.conf.Positional] = ""
    """A text file (UTF-8); a data set of captioned photos, as for train.py; or one of the texts
    that are at hand: scenes (captions of drawn scenes), python-docs, python-licence."""
    out: Path | None = None
    """Folder of the run; by default runs/lm-TEXT-UNIT-CELL-seedN."""
    seed: int = 0
    """Same seed, same numbers."""
    resume: Path | None = None
    """Go on with an interrupted run in this folder; its settings are taken from there."""
    bidirectional: bool = False
    """Refused: it would read the word that it is to foretell."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    config: Annotated[LanguageTrainConfig, tyro.conf.OmitArgPrefixes] = field(
        default_factory=LanguageTrainConfig
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _train(tyro.cli(LanguageTrainOptions, args=argv, prog="captioner lm train")))


def _train(options: LanguageTrainOptions) -> int:
    if options.bidirectional:
        raise InputError(
            "--bidirectional: a language model foretells each word from those before it; a network "
            "that also reads backwards has seen the word already, and would learn to copy it. For "
            "reading whole texts in both directions see: python -m captioner.reading"
        )
    from captioner.language_runs import LanguageRun, train_language_model
    from captioner.runs import begin, recall

    if options.resume:
        given = changed(options, LanguageTrainOptions())
        if given:
            raise InputError(
                f"--resume takes all settings from {options.resume / 'run.json'}; "
                f"leave out {', '.join(given).replace('--text', 'the text')}"
            )
        folder, run = options.resume, recall(options.resume, LanguageRun)
        choose_device(run.device)
    else:
        if not options.text:
            raise InputError("which text? give a file, a data set, or scenes, python-docs")
        check_seed(options.seed)
        check_recipe(options.config)
        path = Path(options.text)
        name = re.sub(r"\W+", "-", path.resolve().stem)
        config = options.config
        folder = options.out or Path("runs") / (
            f"lm-{name}-{config.unit}-{config.cell}-seed{options.seed}"
        )
        run = LanguageRun(
            text=str(path.resolve()) if path.exists() else options.text,
            seed=options.seed,
            device=choose_device(options.device),
            config=config,
        )
        begin(folder, run)
    again = f"captioner lm train --resume {folder}"
    try:
        state = train_language_model(folder, run)
    except KeyboardInterrupt:
        print(f"captioner: interrupted; go on with: {again}", file=sys.stderr)
        return 130
    except InputError as error:
        if (folder / "data.json").exists():
            raise InputError(f"{error}; go on with: {again}") from None
        if not options.resume:
            forget(folder)
        raise
    say(
        f"best perplexity {state.best:.2f} on validation text in epoch {state.best_epoch}, "
        f"{state.seconds / 60:.1f} minutes; model: {folder / 'best'}"
    )
    return 0
