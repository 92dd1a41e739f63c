"""What is wrong with photos, options, data and places is named, with the remedy; no traceback."""

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from test_commands import leave

RED = (220, 30, 30)


def refused(capsys, *argv, told: str) -> str:
    """What is told on stderr, once it is sure that nothing was done and how it was said."""
    code, out, err = leave(capsys, *argv)
    assert (code, out) == (2, ""), err
    assert "Traceback" not in err
    assert re.search(told, err, re.DOTALL), err
    return err


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and holds none."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\x09IDAT"


# Photos


def test_odd_photos_are_captioned_like_any_other(capsys, trained: Path, tmp_path: Path) -> None:
    red = Image.new("RGB", (60, 40), RED)
    red.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    red.quantize(4).save(tmp_path / "palette.png")
    red.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    exif = Image.Exif()
    exif[0x0112] = 6
    red.save(tmp_path / "turned é 犬.jpg", exif=exif, quality=95)
    red.save(tmp_path / "without extension", "WEBP", lossless=True)
    red.convert("RGBA").save(tmp_path / "alpha.png")
    files = sorted(tmp_path.iterdir())
    code, out, err = leave(capsys, "caption", *files, "--model", trained)
    assert (code, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(file) for file in files]
    assert all("red" in line.split("\t")[1] for line in out.splitlines())
    Image.fromarray(np.full((40, 60), 30000, np.uint16)).save(tmp_path / "16bit.png")
    assert leave(capsys, "caption", tmp_path / "16bit.png", "--model", trained)[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.jpg", None, "there is no such file"),
        ("empty.jpg", b"", "not a picture.*save it as JPEG or PNG"),
        ("page.jpg", b"<html>404</html>", "not a picture.*save it as JPEG or PNG"),
        ("cut.png", png_header(60, 40), "damaged or cut short.*fetch or save it again"),
        ("large.png", png_header(15_000, 15_000), "too many.*make it smaller"),
        ("huge.png", png_header(90_000, 90_000), "too many.*make it smaller"),
        ("a*.png", None, "fits no file"),
    ],
)
def test_bad_photos_are_named(
    capsys, trained: Path, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    place = re.escape(str(tmp_path / name))
    assert refused(
        capsys, "caption", tmp_path / name, "--model", trained, told=f"{place}: .*{told}"
    )


def test_nothing_to_caption(capsys, trained: Path, tmp_path: Path, monkeypatch) -> None:
    assert refused(capsys, "caption", "--model", trained, told="which photos.* stdin$")
    assert refused(
        capsys, "caption", "--model", trained, "--must", "dog", "a.jpg", told="put the photos first"
    )
    assert refused(
        capsys, "caption", tmp_path, "--model", trained, told="no pictures in this folder"
    )
    with open(os.devnull, "rb") as nothing:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=nothing))
        assert refused(capsys, "caption", "-", "--model", trained, told="not a picture")


# Options


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["train", "lsmt"], "no preset 'lsmt'.*lstm"),
        (["train", "--hiden", "5"], "hiden"),
        (["train", "--hidden", "0"], "--hidden must be above 0"),
        (["train", "--hidden", "many"], "hidden"),
        (["train", "--dropout", "1"], "--dropout"),
        (["train", "--learning-rate", "nan"], "--learning-rate"),
        (["train", "--weight-decay", "-1"], "--weight-decay"),
        (["train", "--attention-penalty", "-1"], "--attention-penalty"),
        (["train", "--seed", str(2**64)], "--seed"),
        (["train", "--cell", "lsmt"], "cell"),
        (["train", "--device", "tpu"], "--device tpu.*--device cpu"),
        (["train", "--device", "meta"], "--device meta.*--device cpu"),
        (["train", "--backbone", "resnet81"], "resnet81.*did you mean"),
        (["train", "--backbone-weights", "none.safetensors"], "none.safetensors.*no such file"),
        (["caption", "x.jpg", "--format", "xml"], "format"),
        (["caption", "x.jpg", "--beam-size", "-1"], "beam_size"),
        (["caption", "x.jpg", "--num-captions", "-1"], "num_captions"),
        (["caption", "x.jpg", "--device", "cuda:77"], "--device cuda:77.*--device cpu"),
        (["evaluate", "--split", "tset"], "no split 'tset'.*test"),
        (["evaluate", "--limit", "0"], "--limit"),
        (["evaluate", "--seed", "-1"], "seed must be"),
        (["data", "scenes", "--images", "3"], "3 pictures are too few"),
        (["data"], "scenes"),
    ],
)
def test_options_that_make_no_sense(
    capsys, trained: Path, coloured: Path, tmp_path: Path, monkeypatch, argv: list, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    more = {
        "train": ["--data", coloured, "--out", "run"],
        "caption": ["--model", trained],
        "evaluate": ["--model", trained, "--data", coloured],
    }
    assert refused(capsys, *argv, *more.get(argv[0], []), told=told)
    assert list(tmp_path.iterdir()) == []


# Data sets


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", r"captions_test\.json is empty; fetch it"),
        ('{"images": [', r"captions_test\.json is not valid JSON: line 1.*mend that line"),
        ('{"images": [], "annotations": []}', "no photo with a caption; put some in"),
        ("[]", "not a JSON object with a list 'images'; give a file of captions"),
    ],
)
def test_data_sets_without_captions(
    capsys, trained: Path, coloured: Path, tmp_path: Path, content: str, told: str
) -> None:
    (tmp_path / "captions_test.json").write_text(content)
    (tmp_path / "images").symlink_to(coloured / "images")
    for more in ([], ["--skip-bad"]):
        assert refused(capsys, "evaluate", "--model", trained, "--data", tmp_path, *more, told=told)
    assert refused(
        capsys, "train", "tiny", "--data", tmp_path, "--out", tmp_path / "run", told=told
    )


