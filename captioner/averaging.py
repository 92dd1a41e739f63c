"""A running mean of the weights, steadier than the weights of any one step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a network's weights, beside which training goes on.

        mean <- d mean + (1 - d) weights        d = min(decay, (1 + step) / (10 + step))

    After Polyak & Juditsky 1992 (Acceleration of stochastic approximation by averaging), with the
    decay of Tarvainen & Valpola 2017 (arXiv:1703.01780). The smaller d of the first steps soon
    forgets the weights that training began with.

    Args:
        network: On the device to train on.
        decay: Share of the mean that a step keeps; 0 keeps no mean at all.

    Example: a weight that is 1, and at the first step becomes 2.

        >>> network = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.ones_(network.weight)
        >>> average = Average(network, 0.999)
        >>> _ = nn.init.constant_(network.weight, 2.0)
        >>> average.update(step=0)
        >>> with average.shown():
        ...     round(network.weight.item(), 4)  # 0.1 of the old, 0.9 of the new
        1.9
        >>> network.weight.item()
        2.0
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._live = dict(network.named_parameters()) if decay else {}
        self.weights: dict[str, Tensor] = {
            name: weight.detach().clone() for name, weight in self._live.items()
        }
        """The mean, by the weights' names."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step; steps count from nought."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in self._live.items():
            self.weights[name].lerp_(weight, 1 - decay)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The network has the mean for its weights, and its own again afterwards."""
        own = {name: weight.detach().clone() for name, weight in self._live.items()}
        self._fill(self.weights)
        try:
            yield
        finally:
            self._fill(own)

    @torch.no_grad()
    def _fill(self, weights: dict[str, Tensor]) -> None:
        for name, weight in self._live.items():
            weight.copy_(weights[name])
