"""`captioner calibrate`: how often a captioner is right, so that it can tell."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import choose_device, find_data
from captioner.confidence import BAR, FILE
from captioner.config import MAX_VIEWS
from captioner.errors import InputError


@dataclass(frozen=True)
class CalibrateOptions:
    """Give a model a confidence: the chance that a caption is good, learned from scored captions.

    It is kept in the model's folder, as confidence.json, and holds for captions of a search with so
    many beams and no other setting.
    """

    model: str
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    data: str
    """Data set, as for train.py."""
    split: str = "val"
    """val or test: photos that the model did not learn from."""
    beam_size: int = 0
    """Beams of the search that the confidence is to hold for; 1 is greedy. 0: as many as caption.py
    takes where it is told nothing of them."""
    views: int = 1
    """Views of each photo in that search, ten at most."""
    limit: int | None = None
    """So many photos at most."""
    bar: float = BAR
    """CIDEr-D, from 0 to 10, from which on a caption is good. Two of three captions that people
    wrote about Flickr8k's photos reach 0.4; simpler photos may want more."""
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


def main(argv: Sequence[str] | None = None) -> None:
    """Calibrate; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _calibrate(tyro.cli(CalibrateOptions, args=argv, prog="captioner calibrate")))


def _calibrate(options: CalibrateOptions) -> int:
    if options.limit is not None and options.limit < 1:
        raise InputError("--limit must be above 0")
    if options.beam_size < 0:
        raise InputError("--beam-size must not be below 0")
    if not 1 <= options.views <= MAX_VIEWS:
        raise InputError(f"--views must be from 1 to {MAX_VIEWS}")
    if not 0 < options.bar < 10:
        raise InputError("--bar must be above 0 and below 10")
    from captioner.calibration import calibrate
    from captioner.datasets import read_dataset
    from captioner.folders import find_model
    from captioner.metrics.reliability import reliability_table

    device = choose_device(options.device)
    dataset = read_dataset(
        find_data(options.data), seed=options.split_seed, skip_bad=options.skip_bad
    )
    confidence, bins = calibrate(
        options.model,
        dataset,
        options.split,
        beam_size=options.beam_size,
        views=options.views,
        limit=options.limit,
        bar=options.bar,
        skip_bad=options.skip_bad,
        device=device,
    )
    best, others = confidence.best, confidence.others
    say(
        f"{confidence.fitted_on}: {100 * best.good:.1f} % of the captions are good, with CIDEr-D "
        f"of {options.bar} or more\n\n{reliability_table(bins)}\n\n"
        f"calibration error on photos left out: {best.calibration_error:.4f}"
    )
    if others != best:
        say(f"of the captions after the best of each beam: {others.calibration_error:.4f}")
    print(f"confidence: {find_model(options.model) / FILE}", file=sys.stderr)
    return 0
