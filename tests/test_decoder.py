import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from captioner.cells import CELLS, first_state, make_cell
from captioner.config import DecoderConfig
from captioner.decoders import AttentionDecoder, PooledDecoder
from captioner.decoders.grid import unevenness

KINDS = [(cell, layers) for cell in CELLS for layers in (1, 2)]


def make(cell: str, layers: int, dropout: float = 0.0) -> PooledDecoder:
    torch.manual_seed(0)
    config = DecoderConfig(
        cell=cell, layers=layers, embedding=5, hidden=8, dropout=dropout, features=6
    )
    return PooledDecoder(config, num_words=11).double()


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_forward_equals_repeated_steps(cell: str, layers: int) -> None:
    decoder = make(cell, layers).eval()
    features, words = torch.randn(3, 6).double(), torch.randint(11, (3, 7))
    scores = decoder(features, words)
    state = decoder.start(features)
    for t in range(7):
        log_probs, state = decoder.step(words[:, t], state)
        torch.testing.assert_close(log_probs, scores[:, t].log_softmax(dim=1))


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_padding_changes_nothing_and_a_batch_equals_its_items(cell: str, layers: int) -> None:
    decoder = make(cell, layers).eval()
    features, words = torch.randn(4, 6).double(), torch.randint(11, (4, 5))
    lengths = torch.tensor([2, 5, 1, 3])
    packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
    hidden, _ = decoder.read(features, torch.arange(4), packed)
    scores, _ = pad_packed_sequence(packed._replace(data=decoder.scores(hidden)), batch_first=True)
    for n, length in enumerate(lengths):
        alone = decoder(features[n : n + 1], words[n : n + 1, :length])[0]
        torch.testing.assert_close(scores[n, :length], alone)
        state = decoder.start(features[n : n + 1])
        for word in words[n, :length]:
            _, state = decoder.step(word.unsqueeze(0), state)
        for part, expected in zip(hidden.last, state, strict=True):
            torch.testing.assert_close(part[n : n + 1], expected)


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_without_a_photo_all_begins_at_nought(cell: str, layers: int) -> None:
    decoder = make(cell, layers)
    state = decoder.empty_state(3)
    assert len(state) == (2 if cell == "lstm" else 1)
    for part in state:
        assert part.shape == (3, layers, 8)
        assert part.dtype == torch.float64
        assert (part == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_gradients(cell: str) -> None:
    decoder = make(cell, 2)
    words = torch.randint(11, (2, 3))
    features = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: decoder(f, words), features)


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_the_first_hidden_state_is_a_linear_projection(cell: str, layers: int) -> None:
    decoder = make(cell, layers)
    a, b = torch.randn(2, 1, 6).double()
    zero = decoder.start(torch.zeros(1, 6).double())[0]
    sum_of_both = decoder.start(a + b)[0]
    torch.testing.assert_close(
        sum_of_both - zero, decoder.start(a)[0] + decoder.start(b)[0] - 2 * zero
    )
    assert sum_of_both.shape == (1, layers, 8)
    if cell == "lstm":
        assert (decoder.start(a)[1] == 0).all()


def test_initial_weights() -> None:
    torch.manual_seed(0)
    decoder = PooledDecoder(DecoderConfig(), num_words=1004)
    assert decoder.project.weight.std().item() == pytest.approx(1 / math.sqrt(512), rel=0.02)
    cell = decoder.cell
    forget = (cell.bias_ih_l0 + cell.bias_hh_l0)[512:1024]
    rest = (cell.bias_ih_l0 + cell.bias_hh_l0)[[*range(512), *range(1024, 2048)]]
    assert (forget == 1).all()
    assert (rest == 0).all()
    for gate in cell.weight_hh_l0.split(512):
        torch.testing.assert_close(gate @ gate.T, torch.eye(512), atol=1e-4, rtol=0)


def test_dropout_acts_in_training_alone_and_never_along_time() -> None:
    decoder = make("lstm", 1, dropout=0.5)
    features, words = torch.randn(2, 6).double(), torch.randint(11, (2, 4))
    assert not torch.equal(decoder.train()(features, words), decoder(features, words))
    assert torch.equal(decoder.eval()(features, words), decoder(features, words))
    # With the word vectors and the scores left alone, nothing between the steps is random.
    decoder.train()
    decoder.config = replace(decoder.config, dropout=0.0)
    assert torch.equal(decoder(features, words), decoder(features, words))
    assert make("lstm", 2, dropout=0.5).cell.dropout == 0.5


@pytest.mark.parametrize("name", CELLS)
def test_first_state_has_what_the_cell_needs(name: str) -> None:
    cell = make_cell(name, 3, 4, layers=2, dropout=0.0)
    assert len(first_state(cell, torch.ones(5, 2, 4))) == (2 if isinstance(cell, nn.LSTM) else 1)


