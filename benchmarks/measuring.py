"""Two ways to do the same work, measured in alternation."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Way = Callable[[], Any]


def wall_time(way: Way) -> float:
    """Seconds that one call takes."""
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Pair:
    """The same work, the usual way and ours, on the same inputs."""

    usual: Way
    ours: Way
    amount: int
    """How much work one call of either does ..."""
    unit: str
    """... in these: photos, captions."""
    flops: float | None = None
    """Floating-point operations in one call that real words need, whatever a way really does."""
    about: dict[str, Any] = field(default_factory=dict)
    """What else the record says about the inputs."""
    warm_up: Way | None = None
    """Called once before all; by default each way is."""
    measure: Callable[[Way], float] = wall_time
    """What is measured of a call; the less of it the better."""
    quantity: str = "seconds"
    """The name of that."""


@dataclass(frozen=True)
class Comparison:
    """What was measured in some rounds, each of them the usual way and then ours.

    Args:
        usual: A value for each round.
        ours: Likewise.
        matrix_rates: Floating-point operations per second of a matrix product, before the first
            round and after each; empty where they do not matter.
    """

    usual: Sequence[float]
    ours: Sequence[float]
    matrix_rates: Sequence[float] = ()

    @property
    def ratios(self) -> list[float]:
        """How many times better ours is, for each round.

        >>> Comparison([3.0, 4.0], [1.0, 2.0]).ratios
        [3.0, 2.0]
        """
        return [usual / ours for usual, ours in zip(self.usual, self.ours, strict=True)]

    def shares(self, seconds: Sequence[float], flops: float) -> list[float]:
        """Useful operations per second over those of a matrix product at that time, for each round.

        >>> Comparison([3.0], [1.0], matrix_rates=[90.0, 110.0]).shares([3.0], flops=150.0)
        [0.5]
        """
        beside = [
            (before + after) / 2
            for before, after in zip(self.matrix_rates, self.matrix_rates[1:], strict=False)
        ]
        return [flops / time / rate for time, rate in zip(seconds, beside, strict=True)]


def compare(
    name: str, pair: Pair, rounds: int, matrix_rate: Callable[[], float] | None = None
) -> Comparison:
    """Warm up, then measure A B A B ..., so that a machine that slows down slows both.

    Args:
        name: For the lines on stderr that tell how far it is.
        pair: The two ways.
        rounds: Measurements of each.
        matrix_rate: Measured before the first round and after each.
    """
    print(f"{name}: warm-up", file=sys.stderr, flush=True)
    for way in [pair.warm_up] if pair.warm_up else [pair.usual, pair.ours]:
        way()
    usual, ours = [], []
    rates = [matrix_rate()] if matrix_rate else []
    for number in range(rounds):
        usual.append(pair.measure(pair.usual))
        ours.append(pair.measure(pair.ours))
        rates += [matrix_rate()] if matrix_rate else []
        print(
            f"{name}: round {number + 1} of {rounds}: usual {usual[-1]:.3g} {pair.quantity}, "
            f"ours {ours[-1]:.3g}",
            file=sys.stderr,
            flush=True,
        )
    return Comparison(usual, ours, rates)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and both ends.

    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'min': 1.0, 'max': 3.0}
    """
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
