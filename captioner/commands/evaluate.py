"""`captioner evaluate`, also `python evaluate.py`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.output import check_place
from captioner.commands.sources import (
    check_second_opinion,
    check_seed,
    choose_device,
    find_data,
    open_captioner,
    second_opinion,
)
from captioner.config import SearchConfig
from captioner.errors import InputError


@dataclass(frozen=True)
class EvaluateOptions:
    """Score a captioner: BLEU-1..4, ROUGE-L, CIDEr and CIDEr-D, without Java."""

    model: str = "flickr8k"
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    data: str = "scenes"
    """Data set, as for train.py."""
    split: str = "test"
    """train, val or test."""
    limit: int | None = None
    """So many photos at most."""
    output: Path | None = None
    """JSON file for the scores; the captions go beside it in COCO's results format."""
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    lm: Path | None = None
    """Language model (of `captioner lm train`) that sorts the captions of each beam anew."""
    lm_weight: float = 0.1
    """How much its opinion counts; below 0, what is often said of any photo counts against it."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    ensemble: tuple[str, ...] = ()
    """More models, which write each caption together with the first."""
    search: Annotated[SearchConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=SearchConfig)


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _evaluate(tyro.cli(EvaluateOptions, args=argv, prog="evaluate.py")))


def _evaluate(options: EvaluateOptions) -> int:
    if options.limit is not None and options.limit < 1:
        raise InputError("--limit must be above 0")
    check_second_opinion(options.lm, options.search.beam_size)
    check_seed(options.search.seed)
    if options.output:
        check_place(options.output)
    from captioner.datasets import read_dataset
    from captioner.evaluation import evaluate, table, trained_how, write_results
    from captioner.folders import find_model, title_of

    device = choose_device(options.device)
    captioner = open_captioner([options.model, *options.ensemble], device)
    if options.lm:
        captioner.rerank = second_opinion(options.lm, options.lm_weight, device)
    dataset = read_dataset(
        find_data(options.data), seed=options.split_seed, skip_bad=options.skip_bad
    )
    told = evaluate(
        captioner,
        dataset,
        options.split,
        limit=options.limit,
        search=options.search,
        skip_bad=options.skip_bad,
        seed=options.search.seed,
    )
    record, folder = told.record, find_model(options.model)
    record["model"] = title_of(folder)
    record["training"] = trained_how(folder)
    if options.ensemble:
        record["ensemble"] = [title_of(find_model(model)) for model in options.ensemble]
    if options.lm:
        record["language_model"] = {
            "model": title_of(find_model(options.lm)),
            "weight": options.lm_weight,
        }
    say(table(record))
    if options.output:
        captions = write_results(record, told.results, options.output)
        print(f"captions: {captions}\nscores: {options.output}", file=sys.stderr)
    return 0
