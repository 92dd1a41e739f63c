"""Sheets of photos with their captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from captioner.files import replacing

SIDE = 256
"""Pixels of the longer side of a photo on a sheet."""


def plot_sheet(
    photos: Sequence[Image.Image],
    captions: Sequence[str],
    file: Path,
    columns: int = 4,
    side: int = SIDE,
) -> None:
    """A picture sheet: photos in rows, each with its caption under it, as a PNG.

    Args:
        photos: Upright RGB pictures.
        captions: One for each.
        file: Where to.
        columns: Photos in a row.
        side: Pixels of a photo's longer side.
    """
    font = ImageFont.load_default(size=15)
    gap, line = 14, 19
    columns = max(1, min(columns, len(photos)))
    lines = [wrapped(caption, font, side) for caption in captions]
    rows = [
        range(first, min(first + columns, len(photos))) for first in range(0, len(photos), columns)
    ]
    heights = [side + 8 + line * max(len(lines[i]) for i in row) + gap for row in rows]
    sheet = Image.new("RGB", (columns * (side + gap) + gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = gap + column * (side + gap)
            photo = ImageOps.contain(photos[i], (side, side))
            sheet.paste(photo, (left + (side - photo.width) // 2, top + side - photo.height))
            for number, text in enumerate(lines[i]):
                draw.text((left, top + side + 6 + number * line), text, fill="black", font=font)
        top += height
    with replacing(file) as temporary:
        sheet.save(temporary, format="PNG")


def wrapped(caption: str, font: Any, width: int) -> list[str]:
    """Lines of at most `width` pixels; a word that is longer than a line is broken."""
    lines = [""]
    for word in caption.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        lines += [""] * bool(lines[-1])
        for letter in word:
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines
