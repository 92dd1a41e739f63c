"""Text coloured by numbers, one for each token: blue for -1 through white to red for +1."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioner.files import write_text
from captioner.plotting.colours import hexadecimal, signed
from captioner.plotting.figures import write_figure
from captioner.plotting.grid import Grid, wrapped
from captioner.plotting.pages import page
from captioner.plotting.tokens import visible
from captioner.vocabulary import Unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BETWEEN: dict[Unit, str] = {"word": " ", "char": ""}
"""What stands between two tokens."""
COLUMNS = 84
"""Signs in a line of a picture."""
SCALE = np.linspace(-1, 1, 21)
"""The numbers of the legend."""
STYLE = """<style>
.coloured { background: #fff; color: #000; font: 16px/1.5 system-ui, sans-serif; padding: 1px 8px }
.coloured h2 { font-size: 1em; margin: 1.2em 0 .2em }
.coloured h2 small { font-weight: normal; color: #444; margin-left: .7em }
.coloured .tokens { font: 15px/1.6 "DejaVu Sans Mono", Consolas, Menlo, monospace; margin: 0;
  white-space: break-spaces; overflow-wrap: anywhere }
.coloured .tokens span { padding: .12em 0 }
.coloured .scale span { display: inline-block; width: .7em; height: 1em; vertical-align: -.1em;
  box-shadow: 0 -1px #777, 0 1px #777 }
.coloured details { margin: 1.2em 0 }
.coloured table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.coloured th, .coloured td { border: 1px solid #999; padding: 0 .6em; text-align: right }
</style>"""


def text_html(
    tokens: Sequence[str], values: np.ndarray, names: Sequence[str], unit: Unit = "char"
) -> str:
    """A text once for each of U series of numbers, each token on the colour of its number.

    A number shows under the mouse; a table at the end has them all, for readers who see no colours.

    Args:
        tokens: Words or characters; "\\n" is shown as ↵ and ends a line.
        values: Numbers (T, U), usually between -1 and 1.
        names: What each of the U is called.
        unit: What the tokens are; words have a space between them.

    Returns:
        A fragment of HTML, to be shown by a notebook or within a page.
    """
    blocks = [
        _block(tokens, column, name, unit)
        for column, name in zip(np.asarray(values).T, names, strict=True)
    ]
    numbers = _table(tokens, values, names)
    return f'{STYLE}\n<div class="coloured">\n{_scale()}\n{"".join(blocks)}{numbers}</div>\n'


def plot_text_html(
    tokens: Sequence[str],
    values: np.ndarray,
    names: Sequence[str],
    file: Path,
    unit: Unit = "char",
    title: str = "Text and numbers",
) -> None:
    """The same as a page of its own; errors as of `captioner.files.replacing`."""
    write_text(file, page(title, text_html(tokens, values, names, unit)))


def _block(tokens: Sequence[str], values: np.ndarray, name: str, unit: Unit) -> str:
    spans = []
    for token, value in zip(tokens, values, strict=True):
        style = f"background:{hexadecimal(signed(value))}"
        after = "\n" if token == "\n" else BETWEEN[unit]
        shown = escape(visible(token))
        spans.append(f'<span style="{style}" title="{value:+.2f}">{shown}</span>{after}')
    low, high = int(values.argmin()), int(values.argmax())
    about = " to ".join(
        f"{values[t]:+.2f} at “{escape(visible(tokens[t], '␣'))}”" for t in (low, high)
    )
    text = "".join(spans).rstrip(" \n")
    return f'<h2>{escape(name)} <small>{about}</small></h2>\n<p class="tokens" lang="">{text}</p>\n'


def _scale() -> str:
    boxes = "".join(f'<span style="background:{hexadecimal(signed(v))}"></span>' for v in SCALE)
    return f'<p class="scale" aria-label="blue: -1, white: 0, red: +1">−1 {boxes} +1</p>'


def _table(tokens: Sequence[str], values: np.ndarray, names: Sequence[str]) -> str:
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row" lang="">{escape(visible(token, "␣"))}</th>'
        + "".join(f"<td>{value:+.2f}</td>" for value in row)
        + "</tr>\n"
        for token, row in zip(tokens, values, strict=True)
    )
    return (
        "<details><summary>All numbers</summary>\n"
        f'<table><thead><tr><th scope="col">token</th>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></details>\n"
    )


def plot_text(
    tokens: Sequence[str],
    values: np.ndarray,
    names: Sequence[str],
    file: Path | None = None,
    unit: Unit = "char",
) -> "Figure":
    """The same as a picture.

    Args:
        tokens, values, names, unit: As in `text_html`.
        file: Where to, as a PNG; nowhere if not given.
    """
    shown = [visible(token) for token in tokens]
    gap = len(BETWEEN[unit])
    breaks = [token == "\n" for token in tokens]
    places = wrapped([len(token) + gap for token in shown], breaks, COLUMNS + gap)
    block = places[-1][0] + 3  # a title above, a blank row below
    used = max(column + len(token) for (_, column), token in zip(places, shown, strict=True))
    columns = 4 + max(used, len(SCALE) + 7, *map(len, names))
    grid = Grid(2 + block * len(names), columns)
    _draw_scale(grid, columns)
    for number, (name, series) in enumerate(zip(names, np.asarray(values).T, strict=True)):
        top = 2 + number * block
        grid.put(top, 2, name, bold=True)
        for token, value, (line, column) in zip(shown, series, places, strict=True):
            grid.put(top + 1 + line, 2 + column, token, signed(value))
    return write_figure(grid.figure(), file)


def _draw_scale(grid: Grid, columns: int) -> None:
    left = columns - len(SCALE) - 5
    grid.put(1, left - 3, "−1")
    for place, value in enumerate(SCALE):
        grid.fill(1, left + place, 1, signed(value))
    grid.put(1, left + len(SCALE) + 1, "+1")
