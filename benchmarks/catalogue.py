"""All benchmarks by name.

Adding one: a function from a `Setting` to a `Pair`, in a file whose docstring says what both ways
do, and its line in `BENCHMARKS`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.inputs import Setting
from benchmarks.measuring import Pair


@dataclass(frozen=True)
class Benchmark:
    """Where a benchmark is found, and what the tables say about it."""

    work: str
    """What is done, in a few words."""
    function: str
    """`module:function` in this folder; imported when it is needed."""
    rounds: int
    """Measurements of each way ..."""
    quick_rounds: int = 0
    """... and where little time is to be spent; 0: it is left out then."""
    target: float | None = None
    """The ratio to reach."""

    def load(self) -> Callable[[Setting], Pair]:
        """What gives its inputs and both ways, checked to do the same."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(f"benchmarks.{module}"), name)


BENCHMARKS = {
    "features": Benchmark("photos to cached features", "features:features", 3, 1, 4.0),
    "train_pooled": Benchmark("training, pooled LSTM", "train_pooled:train_pooled", 9, 3, 2.0),
    "train_attention": Benchmark(
        "training, attention", "train_attention:train_attention", 7, 2, 2.0
    ),
    "beam": Benchmark("captions, 3 beams", "beam:beam", 3, 1, 8.0),
    "beam5": Benchmark("captions, 5 beams", "beam:beam_of_five", 3, target=8.0),
    "cider": Benchmark("CIDEr-D of a test split", "scoring:cider", 5, 2, 10.0),
    "reward": Benchmark("CIDEr-D as a reward", "scoring:reward", 9, 5, 20.0),
    "start": Benchmark("one caption in a new process", "processes:start", 5, target=2.86),
    "help": Benchmark("--help in a new process", "processes:help_text", 5),
    "memory": Benchmark("peak memory, 100 photos and 10,000", "processes:memory", 1, target=0.91),
}
