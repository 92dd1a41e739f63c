"""`captioner neighbours`: the photos that a captioner learned from, for it to look up."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import choose_device, find_data
from captioner.neighbours import FILE, Say


@dataclass(frozen=True)
class NeighboursOptions:
    """Give a model the captions of its training photos. Of the captions of a beam it then takes the
    one that people's captions of similar photos agree with most (consensus re-ranking).

    They are kept in the model's folder, as neighbours.npz: features and captions, no photo.
    """

    model: str
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    data: str
    """Data set, as for train.py."""
    more_data: tuple[str, ...] = ()
    """Other data sets whose training photos are kept as well."""
    split: str = "train"
    """Which of its photos; none that the model is to be judged by."""
    choose_on: str | None = None
    """Split, such as val, by whose scores sharpness and weight are chosen."""
    say: Annotated[Say, tyro.conf.OmitArgPrefixes] = field(default_factory=Say)
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


def main(argv: Sequence[str] | None = None) -> None:
    """Keep them; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _keep(tyro.cli(NeighboursOptions, args=argv, prog="captioner neighbours")))


def _keep(options: NeighboursOptions) -> int:
    from captioner.folders import find_model
    from captioner.joining import read_datasets
    from captioner.remembering import remember

    device = choose_device(options.device)
    dataset = read_datasets(
        find_data(options.data),
        [find_data(name) for name in options.more_data],
        seed=options.split_seed,
        skip_bad=options.skip_bad,
    )
    found = remember(
        options.model,
        dataset,
        options.split,
        say=options.say,
        choose_on=options.choose_on,
        skip_bad=options.skip_bad,
        device=device,
    )
    say(
        f"{len(found.counts):,} photos and {len(found.lengths):,} captions in "
        f"{find_model(options.model) / FILE}; sharpness {found.say.sharpness:g}, "
        f"weight {found.say.weight:g}"
    )
    return 0
