"""The two bent lines that every recurrent network is made of: sigmoid and tanh.

    sigmoid(x) = 1 / (1 + exp(-x))                      from 0 to 1: a gate, shut to open
    tanh(x)    = (exp(2x) - 1) / (exp(2x) + 1)          from -1 to 1: a value to store

They are one curve, stretched and shifted: tanh(x) = 2 sigmoid(2x) - 1.

    >>> x = np.linspace(-5, 5, 11)
    >>> bool(np.allclose(tanh(x), 2 * sigmoid(2 * x) - 1, rtol=0, atol=1e-15))
    True
"""

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """How far a gate is open: 1 / (1 + exp(-x)).

    Only exp(-|x|), which is at most 1, is computed, so that no x is too large:
    for x < 0 the fraction is widened by exp(x), which gives exp(x) / (exp(x) + 1).

    >>> sigmoid(np.array([-1000.0, 0.0, np.log(3.0)])).round(6).tolist()
    [0.0, 0.5, 0.75]
    """
    small = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0, 1, small) / (1 + small)


def sigmoid_gradient(x: np.ndarray) -> np.ndarray:
    """d sigmoid(x) / dx = sigmoid(x) (1 - sigmoid(x)): at most a quarter.

    >>> float(sigmoid_gradient(np.array(0.0)))
    0.25
    """
    s = sigmoid(x)
    return s * (1 - s)


def tanh(x: np.ndarray) -> np.ndarray:
    """A value from -1 to 1: (exp(2x) - 1) / (exp(2x) + 1).

    >>> tanh(np.array([-1000.0, 0.0, np.log(2.0)])).round(6).tolist()
    [-1.0, 0.0, 0.6]
    """
    return np.tanh(x)


def tanh_gradient(x: np.ndarray) -> np.ndarray:
    """d tanh(x) / dx = 1 - tanh(x)^2: one at zero, nothing where the curve is flat.

    >>> tanh_gradient(np.array([0.0, np.log(2.0), 1000.0])).round(6).tolist()
    [1.0, 0.64, 0.0]
    """
    return 1 - np.tanh(x) ** 2
