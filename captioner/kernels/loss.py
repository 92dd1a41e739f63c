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
    smoothing: float = 0.0,
    importance: Float[Tensor, " M"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Negative log-likelihood of smoothed targets, summed over M words and divided.

        scores = weight h + bias
        target = (1 - s) one-hot + s / V
        loss   = 1/divisor  sum_m  log sum_v exp scores[v, m]  -  sum_v target[v, m] scores[v, m]

    Its gradient, softmax - one-hot, is computed with it, in the place of the scores; it is what
    `cross_entropy` of a linear layer says, without keeping scores, log-softmax and their
    gradients one beside the other.

    Args:
        h: Hidden states.
        weight: Of the temporal affine layer.
        bias: Likewise.
        targets: The words that truly come next.
        divisor: Of the sum, such as the number of captions.
        smoothing: Share s of the target spread evenly over all words (Szegedy et al. 2016,
            arXiv:1512.00567, section 7).
        importance: Weight of each word in the sum, of any sign; 1 by default.

    Returns:
        The loss, and the plain one (s = 0) that comes with it, without a gradient.

    Example: of four equally likely words one is right, twice.

        >>> zeros = torch.zeros
        >>> loss, _ = linear_softmax_loss(zeros(2, 3), zeros(4, 3), zeros(4), torch.tensor([1, 2]))
        >>> round(loss.item(), 4)  # 2 ln 4
        2.7726
    """
    return _LinearSoftmaxLoss.apply(h, weight, bias, targets, divisor, smoothing, importance)


class _LinearSoftmaxLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        divisor: int,
        smoothing: float,
        importance: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        scores = torch.addmm(bias, h, weight.t())  # (M, V)
        targets = targets.unsqueeze(1)
        top = scores.amax(dim=1)
        surplus = top - scores.gather(1, targets).squeeze(1)
        if smoothing:  # the scores are gone after the softmax
            evenly = top - scores.mean(dim=1)
        chances = torch.softmax(scores, dim=1, out=scores)
        # The likeliest word's chance is exp(0) over the sum of all exponentials.
        rest = chances.amax(dim=1).log()
        each = surplus - rest if importance is None else importance * (surplus - rest)
        plain = each.sum() / divisor
        loss = plain.clone()
        if smoothing:
            even = evenly - rest if importance is None else importance * (evenly - rest)
            loss = (1 - smoothing) * plain + smoothing * even.sum() / divisor
        if any(ctx.needs_input_grad):
            dscores = chances
            dscores.scatter_add_(
                1, targets, dscores.new_full((), smoothing - 1.0).expand_as(targets)
            )
            if smoothing:
                dscores.sub_(smoothing / dscores.shape[1])
            if importance is not None:
                dscores.mul_(importance.unsqueeze(1))
            ctx.save_for_backward(dscores @ weight, dscores.t() @ h, dscores.sum(dim=0))
            ctx.divisor = divisor
        ctx.mark_non_differentiable(plain)
        return loss, plain

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        dh, dweight, dbias = ctx.saved_tensors
        grad = grad / ctx.divisor
        return dh * grad, dweight * grad, dbias * grad, None, None, None, None