def attending(cell: str, layers: int, dropout: float = 0.0) -> AttentionDecoder:
    torch.manual_seed(0)
    config = DecoderConfig(
        kind="attention", cell=cell, layers=layers, embedding=5, hidden=8, dropout=dropout,
        features=6, attention=7,
    )  # fmt: skip
    return AttentionDecoder(config, num_words=11).double()


@pytest.mark.parametrize(("cell", "layers"), KINDS)
def test_attention_read_at_once_equals_attention_step_by_step(cell: str, layers: int) -> None:
    decoder = attending(cell, layers).eval()
    places, photo = torch.randn(2, 4, 6).double(), torch.tensor([1, 0, 1, 1])
    words, lengths = torch.randint(11, (4, 5)), torch.tensor([2, 5, 1, 3])
    packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
    hidden, penalty = decoder.read(places, photo, packed)
    scores, _ = pad_packed_sequence(packed._replace(data=decoder.scores(hidden)), batch_first=True)
    uneven = 0.0
    for n, length in enumerate(lengths):
        of_photo = places[photo[n : n + 1]]
        state, memory = decoder.start(of_photo), decoder.memory(of_photo)
        looked = torch.zeros(4).double()
        for t, word in enumerate(words[n, :length]):
            log_probs, state, alpha = decoder.look(word.unsqueeze(0), state, memory)
            torch.testing.assert_close(log_probs[0], scores[n, t].log_softmax(dim=0))
            looked += alpha[0]
        uneven += (1 - looked).square().sum()
        for part, expected in zip(hidden.last, state, strict=True):
            torch.testing.assert_close(part[n : n + 1], expected)
    torch.testing.assert_close(penalty, uneven / 4)


def test_attention_step_serves_several_captions_of_several_photos() -> None:
    decoder = attending("gru", 1).eval()
    places, words = torch.randn(3, 4, 6).double(), torch.randint(11, (6,))
    state, memory = decoder.start(places), decoder.memory(places)
    state = tuple(part.repeat_interleave(2, dim=0) for part in state)
    together, _ = decoder.step(words, state, memory)
    for row in range(6):
        alone, _ = decoder.step(
            words[row : row + 1],
            tuple(part[row : row + 1] for part in state),
            tuple(part[row // 2 : row // 2 + 1] for part in memory),
        )
        torch.testing.assert_close(together[row : row + 1], alone)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_attention_equal_those_of_its_steps(cell: str) -> None:
    decoder = attending(cell, 2).eval()
    places = torch.randn(2, 4, 6).double()
    words, photo = torch.randint(11, (2, 3)), torch.arange(2)
    packed = pack_padded_sequence(words, torch.tensor([3, 3]), batch_first=True)
    hidden, penalty = decoder.read(places, photo, packed)
    at_once = torch.autograd.grad(
        decoder.scores(hidden).log_softmax(dim=1)[:, 2].sum() + penalty, list(decoder.parameters())
    )
    state, memory, looked = decoder.start(places), decoder.memory(places), []
    total = torch.zeros(()).double()
    for t in range(3):
        log_probs, state, alpha = decoder.look(words[:, t], state, memory)
        total = total + log_probs[:, 2].sum()
        looked.append(alpha)
    penalty = (1 - torch.stack(looked).sum(dim=0)).square().sum() / 2
    by_steps = torch.autograd.grad(total + penalty, list(decoder.parameters()))
    for quick, plain in zip(at_once, by_steps, strict=True):
        torch.testing.assert_close(quick, plain)


def test_attention_looks_where_the_key_fits() -> None:
    """A place whose key fits far better than the others is all that is seen."""
    decoder = attending("lstm", 1).eval()
    places = torch.zeros(1, 4, 6).double()
    places[0, 2] = 1
    with torch.no_grad():
        decoder.key.weight.fill_(3)
        decoder.ask.weight.zero_()
        decoder.fit.weight.fill_(9)
    _, _, alpha = decoder.look(torch.tensor([1]), decoder.start(places), decoder.memory(places))
    assert alpha[0, 2] > 0.999
    assert alpha.sum().item() == pytest.approx(1)


def test_an_even_look_is_not_punished() -> None:
    even = [torch.full((2, 4), 0.25), torch.full((2, 4), 0.25), torch.full((2, 4), 0.5)]
    assert unevenness(even).item() == 0
    # One caption of one word that looks at one of four places: 0 + 1 + 1 + 1.
    assert unevenness([torch.tensor([[1.0, 0, 0, 0]])]).item() == 3
