"""A linear layer that is used at every step and gets its gradient once."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Product = Callable[[Tensor, Tensor | None], Tensor]


ROWS = 80
"""Of a usual x; the order is right for any other number."""


class SharedLinear:
    """y_t = W x_t + base_t for many steps t, whose weight gradient is a single product.

        dW = sum_t  dy_t x_t^T  =  [dy_1 dy_2 ...] [x_1 x_2 ...]^T

    A sum of one small product per step reads and writes all of dW at each of them; one below the
    other the steps make one large product. The gradient of x_t is passed back step by step as
    usual. On a processor with MKL the weight is brought into the order in which a product reads it
    once, and not anew at each step.

    Made anew for each forward pass.

    The gradients of all base_t together are [dy_1 dy_2 ...] as well, and so are at hand for the one
    product that made them.

    Args:
        weight: W.
        base: A bias (O) for every step; or the bases of all steps one below the other (M, O), which
            the steps use up one after the other; or None for none.

    Example:

        >>> weight = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> linear = SharedLinear(weight)
        >>> y = linear(torch.tensor([[3.0, 4.0]]))
        >>> y = linear(torch.cat([y, y], dim=1))
        >>> y.item()
        33.0
        >>> y.backward()
        >>> weight.grad.tolist()  # [11 11] of the second use, 3 [3 4] of the first
        [[20.0, 23.0]]
    """

    def __init__(
        self, weight: Float[Tensor, "O I"], base: Float[Tensor, "*M O"] | None = None
    ) -> None:
        self.weight = weight.detach()
        self.base = None if base is None else base.detach()
        self.forward = product(self.weight)
        self.backward: Product | None = None
        self.steps = _Steps()
        # Autograd runs a node's backward pass after those of all that came from it: the token's
        # comes after that of every step.
        self._token: Tensor = _Collect.apply(weight, base, self.steps)

    def __call__(self, x: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
        """W x + base; a vector in each row."""
        return _Use.apply(x, self._token, self, self.steps.begin(x))


class _Steps:
    """What the steps leave for the gradient of the weight."""

    def __init__(self) -> None:
        self.inputs: list[Tensor] = []
        self.rows: list[slice] = []
        self.grads: Tensor | None = None
        self.without_grad: list[slice] = []

    def begin(self, x: Float[Tensor, "N I"]) -> slice:
        """The rows of a step."""
        first = self.rows[-1].stop if self.rows else 0
        self.rows.append(slice(first, first + len(x)))
        self.inputs.append(x.detach())
        return self.rows[-1]

    def keep(self, rows: slice, grad: Float[Tensor, "N O"]) -> None:
        """Put the gradient of a step where it belongs, while the cache still holds it."""
        if self.grads is None or rows not in self.without_grad:  # a backward pass begins
            self.grads = grad.new_empty(self.rows[-1].stop, grad.shape[1])
            self.without_grad = self.rows.copy()
        self.grads[rows] = grad
        self.without_grad.remove(rows)

    def collect(self) -> tuple[Float[Tensor, "M I"], Float[Tensor, "M O"]]:
        """Inputs and gradients of all steps; nought for those that did not count in the end."""
        grads, self.grads = self.grads, None
        assert grads is not None
        for rows in self.without_grad:
            grads[rows] = 0
        return torch.cat(self.inputs), grads


def product(weight: Float[Tensor, "O I"]) -> Product:
    """(x, bias) -> x W^T + bias, made quick for many small x."""
    mkl = torch.ops.mkl
    fit = weight.device.type == "cpu" and weight.dtype == torch.float32
    if not (fit and torch.backends.mkl.is_available() and hasattr(mkl, "_mkl_linear")):
        return lambda x, bias: F.linear(x, weight, bias)
    ordered = mkl._mkl_reorder_linear_weight.default(weight, ROWS)
    multiply = mkl._mkl_linear.default
    return lambda x, bias: multiply(x, ordered, weight, bias, len(x))


def turned(weight: Float[Tensor, "O I"]) -> Float[Tensor, "I O"]:
    """W^T, a few rows of W at a time, whose columns the cache holds."""
    return torch.cat([rows.t() for rows in weight.split(128)], dim=1)


class _Collect(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, base: Tensor | None, steps: _Steps) -> Tensor:
        ctx.steps, ctx.base_ndim = steps, 0 if base is None else base.ndim
        return weight.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        inputs, grads = ctx.steps.collect()
        dbase = None
        if ctx.base_ndim:
            dbase = grads if ctx.base_ndim == 2 else grads.sum(dim=0)
        return grads.t() @ inputs, dbase, None


class _Use(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, linear: SharedLinear, rows: slice) -> Tensor:
        ctx.linear, ctx.rows = linear, rows
        base = linear.base
        if base is None or base.ndim == 1:
            return linear.forward(x, base)
        return linear.forward(x, None).add_(base[rows])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        linear = ctx.linear
        linear.steps.keep(ctx.rows, grad)
        dx = None
        if ctx.needs_input_grad[0]:
            linear.backward = linear.backward or product(turned(linear.weight))
            dx = linear.backward(grad, None)
        return dx, grad.new_empty(0), None, None
