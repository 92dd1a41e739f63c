import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from captioner.cells import CELLS, first_state, make_cell
from captioner.config import DecoderConfig
from captioner.decoders import PooledDecoder

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
