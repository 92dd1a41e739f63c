"""`python -m benchmarks`: every step of captioner beside the usual way, in one run."""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks.catalogue import BENCHMARKS
from benchmarks.inputs import Setting
from benchmarks.measuring import compare
from captioner.commands import finish, say
from captioner.commands.sources import check_seed
from captioner.errors import InputError
from captioner.files import write_json

Name = Literal[tuple(BENCHMARKS)]  # type: ignore[valid-type]
QUICK = [name for name, benchmark in BENCHMARKS.items() if benchmark.quick_rounds]


@dataclass(frozen=True)
class BenchOptions:
    """Measure captioner beside the usual way of doing the same; needs no data and no network."""

    quick: bool = False
    """Little work and few rounds, under a minute in all; nothing is written but to --output."""
    only: tuple[Name, ...] = ()  # type: ignore[valid-type]
    """Names of benchmarks; by default all of them, with --quick those that take seconds."""
    repeats: int | None = None
    """Rounds, each the usual way and then ours; by default as many as each benchmark needs."""
    threads: int | None = None
    """Processors to use; by default all that there are."""
    data: Path | None = None
    """Data set whose photos and captions are used, as for train.py; by default made-up ones."""
    seed: int = 0
    """Of all that is made up."""
    output: Path | None = None
    """Folder of the records, NAME.json each; by default benchmarks/records, unless --quick."""


def main() -> None:
    """Measure; exit codes as of `captioner.commands.finish`."""
    finish(lambda: measure(tyro.cli(BenchOptions, prog="python -m benchmarks")))


def measure(options: BenchOptions) -> int:
    """Run the benchmarks, keep their records, print a table and the ratios."""
    if options.repeats is not None and options.repeats < 1:
        raise InputError("--repeats must be above 0")
    check_seed(options.seed)
    use_processors(options.threads)
    from benchmarks.ceilings import Ceilings, copy_rate
    from benchmarks.records import FOLDER, last_line
    from benchmarks.table import plain_table

    folder = options.output or (None if options.quick else FOLDER)
    copied, ceilings = copy_rate(), Ceilings()
    records = []
    for name in options.only or (QUICK if options.quick else BENCHMARKS):
        record = _record(name, options, ceilings, copied)
        records.append(record)
        if folder:
            write_json(folder / f"{name}.json", record)
    say(plain_table(records))
    say(last_line(records, QUICK))
    return 0


def _record(name: str, options: BenchOptions, ceilings: Any, copied: float) -> dict[str, Any]:
    from benchmarks.records import make_record

    benchmark = BENCHMARKS[name]
    print(f"{name}: {benchmark.work}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), options.quick, options.seed, options.data)
        pair = benchmark.load()(setting)
        rounds = options.repeats or (options.quick and benchmark.quick_rounds) or benchmark.rounds
        found = compare(name, pair, rounds, ceilings.matrix_rate if pair.flops else None)
    return make_record(name, benchmark, setting, pair, found, copied)


def use_processors(count: int | None) -> None:
    """Keep this process, and those it starts, to so many processors; before torch is imported.

    Raises:
        InputError: if there are not so many.
    """
    if count is None:
        return
    at_hand = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    most = len(at_hand) or os.cpu_count() or 1
    if not 1 <= count <= most:
        raise InputError(f"--threads {count}: choose between 1 and {most}, which there are here")
    if at_hand:
        os.sched_setaffinity(0, at_hand[:count])
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(count)


if __name__ == "__main__":
    main()
