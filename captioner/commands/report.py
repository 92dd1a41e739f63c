"""`captioner report`: pages that show what a captioner says of each photo, and why."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import check_seed, choose_device, find_data, open_captioner
from captioner.config import SearchConfig
from captioner.errors import InputError


@dataclass(frozen=True)
class ReportOptions:
    """Look inside a captioner: scores, and each photo with its captions, attention and beam.

    Writes a folder of pages that a browser opens from disk, at index.html. The folder holds small
    copies of the photos and what people wrote about them, unless you say --no-photos: mind who may
    see them before you pass it on.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    output: Path
    """Folder to write: a new or empty one, or an earlier report."""
    data: str = "scenes"
    """Data set, as for train.py."""
    against: str | None = None
    """Another model, to be shown side by side with the first."""
    split: str = "test"
    """train, val or test."""
    limit: int | None = None
    """So many photos at most."""
    photos: bool = True
    """Put small copies of the photos into the folder."""
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    search: Annotated[SearchConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=SearchConfig)


def main(argv: Sequence[str] | None = None) -> None:
    """Write a report; exit code 1 where photos are missing in it, 2 where there is none."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _report(tyro.cli(ReportOptions, args=argv, prog="captioner report")))


def _report(options: ReportOptions) -> int:
    if options.limit is not None and options.limit < 1:
        raise InputError("--limit must be above 0")
    check_seed(options.search.seed)
    from captioner.datasets import read_dataset
    from captioner.evaluation import table
    from captioner.reporting import check_place, look_inside, write_report

    check_place(options.output)
    device = choose_device(options.device)
    models = [options.model, *([options.against] if options.against else [])]
    captioners = [open_captioner([model], device) for model in models]
    dataset = read_dataset(
        find_data(options.data), seed=options.split_seed, skip_bad=options.skip_bad
    )
    runs = [
        look_inside(
            captioner,
            model,
            dataset,
            options.split,
            limit=options.limit,
            search=options.search,
            skip_bad=options.skip_bad,
        )
        for captioner, model in zip(captioners, models, strict=True)
    ]
    if len(runs) > 1 and runs[0].name == runs[1].name:
        runs[1] = replace(runs[1], name=f"{runs[1].name} (2)")
    names = [dataset.name(photo) for photo in runs[0].evaluation.photos]
    bad = write_report(options.output, runs, names, options.photos, options.search.seed)
    for error in bad:
        logging.getLogger("captioner").warning("left out of the report: %s", error)
    for run in runs:
        say(f"{run.name}\n{table(run.evaluation.record)}")
    print(f"report: {options.output / 'index.html'}", file=sys.stderr)
    return 1 if bad else 0
