"""A made-up COCO on a local server, and the folder made of it."""

import http.server
import io
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from captioner import coco
from captioner.coco import choose, count_splits, prepare_coco, read_jpeg_size
from captioner.errors import InputError

ROOT = Path(__file__).parents[1]


def make_jpeg(seed: int, width: int = 32, height: int = 24) -> bytes:
    pixels = random.Random(seed).randbytes(width * height * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(file, "JPEG")
    return file.getvalue()


def make_captions(ids: range) -> dict:
    return {
        "info": {"year": 2017},
        "licenses": [{"id": 4, "name": "Attribution License", "url": "http://licence"}],
        "images": [
            {
                "id": number,
                "file_name": f"{number:012}.jpg",
                "width": 32,
                "height": 24,
                "license": 4,
                "coco_url": f"http://there/{number:012}.jpg",
            }
            for number in ids
        ],
        "annotations": [
            {"id": 5 * number + k, "image_id": number, "caption": f"Café {number}, line {k}."}
            for number in ids
            for k in range(5)
        ],
    }


def make_zip(train: object, val: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, captions in {"train2017": train, "val2017": val}.items():
            text = captions if isinstance(captions, str) else json.dumps(captions)
            archive.writestr(f"annotations/captions_{name}.json", text)
    return file.getvalue()


TRAIN, VAL = make_captions(range(100, 160)), make_captions(range(200, 220))


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64  # as many may knock at once; a refused knock costs a second


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.asked[self.path] += 1
        time.sleep(server.delay)
        body = server.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")


@pytest.fixture
def server(monkeypatch):
    """Serves the made-up COCO and counts in `asked` how often each path was asked for."""
    monkeypatch.setenv("no_proxy", "*")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        server.files = {"/captions.zip": make_zip(TRAIN, VAL)}
        for source, captions in {"train2017": TRAIN, "val2017": VAL}.items():
            for image in captions["images"]:
                server.files[f"/{source}/{image['file_name']}"] = make_jpeg(image["id"])
        server.asked = Counter()
        server.delay = 0.0
        server.handle_error = lambda *args: None
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def prepare(server, output: Path, images: int = 30, **options) -> Path:
    return prepare_coco(
        output,
        images,
        images_url=server.url + "/",
        annotations_url=f"{server.url}/captions.zip",
        **options,
    )


def read(output: Path) -> dict[str, dict]:
    files = sorted(output.glob("captions_*.json"))
    return {f.stem.removeprefix("captions_"): json.loads(f.read_text("utf-8")) for f in files}


def get_ids(captions: dict) -> set[int]:
    return {image["id"] for image in captions["images"]}


def photo_requests(server) -> Counter:
    return Counter({path: n for path, n in server.asked.items() if path.endswith(".jpg")})


def test_the_folder(server, tmp_path):
    output = prepare(server, tmp_path / "new" / "coco")
    splits = read(output)
    assert {split: len(part["images"]) for split, part in splits.items()} == {
        "train": 24,
        "val": 3,
        "test": 3,
    }
    assert get_ids(splits["train"]) | get_ids(splits["val"]) <= get_ids(TRAIN)
    assert not get_ids(splits["train"]) & get_ids(splits["val"])
    assert get_ids(splits["test"]) <= get_ids(VAL)
    for split, part in splits.items():
        source = VAL if split == "test" else TRAIN
        ids = get_ids(part)
        assert part["images"] == [entry for entry in source["images"] if entry["id"] in ids]
        assert part["annotations"] == [a for a in source["annotations"] if a["image_id"] in ids]
        assert part["licenses"] == source["licenses"]
        for image in part["images"]:
            photo = output / "images" / image["file_name"]
            assert photo.read_bytes() == make_jpeg(image["id"])
    assert len(list((output / "images").iterdir())) == 30
    assert not list(output.rglob("*.part"))
    readme = (output / "README.md").read_text()
    assert "prepare_coco.py --images 30 --seed 0 --val 3 --test 3`: 24 train, 3 val, 3 t" in readme
    assert "Creative Commons Attribution 4.0" in readme


def test_nothing_is_fetched_twice(server, tmp_path):
    before = read(prepare(server, tmp_path))
    assert set(server.asked.values()) == {1}
    assert read(prepare(server, tmp_path)) == before
    assert set(server.asked.values()) == {1}
    prepare(server, tmp_path, images=40)
    assert set(photo_requests(server).values()) == {1}
    assert server.asked["/captions.zip"] == 1


def draw(images: int, seed: int) -> dict[str, set[int]]:
    sources = {"train2017": TRAIN, "val2017": VAL}
    splits = choose(sources, count_splits(images), seed)
    return {split: get_ids(captions) for split, captions in splits.items()}


def test_the_draw_depends_on_the_seed_alone(server):
    assert draw(30, seed=1) == draw(30, seed=1)
    assert draw(30, seed=1)["train"] != draw(30, seed=2)["train"]
    shuffled = {**TRAIN, "images": TRAIN["images"][::-1]}
    splits = choose({"train2017": shuffled, "val2017": VAL}, count_splits(30), 1)
    assert get_ids(splits["train"]) == draw(30, seed=1)["train"]


def test_more_photos_are_the_former_ones_and_others():
    few, many = draw(20, seed=3), draw(50, seed=3)
    assert all(few[split] < many[split] for split in ("train", "val", "test"))


def test_photos_without_captions_are_not_drawn():
    captioned = [entry for entry in TRAIN["annotations"] if entry["image_id"] >= 120]
    sources = {"train2017": {**TRAIN, "annotations": captioned}, "val2017": VAL}
    splits = choose(sources, {"train": 40, "val": 0, "test": 1}, 0)
    assert get_ids(splits["train"]) == set(range(120, 160))


def test_an_empty_split_has_no_file_not_even_an_old_one(server, tmp_path):
    assert read(prepare(server, tmp_path)).keys() == {"train", "val", "test"}
    assert read(prepare(server, tmp_path, val=0)).keys() == {"train", "test"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 2}, "leave 0 to train on"),
        ({"images": 10, "val": 6, "test": 5}, "leave -1"),
        ({"images": 10, "val": -1}, "-1 for validation"),
        ({"images": 100}, r"there are 60 photos .* and 20 for the test, not 90 and 10"),
        ({"images": 40, "test": 21}, "not 19 and 21"),
        ({"images": 68, "val": 7}, "not 62 and 6"),
        ({"connections": 0}, "connections is 0"),
    ],
)
def test_impossible_numbers(server, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        prepare(server, tmp_path, **options)
    assert not photo_requests(server)


def test_a_photo_that_is_gone_is_left_out_and_named(server, tmp_path, caplog):
    names = {image["id"]: image["file_name"] for image in TRAIN["images"]}
    gone = names[min(draw(30, seed=0)["train"])]
    del server.files[f"/train2017/{gone}"]
    with caplog.at_level(logging.WARNING, "captioner"):
        splits = read(prepare(server, tmp_path))
    assert gone not in {image["file_name"] for image in splits["train"]["images"]}
    assert len(splits["train"]["images"]) == 23
    assert len(splits["train"]["annotations"]) == 23 * 5
    assert "1 photos left out" in caplog.text
    assert gone in caplog.text
    assert "404" in caplog.text


def test_too_many_missing_photos_are_an_error_that_keeps_the_others(server, tmp_path):
    whole = dict(server.files)
    ids = sorted(draw(30, seed=0)["test"])
    spoilt = [f"/val2017/{number:012}.jpg" for number in ids]
    server.files[spoilt[0]] = make_jpeg(0, width=16)
    server.files[spoilt[1]] = whole[spoilt[1]][:-100]
    server.files[spoilt[2]] = b"<html>Sign in to the network</html>"
    with pytest.raises(InputError) as caught:
        prepare(server, tmp_path)
    message = str(caught.value)
    assert message.startswith("3 of 30 photos could not be fetched; the others are kept.")
    assert "(16, 24) pixels instead of (32, 24)" in message
    assert "no whole JPEG" in message
    assert "no JPEG" in message
    assert not read(tmp_path)
    assert len(list((tmp_path / "images").iterdir())) == 27
    server.files = whole
    server.asked.clear()
    assert len(read(prepare(server, tmp_path))["test"]["images"]) == 3
    assert server.asked == Counter(spoilt)


def test_a_spoilt_photo_in_the_folder_is_fetched_again(server, tmp_path):
    prepare(server, tmp_path)
    photo = min((tmp_path / "images").iterdir())
    whole = photo.read_bytes()
    photo.write_bytes(whole[:-20])
    prepare(server, tmp_path)
    assert photo.read_bytes() == whole
    assert sorted(photo_requests(server).values()) == [1] * 29 + [2]


def test_a_jpeg_may_end_in_other_bytes_if_it_is_whole():
    photo = make_jpeg(1)
    assert read_jpeg_size(photo + bytes(50)) == (32, 24)
    with pytest.raises(ValueError, match="no whole JPEG"):
        read_jpeg_size(photo[:-300])


def change(captions: dict, part: str, **values) -> dict:
    """The captions with some values of the first image or annotation replaced."""
    changed = json.loads(json.dumps(captions))
    changed[part][0].update(values)
    return changed


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (make_zip(TRAIN, VAL)[:-300], "no whole zip file"),
        (b"not found, sorry", "no whole zip file"),
        (make_zip(TRAIN, VAL).replace(b"val2017", b"val2099"), "holds no annotations/captions_val"),
        (make_zip(TRAIN, VAL)[:400] + b"??" + make_zip(TRAIN, VAL)[402:], "cannot be read"),
        (make_zip("{", VAL), "cannot be read"),
        (make_zip([], VAL), "does not hold COCO captions"),
        (make_zip({"images": []}, VAL), "does not hold COCO captions"),
        (make_zip(change(TRAIN, "images", file_name="../../a.jpg"), VAL), "name '../../a.jpg'"),
        (make_zip(change(TRAIN, "images", file_name="/etc/a.jpg"), VAL), "name '/etc/a.jpg'"),
        (make_zip(change(TRAIN, "images", file_name="a\0.jpg"), VAL), "name 'a"),
        (make_zip(change(TRAIN, "images", width="wide"), VAL), "id, width or height"),
        (make_zip(change(TRAIN, "annotations", caption=None), VAL), "the caption None"),
        (make_zip(change(TRAIN, "annotations", image_id=[1]), VAL), "the caption 'Café 100"),
    ],
)
def test_captions_that_are_none(server, tmp_path, archive, message):
    server.files["/captions.zip"] = archive
    with pytest.raises(InputError, match=message) as caught:
        prepare(server, tmp_path)
    assert "captions.zip" in str(caught.value)
    assert not photo_requests(server)
    assert not (tmp_path / "images").exists()


