"""Figures without a window; a notebook shows them after `%matplotlib inline`."""

from pathlib import Path
from typing import TYPE_CHECKING

from captioner.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120


def new_figure(width: float, height: float, layout: str | None = "constrained") -> "Figure":
    """An empty figure, of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: "Figure", file: Path | None) -> "Figure":
    """Write it as a PNG where a file is named, and give it back."""
    if file is not None:
        with replacing(file) as temporary:
            figure.savefig(str(temporary), format="png")
    return figure
