"""The quick layers against the plain ones of torch."""

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck

from captioner.kernels import STEPS, Grid, PlacesInView, SharedLinear, dropout, linear_softmax_loss

CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
PHOTO = torch.tensor([2, 0, 0, 1, 2, 0, 2, 1])
"""Photos of eight captions, the longest caption first."""


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def doubles(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_that_of_torchs_cell(name: str) -> None:
    plain = CELLS[name](3, 4).double()
    x, h, c = doubles(5, 3), doubles(5, 4), doubles(5, 4)
    state = (h, c) if name == "lstm" else (h,)
    expected = plain(x, state if name == "lstm" else h)
    expected = expected if name == "lstm" else (expected,)
    inputs = F.linear(x, plain.weight_ih, plain.bias_ih)
    recurrent = F.linear(h, plain.weight_hh, plain.bias_hh)
    gates = (inputs, recurrent) if name == "gru" else (inputs + recurrent,)
    for part, true in zip(STEPS[name](*gates, *state), expected, strict=True):
        torch.testing.assert_close(part, true)


@pytest.mark.parametrize("name", STEPS)
def test_gradients_of_a_step(name: str) -> None:
    gates = {"rnn": [4], "gru": [12, 12], "lstm": [16]}[name]
    state = [doubles(3, 4) for _ in range(2 if name == "lstm" else 1)]

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        parts = [part.clone() for part in inputs[: len(gates)]]  # it writes into them
        return STEPS[name](*parts, *inputs[len(gates) :])

    assert gradcheck(step, (*(doubles(3, size) for size in gates), *state))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_shared_linear_layer_is_a_linear_layer_used_often(dtype: torch.dtype) -> None:
    """Single precision has a product of its own where there is MKL."""
    weight, bias, x = (doubles(*shape).to(dtype) for shape in ((300, 300), (300,), (5, 300)))

    def run(quick: bool) -> tuple[Tensor, ...]:
        linear = SharedLinear(weight, bias) if quick else lambda v: F.linear(v, weight, bias)
        y = linear(x)
        y = linear(torch.cat([y[:2].tanh(), x]))
        y = (y * torch.arange(7).unsqueeze(1)).sum()
        return (y, *torch.autograd.grad(y, (weight, bias, x)))

    for quick, plain in zip(run(True), run(False), strict=True):
        torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-3)


def test_a_shared_linear_layer_adds_the_bases_of_its_steps() -> None:
    weight, base, x = doubles(3, 3), doubles(6, 3), doubles(4, 3)

    def run(quick: bool) -> tuple[Tensor, ...]:
        linear = SharedLinear(weight, base)
        first = linear(x) if quick else x @ weight.t() + base[:4]
        second = linear(first[:2].tanh()) if quick else first[:2].tanh() @ weight.t() + base[4:]
        total = (first * torch.arange(4).unsqueeze(1)).sum() + second.sum()
        return (total, *torch.autograd.grad(total, (weight, base, x)))

    for quick, plain in zip(run(True), run(False), strict=True):
        torch.testing.assert_close(quick, plain)


def test_a_shared_linear_layer_with_a_step_that_does_not_count() -> None:
    weight, x = doubles(3, 3), doubles(4, 3)
    linear = SharedLinear(weight)
    steps = [linear(x[:2]), linear(x[2:3]), linear(x[3:])]
    found = torch.autograd.grad(steps[0].sum() + steps[2].sum(), (weight, x))
    rows = x * torch.tensor([1, 1, 0, 1]).unsqueeze(1)
    for quick, plain in zip(
        found, torch.autograd.grad((rows @ weight.t()).sum(), (weight, x)), strict=True
    ):
        torch.testing.assert_close(quick, plain)


def test_a_shared_linear_layer_leaves_nothing_behind() -> None:
    weight = doubles(3, 3)
    linear = SharedLinear(weight)
    linear(linear(doubles(2, 3))).sum().backward()
    gone = weakref.ref(linear)
    del linear
    assert gone() is None


