"""Optimisers, and the whole captioner against the fast one; it learns captions by heart."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from captioner.config import DecoderConfig, EncoderConfig, ModelConfig
from captioner.data import Batch
from captioner.losses import temporal_softmax_loss
from captioner.model import Captioner
from captioner.reference import (
    CELLS,
    OPTIMISERS,
    SGD,
    Adam,
    ReferenceCaptioner,
    captioner_from_torch,
    clip_gradients,
    gradients_to_torch,
    numerical_gradient,
    relative_error,
)
from captioner.reference.network import END, PAD, START
from captioner.vocabulary import SPECIAL, Vocabulary

SETTINGS = [
    ("sgd", {}, torch.optim.SGD, {}),
    ("sgd", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ("adagrad", {}, torch.optim.Adagrad, {}),
    ("rmsprop", {}, torch.optim.RMSprop, {}),
    ("rmsprop", {"decay": 0.9, "epsilon": 1e-6}, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-6}),
    ("adam", {}, torch.optim.Adam, {}),
    ("adam", {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-6}, torch.optim.Adam,
     {"betas": (0.8, 0.9), "eps": 1e-6}),
]  # fmt: skip
RATES = {"sgd": 0.3, "adagrad": 0.05, "rmsprop": 0.003, "adam": 0.01}
"""Learning rates that suit the small captioner below."""


@pytest.mark.parametrize(("name", "settings", "fast", "fast_settings"), SETTINGS)
def test_optimisers_equal_torchs(name: str, settings: dict, fast, fast_settings: dict) -> None:
    generator = np.random.default_rng(0)
    weights = {"a": generator.standard_normal((3, 4)), "b": generator.standard_normal(5)}
    tensors = {key: torch.tensor(w, requires_grad=True) for key, w in weights.items()}
    ours = OPTIMISERS[name](learning_rate=0.1, **settings)
    optimiser = fast(list(tensors.values()), lr=0.1, **fast_settings)
    for _ in range(10):
        gradients = {key: generator.standard_normal(w.shape) for key, w in weights.items()}
        for key, gradient in gradients.items():
            tensors[key].grad = torch.from_numpy(gradient.copy())
        ours.update(weights, gradients)
        optimiser.step()
        for key, w in weights.items():
            np.testing.assert_allclose(w, tensors[key].detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_leave_gradients_and_dtype_alone(name: str) -> None:
    weights, gradient = {"w": np.ones(3, np.float32)}, np.full(3, 2, np.float32)
    optimiser, array = OPTIMISERS[name](), weights["w"]
    for _ in range(2):
        optimiser.update(weights, {"w": gradient})
    assert weights["w"] is array
    assert array.dtype == np.float32
    assert (array < 1).all()
    assert (gradient == 2).all()


def test_clipping_shortens_all_gradients_together_as_torch_does() -> None:
    generator = np.random.default_rng(0)
    gradients = {"a": 3 * generator.standard_normal((4, 5)), "b": generator.standard_normal(6)}
    tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in gradients.values()]
    for tensor, g in zip(tensors, gradients.values(), strict=True):
        tensor.grad = torch.from_numpy(g.copy())
    norm = clip_gradients(gradients, max_norm=5.0)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(tensors, 5.0).item(), rel=1e-12)
    for tensor, g in zip(tensors, gradients.values(), strict=True):
        # Torch adds 1e-6 to the norm that it divides by.
        np.testing.assert_allclose(g, tensor.grad.numpy(), rtol=1e-6)
    before = {name: g.copy() for name, g in gradients.items()}
    assert clip_gradients(gradients, max_norm=5.1) == pytest.approx(5.0, rel=1e-12)
    assert all((before[name] == g).all() for name, g in gradients.items())


@pytest.fixture(params=list(CELLS))
def pair(request, vocabulary: Vocabulary) -> tuple[Captioner, ReferenceCaptioner]:
    """A fast captioner with random weights, biases too, and the reference with the same ones."""
    torch.manual_seed(0)
    config = ModelConfig(
        EncoderConfig(backbone="test_resnet", channels=6, features=5),
        DecoderConfig(cell=request.param, embedding=3, hidden=4, dropout=0.0, features=5),
    )
    captioner = Captioner(config, vocabulary)
    captioner.encoder.fit(torch.randn(40, 6))
    captioner.double()
    with torch.no_grad():
        for parameter in captioner.decoder.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    tensors = {name: tensor.numpy() for name, tensor in captioner.decoder.state_dict().items()}
    return captioner, ReferenceCaptioner.from_torch(tensors, request.param)


WORDS = torch.tensor([[START, 4, 5, 4, END], [START, 7, END, PAD, PAD], [START, 9, 3, END, PAD]])


def compare_gradients(captioner: Captioner, reference: ReferenceCaptioner, gradients: dict) -> None:
    fast = {name: p.grad.numpy() for name, p in captioner.decoder.named_parameters()}
    carried = gradients_to_torch(reference.cell, *(gradients[name] for name in ("Wx", "Wh", "b")))
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ours = {f"cell.{name}_l0": g for name, g in zip(names, carried, strict=True)} | {
        "project.weight": gradients["W_proj"].T,
        "project.bias": gradients["b_proj"],
        "embed.weight": gradients["W_embed"],
        "score.weight": gradients["W_vocab"].T,
        "score.bias": gradients["b_vocab"],
    }
    assert ours.keys() == fast.keys()
    for name, gradient in ours.items():
        assert relative_error(gradient, fast[name]) < 1e-9, name


def test_loss_and_all_gradients_equal_the_fast_decoders(pair) -> None:
    captioner, reference = pair
    features = torch.randn(3, 5, dtype=torch.float64)
    loss, gradients = reference.loss(features.numpy(), WORDS.numpy())
    targets = WORDS[:, 1:]
    fast = temporal_softmax_loss(
        captioner.decoder(features, WORDS[:, :-1]), targets, targets != PAD
    )
    fast.backward()
    assert loss == pytest.approx(fast.item(), abs=1e-9)
    compare_gradients(captioner, reference, gradients)


def test_loss_and_all_gradients_equal_the_whole_captioners(pair) -> None:
    captioner, reference = pair
    features = torch.randn(3, 5, dtype=torch.float64)
    lengths = (WORDS[:, 1:] != PAD).sum(dim=1)
    batch = Batch(
        features,
        torch.arange(3),
        *(
            pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
            for words in (WORDS[:, :-1], WORDS[:, 1:])
        ),
    )
    fast, _ = captioner.loss(batch)
    fast.backward()
    loss, gradients = reference.loss(features.numpy(), WORDS.numpy())
    assert loss == pytest.approx(fast.item(), abs=1e-9)
    compare_gradients(captioner, reference, gradients)


def test_all_gradients_equal_small_steps(pair) -> None:
    _, reference = pair
    features, words = np.random.default_rng(0).standard_normal((3, 5)), WORDS.numpy()
    _, gradients = reference.loss(features, words)
    assert gradients.keys() == reference.parameters.keys()
    for name, parameter in reference.parameters.items():
        small_steps = numerical_gradient(lambda _: reference.loss(features, words)[0], parameter)
        assert relative_error(gradients[name], small_steps) < 1e-6, name


def test_padding_changes_nothing(pair) -> None:
    _, reference = pair
    features, words = np.random.default_rng(0).standard_normal((3, 5)), WORDS.numpy()
    loss, gradients = reference.loss(features, words)
    longer = np.concatenate([words, np.full((3, 4), PAD)], axis=1)
    same, same_gradients = reference.loss(features, longer)
    assert same == pytest.approx(loss, rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(same_gradients[name], gradient, rtol=0, atol=1e-13)


def test_weights_of_a_deep_decoder_are_refused() -> None:
    with pytest.raises(ValueError, match="several layers"):
        captioner_from_torch("rnn", {"cell.weight_ih_l1": np.zeros((2, 2))})


def test_the_special_words_are_those_of_the_vocabulary() -> None:
    assert [SPECIAL[i] for i in (PAD, START, END)] == ["<pad>", "<start>", "<end>"]


def test_random_sizes_are_those_of_the_tutorial() -> None:
    captioner = ReferenceCaptioner.random(cell="gru")
    assert {name: p.shape for name, p in captioner.parameters.items()} == {
        "W_proj": (512, 512),
        "b_proj": (512,),
        "W_embed": (1004, 256),
        "Wx": (256, 1536),
        "Wh": (512, 1536),
        "b": (1536,),
        "W_vocab": (512, 1004),
        "b_vocab": (1004,),
    }
    features, words = np.random.default_rng(0).standard_normal((2, 512)), np.full((2, 4), 7)
    loss, _ = captioner.loss(features, words)
    # Before it has learnt anything it guesses among 1004 words.
    assert loss == pytest.approx(3 * np.log(1004), rel=0.1)
    same = ReferenceCaptioner.random(cell="gru").parameters
    assert all((same[name] == p).all() for name, p in captioner.parameters.items())


@pytest.fixture(scope="module")
def fifty() -> tuple[np.ndarray, np.ndarray]:
    """Fifty random captions of 3 to 8 words out of 30, and the features of their photos."""
    generator = np.random.default_rng(0)
    words = np.full((50, 10), PAD)
    words[:, 0] = START
    for row, length in zip(words, generator.integers(3, 9, size=50), strict=True):
        row[1 : length + 1] = generator.integers(4, 34, size=length)
        row[length + 1] = END
    return generator.standard_normal((50, 64)), words


def small(cell: str) -> ReferenceCaptioner:
    return ReferenceCaptioner.random(34, cell, input_dim=64, wordvec_dim=32, hidden_dim=64)


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_fifty_captions_by_heart(cell: str, fifty) -> None:
    features, words = fifty
    captioner = small(cell)
    losses = captioner.train(features, words, Adam(RATES["adam"]), epochs=60)
    assert losses[0] > 10 > 0.5 > losses[-1]
    said = captioner.caption(features, max_words=12)
    assert said.tolist() == words[:, 1 : said.shape[1] + 1].tolist()
    assert said.shape == (50, 9)
    # A caption does not depend on who else is in the batch, and one cut off has no end.
    alone = captioner.caption(features[7:8], max_words=2)
    assert alone.tolist() == words[7:8, 1:3].tolist()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_optimiser_learns(name: str, fifty) -> None:
    losses = small("gru").train(*fifty, OPTIMISERS[name](RATES[name]), epochs=30)
    assert losses[-1] < losses[0] / 3
    again = small("gru").train(*fifty, OPTIMISERS[name](RATES[name]), epochs=2)
    assert again == losses[:2]
    assert small("gru").train(*fifty, OPTIMISERS[name](RATES[name]), epochs=2, seed=1) != again


def test_the_loss_of_an_epoch_is_the_mean_over_captions_and_clipping_bounds_each_step(
    fifty,
) -> None:
    captioner = small("rnn")
    before = {name: p.copy() for name, p in captioner.parameters.items()}
    loss, _ = captioner.loss(*fifty)
    # Two batches of different sizes, and steps too small to change anything.
    losses = captioner.train(*fifty, SGD(1.0), epochs=1, batch_size=30, max_norm=1e-9)
    assert losses == [pytest.approx(loss, rel=1e-8)]
    moved = [captioner.parameters[name] - p for name, p in before.items()]
    assert 0 < np.sqrt(sum(np.sum(m**2) for m in moved)) < 2.01e-9


def test_special_words_are_never_said_and_nothing_follows_the_end(fifty) -> None:
    captioner = small("gru")
    captioner.parameters["b_vocab"][[PAD, START]] = 100
    captioner.parameters["b_vocab"][5] = 50
    assert (captioner.caption(fifty[0][:3], max_words=4) == 5).all()
    captioner.parameters["b_vocab"][END] = 60
    assert captioner.caption(fifty[0][:3], max_words=4).tolist() == [[END]] * 3
    # One caption ends at once, the other goes on: after END there is PAD alone.
    for name in ("b_vocab", "W_vocab", "W_proj"):
        captioner.parameters[name][:] = 0
    captioner.parameters["W_proj"][0, 0] = 20
    captioner.parameters["b"][64:128] = 50  # the update gate keeps h as it is
    captioner.parameters["W_vocab"][0, END] = 1
    captioner.parameters["W_vocab"][0, 6] = -1
    ends, goes_on = np.eye(64)[0], -np.eye(64)[0]
    said = captioner.caption(np.stack([ends, goes_on]), max_words=3)
    assert said.tolist() == [[END, PAD, PAD], [6, 6, 6]]
    assert captioner.caption(np.zeros((0, 64))).shape[0] == 0
