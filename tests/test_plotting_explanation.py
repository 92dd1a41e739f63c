"""Pictures of why a caption: the heat lies where the attention was, the tree is the beam's."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont
from test_export import draw, leave, make_model, run_without_torch

from captioner.explaining import Word, beam_tree
from captioner.exporting import export_model
from captioner.plotting import heat_map, plot_explanation
from captioner.plotting.tree import FORK, Tree, phrase_of

GREY = Image.new("RGB", (90, 60), (128, 128, 128))


def light(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L")).astype(float)


def test_heat_lies_where_the_attention_was() -> None:
    attention = np.zeros((3, 3))
    attention[0, 2] = 0.5
    shown = light(heat_map(GREY, attention, (0.0, 0.5)))
    assert np.unravel_index(shown.argmax(), shown.shape) > (0, 60)
    assert shown[:15, 75:].min() > shown[30:].max()
    half = light(heat_map(GREY, attention, (0.0, 1.0)))
    assert shown[0, 89] > half[0, 89] > half[59, 0]


def test_of_a_cropped_photo_the_middle_alone_was_seen() -> None:
    thin = Image.new("RGB", (500, 1))
    assert heat_map(thin, np.full((2, 2), 0.25), (0.0, 1.0), fit="crop").size == thin.size
    shown = light(heat_map(GREY, np.full((2, 2), 0.25), (0.0, 0.25), fit="crop"))
    assert (shown[:, 15:75] > 128).all()
    assert (shown[:, :15] < 128).all()
    assert (shown[:, 75:] < 128).all()


def test_even_attention_has_one_colour() -> None:
    shown = heat_map(GREY, np.full((3, 3), 1 / 9), (1 / 9, 1 / 9))
    assert len(np.unique(np.asarray(shown).reshape(-1, 3), axis=0)) == 1


def test_the_tree_stands_as_the_captions_part() -> None:
    font = ImageFont.load_default(size=15)
    tree = Tree(beam_tree(["a dog runs", "a dog", "a cat", "two men's"]), font)
    assert [(row, text, chosen) for _, row, text, chosen in tree.texts] == [
        (0, "a", True), (0, "dog", True), (0, "runs", True), (1, "(end)", False),
        (2, "cat", False), (3, "two men's", False),
    ]  # fmt: skip
    places = {text: x for x, _, text, _ in tree.texts}
    assert places["a"] == places["two men's"] == FORK
    assert places["dog"] == places["cat"] > places["a"]
    assert tree.height == 4 * 24
    assert tree.width >= places["runs"] + font.getlength("runs")


def test_words_that_nothing_parts_are_a_phrase() -> None:
    (branch,) = beam_tree(["a man's dog"]).after
    phrase, last = phrase_of(branch)
    assert (phrase, last.word, last.after) == ("a man's dog", "", [])


@pytest.mark.parametrize("looks", [True, False])
def test_a_picture_has_every_word(tmp_path: Path, looks: bool) -> None:
    attention = np.random.default_rng(0).dirichlet(np.ones(9)).reshape(3, 3) if looks else None
    likeliest = (("dog", 0.5), ("cat", 0.25), ("", 0.1))
    sizes = []
    for words in (3, 12):
        told = [
            Word("dog" if i + 1 < words else "", 0.5, likeliest, attention) for i in range(words)
        ]
        plot_explanation(GREY, told, tmp_path / "new" / "why.png", beam_tree(["dog", "dog dog"]))
        with Image.open(tmp_path / "new" / "why.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0]
    assert sizes[0][1] < sizes[1][1]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["why.png"]


@pytest.fixture(scope="module")
def looking(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that looks at places, with its export beside it."""
    folder = tmp_path_factory.mktemp("looking") / "model"
    make_model(folder, weights, kind="attention")
    export_model(folder, folder / "onnx", "float32", draw(2))
    return folder


@pytest.fixture
def album(tmp_path: Path) -> Path:
    (tmp_path / "album" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "deep/A.jpg", "b.png")):
        Image.fromarray(draw(9)[number]).resize((80, 60)).save(tmp_path / "album" / name)
    return tmp_path / "album"


def test_one_photo_is_explained_without_torch(looking: Path, album: Path) -> None:
    file = album / "new" / "why.png"
    code, out, err = run_without_torch(
        "caption", album / "a.png", "--model", looking, "--explain", file
    )
    assert (code, err) == (0, f"explained: {file}\n")
    assert out.strip()
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        colours = np.asarray(picture.convert("HSV"))[..., 1]
    assert (colours > 120).mean() > 0.1  # the heat maps


def test_several_photos_get_a_picture_each_in_a_folder(capsys, trained, album: Path) -> None:
    (album / "bad.jpg").write_text("no photo")
    place = album.parent / "why"
    code, out, err = leave(capsys, "caption", album, "--model", trained, "--explain", place)
    assert (code, len(out.splitlines())) == (1, 3)
    assert "bad.jpg" in err
    assert sorted(file.name for file in place.iterdir()) == ["A-2.png", "a.png", "b.png"]


def test_a_picture_for_several_photos_is_refused_at_once(capsys, trained, album: Path) -> None:
    file = album / "why.png"
    code, out, err = leave(capsys, "caption", album, "--model", trained, "--explain", file)
    assert (code, out) == (2, "")
    assert "there are 3; name a folder" in err
    assert not file.exists()
