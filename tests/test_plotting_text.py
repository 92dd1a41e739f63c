"""Pictures of what goes on inside a language model: coloured text, gates, gradients, next words."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.errors import InputError
from captioner.plotting import (
    next_words_html,
    plot_gates,
    plot_gradients,
    plot_next_words,
    plot_next_words_html,
    plot_text,
    plot_text_html,
    text_html,
)
from captioner.plotting.colours import BLUE, GREEN, RED, WHITE, blend, hexadecimal, signed
from captioner.plotting.figures import DPI
from captioner.plotting.grid import COLUMN, ROW

WIDTH, HEIGHT = COLUMN * DPI, ROW * DPI
"""Pixels of a sign."""


class Reader(HTMLParser):
    """What a browser makes of a page: the elements with their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[dict] = []
        self.found: list[dict] = []
        self.feed(page)
        assert self.open == [], "elements that are not closed"

    def handle_starttag(self, tag: str, attrs: list) -> None:
        element = {"tag": tag, "text": "", **dict(attrs)}
        element["inside"] = [other.get("class") for other in self.open]
        self.found.append(element)
        if tag != "meta":
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def of(self, kind: str, tag: str | None = None) -> list[dict]:
        """Elements of a class, or those of a tag within it."""
        if tag is None:
            return [e for e in self.found if kind in (e.get("class") or "").split()]
        return [e for e in self.found if e["tag"] == tag and kind in e["inside"]]


def brightness(colour: tuple[int, int, int]) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
             for v in (part / 255 for part in colour)]  # fmt: skip
    return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))


def test_colours_of_numbers() -> None:
    assert (signed(-1), signed(0), signed(1)) == (BLUE, WHITE, RED)
    assert signed(-7) == BLUE
    assert signed(0.5) == tuple(round((a + b) / 2) for a, b in zip(WHITE, RED, strict=True))
    assert BLUE[2] > BLUE[0] + 100
    assert RED[0] > RED[2] + 100


@pytest.mark.parametrize("full", [BLUE, RED, GREEN])
def test_black_text_can_be_read_on_every_colour(full: tuple[int, int, int]) -> None:
    contrasts = [(brightness(blend(share, full)) + 0.05) / 0.05 for share in np.linspace(0, 1, 21)]
    assert min(contrasts) == contrasts[-1] > 4.5 + 1
    assert contrasts == sorted(contrasts, reverse=True)


def test_html_shows_each_token_once_for_each_unit(tmp_path: Path) -> None:
    tokens = ["<", "&", "\n", " ", '"', "\t", "\x00"]
    values = np.array([np.linspace(-1, 1, 7), np.zeros(7)]).T
    file = tmp_path / "new" / "page.html"
    plot_text_html(tokens, values, ["unit 3", "<script>"], file, title="a & \udcff")
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "src=" not in page
    assert "href=" not in page
    reader = Reader(page)
    assert [e["text"] for e in reader.found if e["tag"] == "title"] == ["a & ?"]
    assert [e["text"].split()[:2] for e in reader.found if e["tag"] == "h2"] == [
        ["unit", "3"], ["<script>", "+0.00"]]  # fmt: skip
    spans = reader.of("tokens", "span")
    assert [span["text"] for span in spans] == ["<", "&", "↵", " ", '"', "⇥", "�"] * 2
    assert [float(span["title"]) for span in spans] == pytest.approx(
        values.T.ravel().tolist(), abs=0.005
    )
    colours = [span["style"].removeprefix("background:") for span in spans]
    assert (colours[0], colours[3], colours[6]) == tuple(map(hexadecimal, (BLUE, WHITE, RED)))
    assert set(colours[7:]) == {"#ffffff"}
    assert [paragraph["text"] for paragraph in reader.of("tokens")] == ['<&↵\n "⇥�'] * 2


def test_html_has_the_numbers_in_a_table_too() -> None:
    page = Reader(text_html(["a", "dog"], np.array([[0.25], [-0.5]]), ["unit 1"], "word"))
    assert [e["text"] for e in page.found if e["tag"] in ("th", "td")] == [
        "token", "unit 1", "a", "+0.25", "dog", "-0.50"]  # fmt: skip
    assert page.of("tokens")[0]["text"] == "a dog"
    assert page.of("scale")[0]["aria-label"] == "blue: -1, white: 0, red: +1"


