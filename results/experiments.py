"""Run the experiments that have no record yet: train, evaluate, one JSON file per run.

python results/experiments.py --data data/flickr8k
python results/experiments.py --only decoders photos-100 --seed 0
python results/experiments.py --list

Made to be interrupted and called again, also several at once, which share the runs out.
"""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from captioner.commands import finish
from captioner.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this folder is not installed
from results.catalogue import EXPERIMENTS
from results.running import Runner, tell


@dataclass(frozen=True)
class Options:
    """Run the experiments that have no record yet, one seed of all before the next."""

    data: Path = Path("data/flickr8k")
    """Data set."""
    only: tuple[str, ...] = ()
    """Groups, or names of experiments; those that they need are run as well."""
    seed: tuple[int, ...] = ()
    """Only these seeds."""
    list: bool = False
    """Run nothing; tell which there are and how far they are."""


def run_experiments(options: Options, runner: Runner) -> int:
    """Exit code 1 if one failed; the others are run all the same."""
    names = {name for one in runner.experiments.values() for name in (one.name, one.group)}
    if unknown := sorted({*options.only} - names):
        raise InputError(f"--only {' '.join(unknown)}: not among {', '.join(sorted(names))}")
    chosen = [
        (one, seed)
        for one in runner.experiments.values()
        for seed in one.seeds
        if (not options.only or {one.name, one.group} & {*options.only})
        and (not options.seed or seed in options.seed)
    ]
    if options.list:
        for one, seed in chosen:
            tell(one.name, seed, f"{runner.state(one.name, seed)} ({one.group})")
        return 0
    if not options.data.exists():
        raise InputError(f"--data {options.data}: there is no such data set")
    outcomes = [runner.run(one, seed) for one, seed in sorted(chosen, key=lambda item: item[1])]
    told = (f"{outcomes.count(outcome)} {outcome}" for outcome in ("done", "busy", "failed"))
    print(", ".join(told))
    return int("failed" in outcomes)


def main() -> int:
    """The program; SIGTERM and the end of a terminal stop it as Ctrl-C does."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    options = tyro.cli(Options)
    everything = {one.name: one for one in EXPERIMENTS}
    return run_experiments(options, Runner(options.data, everything))


if __name__ == "__main__":
    finish(main)
