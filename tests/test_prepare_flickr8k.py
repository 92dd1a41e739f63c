"""Copies of Flickr8k as they circulate, made by hand, and the folder made of them."""

import io
import json
import logging
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from captioner.errors import InputError
from captioner.flickr8k import draw_split, prepare_flickr8k

ROOT = Path(__file__).parents[1]
NAMES = [f"{number}_a.jpg" for number in range(1000, 1016)]
SPLITS = {"train": NAMES[:10], "dev": NAMES[10:13], "test": NAMES[13:15]}
TOKENS = "".join(
    f"{name}#{k}\tA dog , number {k} , in {name[:4]} .\n" for name in NAMES for k in range(5)
)
TABLE = "image,caption\n" + "".join(
    f'{name},"A dog , number {k} , in {name[:4]} ."\n' for name in NAMES for k in range(5)
)


def make_jpeg(name: str) -> bytes:
    pixels = random.Random(name).randbytes(20 * 10 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (20, 10), pixels).save(file, "JPEG")
    return file.getvalue()


def get_lists() -> dict[str, bytes]:
    return {
        f"Flickr_8k.{split}Images.txt": "\n".join(names).encode() for split, names in SPLITS.items()
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(file: Path, files: dict[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file


def as_published(folder: Path) -> Path:
    """Two folders, the photos' one with a folder of another spelling inside."""
    photos = {f"Flickr8k_Dataset/Flicker8k_Dataset/{n}": make_jpeg(n) for n in NAMES}
    texts = {"Flickr8k.token.txt": TOKENS.encode(), "readme.txt": b"\xff", **get_lists()}
    return write(folder, photos | {f"Flickr8k_text/{n}": data for n, data in texts.items()})


def as_published_zips(folder: Path) -> Path:
    """The two zip files as downloaded, with the litter that macOS puts in."""
    photos = {f"Flicker8k_Dataset/{n}": make_jpeg(n) for n in NAMES}
    litter = {f"__MACOSX/Flicker8k_Dataset/._{n}": b"litter" for n in NAMES}
    write_zip(folder / "Flickr8k_Dataset.zip", litter | photos)
    texts = {"Flickr8k.token.txt": TOKENS.encode(), **get_lists()}
    write_zip(folder / "Flickr8k_text.zip", texts)
    return folder


def as_table(folder: Path) -> Path:
    photos = {f"Images/{n}": make_jpeg(n) for n in NAMES}
    return write(folder, {"captions.txt": TABLE.encode(), **photos, **get_lists()})


def as_one_zip(folder: Path) -> Path:
    photos = {f"Images/{n}": make_jpeg(n) for n in NAMES}
    files = {"captions.txt": TABLE.encode(), **photos, **get_lists()}
    return write_zip(folder / "archive.zip", files)


def read(output: Path) -> dict[str, dict]:
    files = sorted(output.glob("captions_*.json"))
    return {f.stem.removeprefix("captions_"): json.loads(f.read_text("utf-8")) for f in files}


def get_names(captions: dict) -> list[str]:
    return [image["file_name"] for image in captions["images"]]


@pytest.mark.parametrize("make", [as_published, as_published_zips, as_table, as_one_zip])
def test_every_copy_makes_the_same_folder(tmp_path, make):
    source = make(tmp_path / "source")
    output = prepare_flickr8k(source, tmp_path / "new" / "output")
    splits = read(output)
    assert {split: get_names(part) for split, part in splits.items()} == {
        "train": SPLITS["train"],
        "val": SPLITS["dev"],
        "test": SPLITS["test"],
    }
    (first, *_), captions = splits["val"]["images"], splits["val"]["annotations"]
    assert first == {"id": 11, "file_name": "1010_a.jpg", "width": 20, "height": 10}
    assert [entry["caption"] for entry in captions if entry["image_id"] == 11] == [
        f"A dog , number {k} , in 1010 ." for k in range(5)
    ]
    assert len({a["id"] for part in splits.values() for a in part["annotations"]}) == 15 * 5
    photos = sorted((output / "images").iterdir())
    assert [photo.name for photo in photos] == NAMES[:15]
    assert all(photo.read_bytes() == make_jpeg(photo.name) for photo in photos)
    readme = (output / "README.md").read_text()
    assert readme.startswith("# Flickr8k: 10 train, 3 val, 2 test\n")
    assert "research and education only" in readme


def test_the_copy_stays_as_it_was_and_a_second_run_writes_no_photo_again(tmp_path):
    source = as_published(tmp_path / "source")
    before = {file: file.read_bytes() for file in source.rglob("*.*") if file.is_file()}
    output = prepare_flickr8k(source, tmp_path / "output")
    times = {file: file.stat().st_mtime_ns for file in (output / "images").iterdir()}
    splits = read(output)
    prepare_flickr8k(source, output)
    assert {file: file.stat().st_mtime_ns for file in (output / "images").iterdir()} == times
    assert {file: file.read_bytes() for file in before} == before
    assert read(output) == splits


def test_photos_are_linked_where_they_can_be_and_copied_elsewhere(tmp_path, monkeypatch):
    source = as_table(tmp_path / "source")
    linked = prepare_flickr8k(source, tmp_path / "linked") / "images" / NAMES[0]
    assert linked.samefile(source / "Images" / NAMES[0])

    def refuse(*args):
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    copied = prepare_flickr8k(source, tmp_path / "copied") / "images" / NAMES[0]
    assert not copied.samefile(source / "Images" / NAMES[0])
    assert copied.read_bytes() == make_jpeg(NAMES[0])


def test_linked_folders_are_looked_into_once(tmp_path):
    elsewhere = as_table(tmp_path / "elsewhere")
    source = tmp_path / "source"
    source.mkdir()
    (source / "photos").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(source)
    splits = read(prepare_flickr8k(source, tmp_path / "output"))
    assert get_names(splits["train"]) == SPLITS["train"]


def test_an_interrupted_photo_is_written_again(tmp_path):
    source = as_published_zips(tmp_path / "source")
    photo = prepare_flickr8k(source, tmp_path / "output") / "images" / NAMES[0]
    photo.write_bytes(b"half")
    photo.with_name(photo.name + ".part").write_bytes(b"ha")
    prepare_flickr8k(source, tmp_path / "output")
    assert photo.read_bytes() == make_jpeg(NAMES[0])
    assert not list(photo.parent.glob("*.part"))


def test_the_folder_may_lie_in_the_copy(tmp_path):
    source = as_table(tmp_path)
    splits = read(prepare_flickr8k(source, source / "output"))
    (source / "Images" / NAMES[0]).unlink()
    assert NAMES[0] in get_names(splits["train"])
    again = read(prepare_flickr8k(source, source / "output"))
    assert NAMES[0] not in get_names(again["train"])


def test_what_is_amiss_is_left_out_and_named(tmp_path, caplog):
    source = as_published(tmp_path / "source")
    tokens = source / "Flickr8k_text" / "Flickr8k.token.txt"
    gone = "2258277193_586949ec62.jpg.1"
    tokens.write_text(f"{TOKENS}{gone}#0\tA dog .\n{NAMES[1]}#5\t \n")
    damaged = source / "Flickr8k_Dataset" / "Flicker8k_Dataset" / NAMES[0]
    damaged.write_bytes(damaged.read_bytes()[:-50])
    with caplog.at_level(logging.WARNING, "captioner"):
        splits = read(prepare_flickr8k(source, tmp_path / "output"))
    assert get_names(splits["train"]) == SPLITS["train"][1:]
    assert len(splits["train"]["annotations"]) == 9 * 5
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: 1 blank captions ({NAMES[1]})",
        f"left out: 1 captioned photos that are not there ({gone})",
        f"left out: 1 photos that are in no list of the official split ({NAMES[15]})",
        f"left out: 1 damaged photos ({NAMES[0]})",
    ]


def test_without_lists_the_split_is_drawn_by_photo(tmp_path):
    source = as_table(tmp_path / "source")
    for name in get_lists():
        (source / name).unlink()
    splits = read(prepare_flickr8k(source, tmp_path / "output"))
    parts = [get_names(splits[split]) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [12, 2, 2]
    assert sorted(name for part in parts for name in part) == NAMES
    assert parts[0] == sorted(draw_split(NAMES[::-1])["train"])
    assert parts[0] != NAMES[:12]


def test_the_whole_of_flickr8k_is_split_6000_1000_and_the_rest():
    split = draw_split([f"{number}.jpg" for number in range(8091)])
    assert [len(split[name]) for name in ("train", "val", "test")] == [6000, 1000, 1091]


def test_a_table_with_commas_quotes_and_windows_line_ends(tmp_path, caplog):
    rows = [
        "image,caption",
        f"{NAMES[0]},A dog , and a cat .",
        f'{NAMES[0]},"A ""dog"" , and a cat ."',
        f"{NAMES[0]},Un café .",
    ]
    table = "\ufeff" + "\r\n".join(rows) + "\r\n"
    files = {"captions.txt": table.encode(), f"Images/{NAMES[0]}": make_jpeg(NAMES[0])}
    splits = read(prepare_flickr8k(write(tmp_path / "s", files), tmp_path / "o"))
    (part,) = splits.values()
    assert [entry["caption"] for entry in part["annotations"]] == [
        "A dog , and a cat .",
        'A "dog" , and a cat .',
        "Un café .",
    ]
    assert not caplog.records


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        prepare_flickr8k(tmp_path / "nowhere", tmp_path / "output")
    assert list(tmp_path.iterdir()) == []


PHOTO = {f"Images/{NAMES[0]}": make_jpeg(NAMES[0])}
TOKEN = {"Flickr8k.token.txt": f"{NAMES[0]}#0\tA dog .".encode()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (PHOTO, r"no captions: looked .* Flickr8k.token.txt and captions.txt, and found 1 photos"),
        (TOKEN, "none of the 1 photos with captions: they are usually in Flicker8k_Dataset"),
        (PHOTO | {"Flickr8k.token.txt": b"A dog ."}, r"token.txt: caption 1 .* \('', ''\)"),
        (PHOTO | {"captions.txt": b'a.jpg,"A dog .\na.jpg,A cat .'}, "captions.txt: caption 1"),
        (PHOTO | {"captions.txt": b"a.jpg,A dog \xff."}, "captions.txt: byte 12 is not UTF-8"),
        (PHOTO | {"captions.txt": b'a.jpg,"' + b"x" * 140_000}, "captions.txt: field larger"),
        (
            PHOTO | TOKEN | {"Flickr_8k.devImages.txt": b"a.jpg"},
            "only some lists .* add Flickr_8k.trainImages.txt and Flickr_8k.testImages.txt",
        ),
        (PHOTO | TOKEN | dict.fromkeys(get_lists(), b"a.jpg"), "a photo is in two lists"),
        (PHOTO | TOKEN | {"Flickr8k_Dataset.zip": b"PK\3\4 cut"}, "Dataset.zip is no whole zip"),
    ],
)
def test_copies_that_will_not_do(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        prepare_flickr8k(write(tmp_path / "source", files), tmp_path / "output")
    assert not read(tmp_path / "output")


def test_a_damaged_member_of_a_zip(tmp_path):
    source = as_one_zip(tmp_path)
    data = source.read_bytes()
    begin = data.index(b"image,caption")
    source.write_bytes(data[:begin] + b"IMAGE" + data[begin + 5 :])
    with pytest.raises(InputError, match=r"archive.zip: captions.txt cannot be read \(Bad CRC"):
        prepare_flickr8k(source, tmp_path / "output")


def test_an_output_that_is_a_file(tmp_path):
    source = as_table(tmp_path / "source")
    (tmp_path / "output").write_text("taken")
    with pytest.raises(InputError, match=r"output"):
        prepare_flickr8k(source, tmp_path / "output")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "data" / "prepare_flickr8k.py"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_the_script(tmp_path):
    source = as_table(tmp_path / "source")
    done = run(source, "--output", tmp_path / "output")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path / 'output'}\n"
    assert read(tmp_path / "output").keys() == {"train", "val", "test"}
    failed = run(tmp_path / "nowhere")
    assert failed.returncode == 2
    assert failed.stderr == (
        f"captioner: {tmp_path / 'nowhere'} does not exist: "
        "give the folder or zip file with Flickr8k\n"
    )
