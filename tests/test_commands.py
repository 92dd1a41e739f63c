"""The command line as people use it: what it prints, what it writes, how it leaves."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from captioner import __version__
from captioner.commands import main
from captioner.files import write_json

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "timm", "matplotlib", "nltk", "pycocotools", "onnxruntime")


def leave(capsys, *argv) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in argv])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


@pytest.fixture(scope="module")
def album(coloured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red and a blue photo, a green one deeper down, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "deep" / "deeper").mkdir(parents=True)
    for number, name in ((33, "red.jpg"), (34, "deep/deeper/grün.jpg"), (35, "blue.jpg")):
        (folder / name).write_bytes((coloured / "images" / f"{number:03d}.jpg").read_bytes())
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.mark.parametrize(
    "program",
    ["train.py", "caption.py", "evaluate.py", "data/prepare_scenes.py", "data/prepare_coco.py",
     "data/prepare_flickr8k.py"],
)  # fmt: skip
def test_help_comes_without_anything_heavy(program: str) -> None:
    code = (
        f"import runpy, sys; sys.argv = [{program!r}, '--help']\n"
        f"try: runpy.run_path({str(ROOT / program)!r}, run_name='__main__')\n"
        f"finally: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage" in done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("command", ["train", "caption", "evaluate", "report", "calibrate", "data"])
def test_every_command_tells_its_options(capsys, command: str) -> None:
    code, out, err = leave(capsys, command, "--help")
    assert (code, err) == (0, "")
    shown = {"train": "--learning-rate", "caption": "--beam-size", "evaluate": "--split",
             "report": "--against", "calibrate": "--bar"}  # fmt: skip
    assert shown.get(command, "scenes") in out


def test_the_command_line_as_a_whole(capsys) -> None:
    main(["--help"])
    out = capsys.readouterr().out
    names = ("train", "caption", "evaluate", "report", "calibrate", "data")
    assert all(f"  {name} " in out for name in names)
    main(["--version"])
    assert capsys.readouterr().out == f"captioner {__version__}\n"
    code, out, err = leave(capsys, "fly")
    assert (code, out) == (2, "")
    assert "no command 'fly'" in err
    assert leave(capsys)[0] == 2


def test_one_photo_gives_its_caption_alone(capsys, trained: Path, album: Path) -> None:
    code, out, err = leave(capsys, "caption", album / "red.jpg", "--model", trained)
    assert (code, out, err) in [(0, f"{text}\n", "") for text in REDS]


REDS = ("a red picture", "the picture is red")


def test_several_photos_get_a_line_each(capsys, trained: Path, album: Path, monkeypatch) -> None:
    monkeypatch.chdir(album)
    names = ["blue.jpg", "deep/deeper/grün.jpg", "red.jpg"]
    for paths in ([album], [album / "**" / "*.jpg"], [album / name for name in names]):
        code, out, _ = leave(capsys, "caption", *paths, "--model", trained)
        lines = [line.split("\t") for line in out.splitlines()]
        assert code == 0
        assert [path for path, _ in lines] == [str(album / name) for name in names]
        colours = [set(caption.split()) & {"blue", "green", "red"} for _, caption in lines]
        assert colours == [{"blue"}, {"green"}, {"red"}]
    _, out, _ = leave(capsys, "caption", "red.jpg", "red.jpg", "blue.jpg", "--model", trained)
    assert [line.split("\t")[0] for line in out.splitlines()] == ["red.jpg", "blue.jpg"]


def test_a_photo_on_stdin(capsys, trained: Path, album: Path, monkeypatch) -> None:
    with (album / "red.jpg").open("rb") as file:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=file))
        code, out, err = leave(capsys, "caption", "-", "--model", trained)
    assert (code, out.strip() in REDS, err) == (0, True, "")


def test_json_lines_and_csv(capsys, trained: Path, album: Path, tmp_path: Path) -> None:
    argv = ["caption", album, "--model", trained, "--num-captions", 4, "--format"]
    code, out, _ = leave(capsys, *argv, "json")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [set(record) for record in records] == [{"image", "captions"}] * 3
    for record in records:
        log_probs = [caption["log_prob"] for caption in record["captions"]]
        assert len(log_probs) == 4
        assert max(log_probs) < 0
        assert len({caption["caption"] for caption in record["captions"]}) == 4
    assert "grün.jpg" in out

    assert leave(capsys, *argv, "csv", "--output", tmp_path / "new" / "captions.csv")[:2] == (0, "")
    with (tmp_path / "new" / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["caption"], float(row["log_prob"])) for row in rows] == [
        (record["image"], caption["caption"], caption["log_prob"])
        for record in records
        for caption in record["captions"]
    ]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["captions.csv"]


def test_one_bad_photo_among_many(capsys, trained: Path, album: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes((album / "red.jpg").read_bytes()[:400])
    (tmp_path / "good.jpg").write_bytes((album / "red.jpg").read_bytes())
    code, out, err = leave(capsys, "caption", tmp_path, "--model", trained)
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(tmp_path / "good.jpg")]
    assert "bad.jpg: the picture is damaged or cut short" in err
    code, out, err = leave(capsys, "caption", tmp_path / "bad.jpg", "x.jpg", "--model", trained)
    assert (code, out) == (2, "")
    assert "bad.jpg" in err
    assert "x.jpg: there is no such file" in err


def test_a_picture_sheet(capsys, trained: Path, album: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    code, out, err = leave(capsys, "caption", album, "--model", trained, "--sheet", sheet)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert str(sheet) in err
    with Image.open(sheet) as image:
        assert image.width == 3 * (256 + 14) + 14


def test_an_interruption_keeps_what_was_captioned(trained: Path, tmp_path: Path) -> None:
    """The first 64 photos are small; the others keep the program busy until Ctrl-C comes."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (60, 40), "red").save(tmp_path / "small.png")
    Image.effect_noise((800, 800), 60).convert("RGB").save(tmp_path / "large.png")
    for number in range(600):
        kind = "small" if number < 64 else "large"
        os.link(tmp_path / f"{kind}.png", tmp_path / "photos" / f"{number:03d}.png")
    output = tmp_path / "captions.jsonl"
    output.write_text("from an earlier run\n")
    command = [sys.executable, ROOT / "caption.py", tmp_path / "photos", "--model", trained,
               "--format", "json", "--output", output]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    partial = tmp_path / ".captions.jsonl.part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if partial.exists() and partial.stat().st_size:
            break
        time.sleep(0.02)
    assert output.read_text() == "from an earlier run\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "interrupted after" in err
    assert "Traceback" not in err
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert 1 <= len(records) < 600
    assert [Path(record["image"]).name for record in records] == [
        f"{number:03d}.png" for number in range(len(records))
    ]
    assert not partial.exists()


