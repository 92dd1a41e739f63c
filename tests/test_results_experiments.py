"""Experiments with seeds: their list, the program that runs them, the tables of their records."""

import doctest
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from captioner.commands.settings import check_recipe
from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.logbook import Logbook
from captioner.material import Run, check_settings
from captioner.runs import begin, train_captioner
from conftest import BACKBONE
from results import catalogue, curve, gains, markdown, running, tables
from results.catalogue import EXPERIMENTS, GROUPS, Experiment
from results.experiments import Options, run_experiments
from results.running import FINISHED, FailedError, Runner, call, settings

NAMES = [one.name for one in EXPERIMENTS]


@pytest.mark.parametrize("module", [catalogue, gains, markdown, running])
def test_examples(module) -> None:
    assert doctest.testmod(module).failed == 0


def test_names_and_what_they_refer_to() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert not {*NAMES} & {*GROUPS} - {"self-critical"}
    for one in EXPERIMENTS:
        assert one.group in GROUPS
        assert one.group in gains.ABOUT
        for name in filter(None, (one.needs, one.against)):
            assert {*one.seeds} <= {*EXPERIMENTS[NAMES.index(name)].seeds}
        assert bool(one.train) != bool(one.model_of)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=NAMES)
def test_arguments_are_understood(experiment: Experiment) -> None:
    if experiment.train:
        config = settings(experiment)
        check_recipe(config)
        check_settings(config, experiment.begin_with, None)
    import tyro

    from captioner.commands.evaluate import EvaluateOptions

    found = tyro.cli(EvaluateOptions, args=experiment.evaluate).search
    assert (found == SearchConfig()) == (experiment.evaluate == ())


def test_the_records_that_are_kept_are_of_these_experiments() -> None:
    for name, of_seeds in gains.read_experiments(running.RECORDS).items():
        one = gains.BY_NAME[name]
        for record in of_seeds.values():
            trained = gains.BY_NAME[one.model_of or name]
            assert record["train"] == [*trained.train]
            assert record["evaluate"] == [*one.evaluate]
            assert (record["group"], record["split"]) == (one.group, "val")


@pytest.fixture
def runner(coloured: Path, tmp_path: Path) -> Runner:
    return Runner(coloured, {}, tmp_path / "runs", tmp_path / "records")


