"""The curve of scores against the number of training photos, as a picture for the README."""

from pathlib import Path
from statistics import fmean

from captioner.plotting.figures import new_figure, write_figure
from results.gains import Records

FILE = "data-curve.png"
"""In the folder of results."""


def points(records: Records) -> dict[int, list[float]]:
    """CIDEr-D of each seed, times 100, by the number of training photos.

    Only of the experiments on the number of photos, and of the one with all of them.
    """
    found: dict[int, list[float]] = {}
    for name, of_seed in records.items():
        if name.startswith("photos-") or name == "pooled-gru":
            for record in of_seed.values():
                score = 100 * record["metrics"]["cider_d"]
                found.setdefault(record["training"]["photos"], []).append(score)
    return dict(sorted(found.items()))


def draw_curve(records: Records, file: Path) -> bool:
    """Draw it as a PNG; False where there are no two points yet."""
    found = points(records)
    if len(found) < 2:
        return False
    figure = new_figure(5.5, 3.6)
    axes = figure.add_subplot()
    axes.plot([*found], [fmean(scores) for scores in found.values()], color="C0", label="mean")
    pairs = [(photos, score) for photos, scores in found.items() for score in scores]
    axes.plot(*zip(*pairs, strict=True), "o", color="C0", alpha=0.5, markersize=4, label="a seed")
    axes.set_xscale("log")
    axes.set_xticks([*found], labels=[f"{photos:,}" for photos in found])
    axes.minorticks_off()
    axes.set(xlabel="training photos, five captions each", ylabel="CIDEr-D on validation photos")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    write_figure(figure, file)
    return True
