"""Scores, softmax and loss in one, so that the scores are walked over as seldom as possible."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def linear_softmax_loss(
    h: Float[Tensor, "M H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, " V"],
    targets: Int[Tensor, " M"],
    divisor: int = 1,
) -> Float[Tensor, ""]:
    """Negative log-likelihood of the targets, summed over M words and divided.

        scores = weight h + bias
        loss   = 1/divisor  sum_m  log sum_v exp scores[v, m]  -  scores[targets[m], m]

    Its gradient, softmax - one-hot, is computed with it, in the place of the scores; it is what
    `cross_entropy` of a linear layer says, without keeping scores, log-softmax and their
    gradients one beside the other.

    Args:
        h: Hidden states.
        weight: Of the temporal affine layer.
        bias: Likewise.
        targets: The words that truly come next.
        divisor: Of the sum, such as the number of captions.

    Example: of four equally likely words one is right, twice.

        >>> zeros = torch.zeros
        >>> loss = linear_softmax_loss(zeros(2, 3), zeros(4, 3), zeros(4), torch.tensor([1, 2]))
        >>> round(loss.item(), 4)  # 2 ln 4
        2.7726
    """
    return _LinearSoftmaxLoss.apply(h, weight, bias, targets, divisor)


class _LinearSoftmaxLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, divisor: int
    ) -> Tensor:
        scores = torch.addmm(bias, h, weight.t())  # (M, V)
        targets = targets.unsqueeze(1)
        surplus = scores.amax(dim=1) - scores.gather(1, targets).squeeze(1)
        chances = torch.softmax(scores, dim=1, out=scores)
        # The likeliest word's chance is exp(0) over the sum of all exponentials.
        loss = (surplus - chances.amax(dim=1).log()).sum() / divisor
        if any(ctx.needs_input_grad):
            dscores = chances
            dscores.scatter_add_(1, targets, dscores.new_full((), -1.0).expand_as(targets))
            ctx.save_for_backward(dscores @ weight, dscores.t() @ h, dscores.sum(dim=0))
            ctx.divisor = divisor
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        dh, dweight, dbias = ctx.saved_tensors
        grad = grad / ctx.divisor
        return dh * grad, dweight * grad, dbias * grad, None, None
