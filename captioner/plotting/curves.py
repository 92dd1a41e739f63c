"""Learning curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from captioner.files import replacing


@dataclass(frozen=True)
class Curve:
    """A figure that is noted after each epoch."""

    key: str
    """Its name in the records."""
    title: str
    """What it is called above the curve."""
    best: Literal["highest", "lowest"] | None = None
    """Which of its values is marked."""


LOSS = Curve("train_loss", "training loss (nats per caption)")
REWARD = Curve("reward", "mean reward of drawn captions")
SCORE = Curve("val_cider_d", "validation CIDEr-D", best="highest")
CAPTIONER = (LOSS, SCORE)
"""The curves of a captioner."""
SELF_CRITICAL = (REWARD, SCORE)
"""Those of one that learns from scores; what it has for a loss tells nothing of how it fares."""
LANGUAGE = (
    Curve("train_perplexity", "training perplexity"),
    Curve("val_perplexity", "validation perplexity", best="lowest"),
)
"""The curves of a language model."""


def points_of(curve: Curve, epochs: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """Epochs and values of a curve, whatever else was noted then."""
    misleading = REWARD.key if curve is LOSS else None
    return [
        (record["epoch"], record[curve.key])
        for record in epochs
        if curve.key in record and misleading not in record
    ]


def plot_curves(
    epochs: Sequence[dict[str, Any]], file: Path, curves: Sequence[Curve] = CAPTIONER
) -> None:
    """Figures over the epochs side by side, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(4.5 * len(curves), 3.6), layout="constrained")
    number = [record["epoch"] for record in epochs]
    for place, curve in enumerate(curves):
        axes = figure.add_subplot(1, len(curves), place + 1)
        values = [record[curve.key] for record in epochs]
        axes.plot(number, values, marker="o", markersize=3, color=f"C{place}")
        axes.set(xlabel="epoch", title=curve.title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if curve.best:
            choose = max if curve.best == "highest" else min
            best = choose(range(len(values)), key=values.__getitem__)
            axes.plot(number[best], values[best], "o", color="C3", label=f"{values[best]:.3f}")
            axes.legend(title="best", loc="lower right" if choose is max else "upper right")
    with replacing(file) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