def with_experiments(runner: Runner, *experiments: Experiment) -> Runner:
    runner.experiments = {one.name: one for one in experiments}
    return runner


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is called, in place of running it: the program, with the folder that it works on.

    Training of an experiment whose name begins with `bad` fails.
    """
    made: list[list[str]] = []

    def pretend(arguments: list[str], log: Path) -> float:
        words = [*map(str, arguments)]
        program = Path(words[0]).stem if words[0] != "-c" else words[2]
        named = {"train": "--resume" if "--resume" in words else "--out"}.get(program, "--model")
        folder = Path(words[words.index(named) + 1])
        others = words[words.index("--ensemble") + 1 :] if "--ensemble" in words else []
        made.append([program, folder.name, *(Path(other).name for other in others)])
        if program == "train":
            if folder.name.startswith("bad"):
                raise FailedError("no luck")
            (folder / "best").mkdir(parents=True)
            (folder / "best" / "config.json").write_text("{}")
            (folder / "log.jsonl").write_text('{"step": 1}\n{"epoch": 2, "seconds": 90}\n')
        elif program == "consensus":
            (folder / "consensus.npz").touch()
        else:
            found = {"metrics": {"cider_d": 0.5}, "training": {"epochs": 1, "minutes": 1}}
            Path(words[words.index("--output") + 1]).write_text(json.dumps(found | {"seed": 0}))
        return 100.0

    monkeypatch.setattr(running, "call", pretend)
    return made


def test_what_an_experiment_needs_is_run_first(runner: Runner, calls) -> None:
    base = Experiment("decoders", "base", ("lstm",))
    search = Experiment("search", "search", model_of="base", consensus=True)
    wide = Experiment("search", "wide", model_of="base", consensus=True)
    on = Experiment("self-critical", "on", ("self-critical",), begin_with="base")
    with_experiments(runner, search, on, base, wide)
    assert runner.run(search, 1) == "done"
    assert [call[:2] for call in calls] == [
        ["train", "base-seed1"],
        ["evaluate", "base-seed1"],
        ["consensus", "base-seed1-consensus"],
        ["evaluate", "base-seed1-consensus"],
    ]
    calls.clear()
    runner.run(wide, 1)
    runner.run(on, 1)
    runner.run(base, 1)
    assert [call[:2] for call in calls] == [
        ["evaluate", "base-seed1-consensus"],
        ["train", "on-seed1"],
        ["evaluate", "on-seed1"],
    ]
    record = json.loads(runner.record("search", 1).read_text())
    assert record["train"] == ["lstm"]
    assert record["seed"] == 1
    assert record["training"] == {"epochs": 2, "minutes": 1.5, "best_epoch": 1}
    assert record["memory_mib"] == 100

    # The record of what is needed is there, but its model is gone.
    (runner.folder("base", 1) / FINISHED).unlink()
    (runner.folder("base", 1) / "best" / "config.json").unlink()
    (runner.folder("base", 1) / "best").rmdir()
    runner.record("on", 1).unlink()
    (runner.folder("on", 1) / FINISHED).unlink()
    (runner.folder("on", 1) / "best" / "config.json").unlink()
    (runner.folder("on", 1) / "best").rmdir()
    calls.clear()
    again = Runner(runner.data, runner.experiments, runner.runs, runner.records)
    assert again.run(on, 1) == "done"
    assert [call[:2] for call in calls] == [
        ["train", "base-seed1"],
        ["train", "on-seed1"],
        ["evaluate", "on-seed1"],
    ]


def test_an_ensemble_has_the_models_of_all_its_seeds(runner: Runner, calls) -> None:
    base = Experiment("decoders", "base", ("lstm",))
    together = Experiment("search", "together", model_of="base", ensemble=(1, 2))
    with_experiments(runner, base, together)
    assert runner.run(together, 0) == "done"
    trained = {call[1] for call in calls if call[0] == "train"}
    assert trained == {"base-seed0", "base-seed1", "base-seed2"}
    assert calls[-1] == ["evaluate", "base-seed0", "base-seed1", "base-seed2"]


def test_a_trained_model_is_only_evaluated(runner: Runner, calls) -> None:
    one = Experiment("decoders", "one", ("lstm",))
    with_experiments(runner, one).run(one, 0)
    runner.record("one", 0).unlink()
    calls.clear()
    assert runner.state("one", 0) == "trained"
    assert Runner(runner.data, runner.experiments, runner.runs, runner.records).run(one, 0)
    assert [call[0] for call in calls] == ["evaluate"]


def test_the_others_go_on_where_one_fails_or_is_locked(runner: Runner, calls, capsys) -> None:
    bad = Experiment("decoders", "bad", ("lstm",), seeds=(0, 1))
    after = Experiment("search", "after", model_of="bad", seeds=(0,))
    held = Experiment("decoders", "held", ("gru",), seeds=(0,))
    held_too = Experiment("search", "held-too", model_of="held", seeds=(0,))
    good = Experiment("data", "good", ("gru",), seeds=(0, 1))
    with_experiments(runner, bad, after, held, held_too, good)
    runner.runs.mkdir(parents=True)
    with FileLock(runner.runs / "held-seed0.lock"):
        assert run_experiments(Options(runner.data), runner) == 1
    said = capsys.readouterr().out
    assert "bad, seed 0: failed: no luck" in said
    assert "after, seed 0: failed: it wants the model of bad, seed 0" in said
    assert "held, seed 0: left out: another program is at held, seed 0" in said
    assert said.endswith("2 done, 2 busy, 3 failed\n")
    assert [call[:2] for call in calls if call[0] == "train"] == [
        ["train", "bad-seed0"],
        ["train", "good-seed0"],
        ["train", "bad-seed1"],
        ["train", "good-seed1"],
    ]
    assert sorted(file.name for file in runner.records.iterdir()) == [
        "good-seed0.json",
        "good-seed1.json",
    ]


def test_choosing(runner: Runner, calls, capsys) -> None:
    with_experiments(
        runner,
        Experiment("decoders", "one", ("lstm",)),
        Experiment("data", "two", ("lstm",)),
        Experiment("data", "three", ("lstm",)),
    )
    options = Options(runner.data, only=("one", "data"), seed=(2,))
    assert run_experiments(Options(runner.data, only=("data",), list=True), runner) == 0
    assert capsys.readouterr().out.count("to do (data)") == 6
    assert not calls
    assert run_experiments(options, runner) == 0
    assert [name for _, name in calls] == [
        f"{name}-seed2" for name in ("one", "two", "three") for _ in range(2)
    ]
    with pytest.raises(InputError, match="--only four: not among data, decoders, one"):
        run_experiments(Options(runner.data, only=("four",)), runner)
    with pytest.raises(InputError, match="no such data set"):
        run_experiments(Options(Path("nowhere")), runner)


def test_the_last_lines_of_what_fails_are_told(tmp_path: Path) -> None:
    code = "print(*range(40), sep='\\n'); raise SystemExit(3)"
    with pytest.raises(FailedError, match=r"(?s)^exit code 3; .*log:\n    30\n.*    39$"):
        call(["-c", code], tmp_path / "a" / "log")
    memory = call(["-c", "print('x' * 5); block = b'1' * 90_000_000"], tmp_path / "a" / "log")
    assert memory > 90  # at least this process's own, of which it is born
    assert (tmp_path / "a" / "log").read_text().endswith("39\nxxxxx\n")


def test_ctrl_c_reaches_the_training_once(tmp_path: Path) -> None:
    """And so does SIGTERM; the program waits until the training has put its things in order."""
    child = (
        "import sys, time\n"
        "print('ready', flush=True)\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3)\n    print('tidy')\n    sys.exit(130)\n"
    )
    parent = (
        "from pathlib import Path\nfrom captioner.commands import finish\n"
        "from results import experiments, running\n"
        f"experiments.run_experiments = lambda *_: running.call(['-c', {child!r}], Path('log'))\n"
        "finish(experiments.main)\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=tmp_path, env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(300):
        if log.exists() and log.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert log.read_text() == "ready\ntidy\n"


@pytest.mark.slow
def test_a_half_finished_run_goes_on_and_is_recorded(
    runner: Runner, coloured: Path, weights: Path, tmp_path: Path, monkeypatch, capfd
) -> None:
    """The real programs, on small data: trained for an epoch here, for the other one by the runner.

    Then with another experiment's settings in its place.
    """
    arguments = (
        f"tiny --backbone {BACKBONE} --backbone-weights {weights} --epochs 2 --hidden 16 --seed 5"
    )
    one = Experiment("decoders", "one", tuple(arguments.split()[:-2]), seeds=(5,))
    search = Experiment("search", "one-beam", evaluate=("--beam-size", "1"), model_of="one",
                        consensus=True, seeds=(5,))  # fmt: skip
    with_experiments(runner, search, one)
    folder = runner.folder("one", 5)
    run = Run(str(coloured.resolve()), 5, 0, False, str(weights), "cpu", settings(one))

    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    begin(folder, run)
    with monkeypatch.context() as patch:
        patch.setattr(Logbook, "epoch_ends", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_captioner(folder, run)
    assert runner.state("one", 5) == "begun"

    other = Experiment("decoders", "one", (*one.train, "--dropout", "0.1"))
    assert Runner(coloured, {}, runner.runs, runner.records).run(other, 5) == "failed"
    assert "was begun with other settings" in capfd.readouterr().out

    assert run_experiments(Options(coloured), runner) == 0, capfd.readouterr().out
    record = json.loads(runner.record("one", 5).read_text())
    assert {"metrics", "intervals", "shares", "data_fingerprint", "commit", "hardware"} <= {*record}
    assert record["experiment"] == "one"
    assert (record["group"], record["seed"], record["split"]) == ("decoders", 5, "val")
    assert record["train"] == [*one.train]
    assert record["photos"] == 8
    assert {"commit", "command", "minutes", "epochs", "best_epoch"} <= {*record["training"]}
    assert record["training"]["epochs"] == 2
    assert 50 < record["memory_mib"] < 5000
    epochs = [line for line in (folder / "log.jsonl").read_text().splitlines() if "epoch" in line]
    assert len(epochs) == 1  # the first was interrupted before it was noted
    searched = json.loads(runner.record("one-beam", 5).read_text())
    assert (searched["beam_size"], searched["model"]) == (1, "one-seed5-consensus")
    assert not list(runner.records.glob("*captions*"))

    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.json"))
    again = Runner(coloured, runner.experiments, runner.runs, runner.records)
    assert run_experiments(Options(coloured), again) == 0
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")) == before


def made_record(name: str, seed: int, cider_d: float, **more) -> dict:
    return {
        "experiment": name, "seed": seed, "beam_size": 3, "commit": "0123456789",
        "metrics": {"cider_d": cider_d, "bleu_4": 0.2, "rouge_l": 0.45},
        "shares": {"break_off": 0.01, "say_something_twice": 0.055},
        "training": {"minutes": 17.4, "commit": "abcdef012"},
        "seconds": {"search": 8.25},
        "hardware": {"processor": "Chip", "cores": 2},
    } | more  # fmt: skip


def test_tables_of_made_records(tmp_path: Path) -> None:
    assert gains.experiments_section(tmp_path / "nothing") == ""
    folder = tmp_path / "experiments"
    folder.mkdir()

    def keep(*args, **more) -> None:
        record = made_record(*args, **more)
        file = folder / f"{record['experiment']}-seed{record['seed']}.json"
        file.write_text(json.dumps(record))

    for seed, score in enumerate((0.48, 0.49, 0.50)):
        keep("pooled-gru", seed, score)
    keep("views-2", 0, 0.485)
    keep("views-2", 2, 0.515)
    keep("beam-3", 0, 0.50)
    keep("beam-1", 0, 0.48, beam_size=1)
    text = gains.experiments_section(folder)
    link = "[{0}](results/experiments/{0}-seed0.json)".format
    rest = "20.0 | 45.0 | 1.0% | 5.5%"
    three = "3 | 49.0 (48.0 to 50.0)"
    many = "20.0 (20.0 to 20.0) | 45.0 (45.0 to 45.0) | 1.0% | 5.5% | 17 min |"
    gru = f"| {link('pooled-gru')} | `gru` | {three} | – | {many}"
    assert [line for line in text.splitlines() if line.startswith("| [")] == [
        gru,
        gru,
        f"| {link('views-2')} | `gru --views 2` | 2 | 50.0 (48.5 to 51.5) "
        f"| +1.0 (+0.5 to +1.5) | {many}",
        f"| {link('beam-3')} | `--beam-size 3` | 1 | 50.0 | – | {rest} | 8.2 s |",
        f"| {link('beam-1')} | `--beam-size 1` | 1 | 48.0 | -2.0 | {rest} | 8.2 s |",
    ]
    assert [line[2:10] for line in text.splitlines() if line.startswith("**")] == [
        "Decoders", "Ingredie", "Search**"
    ]  # fmt: skip
    assert "Beams: 1, 3. Machine: Chip, 2 cores. Commit: 0123456, abcdef0." in text
    assert "No records" not in text

    marks = "above\n<!-- experiments -->\nold\n<!-- end of experiments -->\nbelow\n"
    filled = tables.fill_section(marks, text)
    assert filled.startswith("above\n<!-- experiments -->\n\n### Experiments\n")
    assert filled.endswith("\n\n<!-- end of experiments -->\nbelow\n")
    assert tables.fill_section(filled, text) == filled
    with pytest.raises(InputError, match="the README has no place"):
        tables.fill_section("no marks", text)

    keep("unknown", 0, 0.5)
    with pytest.raises(InputError, match=r"unknown-seed0.json: not the record.*KeyError"):
        gains.read_experiments(folder)
    (folder / "unknown-seed0.json").unlink()
    (folder / "copy-seed0.json").write_text(json.dumps(made_record("views-2", 0, 0.5)))
    with pytest.raises(InputError, match="the record of views-2, seed 0; give it that name"):
        gains.read_experiments(folder)


def test_the_curve_of_data_has_a_point_for_each_number_of_photos(tmp_path: Path) -> None:
    def of(photos: int, *scores: float) -> dict:
        made = [made_record("any", seed, score) for seed, score in enumerate(scores)]
        return {n: {**one, "training": {"photos": photos}} for n, one in enumerate(made)}

    records = {"pooled-gru": of(6090, 0.44, 0.45), "photos-100": of(100, 0.1), "aoa": of(6090, 9.0)}
    assert curve.points(records) == {100: [10.0], 6090: [44.0, 45.0]}
    assert curve.draw_curve(records, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > picture.height > 300
    assert not curve.draw_curve({"pooled-gru": of(6090, 0.4)}, tmp_path / "none.png")


def test_options_of_the_program() -> None:
    import tyro

    found = tyro.cli(Options, args=["--data", "d", "--only", "a", "b", "--seed", "0", "--list"])
    assert found == Options(Path("d"), ("a", "b"), (0,), True)