@pytest.mark.parametrize(
    ("name", "captions", "told"),
    [
        ("001.jpg", [" "], "001.jpg' has a caption that is blank"),
        ("001.jpg", [], "001.jpg' has no caption"),
        ("none.jpg", ["a"], "none.jpg' is missing"),
        ("../001.jpg", ["a"], "outside the data set"),
        (None, ["of no photo"], "caption of image id 1.*not among the images"),
    ],
)
def test_bad_entries_are_refused_or_left_out(
    capsys, trained: Path, coloured: Path, tmp_path: Path, name, captions: list, told: str
) -> None:
    data, output = tmp_path / "data", tmp_path / "scores.json"
    shutil.copytree(coloured, data)
    value = json.loads((data / "captions_test.json").read_text())
    value["images"] += [{"id": 1, "file_name": name}] if name else []
    value["annotations"] += [{"image_id": 1, "caption": caption} for caption in captions]
    (data / "captions_test.json").write_text(json.dumps(value))
    argv = ["evaluate", "--model", trained, "--data", data, "--output", output]
    err = refused(capsys, *argv, told=told)
    assert str(data / "captions_test.json") in err
    assert "--skip-bad" in err
    assert not output.exists()
    assert leave(capsys, *argv, "--skip-bad")[0] == 0
    assert json.loads(output.read_text())["photos"] == 8


def test_words_of_any_script_are_learned_and_said(
    capsys, coloured: Path, weights: Path, tmp_path: Path
) -> None:
    data = tmp_path / "données 犬"
    shutil.copytree(coloured, data)
    for split in ("train", "val", "test"):
        file = data / f"captions_{split}.json"
        value = json.loads(file.read_text())
        for annotation in value["annotations"]:
            annotation["caption"] = "Синяя картина — 犬 été 🐕"
        file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    out = tmp_path / "été"
    argv = ["--backbone", "test_resnet", "--backbone-weights", weights, "--epochs", 1]
    assert leave(capsys, "train", "tiny", "--data", data, "--out", out, *argv)[0] == 0
    code, said, _ = leave(capsys, "caption", data / "images" / "001.jpg", "--model", out)
    assert code == 0
    assert {*said.split()} <= {"été", "картина", "синяя", "犬"}
    assert said.split()


# Models


def test_a_model_cut_short_or_missing(
    capsys, trained: Path, coloured: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    output = tmp_path / "captions.csv"
    output.write_text("from an earlier run")
    argv = ["caption", coloured / "images" / "001.jpg", "--output", output, "--format", "csv"]
    assert refused(capsys, *argv, "--model", folder, told=r"model\.safetensors: .*cut short")
    assert refused(
        capsys, *argv, "--model", tmp_path / "none", told="no such folder.*give a folder"
    )
    assert refused(capsys, *argv, "--model", coloured, told="holds no config.json.*give a folder")
    assert output.read_text() == "from an earlier run"


# Places


def test_places_that_cannot_be_written(
    capsys, trained: Path, coloured: Path, tmp_path: Path, monkeypatch
) -> None:
    photo = coloured / "images" / "001.jpg"
    (tmp_path / "file").write_text("no folder")
    inside = tmp_path / "file" / "inside"
    caption = ["caption", photo, "--model", trained]
    assert refused(
        capsys, *caption, "--output", tmp_path, told="is a folder; give the name of a file"
    )
    assert refused(
        capsys, *caption, "--output", inside, told="cannot be written.*choose another place"
    )
    assert refused(
        capsys,
        *caption,
        "--sheet",
        inside / "x.png",
        told="cannot be written.*choose another place",
    )
    assert refused(capsys, *caption, "--sheet", tmp_path / "x.jpg", told="ends in .png")
    monkeypatch.setattr("captioner.evaluation.evaluate", None)  # told before hours of work
    evaluate = ["evaluate", "--model", trained, "--data", coloured]
    assert refused(capsys, *evaluate, "--output", tmp_path, told="is a folder; give the name of a")
    assert refused(
        capsys, *evaluate, "--output", inside, told="cannot be written.*choose another place"
    )
    assert refused(capsys, "train", "--data", coloured, "--out", inside, told="cannot be written")
    assert refused(
        capsys, "data", "scenes", "--images", 24, "--output", inside, told="cannot be written"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> "Path":
    """A disk of 64 kB that is nearly full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(
    capsys, trained: Path, coloured: Path, weights: Path, small_disk: Path
) -> None:
    argv = ["--backbone", "test_resnet", "--backbone-weights", weights]
    code, _, err = leave(capsys, "train", "tiny", "--data", coloured, *argv, "--out",
                         small_disk / "run")  # fmt: skip
    assert (code, "Traceback" in err) == (2, False)
    assert re.search("No space left.*make room for it; go on with: .* --resume", err)
    shutil.rmtree(small_disk / "run")
    (small_disk / "rest").write_bytes(bytes(60_000))
    output = small_disk / "captions.json"
    output.write_text("from an earlier run")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (small_disk / "more").write_bytes(bytes(60_000))
    for argv in (["caption", coloured / "images"], ["evaluate", "--data", coloured]):
        code, _, err = leave(capsys, *argv, "--model", trained, "--output", output)
        assert (code, "Traceback" in err) == (2, False)
        assert "captions.json: the disk is full; make room" in err
        assert output.read_text() == "from an earlier run"
