"""Gates over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioner.plotting.colours import BLUE, GREEN, RED, WHITE, hexadecimal
from captioner.plotting.figures import new_figure, write_figure
from captioner.plotting.tokens import FONT, drawable, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEANING = {
    "input": "input gate: what is written",
    "forget": "forget gate: what is kept",
    "output": "output gate: what is shown",
    "candidate": "candidate: what could be written",
    "memory": "memory: what is remembered",
    "reset": "reset gate: how much of the past the candidate sees",
    "update": "update gate: how much of the past is kept",
}
"""What each does; any other is shown by its name alone."""
GATES = ("input", "forget", "output", "reset", "update")
"""From 0, shut, to 1, open; the others have a sign."""
MOST = 100
"""Tokens that find room side by side."""
NAMED = 20
"""Units, at most, that are named at the side."""
ALL = 1.3
"""Inches for all units, where they are not named."""


def plot_gates(
    tokens: Sequence[str],
    gates: Mapping[str, np.ndarray],
    file: Path | None = None,
    units: Sequence[int] | None = None,
) -> "Figure":
    """Each gate as a map: a column for each token, a row for each unit.

    Gates go from white, shut, to green, open; what has a sign from blue through white to red.

    Args:
        tokens: The T tokens; of a long text the first `MOST` are shown.
        gates: By name, each (T, H), as `captioner.inspection.gates` gives them.
        file: Where to, as a PNG; nowhere if not given.
        units: Which, from 0 to H - 1; all if not given.
    """
    from matplotlib.colors import LinearSegmentedColormap

    colours = {
        names: LinearSegmentedColormap.from_list("", [hexadecimal(colour) for colour in parts])
        for names, parts in (("gate", (WHITE, GREEN)), ("signed", (BLUE, WHITE, RED)))
    }
    shown = [drawable(visible(token, space="␣")) for token in tokens[:MOST]]
    rows = list(range(next(iter(gates.values())).shape[1])) if units is None else list(units)
    named = len(rows) <= NAMED
    longest = max(map(len, shown))
    column = 0.11 if longest == 1 else 0.2
    panel = 0.2 * len(rows) if named else ALL
    height = len(gates) * (panel + 0.4) + 0.1 * longest + 0.4
    rows_apart, below = 0.42, 0.09 * longest + (0.5 if len(tokens) > MOST else 0.3)
    width = max(6.5, column * len(shown) + 1.4)
    height = len(gates) * (panel + rows_apart) + below
    figure = new_figure(width, height, layout=None)
    axes = figure.subplots(
        len(gates),
        2,
        squeeze=False,
        gridspec_kw={
            "left": 0.65 / width,
            "right": 1 - 0.65 / width,
            "bottom": below / height,
            "top": 1 - rows_apart / height,
            "hspace": rows_apart / panel,
            "wspace": 0.2 / width,
            "width_ratios": (width, 0.1),
        },
    )
    for (place, beside), (name, values) in zip(axes, gates.items(), strict=True):
        values = values[:MOST, rows].T  # (units, T)
        most = 1.0 if name != "memory" else max(1.0, float(np.abs(values).max()))
        image = place.imshow(
            values,
            aspect="auto",
            interpolation="nearest" if named else "auto",
            cmap=colours["gate" if name in GATES else "signed"],
            vmin=0.0 if name in GATES else -most,
            vmax=most,
        )
        place.set_title(MEANING.get(name, name), loc="left", fontsize=10)
        bar = figure.colorbar(image, cax=beside)
        bar.ax.tick_params(labelsize=8)
        if name in GATES:
            bar.set_ticks([0, 1], labels=["0 shut", "1 open"])
        if named:
            place.set_yticks(range(len(rows)), [str(unit) for unit in rows], fontsize=8)
            place.set_ylabel("unit", fontsize=9)
        else:
            place.set_ylabel(f"{len(rows)} units", fontsize=9)
            place.set_yticks([])
        place.tick_params(length=0)
        place.set_xticks([])
    axes[-1, 0].set_xticks(
        range(len(shown)),
        shown,
        family=FONT,
        fontsize=9,
        rotation=0 if longest == 1 else 90,
        parse_math=False,
    )
    if len(tokens) > MOST:
        axes[-1, 0].set_xlabel(f"the first {MOST} of {len(tokens)} tokens", fontsize=9)
    return write_figure(figure, file)