def test_html_of_words_that_would_be_elements() -> None:
    words = ["<script>alert(1)</script>", "</span>", "o" * 99]
    page = Reader(text_html(words, np.zeros((3, 1)), ["unit 0"], "word"))
    shown = [span["text"] for span in page.of("tokens", "span")]
    assert shown == ["<script>alert(1)</scrip…", "</span>", "o" * 23 + "…"]


def colour_at(picture: Image.Image, row: int, column: int) -> tuple[int, ...]:
    """The colour at the upper edge of a sign, where nothing is written."""
    return picture.getpixel((round((column + 0.5) * WIDTH), round(row * HEIGHT) + 1))


def ink_at(picture: Image.Image, row: int, column: int) -> bool:
    """Whether something is written at a place of the grid."""
    box = (column * WIDTH + 1, row * HEIGHT + 1, (column + 1) * WIDTH - 1, (row + 1) * HEIGHT - 5)
    return np.asarray(picture.convert("L").crop([round(side) for side in box])).min() < 60


def test_a_picture_of_text_has_its_colours_where_they_belong(tmp_path: Path) -> None:
    tokens = [*"ab\ncd$\n", *("$" * 90)]
    values = np.zeros((len(tokens), 2))
    values[0, 0], values[1, 0], values[3, 0], values[-1, 1] = 1, -1, 0.5, -0.5
    figure = plot_text(tokens, values, ["unit 0", "unit 1"], tmp_path / "text.png")
    with Image.open(tmp_path / "text.png") as opened:
        picture = opened.convert("RGB")
    # Scale; then for each unit a title, ab↵, cd$↵, 84 and 6 dollars, and a blank row.
    rows, columns = 2 + 2 * 6, 88
    assert picture.size == pytest.approx((columns * WIDTH, rows * HEIGHT), abs=1)
    assert figure.get_size_inches() * DPI == pytest.approx(picture.size, abs=1)
    coloured = {(3, 2): RED, (3, 3): BLUE, (4, 2): signed(0.5), (12, 7): signed(-0.5)}
    for row in range(2, rows):
        for column in range(columns):
            assert colour_at(picture, row, column) == coloured.get((row, column), WHITE)
    assert [ink_at(picture, 3, column) for column in range(1, 7)] == [
        False,
        *[True] * 3,
        *[False] * 2,
    ]
    assert [ink_at(picture, 12, column) for column in range(1, 9)] == [False, *[True] * 6, False]
    assert colour_at(picture, 1, columns - 26) == BLUE
    assert colour_at(picture, 1, columns - 6) == RED


def test_a_picture_of_words_has_spaces_between_them(tmp_path: Path) -> None:
    values = np.array([[1.0], [1.0]])
    plot_text(["dog", "犬"], values, ["unit 0"], tmp_path / "text.png", unit="word")
    with Image.open(tmp_path / "text.png") as opened:
        picture = opened.convert("RGB")
    assert [colour_at(picture, 3, column) == RED for column in range(1, 9)] == [
        False, True, True, True, False, True, False, False]  # fmt: skip
    assert ink_at(picture, 3, 6)  # a box stands for what the font lacks


def test_a_picture_that_nobody_would_look_at_is_refused() -> None:
    with pytest.raises(InputError, match="give a shorter text"):
        plot_text(["\n"] * 600, np.zeros((600, 2)), ["unit 0", "unit 1"])


STEPS = [
    ("<b>", [("dog", 0.75), ("cat", 0.125)], 0.01),
    ("dog", [("\n", 0.5), ("dog", 0.25)], 0.25),
    ("\n", [("\n", 1.0), (" ", 0.0)], 1.0),
]


