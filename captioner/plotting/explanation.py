"""Why a captioner said what it said: its words, their chances, where it looked, its beam."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from captioner.files import replacing
from captioner.plotting.heat import attention_scale, heat, heat_map
from captioner.plotting.sheet import wrapped
from captioner.plotting.tree import Tree, TreeNode
from captioner.vocabulary import readable

COLUMNS = 5
"""Pictures in a row."""
SIDE = 216
"""Pixels of a photo's longer side."""
GAP = 16
OTHERS = 3
"""Words that might have come instead, at most, under each."""
INK, GREY, BAR = (20, 20, 20), (90, 90, 90), (222, 232, 243)
END = "(end)"
NO_PLACES = "This decoder does not look at places of the photo: there is no attention to show."


class Step(Protocol):
    """A word of a caption, as `captioner.explaining.Word`."""

    @property
    def word(self) -> str:
        """Empty where the caption ended."""

    @property
    def probability(self) -> float:
        """From 0 to 1."""

    @property
    def likeliest(self) -> tuple[tuple[str, float], ...]:
        """The likeliest words with their probabilities, the best first."""

    @property
    def attention(self) -> np.ndarray | None:
        """How much the decoder looked at each place (rows, columns), or None."""


def plot_explanation(
    photo: Image.Image,
    words: Sequence[Step],
    file: Path,
    beam: TreeNode | None = None,
    fit: str = "squeeze",
) -> None:
    """A photo, its caption word by word, and the captions of its beam, as a PNG.

    For each word there is the photo with the attention as a heat map, one scale for all of them;
    its probability; and the likeliest other words with theirs.

    Args:
        photo: Upright RGB picture.
        words: Of the caption, as `captioner.explaining.explain` gives them.
        file: Where to; errors as of `captioner.files.replacing`.
        beam: Root of the tree of a beam's captions, as of `captioner.explaining.beam_tree`.
        fit: What the CNN saw of the photo: squeeze, all of it, or crop, its middle square.
    """
    small = ImageOps.contain(photo, (SIDE, SIDE))
    large, plain = ImageFont.load_default(size=24), ImageFont.load_default(size=15)
    looked = [word.attention for word in words if word.attention is not None]
    tree = Tree(beam, plain) if beam is not None and beam.after else None
    width = max(COLUMNS * (SIDE + GAP) + GAP, tree.width + 2 * GAP if tree else 0)
    title = wrapped(readable(word.word for word in words).strip(), large, width - 2 * GAP)
    row = (SIDE + 8 if looked else 0) + 26 + 20 * OTHERS + GAP
    cells = [*([None] if looked else []), *words]
    rows = -(-len(cells) // COLUMNS)
    top = GAP + 32 * len(title) + 8
    alone = 0 if looked else small.height + GAP + 24
    height = top + alone + rows * row + GAP + (tree.height + 40 if tree else 0)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(title):
        draw.text((GAP, GAP + 32 * number), line, fill=INK, font=large)
    if not looked:
        picture.paste(small, (GAP, top))
        draw.text((GAP, top + small.height + 8), NO_PLACES, fill=GREY, font=plain)
    scale = attention_scale(looked) if looked else (0.0, 0.0)
    for number, word in enumerate(cells):
        left = GAP + number % COLUMNS * (SIDE + GAP)
        y = top + alone + number // COLUMNS * row
        if looked:
            shown = small
            if word is not None and word.attention is not None:
                shown = heat_map(small, word.attention, scale, fit)
            picture.paste(shown, (left + (SIDE - shown.width) // 2, y + SIDE - shown.height))
            y += SIDE + 6
        if word is not None:
            _write(draw, word, left, y)
        else:
            _legend(draw, scale, looked[0].size, left, y)
    if tree:
        y = top + alone + rows * row
        draw.text((GAP, y), "The beam, the chosen caption first", fill=GREY, font=plain)
        tree.draw(draw, GAP, y + 28)
    with replacing(file) as temporary:
        picture.save(temporary, format="PNG")


def _write(draw: Any, word: Step, left: int, top: int) -> None:
    """A word, its probability, and what else might have come."""
    bold, plain = ImageFont.load_default(size=19), ImageFont.load_default(size=15)
    _line(draw, word.word or END, word.probability, left, top, bold, INK)
    others = [(other, p) for other, p in word.likeliest if other != word.word][:OTHERS]
    for number, (other, chance) in enumerate(others):
        _line(draw, other or END, chance, left, top + 26 + 20 * number, plain, GREY)


def _legend(draw: Any, scale: tuple[float, float], places: int, left: int, top: int) -> None:
    """What the colours mean."""
    font = ImageFont.load_default(size=14)
    for x in range(SIDE):
        draw.line([(left + x, top + 2), (left + x, top + 14)], fill=heat(x / (SIDE - 1)))
    low, high = (f"{100 * share:.1f} %" for share in scale)
    draw.text((left, top + 18), low, fill=GREY, font=font)
    draw.text((left + SIDE, top + 18), high, fill=GREY, font=font, anchor="ra")
    lines = ("of the attention at a place;", f"spread evenly: {100 / places:.1f} %")
    for number, line in enumerate(lines):
        draw.text((left, top + 38 + 18 * number), line, fill=GREY, font=font)


def _line(
    draw: Any, text: str, chance: float, left: int, top: int, font: Any, colour: object
) -> None:
    """A word and its probability, on a bar as long as that."""
    right = left + SIDE
    draw.rectangle((left, top + 1, left + round(SIDE * chance), top + font.size + 3), fill=BAR)
    percent = f"{100 * chance:.0f} %" if chance >= 0.005 else "< 1 %"
    room = SIDE - draw.textlength(percent, font=font) - 12
    draw.text((left + 3, top), wrapped(text, font, int(room))[0], fill=colour, font=font)
    draw.text((right, top), percent, fill=colour, font=font, anchor="ra")