def test_training_from_the_command_line(
    capsys, caplog, coloured: Path, weights: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["train", "tiny", "--data", coloured, "--backbone", "test_resnet", "--epochs", 2,
            "--backbone-weights", weights, "--seed", 7]  # fmt: skip
    code, out, _ = leave(capsys, *argv)
    folder = Path("runs") / f"{coloured.name}-tiny-seed7"
    assert (code, (folder / "best" / "model.safetensors").is_file()) == (0, True)
    assert f"model: {folder / 'best'}" in out
    assert "24 photos and 48 captions to learn from" in caplog.text
    settings = json.loads((folder / "run.json").read_text())
    assert (settings["seed"], settings["config"]["epochs"], settings["config"]["hidden"]) == (
        7, 2, 64,
    )  # fmt: skip
    code, _, err = leave(capsys, *argv)
    assert (code, "--resume" in err) == (2, True)
    code, again, _ = leave(capsys, "train", "--resume", folder)
    assert (code, again) == (0, out.splitlines(keepends=True)[-1])
    code, out, _ = leave(capsys, "caption", coloured / "images" / "001.jpg", "--model", folder)
    assert (code, len(out.split()) > 1) == (0, True)


def test_a_run_is_resumed_with_its_own_settings(
    capsys, trained: Path, coloured: Path, tmp_path: Path
) -> None:
    code, _, err = leave(capsys, "train", "--data", coloured, "--out", trained)
    assert (code, "--resume" in err) == (2, True)
    code, _, err = leave(capsys, "train", "--resume", tmp_path)
    assert (code, "no run to resume here" in err) == (2, True)
    code, _, err = leave(capsys, "train", "gru", "--resume", trained, "--epochs", 5,
                         "--split-seed", 1)  # fmt: skip
    assert (code, "takes all settings from" in err) == (2, True)
    assert "leave out the preset, --split-seed, --epochs" in err
    shutil.copytree(trained, tmp_path / "run")
    run = json.loads((trained / "run.json").read_text())
    write_json(tmp_path / "run" / "run.json", run | {"device": "cuda:77"})
    code, _, err = leave(capsys, "train", "--resume", tmp_path / "run")
    assert (code, "--device cuda:77" in err) == (2, True)


def test_an_interrupted_training_tells_how_to_go_on(
    capsys, coloured: Path, tmp_path: Path, monkeypatch
) -> None:
    def interrupted(folder, run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("captioner.runs.train_captioner", interrupted)
    code, out, err = leave(capsys, "train", "--data", coloured, "--out", tmp_path / "run")
    assert (code, out) == (130, "")
    assert f"python train.py --resume {tmp_path / 'run'}" in err
    assert (tmp_path / "run" / "run.json").is_file()


def test_evaluating_from_the_command_line(
    capsys, trained: Path, coloured: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new" / "scores.json"
    code, out, err = leave(capsys, "evaluate", "--model", trained, "--data", coloured,
                           "--split", "test", "--output", output)  # fmt: skip
    assert code == 0
    record = json.loads(output.read_text())
    for name, value in record["metrics"].items():
        assert any(line.split()[:2] == [name, f"{value:.4f}"] for line in out.splitlines())
    assert str(output) in err
    assert len(json.loads((tmp_path / "new" / "scores.captions.json").read_text())) == 8


def test_drawing_scenes_from_the_command_line(capsys, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    code, out, _ = leave(capsys, "data", "scenes", "--images", 24, "--output", folder,
                         "--workers", 1)  # fmt: skip
    assert (code, out) == (0, f"wrote {folder}\n")
    assert len(list((folder / "images").glob("*.jpg"))) == 24


def test_a_full_disk_behind_stdout(capsys, trained: Path, coloured: Path, monkeypatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    photo = coloured / "images" / "001.jpg"
    for argv in (["caption", photo], ["evaluate", "--data", coloured]):
        with open("/dev/full", "w") as full, monkeypatch.context() as patched:
            patched.setattr("sys.stdout", full)
            code, _, err = leave(capsys, *argv, "--model", trained)
        assert code == 2
        assert "stdout: the disk is full; make room" in err


def test_a_reader_that_goes_away(capsys, trained: Path, coloured: Path, monkeypatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", pipe)
        code, _, err = leave(capsys, "caption", coloured / "images", "--model", trained)
    assert (code, err) == (1, "")
