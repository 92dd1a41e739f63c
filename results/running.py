"""One experiment after the other: what it needs, its training, its evaluation, its record.

Training and evaluation are programs of their own, so that each gives its memory back and tells how
much it took, and so that no mistake in one ends the others. It wants Linux or macOS.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tyro
from filelock import FileLock, Timeout

from captioner.commands.train import TrainOptions
from captioner.config import TrainConfig
from captioner.errors import InputError
from captioner.files import read_json, write_json
from captioner.folders import parse
from captioner.presets import PRESETS
from results.catalogue import Experiment

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path("runs/experiments")
RECORDS = ROOT / "results" / "experiments"
FINISHED = "finished.json"
"""In the folder of a run: its training came to an end, with so much memory."""
TOLD = 10
"""Last lines of a program that failed."""
CAPTIONER = ("-c", "from captioner.commands import main; main()")

Outcome = Literal["done", "busy", "failed"]


class FailedError(Exception):
    """A run that came to nothing; the message says why."""


class BusyError(Exception):
    """A run that another program is at."""


def settings(experiment: Experiment) -> TrainConfig:
    """What it is trained with, as train.py understands its arguments; leaves where it does not.

    >>> settings(Experiment("features", "size-300", ("gru", "--size", "300"))).size
    300
    """
    preset, *rest = experiment.train
    default = TrainOptions(config=PRESETS[preset])
    return tyro.cli(TrainOptions, default=default, args=rest, prog="train.py").config


def call(arguments: Sequence[str], log: Path) -> float:
    """Run Python with these arguments; what it says goes to the end of a file.

    Returns:
        The most memory that it took, in MiB.

    Raises:
        FailedError: with its last lines, if it ends with anything but 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as said:
        before = said.tell()
        # In a session of its own Ctrl-C does not reach it: it is told here, once.
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            memory = _wait(process)
        except KeyboardInterrupt:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process.pid, signal.SIGINT)
                _wait(process)
            raise
    if process.returncode:
        lines = log.read_bytes()[before:].decode("utf-8", "replace").split("\n")
        last = "\n".join(f"    {line}" for line in lines if line.strip()).splitlines()[-TOLD:]
        raise FailedError("\n".join([f"exit code {process.returncode}; {log}:", *last]))
    return memory


