"""`captioner lm` as a person calls it."""

import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.commands import main
from captioner.config import LanguageTrainConfig
from captioner.language_runs import LanguageRun, train_language_model
from captioner.runs import begin
from captioner.vocabulary import tokenise

SMALL = [
    *("--embedding", "8", "--hidden", "16", "--epochs", "2", "--batch-size", "4"),
    *("--min-count", "1", "--learning-rate", "0.02", "--warmup", "2"),
]


def call(capsys, *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in argv])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of captions that stand apart."""
    folder = tmp_path_factory.mktemp("lm")
    text = folder / "captions.txt"
    text.write_text("a dog runs\na cat sleeps\na dog sleeps on the grass\n" * 20)
    config = LanguageTrainConfig(embedding=8, hidden=16, epochs=4, batch_size=8, warmup=2,
                                 learning_rate=0.02, lines="apart")  # fmt: skip
    run = LanguageRun(str(text), 0, "cpu", config)
    begin(folder / "run", run)
    train_language_model(folder / "run", run)
    return folder / "run"


@pytest.mark.parametrize("command", ["train", "write", "score", "inspect"])
def test_help_comes_without_anything_heavy(command: str) -> None:
    code = (
        f"import sys; from captioner.commands import main\n"
        f"try: main(['lm', {command!r}, '--help'])\n"
        f"finally: print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"captioner lm {command}" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_the_commands_of_language_models(capsys) -> None:
    main(["lm", "--help"])
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in ("train", "write", "score", "inspect"))
    code, _, err = call(capsys, "lm", "fly")
    assert (code, "no command 'fly'" in err) == (2, True)
    assert call(capsys, "lm")[0] == 2


def test_training(capsys, tmp_path: Path) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("one two three\nfour five\n" * 40)
    code, told, _ = call(capsys, "lm", "train", text, "--unit", "char", *SMALL, "--out", out)
    assert code == 0
    assert "best perplexity" in told
    assert {"best", "curves.png", "log.jsonl", "run.json"} <= {f.name for f in out.iterdir()}
    vocabulary = json.loads((out / "best" / "vocabulary.json").read_text())
    assert vocabulary["unit"] == "char"
    assert set("one two three") <= set(vocabulary["words"])
    code, _, told = call(capsys, "lm", "train", text, *SMALL, "--out", out)
    assert (code, "--resume" in told) == (2, True)
    code, _, told = call(capsys, "lm", "train", text, "--resume", out, "--epochs", 3)
    assert (code, "leave out the text, --epochs" in told) == (2, True)
    assert call(capsys, "lm", "train", "--resume", out)[0] == 0


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["scenes", "--bidirectional"], "has seen the word already"),
        ([], "which text?"),
        (["missing.txt"], "no such file"),
        (["scenes", "--hidden", "0"], "--hidden must be above 0"),
        (["scenes", "--chunk", "-1"], "--chunk must be above 0"),
        (["scenes", "--dropout", "1"], "--dropout"),
        (["scenes", "--seed", "-1"], "--seed"),
    ],
)
def test_what_training_refuses(capsys, tmp_path, monkeypatch, argv: list[str], told: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, "lm", "train", *argv)
    assert code == 2
    assert out == ""
    assert told in " ".join(err.split())
    assert not list(tmp_path.glob("runs/*/*"))


def test_writing(capsys, model: Path) -> None:
    code, out, _ = call(capsys, "lm", "write", model, "--prompt", "a dog", "--num", 3)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert all(line.startswith("a dog") for line in out.splitlines())
    assert call(capsys, "lm", "write", model, "--prompt", "a dog", "--num", 3)[1] == out
    code, _, err = call(capsys, "lm", "write", model, "--prompt", "a zebra")
    assert (code, "unknown to this model: zebra" in err) == (0, True)
    for wrong in (["--length", 0], ["--top-p", 0], ["--temperature", -1], ["--num", 0]):
        assert call(capsys, "lm", "write", model, *wrong)[0] == 2


def test_scoring(capsys, model: Path, tmp_path: Path, monkeypatch) -> None:
    sentences = ["a dog runs", "runs dog a", "a zebra runs"]
    code, out, err = call(capsys, "lm", "score", model, *sentences)
    assert code == 0
    assert out.splitlines()[-1] == "likeliest: a dog runs"
    assert "unknown to this model: zebra" in err

    code, out, err = call(capsys, "lm", "score", model, *sentences, "--format", "json")
    assert (code, err) == (0, "")
    records = [json.loads(line) for line in out.splitlines()]
    assert [list(record) for record in records] == [["text", "log_prob", "perplexity"]] * 3
    assert [record["text"] for record in records] == sentences
    for record in records:
        words = len(tokenise(record["text"])) + 1
        log_of_perplexity = -record["log_prob"] / words
        assert pytest.approx(log_of_perplexity) == math.log(record["perplexity"])

    (tmp_path / "some.txt").write_text("\n".join(["", *sentences, " "]))
    _, of_file, _ = call(capsys, "lm", "score", model, tmp_path / "some.txt", "--format", "json")
    stdin = io.TextIOWrapper(io.BytesIO("\r\n".join(sentences).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    _, of_stdin, _ = call(capsys, "lm", "score", model, "-", "--format", "json")
    assert of_file == of_stdin == out


def test_what_scoring_refuses(capsys, model: Path, trained: Path, tmp_path: Path) -> None:
    assert call(capsys, "lm", "score", model)[0] == 2
    code, _, err = call(capsys, "lm", "score", trained, "a dog")
    assert (code, "this is a captioner" in err) == (2, True)
    code, _, err = call(capsys, "lm", "score", tmp_path, "a dog")
    assert (code, "not a model" in err) == (2, True)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    code, _, err = call(capsys, "lm", "score", model, tmp_path / "latin.txt")
    assert (code, "UTF-8" in err) == (2, True)


def test_a_captioner_listens_to_a_language_model(
    capsys, model: Path, trained: Path, coloured: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scores.json"
    evaluate = ["evaluate", "--model", trained, "--data", coloured, "--output", output]
    code, _, err = call(capsys, *evaluate, "--lm", model, "--lm-weight", -0.1)
    assert code == 0, err
    record = json.loads(output.read_text())
    assert record["language_model"] == {"model": "run", "weight": -0.1}
    photo = coloured / "images" / "040.jpg"
    code, out, _ = call(capsys, "caption", photo, "--model", trained, "--lm", model)
    assert code == 0
    assert out.strip()
    code, _, err = call(capsys, "caption", photo, "--lm", model, "--beam-size", 1)
    assert (code, "--beam-size 2" in err) == (2, True)
    code, _, err = call(capsys, "caption", photo, "--model", trained, "--lm", trained)
    assert (code, "this is a captioner" in err) == (2, True)
    assert call(capsys, "caption", photo, "--model", model)[0] == 2


def test_a_run_begins_with_a_language_model(
    capsys, caplog, model: Path, coloured: Path, weights: Path, tmp_path: Path
) -> None:
    from conftest import BACKBONE

    common = ["train", "tiny", "--data", coloured, "--backbone", BACKBONE, "--epochs", 1,
              "--backbone-weights", weights, "--init-decoder", model]  # fmt: skip
    fitting = ["--embedding", 8, "--hidden", 16, "--cell", "lstm"]
    code, _, err = call(capsys, *common, *fitting, "--out", tmp_path / "run")
    assert code == 0, err
    assert "the decoder begins with 6 words" in caplog.text  # the special ones, "a" and "the"
    code, _, err = call(capsys, *common, "--out", tmp_path / "other")
    assert (code, "--embedding" in err) == (2, True)
    assert not (tmp_path / "other").exists()
