"""The ways from a gradient to new weights, by hand, with the defaults that torch has.

Each keeps what it remembers for each weight in dictionaries by the weight's name, and changes the
arrays in place: `optimiser.update(parameters, gradients)`. Below, w is a weight, g its gradient,
lr the learning rate; all products are entry by entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Arrays = Mapping[str, np.ndarray]


def clip_gradients(gradients: Arrays, max_norm: float = 5.0) -> float:
    """Shorten all gradients together, if together they are longer than `max_norm`.

        norm = sqrt(sum of all entries of all gradients, squared)
        g   <- g max_norm / norm       if norm > max_norm

    The direction stays; only the length is cut. It is the remedy for exploding gradients (Pascanu
    et al. 2013, arXiv:1211.5063, algorithm 1).

    Returns:
        The norm before clipping.

        >>> gradients = {"a": np.array([6.0]), "b": np.array([8.0])}
        >>> clip_gradients(gradients, max_norm=5.0), gradients["a"].item(), gradients["b"].item()
        (10.0, 3.0, 4.0)
    """
    norm = float(np.sqrt(sum(np.sum(g**2) for g in gradients.values())))
    if norm > max_norm:
        for g in gradients.values():
            g *= max_norm / norm
    return norm


@dataclass
class SGD:
    """Stochastic gradient descent, with momentum if wanted (Polyak 1964).

        v <- momentum v + g
        w <- w - lr v

    >>> weights = {"w": np.array([1.0])}
    >>> SGD(learning_rate=0.1).update(weights, {"w": np.array([2.0])})
    >>> weights["w"].tolist()
    [0.8]
    """

    learning_rate: float = 1e-2
    momentum: float = 0.0
    velocity: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def update(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step downhill, in place."""
        for name, g in gradients.items():
            v = self.velocity.setdefault(name, np.zeros_like(g))
            v *= self.momentum
            v += g
            parameters[name][...] -= self.learning_rate * v


@dataclass
class Adagrad:
    """A rate for each weight, smaller the more its gradients have added up (Duchi et al. 2011).

        s <- s + g^2
        w <- w - lr g / (sqrt(s) + epsilon)

    Rare words, whose vectors get a gradient seldom, keep taking large steps.
    """

    learning_rate: float = 1e-2
    epsilon: float = 1e-10
    squares: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def update(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step downhill, in place."""
        for name, g in gradients.items():
            s = self.squares.setdefault(name, np.zeros_like(g))
            s += g**2
            parameters[name][...] -= self.learning_rate * g / (np.sqrt(s) + self.epsilon)


@dataclass
class RMSProp:
    """As Adagrad, but old gradients are forgotten (Tieleman & Hinton 2012, lecture 6.5).

    s <- decay s + (1 - decay) g^2
    w <- w - lr g / (sqrt(s) + epsilon)
    """

    learning_rate: float = 1e-2
    decay: float = 0.99
    epsilon: float = 1e-8
    squares: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def update(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step downhill, in place."""
        for name, g in gradients.items():
            s = self.squares.setdefault(name, np.zeros_like(g))
            s *= self.decay
            s += (1 - self.decay) * g**2
            parameters[name][...] -= self.learning_rate * g / (np.sqrt(s) + self.epsilon)


@dataclass
class Adam:
    """Momentum over RMSProp's rates, both without their first steps' bias (Kingma & Ba 2014).

        m <- beta1 m + (1 - beta1) g             mean of the gradients
        s <- beta2 s + (1 - beta2) g^2           mean of their squares
        w <- w - lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + epsilon)       at step t

    m and s start at zero, too near to it at first: the divisions set that right.
    arXiv:1412.6980, algorithm 1.

    >>> weights = {"w": np.array([1.0, 1.0])}
    >>> Adam(learning_rate=0.1).update(weights, {"w": np.array([1e-3, -1e3])})
    >>> weights["w"].round(4).tolist()
    [0.9, 1.1]
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    steps: int = 0
    means: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    squares: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def update(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step downhill, in place."""
        self.steps += 1
        for name, g in gradients.items():
            m = self.means.setdefault(name, np.zeros_like(g))
            s = self.squares.setdefault(name, np.zeros_like(g))
            m *= self.beta1
            m += (1 - self.beta1) * g
            s *= self.beta2
            s += (1 - self.beta2) * g**2
            mean = m / (1 - self.beta1**self.steps)
            square = s / (1 - self.beta2**self.steps)
            parameters[name][...] -= self.learning_rate * mean / (np.sqrt(square) + self.epsilon)


Optimiser = SGD | Adagrad | RMSProp | Adam
OPTIMISERS: dict[str, type[Optimiser]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSProp,
    "adam": Adam,
}
