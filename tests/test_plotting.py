from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.errors import InputError
from captioner.plotting import LOSS, REWARD, SCORE, plot_curves, plot_sheet, points_of

GAP = 14


def dark(sheet: Image.Image, left: int, top: int, right: int, bottom: int) -> int:
    """Pixels of text in a part of a sheet."""
    return int((np.asarray(sheet.convert("L"))[top:bottom, left:right] < 100).sum())


def test_a_sheet_shows_every_photo_with_its_caption(tmp_path: Path) -> None:
    colours = ["red", "green", "blue", "yellow", "orange"]
    photos = [Image.new("RGB", (600, 300), colour) for colour in colours]
    captions = [f"a {colour} picture" for colour in colours]
    plot_sheet(photos, captions, tmp_path / "new" / "sheet.png", columns=2, side=200)
    with Image.open(tmp_path / "new" / "sheet.png") as opened:
        sheet = opened.convert("RGB")
        assert opened.format == "PNG"
    row = 200 + 8 + 19 + GAP
    assert sheet.size == (2 * (200 + GAP) + GAP, 3 * row + GAP)
    for number, photo in enumerate(photos):
        left, top = GAP + number % 2 * (200 + GAP), GAP + number // 2 * row
        assert sheet.getpixel((left + 100, top + 150)) == photo.getpixel((0, 0))
        assert sheet.getpixel((left + 100, top + 95)) == (255, 255, 255)  # the photo is low
        assert dark(sheet, left, top + 202, left + 200, top + row) > 100
    assert dark(sheet, 2 * GAP + 200, GAP + 2 * row, sheet.width, sheet.height) == 0


def test_a_photo_is_not_enlarged_out_of_shape_nor_its_neighbours_moved(tmp_path: Path) -> None:
    photos = [Image.new("RGB", size, "blue") for size in ((10, 40), (40, 10), (1, 1))]
    plot_sheet(photos, ["a", "b", ""], tmp_path / "sheet.png", side=40)
    with Image.open(tmp_path / "sheet.png") as sheet:
        blue = (np.asarray(sheet) == (0, 0, 255)).all(axis=2)
        assert sheet.width == 3 * (40 + GAP) + GAP
    widths = [int(blue[:, GAP + i * 54 : GAP + i * 54 + 40].any(axis=0).sum()) for i in range(3)]
    assert widths == [10, 40, 40]


@pytest.mark.parametrize(
    "caption",
    ["a man in a white shirt is jumping off a long wooden dock into the calm water of a lake",
     "WWWWW MMMMM WWWWW MMMMM WWWWW MMMMM", "w" * 90, "Синяя картина 犬 🐕", "a\nb"],
)  # fmt: skip
def test_no_caption_runs_into_its_neighbour(tmp_path: Path, caption: str) -> None:
    photos = [Image.new("RGB", (50, 50), "white")] * 2
    plot_sheet(photos, [caption, ""], tmp_path / "sheet.png", side=256)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert dark(sheet, GAP + 256 + 2, 0, sheet.width, sheet.height) == 0
        bottom = GAP + 256
        assert dark(sheet, GAP, bottom, GAP + 256, sheet.height - GAP // 2) > 20
        assert dark(sheet, 0, sheet.height - GAP // 2, sheet.width, sheet.height) == 0


def test_learning_curves(tmp_path: Path) -> None:
    epochs = [
        {"epoch": 1, "train_loss": 9.0, "val_cider_d": 0.1},
        {"epoch": 2, "train_loss": 7.0, "val_cider_d": 0.5},
        {"epoch": 3, "train_loss": 6.0, "val_cider_d": 0.4},
    ]
    for count in (1, 3):
        plot_curves(epochs[:count], tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as opened:
            assert (opened.format, opened.size) == ("PNG", (900, 360))
            pixels = np.asarray(opened.convert("RGB")).astype(int)
        red = (pixels[:, :, 0] > 190) & (pixels[:, :, 1] < 70) & (pixels[:, :, 2] < 70)
        assert red[:, 450:].sum() > 10  # the best epoch is marked
        assert red[:, :450].sum() == 0
    # The mark stands at the second of three epochs, in the upper half.
    rows, columns = np.nonzero(red[:, 450:])
    marked = columns[rows < 180]
    assert 450 / 2 - 60 < np.median(marked) < 450 / 2 + 60
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_a_loss_is_shown_where_it_tells_something() -> None:
    epochs = [
        {"epoch": 1, "train_loss": 9.0, "val_cider_d": 0.1},
        {"epoch": 2, "train_loss": -1.6, "reward": 0.4},
    ]
    assert points_of(LOSS, epochs) == [(1, 9.0)]
    assert points_of(REWARD, epochs) == [(2, 0.4)]
    assert points_of(SCORE, epochs) == [(1, 0.1)]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="choose another place"):
        plot_sheet([Image.new("RGB", (5, 5))], ["a"], tmp_path / "file" / "sheet.png")
