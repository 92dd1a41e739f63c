"""Pictures: learning curves, and sheets of photos with their captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from captioner.files import replacing

SIDE = 256
"""Pixels of the longer side of a photo on a sheet."""


def plot_curves(epochs: Sequence[dict[str, Any]], file: Path) -> None:
    """Training loss and validation CIDEr-D over the epochs, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    number = [record["epoch"] for record in epochs]
    for place, (key, label) in enumerate(
        [("train_loss", "training loss (nats per caption)"), ("val_cider_d", "validation CIDEr-D")]
    ):
        axes = figure.add_subplot(1, 2, place + 1)
        values = [record[key] for record in epochs]
        axes.plot(number, values, marker="o", markersize=3, color=f"C{place}")
        axes.set(xlabel="epoch", title=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if key == "val_cider_d":
            best = max(range(len(values)), key=values.__getitem__)
            axes.plot(number[best], values[best], "o", color="C3", label=f"{values[best]:.3f}")
            axes.legend(title="best", loc="lower right")
    with replacing(file) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))


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
    lines = [_wrap(caption, font, side) for caption in captions]
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


def _wrap(caption: str, font: Any, width: int) -> list[str]:
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