def test_next_words_as_html(tmp_path: Path) -> None:
    plot_next_words_html(STEPS, tmp_path / "page.html")
    page = Reader((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [e["text"].split() for e in page.of("head")] == [
        ["<b>", "1"],
        ["dog", "25"],
        ["↵", "100"],
    ]
    entries = [e for e in page.of("step") if "head" not in e["class"]]
    words = [("dog", "75"), ("cat", "12"), ("↵", "50"), ("dog", "25"), ("↵", "100"), ("␣", "0")]
    assert [tuple(e["text"].split()) for e in entries] == words
    assert [e["text"].split()[0] for e in page.of("came")] == ["dog", "↵"]
    assert entries[4]["style"] == f"background:{hexadecimal(GREEN)}"
    assert entries[5]["style"] == "background:#ffffff"
    assert "<b>" not in next_words_html(STEPS)


def test_next_words_as_a_picture(tmp_path: Path) -> None:
    plot_next_words(STEPS, tmp_path / "words.png")
    with Image.open(tmp_path / "words.png") as opened:
        picture = opened.convert("RGB")
    # A legend and a blank row above; what came; two words; a blank row.
    assert picture.height == pytest.approx((3 + 4) * HEIGHT, abs=1)
    first, second, third = 2, 2 + 3 + 6 + 1, 2 + 2 * (3 + 6 + 1)

    def at(row: int, column: float) -> tuple[int, ...]:
        return picture.getpixel((round(column * WIDTH), round((row + 0.5) * HEIGHT)))

    assert at(4, first + 4.5) == blend(0.75, GREEN)
    assert at(5, second + 4.5) == blend(0.25, GREEN)
    assert at(4, third + 2.5) == GREEN
    assert at(3, third + 2.5) == WHITE

    def framed(row: int, column: int) -> bool:
        return at(row, column) < (90, 90, 90)

    assert [framed(row, column) for column in (first, second, third) for row in (3, 4, 5)] == [
        False, False, False, False, False, True, False, True, False]  # fmt: skip


def test_next_words_go_on_in_the_next_line() -> None:
    one = plot_next_words(STEPS).get_size_inches()
    many = plot_next_words(STEPS * 7).get_size_inches()
    assert many[0] <= 105 * COLUMN
    assert many[1] - one[1] == pytest.approx(2 * 4 * ROW)


def test_gates_over_time(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    gates = {name: generator.random((3, 5)) for name in ("input", "forget", "memory")}
    gates["memory"] *= -8
    figure = plot_gates(["a", "$$", "\n"], gates, tmp_path / "gates.png", units=[4, 0])
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left").split(" gate")[0] for axes in panels] == [
        "input", "forget", "memory: what is remembered"]  # fmt: skip
    for axes, values in zip(panels, gates.values(), strict=True):
        assert np.array_equal(axes.images[0].get_array(), values[:, [4, 0]].T)
        assert [label.get_text() for label in axes.get_yticklabels()] == ["4", "0"]
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == ["a", "$$", "↵"]
    assert panels[0].images[0].get_clim() == (0, 1)
    most = np.abs(gates["memory"][:, [4, 0]]).max()
    assert panels[2].images[0].get_clim() == (-most, most)
    with Image.open(tmp_path / "gates.png") as picture:
        assert picture.size == tuple((figure.get_size_inches() * DPI).astype(int))


def test_gates_have_the_colour_of_their_number(tmp_path: Path) -> None:
    gates = {"update": np.array([[0.0], [1.0]]), "candidate": np.array([[-1.0], [1.0]])}
    figure = plot_gates(["a", "b"], gates, tmp_path / "gates.png")
    with Image.open(tmp_path / "gates.png") as opened:
        picture = opened.convert("RGB")
    for axes, colours in zip(figure.axes[::2], ((WHITE, GREEN), (BLUE, RED)), strict=True):
        box = axes.get_window_extent()
        middle = picture.height - (box.y0 + box.y1) / 2
        for share, colour in zip((0.25, 0.75), colours, strict=True):
            there = (round(box.x0 + share * box.width), round(middle))
            assert picture.getpixel(there) == pytest.approx(colour, abs=2)


def test_all_units_of_a_long_text() -> None:
    gates = {"reset": np.random.default_rng(0).random((300, 64))}
    figure = plot_gates(["a"] * 300, gates)
    assert figure.axes[0].images[0].get_array().shape == (64, 100)
    assert figure.axes[0].get_xlabel() == "the first 100 of 300 tokens"
    assert figure.axes[0].get_ylabel() == "64 units"


def test_gradients_by_name(tmp_path: Path) -> None:
    norms = {"rnn": 8 * 0.5 ** np.arange(10), "$m$": np.linspace(2, 1, 10)}
    figure = plot_gradients(norms, tmp_path / "gradients.png")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["rnn", "$m$"]
    for line, values in zip(axes.lines, norms.values(), strict=True):
        assert line.get_xdata().tolist() == list(range(10))
        assert line.get_ydata() == pytest.approx(values / values[0])
    with Image.open(tmp_path / "gradients.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (780, 480)


def test_pictures_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="choose another place"):
        plot_gradients({"rnn": np.ones(3)}, tmp_path / "file" / "gradients.png")
    with pytest.raises(InputError, match="choose another place"):
        plot_text_html(["a"], np.zeros((1, 1)), ["unit 0"], tmp_path / "file" / "page.html")
