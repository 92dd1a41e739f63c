"""Deep and bidirectional stacks, chunks of time, and how gradients fade with distance."""

from typing import Any

import numpy as np
import pytest
import torch

from captioner.cells import CELLS as FAST
from captioner.cells import make_cell
from captioner.reference import (
    CELLS,
    bidirectional_backward,
    bidirectional_forward,
    deep_backward,
    deep_bidirectional_backward,
    deep_bidirectional_forward,
    deep_forward,
    from_torch,
    gradient_by_distance,
    gradients_to_torch,
    initial_weights,
    numerical_gradient,
    relative_error,
    temporal_affine_backward,
    temporal_affine_forward,
    temporal_softmax_loss,
    truncated_bptt,
)

N, T, D, H = 2, 5, 2, 3
CASES = [
    (cell, layers, two) for cell in CELLS for layers, two in [(2, False), (1, True), (2, True)]
]


class Stack:
    """Torch's stack with random weights, and the same weights for the reference.

    Forward and backward take one flat list of h0 and one of weights, in torch's order.
    """

    def __init__(self, cell: str, layers: int, bidirectional: bool) -> None:
        torch.manual_seed(0)
        self.cell, self.layers, self.bidirectional = cell, layers, bidirectional
        self.fast: Any = FAST[cell](
            D, H, num_layers=layers, bidirectional=bidirectional, batch_first=True
        ).double()
        self.ends = [
            f"_l{layer}{way}"
            for layer in range(layers)
            for way in (["", "_reverse"] if bidirectional else [""])
        ]
        self.weights = [
            from_torch(cell, *(tensor.detach().numpy() for tensor in self.tensors(end)))
            for end in self.ends
        ]

    def tensors(self, end: str) -> list[torch.Tensor]:
        return [
            getattr(self.fast, name + end)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]

    def forward(self, x: np.ndarray, h0: list[np.ndarray]) -> tuple[np.ndarray, Any]:
        if not self.bidirectional:
            return deep_forward(self.cell, x, h0, self.weights)
        pairs = [
            ((h0[i], h0[i + 1]), (self.weights[i], self.weights[i + 1]))
            for i in range(0, len(h0), 2)
        ]
        if self.layers == 1:
            return bidirectional_forward(self.cell, x, *pairs[0])
        return deep_bidirectional_forward(self.cell, x, *zip(*pairs, strict=True))

    def backward(self, dh: np.ndarray, cache: Any) -> tuple[np.ndarray, list, list]:
        if not self.bidirectional:
            return deep_backward(self.cell, dh, cache)
        if self.layers == 1:
            dx, dh0, dweights = bidirectional_backward(self.cell, dh, cache)
            return dx, list(dh0), list(dweights)
        dx, dh0, dweights = deep_bidirectional_backward(self.cell, dh, cache)
        return dx, [d for pair in dh0 for d in pair], [d for pair in dweights for d in pair]


def made(stack: Stack) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((N, T, D))
    h0 = list(generator.standard_normal((len(stack.ends), N, H)))
    return x, h0, generator.standard_normal((N, T, H * (1 + stack.bidirectional)))


@pytest.mark.parametrize(("cell", "layers", "bidirectional"), CASES)
def test_stacks_equal_torchs(cell: str, layers: int, bidirectional: bool) -> None:
    stack = Stack(cell, layers, bidirectional)
    x, h0, dh = made(stack)
    h, cache = stack.forward(x, h0)
    dx, dh0, dweights = stack.backward(dh, cache)

    fast_x = torch.tensor(x, requires_grad=True)
    fast_h0 = torch.tensor(np.stack(h0), requires_grad=True)
    state = (fast_h0, torch.zeros_like(fast_h0)) if cell == "lstm" else fast_h0
    fast_h, _ = stack.fast(fast_x, state)
    fast_h.backward(torch.from_numpy(dh))
    np.testing.assert_allclose(h, fast_h.detach().numpy(), rtol=0, atol=1e-10)
    assert relative_error(dx, fast_x.grad.numpy()) < 1e-10
    assert relative_error(np.stack(dh0), fast_h0.grad.numpy()) < 1e-10
    for end, gradients in zip(stack.ends, dweights, strict=True):
        carried = gradients_to_torch(cell, *gradients)
        for gradient, tensor in zip(carried, stack.tensors(end), strict=True):
            assert relative_error(gradient, tensor.grad.numpy()) < 1e-10