def test_the_loss_is_the_cross_entropy_of_a_linear_layer() -> None:
    h, weight, bias = doubles(6, 4), doubles(9, 4), doubles(9)
    targets = torch.tensor([0, 8, 3, 3, 1, 5])
    plain = F.cross_entropy(F.linear(h, weight, bias), targets, reduction="sum") / 3
    quick, _ = linear_softmax_loss(h, weight, bias, targets, 3)
    torch.testing.assert_close(quick, plain)
    for ours, true in zip(
        torch.autograd.grad(5 * quick, (h, weight, bias)),
        torch.autograd.grad(5 * plain, (h, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(ours, true)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_the_smoothed_loss_is_that_of_torch(smoothing: float) -> None:
    h, weight, bias = doubles(6, 4), doubles(9, 4), doubles(9)
    targets = torch.tensor([0, 8, 3, 3, 1, 5])
    scores = F.linear(h, weight, bias)
    true = F.cross_entropy(scores, targets, reduction="sum", label_smoothing=smoothing) / 3
    quick, plain = linear_softmax_loss(h, weight, bias, targets, 3, smoothing)
    assert not plain.requires_grad
    torch.testing.assert_close(
        plain, F.cross_entropy(scores, targets, reduction="sum") / 3, rtol=0, atol=1e-10
    )
    torch.testing.assert_close(quick, true, rtol=0, atol=1e-10)
    for ours, theirs in zip(
        torch.autograd.grad(5 * quick, (h, weight, bias)),
        torch.autograd.grad(5 * true, (h, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_the_loss_weighs_words_and_leaves_some_unsaid() -> None:
    h, weight, bias = doubles(6, 4), doubles(9, 4), doubles(9)
    targets, importance = torch.tensor([0, 8, 3, 3, 1, 5]), torch.randn(6).double()
    unsaid = torch.tensor([2, 7])
    for smoothing in (0.0, 0.2):
        some = bias if smoothing else bias.index_fill(0, unsaid, float("-inf"))
        each = F.cross_entropy(
            F.linear(h, weight, some), targets, reduction="none", label_smoothing=smoothing
        )
        plain = (importance * each).sum() / 3
        quick, _ = linear_softmax_loss(h, weight, some, targets, 3, smoothing, importance)
        torch.testing.assert_close(quick, plain)
        for ours, true in zip(
            torch.autograd.grad(quick, (h, weight, bias), retain_graph=True),
            torch.autograd.grad(plain, (h, weight, bias)),
            strict=True,
        ):
            torch.testing.assert_close(ours, true)


def test_the_loss_is_finite_where_scores_are_far_apart() -> None:
    h = torch.full((2, 1), 1e4)
    loss, _ = linear_softmax_loss(
        h, torch.tensor([[1.0], [-1.0]]), torch.zeros(2), torch.tensor([0, 1])
    )
    assert loss.item() == pytest.approx(2e4)


def plain_attention(keys: Tensor, values: Tensor, w: Tensor, photo: Tensor, queries: Tensor):
    fits = (keys[photo] + queries.unsqueeze(1)).tanh() @ w
    alpha = fits.softmax(dim=1)
    return (alpha.unsqueeze(1) @ values[photo]).squeeze(1), alpha, fits.logsumexp(dim=1)


@pytest.mark.parametrize("chunk", [1, 70, 1 << 19])
@pytest.mark.parametrize("photo", [PHOTO, torch.arange(5), torch.zeros(4, dtype=torch.long)])
def test_attention_is_the_plain_one(chunk: int, photo: Tensor, monkeypatch) -> None:
    monkeypatch.setattr("captioner.kernels.attention.CHUNK", chunk)
    num = int(photo.max()) + 1
    keys, w, queries = doubles(num, 5, 7), doubles(7), doubles(len(photo), 7)
    values = torch.randn(num, 5, 6, dtype=torch.float64)
    weights = [torch.randn(len(photo), *size, dtype=torch.float64) for size in ((6,), (5,), ())]

    def run(quick: bool) -> tuple[Tensor, ...]:
        view = PlacesInView(keys, values, w, Grid(photo, num))
        total = torch.zeros((), dtype=torch.float64)
        for n in (len(photo), len(photo) - 1, 2, 1):
            some = queries[:n] * n
            parts = (
                view(some, total=True)
                if quick
                else plain_attention(keys, values, w, photo[:n], some)
            )
            for part, weight in zip(parts, weights, strict=True):
                total = total + (part * weight[:n]).sum()
        return (total, *torch.autograd.grad(total, (keys, w, queries)))

    for quick, plain in zip(run(True), run(False), strict=True):
        torch.testing.assert_close(quick, plain)


def test_attention_over_photos_of_which_some_have_no_caption() -> None:
    keys, w, queries = doubles(6, 5, 7), doubles(7), doubles(2, 7)
    values, photo = torch.randn(6, 5, 3).double(), torch.tensor([4, 1])
    for found, true in zip(
        PlacesInView(keys, values, w, Grid(photo, 6))(queries, total=True),
        plain_attention(keys, values, w, photo, queries),
        strict=True,
    ):
        torch.testing.assert_close(found, true)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_silences_its_share_and_keeps_the_mean(share: float) -> None:
    x = torch.ones(301, 999)
    dropped = dropout(x, share, training=True)
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert len(dropped.unique()) == 2
    # Neighbours share a random number, and must not share their fate.
    silenced = (dropped == 0).flatten()[:200_000].view(-1, 4).float()
    agreement = torch.corrcoef(silenced.t()) - torch.eye(4)
    assert agreement.abs().max() < 0.02


def test_dropout_lets_all_through_but_in_training() -> None:
    x = torch.randn(3, 4)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


def test_dropout_draws_from_torchs_random_numbers() -> None:
    x = torch.ones(50)
    torch.manual_seed(3)
    first = dropout(x, 0.5, training=True)
    assert not torch.equal(dropout(x, 0.5, training=True), first)
    torch.manual_seed(3)
    assert torch.equal(dropout(x, 0.5, training=True), first)
