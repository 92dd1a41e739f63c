"""Pictures: learning curves, and sheets of photos with their captions."""

from captioner.plotting.curves import CAPTIONER, LANGUAGE, Curve, plot_curves
from captioner.plotting.sheet import SIDE, plot_sheet

__all__ = ["CAPTIONER", "LANGUAGE", "SIDE", "Curve", "plot_curves", "plot_sheet"]
