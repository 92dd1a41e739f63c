"""Pictures: learning curves, sheets of photos, why a caption, what a language model does inside."""

from captioner.plotting.curves import (
    CAPTIONER,
    LANGUAGE,
    LOSS,
    REWARD,
    SCORE,
    SELF_CRITICAL,
    Curve,
    plot_curves,
    points_of,
)
from captioner.plotting.explanation import plot_explanation
from captioner.plotting.gates import plot_gates
from captioner.plotting.gradients import plot_gradients
from captioner.plotting.heat import attention_scale, heat_map
from captioner.plotting.next_words import next_words_html, plot_next_words, plot_next_words_html
from captioner.plotting.sheet import SIDE, plot_sheet
from captioner.plotting.text import plot_text, plot_text_html, text_html
from captioner.plotting.tokens import visible
from captioner.plotting.tree import TreeNode, phrase_of

__all__ = [
    "CAPTIONER",
    "LANGUAGE",
    "LOSS",
    "REWARD",
    "SCORE",
    "SELF_CRITICAL",
    "SIDE",
    "Curve",
    "TreeNode",
    "attention_scale",
    "heat_map",
    "next_words_html",
    "phrase_of",
    "plot_curves",
    "plot_explanation",
    "plot_gates",
    "plot_gradients",
    "plot_next_words",
    "plot_next_words_html",
    "plot_sheet",
    "plot_text",
    "plot_text_html",
    "points_of",
    "text_html",
    "visible",
]
