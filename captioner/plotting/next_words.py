"""The likeliest next words at each step, beside the one that came."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.files import write_text
from captioner.plotting.colours import GREEN, blend, hexadecimal
from captioner.plotting.figures import write_figure
from captioner.plotting.grid import Grid, wrapped
from captioner.plotting.pages import page
from captioner.plotting.tokens import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Step = tuple[str, Sequence[tuple[str, float]], float]
"""The token that came; the likeliest with their probabilities; the probability of what came."""
COLUMNS = 100
"""Signs in a line of a picture."""
LEGEND = "Bold: what came. Below: the likeliest before it came, in per cent. Framed: what came."
STYLE = """<style>
.expected { background: #fff; color: #000; font: 16px/1.5 system-ui, sans-serif; padding: 1px 8px }
.expected ol { list-style: none; margin: 0; padding: 0 }
.expected .steps { display: flex; flex-wrap: wrap; gap: 1.2em .6em }
.expected .steps { font: 14px/1.5 "DejaVu Sans Mono", Consolas, Menlo, monospace }
.expected .steps > li { min-width: 3.6em }
.expected .step { display: flex; justify-content: space-between; gap: .8em; padding: 0 .35em }
.expected li li { margin-top: 3px }
.expected .head { border-bottom: 2px solid #000; font-weight: bold }
.expected .came { outline: 2px solid #000; font-weight: bold }
</style>"""


def next_words_html(steps: Sequence[Step]) -> str:
    """At each step what came, and under it what was thought likeliest before it came.

    Probabilities are in per cent; the deeper the green, the likelier. Where what came is among the
    likeliest it has a frame.

    Args:
        steps: As `captioner.inspection.next_words` gives them.

    Returns:
        A fragment of HTML, to be shown by a notebook or within a page.
    """
    columns = "".join(_column(*step) for step in steps)
    return (
        f'{STYLE}\n<div class="expected">\n<p>{LEGEND}</p>\n'
        f'<ol class="steps" lang="">\n{columns}</ol>\n</div>\n'
    )


def plot_next_words_html(
    steps: Sequence[Step], file: Path, title: str = "The likeliest next words"
) -> None:
    """The same as a page of its own; errors as of `captioner.files.replacing`."""
    write_text(file, page(title, next_words_html(steps)))


def _column(came: str, likeliest: Sequence[tuple[str, float]], probability: float) -> str:
    def entry(word: str, chance: float, kind: str, style: str = "") -> str:
        return (
            f'<div class="step{kind}"{style} title="{chance:.4f}">'
            f"<span>{escape(_shown(word))}</span> <span>{_percent(chance)}</span></div>"
        )

    entries = []
    for word, chance in likeliest:
        style = f' style="background:{hexadecimal(blend(chance, GREEN))}"'
        entries.append(f"<li>{entry(word, chance, ' came' * (word == came), style)}</li>")
    return f"<li>{entry(came, probability, ' head')}<ol>{''.join(entries)}</ol></li>\n"


def plot_next_words(steps: Sequence[Step], file: Path | None = None) -> "Figure":
    """The same as a picture.

    Args:
        steps: As in `next_words_html`.
        file: Where to, as a PNG; nowhere if not given.
    """
    widths = [
        max(len(_shown(word)) for word in (came, *(word for word, _ in likeliest))) + 6
        for came, likeliest, _ in steps
    ]
    places = wrapped([width + 1 for width in widths], [False] * len(steps), COLUMNS)
    most = max(len(likeliest) for _, likeliest, _ in steps)
    band = most + 2  # what came above, a blank row below
    # The last column of each line holds the gap to a next one, which is not there.
    used = max(column + width for (_, column), width in zip(places, widths, strict=True))
    grid = Grid(3 + (places[-1][0] + 1) * band, max(used, len(LEGEND)) + 4)
    grid.put(1, 3, LEGEND)
    for (line, column), width, step in zip(places, widths, steps, strict=True):
        came, likeliest, probability = step
        top, left = 3 + line * band, column + 2
        grid.put(top, left, _padded(came, probability, width), bold=True)
        for rank, (word, chance) in enumerate(likeliest):
            colour = blend(chance, GREEN)
            grid.put(top + 1 + rank, left, _padded(word, chance, width), colour)
            if word == came:
                grid.frame(top + 1 + rank, left, width)
    return write_figure(grid.figure(), file)


def _padded(word: str, chance: float, width: int) -> str:
    percent = _percent(chance)
    return f" {_shown(word):<{width - 2 - len(percent)}}{percent} "


def _shown(token: str) -> str:
    return visible(token, space="␣")


def _percent(chance: float) -> str:
    return f"{100 * chance:.0f}"
