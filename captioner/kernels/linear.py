"""A linear layer that is used at every step and gets its gradient once."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class SharedLinear:
    """y_t = W x_t + base_t for many steps t, whose weight gradient is a single product.

        dW = sum_t  dy_t x_t^T  =  [dy_1 dy_2 ...] [x_1 x_2 ...]^T

    A sum of one small product per step reads and writes all of dW at each of them; side by side
    the steps make one large product. The gradient of x_t is passed back step by step as usual.

    Made anew for each forward pass; `backward` may run once.

    The gradients of all base_t together are [dy_1 dy_2 ...] as well, and so are at hand for the one
    product that made them.

    Args:
        weight: W.
        base: A bias (O, 1) for every step; or the bases of all steps side by side (O, M), which the
            steps use up one after the other; or None for none.

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
        self, weight: Float[Tensor, "O I"], base: Float[Tensor, "O _"] | None = None
    ) -> None:
        self.weight = weight.detach()
        self.base = weight.new_zeros(len(weight), 1) if base is None else base.detach()
        self.uses: list[tuple[Tensor, Tensor]] = []
        self._used = 0
        # Autograd runs a node's backward pass after those of all that came from it: the token's
        # comes after that of every step.
        self._token: Tensor = _Collect.apply(weight, base, self.uses)

    def __call__(self, x: Float[Tensor, "I N"]) -> Float[Tensor, "O N"]:
        """W x + base; vectors stand in columns."""
        base = self.base
        if base.shape[1] > 1:
            base = base[:, self._used : self._used + x.shape[1]]
            self._used += x.shape[1]
        return _Use.apply(x, self._token, self, base)


class _Collect(Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, base: Tensor | None, uses: list[tuple[Tensor, Tensor]]
    ) -> Tensor:
        ctx.uses, ctx.bases = uses, 0 if base is None else base.shape[1]
        return weight.new_empty(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        # The last step came first, going backward.
        steps = zip(*reversed(ctx.uses), strict=True)
        inputs, grads = (torch.cat(parts, dim=1) for parts in steps)
        ctx.uses.clear()
        dbase = grads if ctx.bases > 1 else grads.sum(dim=1, keepdim=True)
        return grads @ inputs.t(), dbase if ctx.bases else None, None


class _Use(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, linear: SharedLinear, base: Tensor) -> Tensor:
        ctx.linear = linear
        ctx.save_for_backward(x)
        return torch.addmm(base, linear.weight, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        ctx.linear.uses.append((ctx.saved_tensors[0], grad))
        dx = None
        if ctx.needs_input_grad[0]:
            # As rows: the product W^T dy with columns takes half as long again.
            dx = (grad.t() @ ctx.linear.weight).t().contiguous()
        return dx, grad.new_empty(0), None, None
