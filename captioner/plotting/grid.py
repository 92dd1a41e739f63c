"""Pictures of signs of equal width, each on a colour of its own."""

from functools import cache
from typing import TYPE_CHECKING

from captioner.errors import InputError
from captioner.plotting.colours import WHITE, Colour
from captioner.plotting.figures import new_figure
from captioner.plotting.tokens import FONT, drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.path import Path

SIZE = 10.2 / 72
"""Of the font, in inches."""
COLUMN, ROW = 0.602 * SIZE, 1.5 * SIZE
"""Width and height of a sign and what is around it, in inches."""
BASELINE = 0.66
"""Where in a row the signs stand."""
MOST = 1000
"""Rows of a picture."""
LEADING = 8
"""Parts of a row, of which the last one stays white between two lines."""


class Grid:
    """A picture of signs of equal width, each on a colour of its own.

    Args:
        rows, columns: Size, in signs.

    Raises:
        InputError: if there are more rows than `MOST`.
    """

    def __init__(self, rows: int, columns: int) -> None:
        import numpy as np

        if rows > MOST:
            raise InputError(
                f"a picture of {rows} lines is more than anybody would look at ({MOST}); "
                "give a shorter text, or have fewer units or next words shown"
            )
        self.rows, self.columns = rows, columns
        self._figure = new_figure(columns * COLUMN, rows * ROW, layout=None)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, columns), ylim=(rows, 0))
        self._axes.set_axis_off()
        self._signs: list[tuple[str, bool, int, int]] = []
        self._colours = np.full((rows * LEADING, columns, 3), WHITE, dtype=np.uint8)

    def fill(self, row: int, column: int, width: int, colour: Colour) -> None:
        """Colour some signs of a row."""
        top = row * LEADING
        self._colours[top : top + LEADING - 1, column : column + width] = colour

    def put(
        self, row: int, column: int, text: str, colour: Colour = WHITE, *, bold: bool = False
    ) -> None:
        """Write text on its colour, one sign in each column."""
        self.fill(row, column, len(text), colour)
        self._signs += [
            (sign, bold, column + place, row)
            for place, sign in enumerate(drawable(text))
            if sign != " "
        ]

    def frame(self, row: int, column: int, width: int) -> None:
        """Draw a frame around some signs of a row."""
        from matplotlib.patches import Rectangle

        height = (LEADING - 1) / LEADING
        self._axes.add_patch(
            Rectangle((column, row), width, height, fill=False, linewidth=1.6, edgecolor="black")
        )

    def figure(self) -> "Figure":
        """The whole picture."""
        from matplotlib.collections import PathCollection

        self._axes.imshow(
            self._colours,
            extent=(0, self.columns, self.rows, 0),
            aspect="auto",
            interpolation="nearest",
        )
        # Thousands of signs, drawn as shapes at one go: ten times as fast as texts one by one.
        signs = PathCollection(
            [_shape(sign, bold) for sign, bold, _, _ in self._signs],
            offsets=[(column, row + BASELINE) for _, _, column, row in self._signs],
            offset_transform=self._axes.transData,
            facecolors="black",
            linewidths=0,
            snap=False,
        )
        signs.set_transform(self._figure.dpi_scale_trans)
        self._axes.add_collection(signs, autolim=False)
        return self._figure


@cache
def _shape(sign: str, bold: bool) -> "Path":
    """The outline of a sign, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=FONT, weight="bold" if bold else "normal")
    return TextPath((0, 0), sign, size=SIZE, prop=font)


def wrapped(widths: list[int], breaks: list[bool], columns: int) -> list[tuple[int, int]]:
    """Line and column of each piece of a text: a new line after a break, or where it is full.

    >>> wrapped([3, 3, 1, 3], [False, False, True, False], columns=7)
    [(0, 0), (0, 3), (0, 6), (1, 0)]
    """
    places = []
    line = column = 0
    for width, ends in zip(widths, breaks, strict=True):
        if column and column + width > columns:
            line, column = line + 1, 0
        places.append((line, column))
        line, column = (line + 1, 0) if ends else (line, column + width)
    return places
