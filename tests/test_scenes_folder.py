"""The folder of drawn scenes: its format, its bytes, and what happens to a folder that is there."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from captioner.errors import InputError
from captioner.scenes import prepare, prepare_scenes
from captioner.scenes.plan import Scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_scenes(tmp_path_factory.mktemp("scenes") / "drawn", images=40, seed=3, workers=1)


def test_folder_is_a_coco_folder(folder, capsys):
    from pycocotools.coco import COCO

    files = set()
    for split, size in {"train": 24, "val": 8, "test": 8}.items():
        coco = COCO(str(folder / f"captions_{split}.json"))
        assert len(coco.getImgIds()) == size
        assert coco.dataset["licenses"][0]["name"] == "CC0 1.0"
        for number in coco.getImgIds():
            image = coco.loadImgs([number])[0]
            assert len(coco.getAnnIds(imgIds=[number])) == 5
            with Image.open(folder / "images" / image["file_name"]) as picture:
                assert picture.format == "JPEG"
                assert picture.size == (
                    image["width"],
                    image["height"],
                )
            files.add(image["file_name"])
    assert files == {path.name for path in (folder / "images").iterdir()}
    assert len(files) == 40
    assert "CC0" in (folder / "README.md").read_text()


def test_pictures_of_all_splits_differ(folder):
    contents = {path.read_bytes() for path in (folder / "images").glob("*.jpg")}
    assert len(contents) == 40


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path, monkeypatch, folder):
    assert read_all(prepare_scenes(tmp_path / "one", 40, seed=3, workers=1)) == read_all(folder)
    monkeypatch.setattr(prepare, "FEW", 0)
    assert read_all(prepare_scenes(tmp_path / "two", 40, seed=3, workers=2)) == read_all(folder)


def test_other_seed_gives_other_pictures_and_captions(tmp_path, folder):
    other = read_all(prepare_scenes(tmp_path / "other", 40, seed=4, workers=1))
    assert all(other[name] != content for name, content in read_all(folder).items())


def test_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch, folder):
    draw, drawn = prepare.draw_scene, []

    def draw_ten(scene: Scene, rng: random.Random) -> Image.Image:
        if len(drawn) == 10:
            raise KeyboardInterrupt
        drawn.append(scene)
        return draw(scene, rng)

    monkeypatch.setattr(prepare, "draw_scene", draw_ten)
    with pytest.raises(KeyboardInterrupt):
        prepare_scenes(tmp_path / "drawn", 40, seed=3, workers=1)
    assert not (tmp_path / "drawn" / "captions_train.json").exists()
    (tmp_path / "drawn" / "images" / ".000011.jpg.1").write_bytes(b"half a picture")
    monkeypatch.setattr(prepare, "draw_scene", lambda s, r: drawn.append(s) or draw(s, r))
    prepare_scenes(tmp_path / "drawn", 40, seed=3, workers=1)
    assert len(drawn) == 40
    assert read_all(tmp_path / "drawn") == read_all(folder)


def test_finished_folder_is_left_alone(monkeypatch, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(prepare, "_draw_one", None)
    assert prepare_scenes(folder, 40, seed=3) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_scenes_of_another_order_are_replaced(tmp_path, folder):
    prepare_scenes(tmp_path / "drawn", 48, seed=9, workers=1)
    prepare_scenes(tmp_path / "drawn", 40, seed=3, workers=1)
    assert read_all(tmp_path / "drawn") == read_all(folder)


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"holds other files; give a new or empty folder"):
        prepare_scenes(tmp_path, 40)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"mine"


def test_damaged_mark_and_file_for_folder_are_refused(tmp_path):
    (tmp_path / "scenes.json").write_text("{")
    with pytest.raises(InputError, match=r"scenes\.json is damaged; give a new"):
        prepare_scenes(tmp_path, 40)
    with pytest.raises(InputError, match="not a folder"):
        prepare_scenes(tmp_path / "scenes.json", 40)


def test_too_few_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match="23 pictures are too few"):
        prepare_scenes(tmp_path / "drawn", 23)
    assert not (tmp_path / "drawn").exists()


def test_script_prints_the_folder_or_the_remedy(tmp_path):
    script = Path(__file__).parent.parent / "data" / "prepare_scenes.py"
    command = [sys.executable, str(script), "--images", "24", "--output"]
    good = subprocess.run([*command, str(tmp_path / "new")], capture_output=True, text=True)
    assert (good.returncode, good.stdout) == (0, f"wrote {tmp_path / 'new'}\n")
    (tmp_path / "mine.txt").write_text("mine")
    bad = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert bad.returncode == 2
    assert str(tmp_path) in bad.stderr
    assert "Traceback" not in bad.stderr
