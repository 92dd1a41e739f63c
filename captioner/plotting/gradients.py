"""How the gradient fades with distance in time."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioner.plotting.figures import new_figure, write_figure
from captioner.plotting.tokens import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"rnn": "C3", "gru": "C0", "lstm": "C2"}
"""The cells look the same in every picture; other names have the colours that are left."""
FEW = 20
"""Values, at most, that are marked one by one."""
OTHERS = ("C1", "C4", "C5", "C6", "C8", "C9")


def plot_gradients(norms: Mapping[str, np.ndarray], file: Path | None = None) -> "Figure":
    """Norm of the gradient against distance in time, on a logarithmic scale.

    Each curve is divided by its first value: networks that are sure of themselves have small
    gradients at every distance, and here only their fading is compared. A straight line downwards
    is a gradient that fades at the speed of a power, as a simple RNN's does.

    Args:
        norms: By name, each (K,), for 0, 1, ..., K-1 steps of distance; as of
            `captioner.inspection.gradient_by_distance` or `captioner.reference`.
        file: Where to, as a PNG; nowhere if not given.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(6.5, 4)
    axes = figure.subplots()
    for number, (name, values) in enumerate(norms.items()):
        colour = COLOURS.get(name, OTHERS[number % len(OTHERS)])
        marker = "o" if len(values) <= FEW else None
        axes.plot(values / values[0], label=drawable(name), color=colour, marker=marker)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlabel="steps back in time",
        ylabel="norm of the gradient (at 0 steps: 1)",
        title="How the gradient fades with distance in time",
    )
    axes.grid(alpha=0.3)
    for text in axes.legend().get_texts():
        text.set_parse_math(False)
    return write_figure(figure, file)
