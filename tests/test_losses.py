import math

import pytest
import torch
from jaxtyping import TypeCheckError

from captioner.losses import softmax_loss, temporal_softmax_loss


def test_even_guessing_costs_the_logarithm_of_the_vocabulary() -> None:
    mask = torch.ones(3, 5, dtype=torch.bool)
    loss = temporal_softmax_loss(torch.zeros(3, 5, 10), torch.zeros(3, 5, dtype=torch.long), mask)
    assert loss.item() == pytest.approx(5 * math.log(10), rel=1e-6)


def test_equals_a_loop_over_words() -> None:
    torch.manual_seed(0)
    scores = torch.randn(4, 6, 9, dtype=torch.float64)
    targets = torch.randint(9, (4, 6))
    mask = torch.rand(4, 6) > 0.4
    total = 0.0
    for n in range(4):
        for t in range(6):
            if mask[n, t]:
                row = scores[n, t].exp()
                total -= math.log(row[targets[n, t]] / row.sum())
    assert temporal_softmax_loss(scores, targets, mask).item() == pytest.approx(
        total / 4, abs=1e-12
    )


def test_padding_counts_for_nothing_and_gets_no_gradient() -> None:
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 5, requires_grad=True)
    targets = torch.randint(5, (2, 3))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    loss = temporal_softmax_loss(scores, targets, mask)
    loss.backward()
    assert scores.grad is not None
    assert (scores.grad[~mask] == 0).all()
    assert (scores.grad[mask] != 0).all()
    other = targets.clone()
    other[~mask] = (other[~mask] + 1) % 5
    assert temporal_softmax_loss(scores, other, mask).item() == loss.item()


def test_order_of_the_real_words_does_not_matter() -> None:
    torch.manual_seed(0)
    scores, targets = torch.randn(7, 4), torch.randint(4, (7,))
    order = torch.randperm(7)
    assert softmax_loss(scores[order], targets[order], 3).item() == pytest.approx(
        softmax_loss(scores, targets, 3).item(), rel=1e-6
    )


def test_gradient() -> None:
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(4, (2, 3))
    mask = torch.tensor([[True, False, True], [True, True, False]])
    assert torch.autograd.gradcheck(lambda s: temporal_softmax_loss(s, targets, mask), scores)


def test_wrong_shapes_are_refused() -> None:
    mask = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises((ValueError, TypeCheckError)):
        temporal_softmax_loss(torch.zeros(2, 3, 4), torch.zeros(2, 2, dtype=torch.long), mask)
