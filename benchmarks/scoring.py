"""CIDEr-D of captions, and as the reward of self-critical training: see `benchmarks.metrics`."""

from collections.abc import Callable

from benchmarks import metrics
from benchmarks.inputs import Setting
from benchmarks.measuring import Pair


def cider(setting: Setting) -> Pair:
    """Scores of a test split."""
    return scoring_pair(metrics.cider, setting)


def reward(setting: Setting) -> Pair:
    """Rewards of a step."""
    return scoring_pair(metrics.reward, setting)


def scoring_pair(prepare: Callable[[bool], metrics.Calls], setting: Setting) -> Pair:
    """Both ways; their comparison of the scores has warmed them up."""
    usual, ours, captions = prepare(setting.quick)
    return Pair(usual, ours, amount=captions, unit="captions", warm_up=ours)
