"""The layers around the cell, against torch, against small steps, and by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from captioner.losses import temporal_softmax_loss as fast_loss
from captioner.reference import (
    affine_backward,
    affine_forward,
    numerical_gradient,
    relative_error,
    sigmoid,
    sigmoid_gradient,
    tanh,
    tanh_gradient,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_backward,
    word_embedding_forward,
)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def made_scores(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = 3 * generator.standard_normal((3, 4, 5))
    return scores, generator.integers(5, size=(3, 4)), generator.random((3, 4)) < 0.6


def test_the_sigmoid_overflows_nowhere_and_equals_torchs() -> None:
    x = np.array([-1e308, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, 1e308])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        ours = sigmoid(x)
    np.testing.assert_allclose(ours, torch.from_numpy(x).sigmoid().numpy(), rtol=1e-14)
    # Not rounded away: 1 / (1 + exp(40)) is tiny but not nothing.
    assert 0 < ours[2] < 1e-17
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=1e-15)


def test_tanh_is_a_stretched_sigmoid(generator: np.random.Generator) -> None:
    x = 3 * generator.standard_normal(100)
    np.testing.assert_allclose(tanh(x), 2 * sigmoid(2 * x) - 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(tanh_gradient(x), 4 * sigmoid_gradient(2 * x), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "gradient"), [(sigmoid, sigmoid_gradient), (tanh, tanh_gradient)]
)
def test_gradients_of_the_activations(function, gradient, generator: np.random.Generator) -> None:
    x = 2 * generator.standard_normal(20)
    assert relative_error(gradient(x), numerical_gradient(function, x)) < 1e-9


def test_float32_stays_float32(generator: np.random.Generator) -> None:
    x = generator.standard_normal((2, 3, 4)).astype(np.float32)
    W, b = generator.standard_normal((4, 5)).astype(np.float32), np.zeros(5, np.float32)
    assert sigmoid(x).dtype == tanh(x).dtype == np.float32
    scores, cache = temporal_affine_forward(x, W, b)
    mask = np.ones((2, 3), dtype=bool)
    _, dscores = temporal_softmax_loss(scores, np.zeros((2, 3), int), mask)
    gradients = temporal_affine_backward(dscores, cache)
    assert {a.dtype for a in (scores, dscores, *gradients)} == {np.dtype(np.float32)}
    _, words = word_embedding_forward(np.zeros((2, 3), int), W)
    assert word_embedding_backward(x @ W, words).dtype == np.float32


@pytest.mark.parametrize(
    ("forward", "backward", "shape"),
    [
        (affine_forward, affine_backward, (3, 4)),
        (temporal_affine_forward, temporal_affine_backward, (2, 3, 4)),
    ],
)
def test_affine_layers(forward, backward, shape, generator: np.random.Generator) -> None:
    inputs = [generator.standard_normal(s) for s in (shape, (4, 5), (5,))]
    x, W, b = inputs
    out, cache = forward(x, W, b)
    dout = generator.standard_normal(out.shape)
    gradients = backward(dout, cache)

    tensors = [torch.tensor(a, requires_grad=True) for a in inputs]
    fast = F.linear(tensors[0], tensors[1].T, tensors[2])
    np.testing.assert_allclose(out, fast.detach().numpy(), rtol=0, atol=1e-12)
    fast.backward(torch.from_numpy(dout))
    for value, gradient, tensor in zip(inputs, gradients, tensors, strict=True):
        small_steps = numerical_gradient(lambda _: forward(x, W, b)[0], value, dout)
        assert relative_error(gradient, small_steps) < 1e-6
        assert relative_error(gradient, tensor.grad.numpy()) < 1e-10


def test_word_vectors_equal_a_product_with_one_hot_vectors(generator: np.random.Generator) -> None:
    W, words = generator.standard_normal((6, 3)), np.array([[1, 4, 1], [0, 1, 5]])
    x, cache = word_embedding_forward(words, W)
    one_hot = np.eye(6)[words]  # (N, T, V)
    np.testing.assert_array_equal(x, one_hot @ W)
    dx = generator.standard_normal(x.shape)
    dW = word_embedding_backward(dx, cache)
    np.testing.assert_allclose(dW, np.einsum("ntv,nte->ve", one_hot, dx), rtol=0, atol=1e-15)
    small_steps = numerical_gradient(lambda W: word_embedding_forward(words, W)[0], W, dx)
    assert relative_error(dW, small_steps) < 1e-6


def test_a_word_said_twice_adds_up_and_one_not_said_gets_nothing() -> None:
    _, cache = word_embedding_forward(np.array([[2, 2], [2, 0]]), np.zeros((4, 2)))
    dW = word_embedding_backward(np.array([[[1.0, 2], [10, 20]], [[100, 200], [5, 6]]]), cache)
    assert dW.tolist() == [[5, 6], [0, 0], [111, 222], [0, 0]]


def test_the_loss_and_its_gradient(generator: np.random.Generator) -> None:
    scores, y, mask = made_scores(generator)
    loss, dscores = temporal_softmax_loss(scores, y, mask)
    tensor = torch.tensor(scores, requires_grad=True)
    fast = fast_loss(tensor, torch.from_numpy(y), torch.from_numpy(mask))
    fast.backward()
    assert loss == pytest.approx(fast.item(), abs=1e-12)
    assert relative_error(dscores, tensor.grad.numpy()) < 1e-10
    small_steps = numerical_gradient(lambda s: temporal_softmax_loss(s, y, mask)[0], scores)
    assert relative_error(dscores, small_steps) < 1e-6


def test_the_mask_really_masks(generator: np.random.Generator) -> None:
    scores, y, mask = made_scores(generator)
    loss, dscores = temporal_softmax_loss(scores, y, mask)
    assert (dscores[~mask] == 0).all()
    assert (dscores[mask] != 0).all()
    other_scores, other_y = scores.copy(), y.copy()
    other_scores[~mask] += 10 * generator.random((3, 4, 5))[~mask]
    other_y[~mask] = (other_y[~mask] + 1) % 5
    assert temporal_softmax_loss(other_scores, other_y, mask)[0] == loss
    assert temporal_softmax_loss(scores, y, np.zeros_like(mask))[0] == 0


def test_large_scores_do_not_overflow() -> None:
    scores = np.array([[[1e4, 0.0, -1e4]]])
    loss, dscores = temporal_softmax_loss(scores, np.array([[1]]), np.array([[True]]))
    assert loss == 1e4
    assert dscores.tolist() == [[[1, -1, 0]]]


def test_wrong_shapes_are_refused(generator: np.random.Generator) -> None:
    scores, y, mask = made_scores(generator)
    with pytest.raises(ValueError, match="must both be"):
        temporal_softmax_loss(scores, y[:, :-1], mask)
    with pytest.raises(ValueError, match="must both be"):
        temporal_softmax_loss(scores, y, mask[:1])


def test_small_steps_leave_the_array_as_it_was_and_need_float64() -> None:
    x = np.array([1.0, 2.0])
    assert numerical_gradient(lambda x: x[0] * x[1], x) == pytest.approx([2, 1])
    assert x.tolist() == [1, 2]
    # The output may be the input itself.
    assert numerical_gradient(lambda x: x, x, np.array([3.0, 5.0])) == pytest.approx([3, 5])
    with pytest.raises(TypeError, match="float64"):
        numerical_gradient(lambda x: x, x.astype(np.float32))
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(lambda x: 1 / 0, x)
    assert x.tolist() == [1, 2]


def test_relative_error() -> None:
    assert relative_error(np.zeros(2), np.zeros(2)) == 0
    assert relative_error(np.array([2.0, 0]), np.array([1.0, 0])) == 0.5