def test_a_zip_that_unpacks_to_too_much(server, tmp_path, monkeypatch):
    monkeypatch.setattr(coco, "LARGEST_JSON", 1000)
    with pytest.raises(InputError, match="too many for captions"):
        prepare(server, tmp_path)


def test_two_photos_of_one_name(server, tmp_path):
    same = [{**image, "file_name": "a.jpg"} for image in TRAIN["images"]]
    server.files["/captions.zip"] = make_zip({**TRAIN, "images": same}, VAL)
    with pytest.raises(InputError, match="two photos have the same file name"):
        prepare(server, tmp_path)


def test_the_official_captions_must_be_the_official_captions(server, tmp_path, monkeypatch):
    monkeypatch.setattr(coco, "ANNOTATIONS_URL", f"{server.url}/captions.zip")
    with pytest.raises(InputError, match="bytes instead of 252907541"):
        prepare(server, tmp_path)


def test_a_folder_that_takes_no_captions(server, tmp_path):
    (tmp_path / "captions_train.json.part").mkdir()
    with pytest.raises(InputError, match=rf"cannot write to {tmp_path}: .*directory"):
        prepare(server, tmp_path)


def start(server, output: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "data" / "prepare_coco.py"), "--images", "30"]
    command += ["--images-url", server.url, "--annotations-url", f"{server.url}/captions.zip"]
    return subprocess.Popen(
        [*command, "--output", str(output), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_script_goes_on_where_it_was(server, tmp_path, number):
    server.delay = 0.05
    program = start(server, tmp_path, "--connections", "2")
    images = tmp_path / "images"
    end = time.monotonic() + 10
    while not images.exists() or len(list(images.glob("*.jpg"))) < 5:
        assert time.monotonic() < end, "the script did not get that far"
        time.sleep(0.01)
    # It must end at once even while every connection waits for the server.
    server.delay = 30.0
    time.sleep(0.2)
    program.send_signal(number)
    _, errors = program.communicate(timeout=10)
    if number == signal.SIGINT:
        assert program.returncode == 130
        assert "interrupted; run the same command again to go on" in errors
        assert "Traceback" not in errors
    assert not read(tmp_path)
    had = {file.name for file in images.glob("*.jpg")}
    assert 5 <= len(had) < 30
    server.delay = 0.0
    server.asked.clear()
    again = start(server, tmp_path)
    written, errors = again.communicate(timeout=20)
    assert again.returncode == 0, errors
    assert written == f"wrote {tmp_path}\n"
    asked = {Path(path).name for path in server.asked}
    assert len(asked) == 30 - len(had)
    assert not asked & had
    assert {image["id"] for part in read(tmp_path).values() for image in part["images"]} == set(
        set().union(*draw(30, seed=0).values())
    )


def test_the_script_names_what_is_wrong_and_leaves_with_2(server, tmp_path):
    del server.files["/captions.zip"]
    program = start(server, tmp_path)
    written, errors = program.communicate(timeout=20)
    assert program.returncode == 2
    assert written == ""
    assert (
        errors
        == f"captioner: {server.url}/captions.zip: the server answered 404 Not Found. "
        + ("Check the address\n")
    )