@pytest.mark.parametrize(("cell", "layers", "bidirectional"), CASES)
def test_backward_of_stacks_equals_small_steps(cell: str, layers: int, bidirectional: bool) -> None:
    stack = Stack(cell, layers, bidirectional)
    x, h0, dh = made(stack)
    x, dh = x[:, :3].copy(), dh[:, :3]  # each entry of each weight costs two runs
    dx, dh0, dweights = stack.backward(dh, stack.forward(x, h0)[1])
    values = [x, *h0, *(w for weights in stack.weights for w in weights)]
    gradients = [dx, *dh0, *(d for layer in dweights for d in layer)]
    for value, gradient in zip(values, gradients, strict=True):
        small_steps = numerical_gradient(lambda _: stack.forward(x, h0)[0], value, dh)
        assert relative_error(gradient, small_steps) < 1e-6


@pytest.mark.parametrize("cell", CELLS)
def test_one_direction_sees_the_past_alone_and_two_see_everything(cell: str) -> None:
    one, two = Stack(cell, 2, False), Stack(cell, 1, True)
    for stack, seen in ((one, False), (two, True)):
        x, h0, _ = made(stack)
        h, _ = stack.forward(x, h0)
        x[:, -1] += 1
        changed, _ = stack.forward(x, h0)
        assert np.array_equal(h[:, 0], changed[:, 0]) is not seen
        assert not np.array_equal(h[:, -1], changed[:, -1])


def made_text(cell: str) -> tuple[list[np.ndarray], Any]:
    """Inputs, h0 and weights of a cell, and the loss of some words that its states must say."""
    generator = np.random.default_rng(0)
    Wx, Wh, b = initial_weights(cell, D, H, generator)
    inputs = [generator.standard_normal((N, T, D)), generator.standard_normal((N, H)), Wx, Wh, b]
    W, targets = generator.standard_normal((H, 6)), generator.integers(6, size=(N, T))

    def loss(h: np.ndarray, steps: slice) -> tuple[float, np.ndarray]:
        scores, cache = temporal_affine_forward(h, W, np.zeros(6))
        y = targets[:, steps]
        value, dscores = temporal_softmax_loss(scores, y, np.ones(y.shape, dtype=bool))
        return value, temporal_affine_backward(dscores, cache)[0]

    return inputs, loss


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("chunk", [T, T + 3])
def test_one_chunk_is_the_whole_backpropagation_through_time(cell: str, chunk: int) -> None:
    inputs, loss = made_text(cell)
    h, cache = CELLS[cell].forward(*inputs)
    value, dh = loss(h, slice(0, T))
    total, gradients = truncated_bptt(cell, *inputs, loss, chunk=chunk)
    assert total == value
    for gradient, whole in zip(gradients, CELLS[cell].backward(dh, cache), strict=True):
        np.testing.assert_array_equal(gradient, whole)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_chunks_keep_the_loss_and_cut_the_gradient_at_their_borders(cell: str, chunk: int) -> None:
    inputs, loss = made_text(cell)
    full_loss, full = truncated_bptt(cell, *inputs, loss, chunk=T)
    total, gradients = truncated_bptt(cell, *inputs, loss, chunk=chunk)
    assert total == pytest.approx(full_loss, rel=1e-14)

    # Torch, with the state detached at each border, is the measure of what is lost.
    fast: Any = FAST[cell](D, H, batch_first=True).double()
    names = ("weight_ih_l0", "weight_hh_l0")
    Wx, Wh, _ = (torch.from_numpy(part) for part in inputs[2:])
    order = {"lstm": [0, 1, 3, 2], "gru": [0, 1, 2], "rnn": [0]}[cell]
    with torch.no_grad():
        for name, W in zip(names, (Wx, Wh), strict=True):
            getattr(fast, name).copy_(torch.cat([W.T.split(H)[i] for i in order]))
        fast.bias_hh_l0.zero_()
        fast.bias_ih_l0.zero_()
        if cell == "lstm":
            fast.bias_ih_l0[H : 2 * H] = 1
    x = torch.tensor(inputs[0], requires_grad=True)
    h0 = torch.tensor(inputs[1][None], requires_grad=True)
    state: Any = (h0, torch.zeros_like(h0)) if cell == "lstm" else h0
    for start in range(0, T, chunk):
        h, state = fast(x[:, start : start + chunk], state)
        steps = slice(start, min(start + chunk, T))
        h.backward(torch.from_numpy(loss(h.detach().numpy(), steps)[1]))
        state = tuple(part.detach() for part in state) if cell == "lstm" else state.detach()
    dx, dh0, dWx, dWh, _ = gradients
    assert relative_error(dx, x.grad.numpy()) < 1e-10
    assert relative_error(dh0, h0.grad[0].numpy()) < 1e-10
    for gradient, name in zip((dWx, dWh), names, strict=True):
        ours = torch.cat([torch.from_numpy(gradient).T.split(H)[i] for i in order]).numpy()
        assert relative_error(ours, getattr(fast, name).grad.numpy()) < 1e-10

    # The last chunk gets all that is its own; an earlier one lacks what lies behind its border.
    last = (T - 1) // chunk * chunk
    np.testing.assert_allclose(dx[:, last:], full[0][:, last:], rtol=1e-12, atol=1e-14)
    assert relative_error(dx[:, :last], full[0][:, :last]) > 1e-3
    for part in range(2, 5):
        assert relative_error(gradients[part], full[part]) > 1e-3