def _wait(process: subprocess.Popen[bytes]) -> float:
    """Until a process ends; MiB of memory that this one alone took at the most."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # In KiB on Linux, in bytes on macOS.
    return usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


@dataclass
class Runner:
    """Runs experiments, each with what it needs first."""

    data: Path
    """Data set."""
    experiments: Mapping[str, Experiment]
    """All there are, by name."""
    runs: Path = RUNS
    """Here are the runs, a folder and a log each."""
    records: Path = RECORDS
    """Here is what is kept."""
    outcomes: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    """Of what was run already; nothing is tried twice."""

    def folder(self, name: str, seed: int) -> Path:
        """Of a run."""
        return self.runs / f"{name}-seed{seed}"

    def record(self, name: str, seed: int) -> Path:
        """Of a run."""
        return self.records / f"{name}-seed{seed}.json"

    def is_trained(self, name: str, seed: int) -> bool:
        """Whether its training came to an end."""
        return (self.folder(name, seed) / FINISHED).is_file()

    def state(self, name: str, seed: int) -> str:
        """How far a run is, in a word or two."""
        if self.record(name, seed).exists():
            return "done"
        if self.is_trained(name, seed):
            return "trained"
        return "begun" if (self.folder(name, seed) / "run.json").exists() else "to do"

    def run(self, experiment: Experiment, seed: int) -> Outcome:
        """Make the record of a run where there is none, with all that it takes."""
        key = (experiment.name, seed)
        if key not in self.outcomes:
            self.outcomes[key] = self._try(experiment, seed)
        return self.outcomes[key]

    def _try(self, experiment: Experiment, seed: int) -> Outcome:
        record = self.record(experiment.name, seed)
        if record.exists():
            return "done"
        try:
            with self._locked(experiment.name, seed):
                if not record.exists():  # another program may just have made it
                    if not experiment.model_of:
                        self.train(experiment, seed)
                    self.evaluate(experiment, seed)
        except (FailedError, InputError) as error:
            tell(experiment.name, seed, f"failed: {error}")
            return "failed"
        except BusyError as error:
            tell(experiment.name, seed, f"left out: {error}")
            return "busy"
        return "done"

    @contextmanager
    def _locked(self, name: str, seed: int) -> Iterator[None]:
        self.runs.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.runs / f"{name}-seed{seed}.lock", timeout=0):
                yield
        except Timeout:
            raise BusyError(f"another program is at {name}, seed {seed}") from None

    def provide(self, name: str, seed: int) -> Path:
        """The run of a model that another experiment wants.

        Raises:
            FailedError: if it cannot be trained.
            BusyError: if another program is at it.
        """
        if not self.is_trained(name, seed):
            outcome = self.run(self.experiments[name], seed)
            if outcome == "done" and not self.is_trained(name, seed):
                with self._locked(name, seed):  # its record is here, its model is not
                    self.train(self.experiments[name], seed)
            elif not self.is_trained(name, seed):
                kind = BusyError if outcome == "busy" else FailedError
                raise kind(f"it wants the model of {name}, seed {seed}")
        return self.folder(name, seed)

    def train(self, experiment: Experiment, seed: int) -> None:
        """Train, or go on where it stopped."""
        name = experiment.name
        folder = self.folder(name, seed)
        if self.is_trained(name, seed):
            return
        arguments = [*experiment.train, "--data", str(self.data), "--out", str(folder)]
        arguments += ["--seed", str(seed)]
        if experiment.begin_with:
            begin_with = self.provide(experiment.begin_with, seed)
            arguments += ["--begin-with", str(begin_with)]
        if (folder / "run.json").exists():
            self._check(experiment, folder)
            arguments = ["--resume", str(folder)]
        tell(name, seed, f"training; {self._log(name, seed)}")
        memory = call([str(ROOT / "train.py"), *arguments], self._log(name, seed))
        write_json(folder / FINISHED, {"memory_mib": round(memory)})

    def _check(self, experiment: Experiment, folder: Path) -> None:
        file = folder / "run.json"
        begun = read_json(file, "the settings of a run")
        same = parse(TrainConfig, begun["config"], file) == settings(experiment)
        if not same or Path(begun["data"]) != self.data.resolve():
            raise FailedError(f"{folder} was begun with other settings or data; delete it")

    def evaluate(self, experiment: Experiment, seed: int) -> None:
        """Score a model on validation photos, and keep the record."""
        name = experiment.name
        log, output = self._log(name, seed), self.folder(name, seed) / "val.json"
        trained = self.provide(experiment.model_of or name, seed)
        tell(name, seed, f"evaluation; {log}")
        model = self._agreeing(trained, log) if experiment.consensus else trained
        output.parent.mkdir(parents=True, exist_ok=True)
        places = ["--model", str(model), "--data", str(self.data), "--output", str(output)]
        others = [str(self.provide(experiment.model_of, other)) for other in experiment.ensemble]
        together = ["--ensemble", *others] if others else []
        evaluate = [str(ROOT / "evaluate.py"), *places, "--split", "val", *experiment.evaluate]
        call([*evaluate, *together], log)
        found = read_json(output, "the record of an evaluation")
        training = found["training"]
        record = {
            "experiment": name,
            "group": experiment.group,
            "train": list(self.experiments[experiment.model_of or name].train),
            "evaluate": list(experiment.evaluate),
            **found,
            "seed": seed,
            "training": training | {"best_epoch": training["epochs"]} | course(trained),
            **read_json(trained / FINISHED, "the note of a finished training"),
        }
        write_json(self.record(name, seed), record)
        tell(name, seed, f"CIDEr-D {100 * found['metrics']['cider_d']:.1f}")

    def _agreeing(self, trained: Path, log: Path) -> Path:
        """A copy of a run's model that knows its training photos; made once for all searches."""
        copy = trained.with_name(f"{trained.name}-consensus")
        with FileLock(self.runs / f"{copy.name}.lock"):
            about = "config.json"  # it has the SHA-256 of the weights
            original = (trained / "best" / about).read_bytes()
            whole = (copy / "consensus.npz").is_file()
            if not whole or (copy / about).read_bytes() != original:
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(trained / "best", copy)
                place = ["--model", str(copy), "--data", str(self.data)]
                call([*CAPTIONER, "consensus", *place, "--choose-on", "val"], log)
        return copy

    def _log(self, name: str, seed: int) -> Path:
        return self.runs / f"{name}-seed{seed}.log"


def course(run: Path) -> dict[str, Any]:
    """How a whole training went: its epochs and minutes, and why it stopped if it had to."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    last = [record for record in map(json.loads, lines) if "epoch" in record][-1]
    found = {"epochs": last["epoch"], "minutes": round(last["seconds"] / 60, 1)}
    return found | ({"stop": last["stop"]} if last.get("stop") else {})


def tell(name: str, seed: int, what: str) -> None:
    """What happens, for whoever watches."""
    print(f"{name}, seed {seed}: {what}", flush=True)
