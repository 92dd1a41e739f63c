"""The loss that teaches a decoder."""

import math

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def temporal_softmax_loss(
    scores: Float[Tensor, "N T V"], targets: Int[Tensor, "N T"], mask: Bool[Tensor, "N T"]
) -> Float[Tensor, ""]:
    """Negative log-likelihood of the true captions: summed over words, averaged over captions.

        loss = -1/N  sum_n  sum_t  mask[n, t]  log softmax(scores[n, t])[targets[n, t]]

    Summing over time gives every word the same weight, so a long caption counts for more than a
    short one (Vinyals et al. 2015, arXiv:1411.4555, eq. 1). Only real words enter the softmax.

    Args:
        scores: Score of each word at each step, before the softmax.
        targets: Index of the word that truly comes next; any valid index where `mask` is False.
        mask: True on words and on the end token, False on padding.

    Returns:
        Nats per caption. Guessing evenly costs T ln V for a caption of T words.

    Raises:
        ValueError: if `targets` or `mask` is not (N, T).

    Example: four equally likely words; captions of three words and of one; (3 + 1) ln 4 / 2.

        >>> import torch
        >>> mask = torch.tensor([[True, True, True], [True, False, False]])
        >>> loss = temporal_softmax_loss(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=int), mask)
        >>> round(loss.item(), 4)
        2.7726
    """
    if targets.shape != scores.shape[:2] or mask.shape != scores.shape[:2]:
        raise ValueError(
            f"targets {tuple(targets.shape)} and mask {tuple(mask.shape)} must both be "
            f"{tuple(scores.shape[:2])}"
        )
    return softmax_loss(scores[mask], targets[mask], num_captions=len(scores))


def softmax_loss(
    scores: Float[Tensor, "M V"], targets: Int[Tensor, " M"], num_captions: int
) -> Float[Tensor, ""]:
    """The same for the M real words of the batch alone, in any order.

    loss = -1/N  sum_m  log softmax(scores[m])[targets[m]]
    """
    return F.cross_entropy(scores, targets, reduction="sum") / num_captions


def perplexity(nats: float, words: int) -> float:
    """How many equally likely words there seem to be at each step: exp(nats / words).

    >>> round(perplexity(3 * math.log(10), words=3), 9)
    10.0
    """
    return math.exp(min(nats / words, 700.0))  # beyond that no float is large enough
