"""A linear layer that is used at every step and gets its gradient once."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class SharedLinear:
    """y_t = W x_t + b for many steps t, whose weight gradient is a single product.

        dW = sum_t  dy_t x_t^T  =  [dy_1 dy_2 ...] [x_1 x_2 ...]^T

    A sum of one small product per step reads and writes all of dW at each of them; side by side
    the steps make one large product. The gradient of x_t is passed back step by step as usual.

    Made anew for each forward pass; `backward` may run once.

    Args:
        weight: W.
        bias: b, or None for none.

    Example:

        >>> weight = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> linear = SharedLinear(weight)
        >>> y = linear(torch.tensor([[3.0], [4.0]]))
        >>> y = linear(torch.cat([y, y]))
        >>> y.item()
        33.0
        >>> y.backward()
        >>> weight.grad.tolist()  # [11 11] of the second use, 3 [3 4] of the first
        [[20.0, 23.0]]
    """

    def __init__(
        self, weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None = None
    ) -> None:
        self.weight = weight.detach()
        self.bias = weight.new_zeros(()) if bias is None else bias.detach().unsqueeze(1)
        self.uses: list[tuple[Tensor, Tensor]] = []
        # Autograd runs a node's backward pass after those of all that came from it: the token's
        # comes after that of every step.
        self._token: Tensor = _Collect.apply(weight, bias, self.uses)

    def __call__(self, x: Float[Tensor, "I N"]) -> Float[Tensor, "O N"]:
        """W x + b; vectors stand in columns."""
        return _Use.apply(x, self._token, self)


class _Collect(Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, uses: list[tuple[Tensor, Tensor]]
    ) -> Tensor:
        ctx.uses, ctx.has_bias = uses, bias is not None
        return weight.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        inputs, grads = (torch.cat(parts, dim=1) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return grads @ inputs.t(), grads.sum(dim=1) if ctx.has_bias else None, None


class _Use(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, linear: SharedLinear) -> Tensor:
        ctx.linear = linear
        ctx.save_for_backward(x)
        return torch.addmm(linear.bias, linear.weight, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        ctx.linear.uses.append((ctx.saved_tensors[0], grad))
        dx = None
        if ctx.needs_input_grad[0]:
            # As rows: the product W^T dy with columns takes half as long again.
            dx = (grad.t() @ ctx.linear.weight).t().contiguous()
        return dx, grad.new_empty(0), None