def test_a_chunk_has_at_least_one_step() -> None:
    inputs, loss = made_text("rnn")
    with pytest.raises(ValueError, match="1 or more"):
        truncated_bptt("rnn", *inputs, loss, chunk=0)


def fading(cell: str, weights: tuple[np.ndarray, ...], scale: float = 1.0) -> np.ndarray:
    """Gradient by distance over 50 steps of random inputs of a given size."""
    x = scale * np.random.default_rng(1).standard_normal((8, 51, len(weights[0])))
    return gradient_by_distance(cell, *weights, x, np.zeros((8, len(weights[1]))))


def weights_of(cell: str, keep_bias: float | None = None) -> tuple[np.ndarray, ...]:
    return initial_weights(cell, 32, 32, np.random.default_rng(0), keep_bias)


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_by_distance_equals_torchs(cell: str) -> None:
    fast = make_cell(cell, 3, 4, layers=1, dropout=0.0).double()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = from_torch(cell, *(getattr(fast, name).detach().numpy() for name in names))
    generator = np.random.default_rng(0)
    x, h0 = generator.standard_normal((N, T, 3)), generator.standard_normal((N, 4))
    measured = gradient_by_distance(cell, *weights, x, h0)

    state: Any = torch.from_numpy(h0[None])
    state = (state, torch.zeros_like(state)) if cell == "lstm" else state
    states = []
    for t in range(T):
        _, state = fast(torch.from_numpy(x[:, t : t + 1]), state)
        states.append(state if cell == "lstm" else (state,))
    end = states[-1][0].sum() / 2  # divided by sqrt(H) = 2
    for k, distance in enumerate(measured):
        parts = torch.autograd.grad(end, states[T - 1 - k], retain_graph=True, allow_unused=True)
        both = torch.cat([part[0] for part in parts if part is not None], dim=1)  # (N, H or 2H)
        assert distance == pytest.approx(both.norm(dim=1).mean().item(), rel=1e-10)
    assert measured[0] == pytest.approx(1, rel=1e-15)


def test_the_gradient_of_the_simple_rnn_vanishes_with_distance() -> None:
    norms = fading("rnn", weights_of("rnn"))
    assert norms.shape == (51,)
    assert norms[10] < 0.1
    assert norms[50] < 1e-8
    # A straight line on a logarithmic scale: each ten steps cost about as much as the ten before.
    per_ten = np.diff(np.log10(norms[::10]))
    assert (per_ten < -1).all()


def test_an_open_forget_gate_is_the_cure() -> None:
    """Orders of magnitude after 50 steps: with torch-like initial weights, and with open gates."""
    rnn = fading("rnn", weights_of("rnn"))[50]
    assert fading("lstm", weights_of("lstm"))[50] > 1e4 * rnn
    assert fading("lstm", weights_of("lstm", keep_bias=3))[50] > 1e-2
    assert fading("gru", weights_of("gru", keep_bias=3))[50] > 1e-2
    # A GRU starts with its update gate half shut, and then fares little better than the RNN.
    assert fading("gru", weights_of("gru"))[50] < 1e-6


def test_large_recurrent_weights_explode() -> None:
    Wx, Wh, b = weights_of("rnn")
    norms = fading("rnn", (Wx, 4 * Wh, b), scale=0.1)
    assert norms[50] > 1e6
    assert norms[25] > 1e3
    # A rotation neither shrinks nor stretches, as long as tanh is straight.
    silent = fading("rnn", (Wx, Wh, b), scale=0.0)
    np.testing.assert_allclose(silent, 1, rtol=1e-12)
