"""`captioner consensus`: a captioner learns what people say of photos, to choose what it says."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import choose_device, find_data
from captioner.consensus import FILE, ConsensusConfig


@dataclass(frozen=True)
class ConsensusOptions:
    """Let a model learn which words and phrases people use of its training photos. Of the captions
    of a beam it then takes the one that people would most agree with (consensus re-ranking).

    What it learned is kept in the model's folder, as consensus.npz: neither photos nor captions.
    """

    model: str
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    data: str
    """Data set, as for train.py."""
    more_data: tuple[str, ...] = ()
    """Other data sets whose training photos are learned from as well."""
    split: str = "train"
    """Which of its photos; none that the model is to be judged by."""
    choose_on: str | None = None
    """Split, such as val, by whose scores the weight is chosen."""
    config: Annotated[ConsensusConfig, tyro.conf.OmitArgPrefixes] = field(
        default_factory=ConsensusConfig
    )
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    skip_bad: bool = False
    """Leave out photos and captions that cannot be used, rather than refuse the data set."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


def main(argv: Sequence[str] | None = None) -> None:
    """Learn it; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _learn(tyro.cli(ConsensusOptions, args=argv, prog="captioner consensus")))


def _learn(options: ConsensusOptions) -> int:
    from captioner.folders import find_model
    from captioner.joining import read_datasets
    from captioner.regression import learn_consensus

    device = choose_device(options.device)
    dataset = read_datasets(
        find_data(options.data),
        [find_data(name) for name in options.more_data],
        seed=options.split_seed,
        skip_bad=options.skip_bad,
    )
    found = learn_consensus(
        options.model,
        dataset,
        options.split,
        config=options.config,
        choose_on=options.choose_on,
        skip_bad=options.skip_bad,
        device=device,
    )
    file = find_model(options.model) / FILE
    say(
        f"{len(found.hashes):,} n-grams of {int(found.lengths.sum()):,} captions in {file}, "
        f"{file.stat().st_size / 1e6:.1f} MB; weight {found.config.weight:g}"
    )
    return 0
