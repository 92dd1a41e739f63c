"""The RNN, the GRU and the LSTM, against torch's own, against small steps, and by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from captioner.cells import CELLS as FAST
from captioner.cells import make_cell
from captioner.reference import (
    CELLS,
    concatenated,
    from_torch,
    gradients_to_torch,
    gru_forward,
    gru_gates,
    gru_step_forward,
    initial_weights,
    lstm_forward,
    lstm_gates,
    lstm_step_backward,
    lstm_step_forward,
    numerical_gradient,
    relative_error,
    rnn_step_concatenated,
    rnn_step_forward,
)

N, T, D, H = 3, 4, 5, 6
NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
KINDS = [("rnn", 1), ("gru", 3), ("gru", 4), ("lstm", 4)]
"""Each cell with the length of its bias in units of H."""


def made(cell: str, biases: int, seed: int = 0) -> list[np.ndarray]:
    """Random x, h0, Wx, Wh, b of a cell."""
    generator, gates = np.random.default_rng(seed), CELLS[cell].gates
    shapes = [(N, T, D), (N, H), (D, gates * H), (H, gates * H), (biases * H,)]
    return [0.7 * generator.standard_normal(shape) for shape in shapes]


def fast_cell(cell: str) -> Any:
    """Torch's cell with random weights and biases of its own."""
    torch.manual_seed(0)
    return FAST[cell](D, H, batch_first=True).double()


@pytest.mark.parametrize(("cell", "biases"), KINDS)
def test_backward_equals_small_steps(cell: str, biases: int) -> None:
    forward, backward, *_ = CELLS[cell]
    inputs = made(cell, biases)
    h, cache = forward(*inputs)
    dh = np.random.default_rng(1).standard_normal(h.shape)
    gradients = backward(dh, cache)
    assert len(gradients) == len(inputs)
    for value, gradient in zip(inputs, gradients, strict=True):
        small_steps = numerical_gradient(lambda _: forward(*inputs)[0], value, dh)
        assert gradient.shape == value.shape
        assert relative_error(gradient, small_steps) < 1e-6


@pytest.mark.parametrize(("cell", "biases"), KINDS)
def test_one_step_back_equals_small_steps(cell: str, biases: int) -> None:
    x, h0, *weights = made(cell, biases)
    state = [h0] if cell != "lstm" else [h0, np.random.default_rng(2).standard_normal((N, H))]
    inputs = [x[:, 0].copy(), *state, *weights]
    step_forward = {
        "rnn": rnn_step_forward,
        "gru": gru_step_forward,
        "lstm": lstm_step_forward,
    }[cell]
    *after, cache = step_forward(*inputs)
    dstate = [np.random.default_rng(3 + i).standard_normal((N, H)) for i in range(len(after))]
    gradients = CELLS[cell].step_backward(*dstate, cache)
    for value, gradient in zip(inputs, gradients, strict=True):
        small_steps = sum(
            numerical_gradient(lambda _, part=part: step_forward(*inputs)[part], value, d)
            for part, d in enumerate(dstate)
        )
        assert relative_error(gradient, small_steps) < 1e-6


@pytest.mark.parametrize("cell", FAST)
def test_forward_and_backward_equal_torchs(cell: str) -> None:
    fast = fast_cell(cell)
    x, h0, *_ = made(cell, 1)
    tensors = [torch.tensor(x, requires_grad=True), torch.tensor(h0[None], requires_grad=True)]
    c0 = torch.zeros_like(tensors[1])
    fast_h, last = fast(tensors[0], (tensors[1], c0) if cell == "lstm" else tensors[1])
    dh = np.random.default_rng(1).standard_normal(fast_h.shape)
    fast_h.backward(torch.from_numpy(dh))

    weights = from_torch(cell, *(getattr(fast, name).detach().numpy() for name in NAMES))
    h, cache = CELLS[cell].forward(x, h0, *weights)
    dx, dh0, *dweights = CELLS[cell].backward(dh, cache)
    np.testing.assert_allclose(h, fast_h.detach().numpy(), rtol=0, atol=1e-10)
    state = CELLS[cell].last_state(cache)
    for part, fast_part in zip(state, last if cell == "lstm" else [last], strict=True):
        np.testing.assert_allclose(part, fast_part[0].detach().numpy(), rtol=0, atol=1e-10)
    assert relative_error(dx, tensors[0].grad.numpy()) < 1e-10
    assert relative_error(dh0, tensors[1].grad[0].numpy()) < 1e-10
    for name, gradient in zip(NAMES, gradients_to_torch(cell, *dweights), strict=True):
        assert relative_error(gradient, getattr(fast, name).grad.numpy()) < 1e-10


@pytest.mark.parametrize("cell", FAST)
def test_the_random_weights_follow_the_recipe_of_the_fast_cells(cell: str) -> None:
    gates, size = CELLS[cell].gates, 40
    Wx, Wh, b = initial_weights(cell, 60, size, np.random.default_rng(0))
    fast = make_cell(cell, 60, size, layers=1, dropout=0.0)
    with torch.no_grad():
        fast_Wx, fast_Wh, fast_b = from_torch(cell, *(getattr(fast, n).numpy() for n in NAMES))
    assert (Wx.shape, Wh.shape) == (fast_Wx.shape, fast_Wh.shape)
    np.testing.assert_array_equal(b, fast_b[: gates * size])
    assert Wx.std() == pytest.approx(fast_Wx.std(), rel=0.05)
    assert np.abs(Wx).max() == pytest.approx(np.abs(fast_Wx).max(), rel=0.01)
    for gate in np.split(Wh, gates, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(size), rtol=0, atol=1e-12)


