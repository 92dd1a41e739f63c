"""The decoders that look at places: what holds for all of them, and what makes each."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from captioner.cells import CELLS
from captioner.config import DecoderConfig
from captioner.decoders import DECODERS, GridDecoder
from captioner.decoders.grid import unevenness
from captioner.decoders.running import StepByStep

LOOKING = [name for name, decoder in DECODERS.items() if decoder.places]
CASES = [
    *(("attention", cell, layers, 8) for cell in CELLS for layers in (1, 2)),
    ("adaptive", "lstm", 1, 8),
    ("att2in", "lstm", 1, 8),
    *(("updown", cell, 1, 8) for cell in CELLS),
    *(("aoa", cell, 1, 8) for cell in CELLS),
    ("aoa", "lstm", 1, 128),
]
"""Kind, cell, layers and H; of 128, aoa has two heads."""
over_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))


def make(kind: str, cell: str = "lstm", layers: int = 1, hidden: int = 8) -> GridDecoder:
    torch.manual_seed(0)
    config = DecoderConfig(
        kind=kind, cell=cell, layers=layers, embedding=5, hidden=hidden, dropout=0.0,
        features=6, attention=7,
    )  # fmt: skip
    decoder = DECODERS[kind](config, num_words=11).double()
    for weight in decoder.parameters():
        if weight.ndim == 1:  # that begins at nought or one
            nn.init.normal_(weight.data, mean=weight.data.mean().item(), std=0.3)
    return decoder


def pack(words: torch.Tensor, lengths: list[int]) -> PackedSequence:
    return pack_padded_sequence(
        words, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )


def test_every_decoder_that_looks_at_places_is_tested() -> None:
    assert {case[0] for case in CASES} == {*LOOKING}


@over_cases
def test_read_at_once_equals_step_by_step(case) -> None:
    decoder = make(*case).eval()
    places, photo = torch.randn(2, 4, 6).double(), torch.tensor([1, 0, 1, 1])
    words, lengths = torch.randint(11, (4, 5)), [2, 5, 1, 3]
    packed = pack(words, lengths)
    hidden, penalty = decoder.read(places, photo, packed)
    scores, _ = pad_packed_sequence(packed._replace(data=decoder.scores(hidden)), batch_first=True)
    uneven = torch.zeros(()).double()
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
    torch.testing.assert_close(penalty, uneven / 4 if case[0] == "attention" else 0 * uneven)


@over_cases
def test_a_step_serves_several_captions_of_several_photos(case) -> None:
    decoder = make(*case).eval()
    places, words = torch.randn(3, 4, 6).double(), torch.randint(11, (6,))
    state, memory = decoder.start(places), decoder.memory(places)
    state = tuple(part.repeat_interleave(2, dim=0) for part in state)
    _, state = decoder.step(words.flip(0), state, memory)
    together = decoder.look(words, state, memory)
    for row in range(6):
        rows, photo = slice(row, row + 1), slice(row // 2, row // 2 + 1)
        alone = decoder.look(
            words[rows], tuple(part[rows] for part in state), tuple(part[photo] for part in memory)
        )
        torch.testing.assert_close(together[0][rows], alone[0])
        torch.testing.assert_close(tuple(part[rows] for part in together[1]), alone[1])
        torch.testing.assert_close(together[2][rows], alone[2])


@over_cases
def test_gradients_of_read_equal_those_of_its_steps(case) -> None:
    decoder = make(*case).eval()
    places = torch.randn(2, 4, 6).double()
    words, photo = torch.randint(11, (4, 3)), torch.tensor([0, 0, 1, 1])
    weights = list(decoder.parameters())
    hidden, penalty = decoder.read(places, photo, pack(words, [3, 3, 3, 3]))
    loss = decoder.scores(hidden).log_softmax(dim=1)[:, 2].sum() + penalty
    at_once = torch.autograd.grad(loss, weights)
    memory, looked, total = decoder.memory(places), [], torch.zeros(()).double()
    state = tuple(part[photo] for part in decoder.start(places))
    for t in range(3):
        log_probs, state, alpha = decoder.look(words[:, t], state, memory)
        total = total + log_probs[:, 2].sum()
        looked.append(alpha)
    if decoder.penalised:
        total = total + unevenness(looked) / 4
    by_steps = torch.autograd.grad(total, weights)
    for quick, plain in zip(at_once, by_steps, strict=True):
        torch.testing.assert_close(quick, plain)
        assert quick.abs().max() > 0


@over_cases
def test_gradients_of_captions_of_different_lengths_are_those_of_each_alone(case) -> None:
    decoder = make(*case).eval()
    places = torch.randn(2, 4, 6).double()
    words, lengths, photo = torch.randint(11, (3, 4)), [4, 2, 1], torch.tensor([1, 0, 1])
    weights = list(decoder.parameters())

    def gradients(rows: list[int]) -> tuple[torch.Tensor, ...]:
        packed = pack(words[rows], [lengths[row] for row in rows])
        hidden, penalty = decoder.read(places, photo[rows], packed)
        loss = decoder.scores(hidden).square().sum() + len(rows) * penalty
        return torch.autograd.grad(loss, weights)

    alone = [gradients([row]) for row in range(3)]
    for whole, *parts in zip(gradients([0, 1, 2]), *alone, strict=True):
        torch.testing.assert_close(whole, sum(parts))


@pytest.mark.parametrize("kind", LOOKING)
def test_four_captions_are_learned_by_heart(kind: str) -> None:
    decoder = make(kind, hidden=32).train()
    places, photo = torch.randn(4, 4, 6).double(), torch.arange(4)
    # The same first word, and then another caption for each photo.
    words = torch.cat([torch.ones(4, 1, dtype=int), torch.randint(2, 11, (4, 4))], dim=1)
    given, targets = (pack(part, [4, 3, 4, 2]) for part in (words[:, :-1], words[:, 1:]))
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.03)
    losses = []
    for _ in range(31):
        hidden, _ = decoder.read(places, photo, given)
        loss = decoder.loss(hidden, targets)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.1 * losses[0]
    others, _ = decoder.read(places.flip(0), photo, given)
    assert decoder.loss(others, targets) > 10 * losses[-1]


@pytest.mark.parametrize("kind", LOOKING)
def test_what_it_says_depends_on_the_places_and_not_only_on_the_state(kind: str) -> None:
    decoder = make(kind).eval()
    places, others = torch.randn(2, 1, 4, 6).double()
    others += (places - others).mean(dim=1, keepdim=True)  # of one mean, and so of one h0
    state, words = decoder.start(places), torch.tensor([1])
    torch.testing.assert_close(state, decoder.start(others))
    scores = decoder.step(words, state, decoder.memory(places))[0]
    assert (scores - decoder.step(words, state, decoder.memory(others))[0]).abs().max() > 1e-3
    # Where they stand tells it nothing.
    turned = decoder.step(words, state, decoder.memory(places.flip(1)))[0]
    torch.testing.assert_close(scores, turned)


@pytest.mark.parametrize("kind", LOOKING)
def test_all_of_the_attention_is_given_out(kind: str) -> None:
    decoder = make(kind).eval()
    places = torch.randn(2, 4, 6).double()
    memory = decoder.memory(places)
    _, _, alpha = decoder.look(torch.tensor([1, 2]), decoder.start(places), memory)
    total = alpha.sum(dim=1)
    if kind == "adaptive":  # but for what goes to the sentinel
        assert ((total > 0) & (total < 1)).all()
    else:
        torch.testing.assert_close(total, torch.ones(2).double())


@pytest.mark.parametrize("kind", sorted({*LOOKING} - {"attention"}))
def test_layers_and_cells_that_a_decoder_has_not_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"the {kind} decoder has one layer, not 2"):
        make(kind, layers=2)
    if kind in ("adaptive", "att2in"):
        with pytest.raises(ValueError, match=f"the {kind} decoder is made of an lstm, not of gru"):
            make(kind, "gru")


def test_attention_looks_where_the_key_fits() -> None:
    """A place whose key fits far better than the others is all that is seen."""
    decoder = make("attention").eval()
    places = torch.zeros(1, 4, 6).double()
    places[0, 2] = 1
    with torch.no_grad():
        decoder.key.weight.fill_(3)
        for part in decoder.ask.parameters():
            part.zero_()
        decoder.fit.weight.fill_(9)
    _, _, alpha = decoder.look(torch.tensor([1]), decoder.start(places), decoder.memory(places))
    assert alpha[0, 2] > 0.999
    assert alpha.sum().item() == pytest.approx(1)


def test_an_even_look_is_not_punished() -> None:
    even = [torch.full((2, 4), 0.25), torch.full((2, 4), 0.25), torch.full((2, 4), 0.5)]
    assert unevenness(even).item() == 0
    # One caption of one word that looks at one of four places: 0 + 1 + 1 + 1.
    assert unevenness([torch.tensor([[1.0, 0, 0, 0]])]).item() == 3


def seen_and_remembered(score: float) -> tuple[torch.Tensor, ...]:
    """Context and attention of a step, and by the paper's formulas its sentinel and soft attention.

    Args:
        score: What is added to the sentinel's own.
    """
    decoder = make("adaptive").eval()
    A, H = decoder.config.attention, decoder.config.hidden
    decoder.sentinel_key = nn.Linear(H, A).double()
    with torch.no_grad():
        # One component of the keys, by which the sentinel alone is judged.
        for part in (decoder.key.weight, decoder.query.weight, decoder.query.bias):
            part[0] = 0
        decoder.sentinel_key.bias[0] = 30
        decoder.fit.weight[0, 0] = score
        places, x = torch.randn(1, 4, 6).double(), decoder.embed(torch.tensor([3]))
        state, mean = decoder.start(places), places.mean(dim=1)
        memory = decoder.memory(places)
        out, (h, m), alpha = decoder.advance(decoder.of_words(x), state, StepByStep(memory))
        gate = decoder.gate
        sentinel = (gate.x(x) + gate.z(mean) + gate.h(state[0])).sigmoid() * m.tanh()
        fits = decoder.fit((decoder.key(places) + decoder.query(h).unsqueeze(1)).tanh())
        seen = (fits.softmax(dim=1) * decoder.see(places)).sum(dim=1)
    return out - h, alpha, sentinel, seen


def test_with_the_best_score_the_sentinel_is_all_there_is() -> None:
    context, alpha, sentinel, _ = seen_and_remembered(1000.0)
    torch.testing.assert_close(context, sentinel)
    assert alpha.max() < 1e-9


def test_with_the_worst_score_of_the_sentinel_there_is_soft_attention() -> None:
    context, alpha, _, seen = seen_and_remembered(-1000.0)
    torch.testing.assert_close(context, seen)
    torch.testing.assert_close(alpha.sum(), torch.ones(()).double())


@pytest.mark.parametrize("larger", [0, 1])
def test_att2in_takes_the_larger_candidate(larger: int) -> None:
    decoder = make("att2in").eval()
    H = decoder.config.hidden
    cell, second = decoder.cells[0], decoder.second
    with torch.no_grad():
        second.x.bias.fill_(100 if larger else -100)
        places, x = torch.randn(1, 4, 6).double(), decoder.embed(torch.tensor([3]))
        (h, _), memory = decoder.start(places), decoder.memory(places)
        c = torch.randn(1, H).double()
        _, (h_after, c_after), alpha = decoder.look(torch.tensor([3]), (h, c), memory)
        i, f, a, o = (cell.x(x) + cell.h(h)).chunk(4, dim=1)
        candidates = (a, second.x(x) + second.h(h))
        seen = decoder.see(alpha @ places[0]).chunk(2, dim=1)
        expected = f.sigmoid() * c + i.sigmoid() * (candidates[larger] + seen[larger])
    torch.testing.assert_close(c_after, expected)
    torch.testing.assert_close(h_after, o.sigmoid() * expected.tanh())


def test_updown_asks_with_the_cell_that_has_read_the_word() -> None:
    decoder = make("updown", "rnn").eval()
    looks, speaks = decoder.cells
    with torch.no_grad():
        places, x = torch.randn(1, 4, 6).double(), decoder.embed(torch.tensor([3]))
        h1, h2 = state = decoder.start(places)
        _, after, alpha = decoder.look(torch.tensor([3]), state, decoder.memory(places))
        mean = decoder.mean(places.mean(dim=1))
        h1 = (looks.x(x) + looks.z(h2) + mean + looks.h(h1)).tanh()
        fits = decoder.fit((decoder.key(places) + decoder.query(h1)).tanh())
        z = (fits.softmax(dim=1) * places).sum(dim=1)
        h2 = (speaks.z(torch.cat([z, h1], dim=1)) + speaks.h(h2)).tanh()
    torch.testing.assert_close(after, (h1, h2))
    torch.testing.assert_close(alpha, fits.softmax(dim=1).squeeze(2))


def test_aoa_attends_with_heads_as_torch_does() -> None:
    decoder = make("aoa", hidden=128).eval()
    assert decoder.heads == 2
    whole = nn.MultiheadAttention(128, 2, bias=False, batch_first=True).double()
    with torch.no_grad():
        places = torch.randn(1, 4, 6).double()
        whole.in_proj_weight.copy_(decoder.refine.weight)
        whole.out_proj.weight.copy_(torch.eye(128))
        a = decoder.enter(places)
        seen = whole(a, a, a)[0]
        information, gate = decoder.refine_gate(torch.cat([seen, a], dim=2)).chunk(2, dim=2)
        a = decoder.norm(a + gate.sigmoid() * information)
        state, memory = decoder.start(places), decoder.memory(places)
        _, (h, _, context), alpha = decoder.look(torch.tensor([3]), state, memory)
        whole.in_proj_weight.copy_(torch.cat([decoder.query.weight, decoder.key_value.weight]))
        seen, expected = whole(h.unsqueeze(1), a, a)
        both = torch.cat([seen.squeeze(1), h], dim=1)
        information, gate = decoder.gate(both).chunk(2, dim=1)
    torch.testing.assert_close(alpha, expected.squeeze(1))
    torch.testing.assert_close(context, gate.sigmoid() * information)
    assert (state[2] == 0).all()
