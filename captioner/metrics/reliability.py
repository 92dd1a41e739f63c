"""How far confidences can be relied on: how often what is given 0.8 is good."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

BINS = 10


class Bin(NamedTuple):
    """Captions that were given about the same confidence."""

    given: float
    """Its mean."""
    good: float
    """The share of them that is good: the same, were the confidence perfect."""
    captions: int
    """So many."""


def reliability(
    probabilities: Float[np.ndarray, " M"], good: Bool[np.ndarray, " M"], bins: int = BINS
) -> list[Bin]:
    """How often captions of about the same confidence are good; bins without captions are left out.

    Example: of two captions at about 0.2 none is good, of two at 0.9 one.

        >>> reliability(np.array([0.22, 0.26, 0.9, 0.9]), np.array([0, 0, 0, 1], dtype=bool), 5)
        [Bin(given=0.24, good=0.0, captions=2), Bin(given=0.9, good=0.5, captions=2)]
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [
        Bin(float(probabilities[of].mean()), float(good[of].mean()), int(of.sum()))
        for of in (place == i for i in np.unique(place))
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599, eq. 3).

        ECE = sum_b  captions_b / M  |given_b - good_b|

    Luck alone makes some: about sqrt(B / (2 pi M)) where M captions in B even bins have a chance
    of a half, 0.04 for 1,000 captions in 10 bins.

    >>> round(calibration_error([Bin(0.25, 0.0, 3), Bin(0.9, 0.5, 1)]), 4)
    0.2875
    """
    total = sum(part.captions for part in bins)
    return sum(part.captions * abs(part.given - part.good) for part in bins) / max(1, total)


def reliability_table(bins: Sequence[Bin]) -> str:
    """The bins as text."""
    lines = [f"{'confidence':>10} {'good':>7} {'captions':>9}"]
    return "\n".join(lines + [f"{b.given:10.3f} {b.good:7.3f} {b.captions:9d}" for b in bins])