def test_one_matrix_for_the_state_and_the_word_equals_two() -> None:
    x, h0, Wx, Wh, b = made("rnn", 1)
    W = concatenated(Wx, Wh)
    assert W.shape == (H + D, H)
    two, _ = rnn_step_forward(x[:, 0], h0, Wx, Wh, b)
    one = rnn_step_concatenated(x[:, 0], h0, W, b)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("cell", "biases"), KINDS)
def test_the_whole_equals_its_halves_with_the_state_carried_over(cell: str, biases: int) -> None:
    forward, last_state = CELLS[cell].forward, CELLS[cell].last_state
    x, h0, *weights = made(cell, biases)
    h, cache = forward(x, h0, *weights)
    first, half = forward(x[:, :2], h0, *weights)
    h_half, *memory = last_state(half)
    second, rest = forward(x[:, 2:], h_half, *weights, *memory)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), h)
    for part, whole in zip(last_state(rest), last_state(cache), strict=True):
        np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize(("cell", "biases"), KINDS)
def test_float32_stays_float32(cell: str, biases: int) -> None:
    h, cache = CELLS[cell].forward(*(a.astype(np.float32) for a in made(cell, biases)))
    gradients = CELLS[cell].backward(np.ones_like(h), cache)
    assert {a.dtype for a in (h, *gradients)} == {np.dtype(np.float32)}


def test_a_bias_inside_the_reset_that_is_zero_is_no_bias() -> None:
    x, h0, Wx, Wh, b = made("gru", 3)
    h, _ = gru_forward(x, h0, Wx, Wh, b)
    longer, _ = gru_forward(x, h0, Wx, Wh, np.concatenate([b, np.zeros(H)]))
    np.testing.assert_array_equal(longer, h)
    with pytest.raises(ValueError, match="3H = 18 or 4H = 24"):
        gru_forward(x, h0, Wx, Wh, b[:-1])


def test_an_open_forget_gate_keeps_the_memory_and_its_gradient() -> None:
    """With the forget gate open and the input gate shut, c goes through untouched."""
    x, h0, Wx, Wh, _ = made("lstm", 4)
    b = np.repeat([-50.0, 50.0, 0.0, 0.0], H)  # input, forget, output, candidate
    c0 = np.random.default_rng(4).standard_normal((N, H))
    _, cache = lstm_forward(x, h0, 0 * Wx, 0 * Wh, b, c0=c0)
    np.testing.assert_allclose(cache[-1].next_c, c0, rtol=0, atol=1e-15)
    dc = np.ones((N, H))
    for step in reversed(cache):
        _, _, dc, *_ = lstm_step_backward(np.zeros((N, H)), dc, step)
    np.testing.assert_allclose(dc, 1, rtol=0, atol=1e-15)


def test_the_update_gate_keeps_and_the_reset_gate_hides() -> None:
    x, h0, Wx, Wh, _ = made("gru", 3)
    kept, _ = gru_forward(x, h0, 0 * Wx, 0 * Wh, np.repeat([0.0, 50.0, 1.0], H))
    np.testing.assert_allclose(kept, np.repeat(h0[:, None], T, axis=1), rtol=0, atol=1e-15)
    # Update and reset shut: the candidate alone, which does not see the past.
    Wx[:, : 2 * H], Wh[:, : 2 * H] = 0, 0
    hidden, _ = gru_forward(x, h0, Wx, Wh, np.repeat([-50.0, -50.0, 0.0], H))
    np.testing.assert_allclose(hidden, np.tanh(x @ Wx[:, 2 * H :]), rtol=0, atol=1e-15)


def test_gates_of_the_lstm_give_its_states() -> None:
    x, h0, *weights = made("lstm", 4)
    h, cache = lstm_forward(x, h0, *weights)
    gates = lstm_gates(cache)
    assert {name: gate.shape for name, gate in gates.items()} == dict.fromkeys(
        ("input", "forget", "output", "candidate", "memory"), (N, T, H)
    )
    before = np.concatenate([np.zeros((N, 1, H)), gates["memory"][:, :-1]], axis=1)
    memory = gates["forget"] * before + gates["input"] * gates["candidate"]
    np.testing.assert_allclose(gates["memory"], memory, rtol=0, atol=1e-15)
    np.testing.assert_allclose(h, gates["output"] * np.tanh(memory), rtol=0, atol=1e-15)


def test_gates_of_the_gru_give_its_states() -> None:
    x, h0, *weights = made("gru", 4)
    h, cache = gru_forward(x, h0, *weights)
    gates = gru_gates(cache)
    assert {name: gate.shape for name, gate in gates.items()} == dict.fromkeys(
        ("reset", "update", "candidate"), (N, T, H)
    )
    before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    mixed = gates["update"] * before + (1 - gates["update"]) * gates["candidate"]
    np.testing.assert_allclose(h, mixed, rtol=0, atol=1e-15)
    Wx, Wh, b = weights
    reset = 1 / (1 + np.exp(-(x @ Wx[:, :H] + before @ Wh[:, :H] + b[:H])))
    np.testing.assert_allclose(gates["reset"], reset, rtol=0, atol=1e-14)
