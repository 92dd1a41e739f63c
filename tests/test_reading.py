"""Networks that read whole texts: what they see, what they must not see, what they learn."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from captioner.cells import CELLS
from captioner.config import Recipe
from captioner.reading import __main__ as command
from captioner.reading.learning import learn
from captioner.reading.networks import Bag, GapReader, Layer, Reader, pack, turn
from captioner.reading.questions import SHADES, Scenes, ask_first_and_last, ask_left_out
from captioner.vocabulary import Vocabulary

V, E, H = 11, 3, 4
TEXTS = [torch.tensor(text) for text in ([1, 5, 6, 2], [1, 7, 2], [1, 4, 9, 8, 10, 5, 2])]
"""Each from START (1) to END (2), in no order of length."""
WAYS = [(1, False), (1, True), (2, True)]


def reader(layers: int, bidirectional: bool, cell: str = "gru") -> Reader:
    torch.manual_seed(0)
    sizes = {"embedding": E, "hidden": H, "layers": layers, "bidirectional": bidirectional}
    return Reader(cell, V, 6, **sizes)


def gap_reader(layers: int, bidirectional: bool, cell: str = "gru") -> GapReader:
    torch.manual_seed(0)
    sizes = {"embedding": E, "hidden": H, "layers": layers, "bidirectional": bidirectional}
    return GapReader(cell, V, **sizes)


def unpacked(data: torch.Tensor, like: PackedSequence) -> list[torch.Tensor]:
    rows, lengths = pad_packed_sequence(like._replace(data=data), batch_first=True)
    return [row[:length] for row, length in zip(rows, lengths, strict=True)]


def changed(text: torch.Tensor, place: int) -> torch.Tensor:
    """The text with another word at one place."""
    other = text.clone()
    other[place] = 3
    return other


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "bidirectional"), WAYS)
def test_a_batch_equals_its_items(cell: str, layers: int, bidirectional: bool) -> None:
    whole, gaps = reader(layers, bidirectional, cell), gap_reader(layers, bidirectional, cell)
    torch.testing.assert_close(whole(TEXTS), torch.cat([whole([text]) for text in TEXTS]))
    for together, text in zip(unpacked(whole.label(TEXTS), pack(TEXTS)), TEXTS, strict=True):
        torch.testing.assert_close(together, whole.label([text]))
    inner = pack([text[1:-1] for text in TEXTS])
    for together, text in zip(unpacked(gaps(TEXTS), inner), TEXTS, strict=True):
        torch.testing.assert_close(together, gaps([text]))


def test_turned_texts_are_the_texts_backwards() -> None:
    packed = pack(TEXTS)
    backwards = unpacked(packed.data[turn(packed)], packed)
    assert [text.tolist() for text in backwards] == [text.flip(0).tolist() for text in TEXTS]


@pytest.mark.parametrize("cell", CELLS)
def test_deep_and_bidirectional_as_torch_has_it(cell: str) -> None:
    """The same states and the same gradients as those of torch's own network."""
    ours = reader(2, True, cell)
    theirs = CELLS[cell](E, H, num_layers=2, bidirectional=True)
    pairs = []
    for place, layer in enumerate(ours.layers):
        for suffix, one_way in (("", layer.ahead), ("_reverse", layer.back)):
            for name, weight in one_way.named_parameters():
                pair = weight, getattr(theirs, name.replace("l0", f"l{place}") + suffix)
                pair[1].data.copy_(weight.data)
                pairs.append(pair)
    words = pack(TEXTS)
    h, last = theirs(words._replace(data=ours.embed(words.data).detach()))
    last = last[0] if cell == "lstm" else last
    torch.testing.assert_close(ours.label(TEXTS), ours.score(h.data))
    torch.testing.assert_close(ours(TEXTS), ours.score(torch.cat([last[2], last[3]], dim=1)))
    (ours(TEXTS).sum() + ours.label(TEXTS).sum()).backward()
    (ours.score(torch.cat([last[2], last[3]], dim=1)).sum() + ours.score(h.data).sum()).backward()
    for mine, other in pairs:
        torch.testing.assert_close(mine.grad, other.grad)


def test_backwards_is_forwards_through_the_text_turned_round() -> None:
    both = reader(1, True)
    forwards = Layer("gru", E, H, bidirectional=False)
    forwards.ahead = both.layers[0].back

    def end(layer: Layer, text: torch.Tensor) -> torch.Tensor:
        words = pack([text])
        return layer(words._replace(data=both.embed(words.data)))[1]

    text = TEXTS[2]
    backwards = end(both.layers[0], text)[:, H:]
    torch.testing.assert_close(backwards, end(forwards, text.flip(0)))
    first, last = (end(both.layers[0], changed(text, place))[:, H:] for place in (0, -1))
    # Of the first word, just read, more is left than of the last.
    assert (first - backwards).norm() > (last - backwards).norm() > 0


@pytest.mark.parametrize(("layers", "bidirectional"), WAYS)
def test_what_a_word_s_label_is_made_of(layers: int, bidirectional: bool) -> None:
    """Forwards: of the words so far. In both directions: of all words."""
    network, text, place = reader(layers, bidirectional), TEXTS[2], 3
    differs = (network.label([changed(text, place)]) != network.label([text])).any(dim=1)
    assert differs.tolist() == [bidirectional] * place + [True] * (len(text) - place)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "bidirectional"), WAYS)
def test_a_left_out_word_is_not_seen(cell: str, layers: int, bidirectional: bool) -> None:
    """Its scores change with every other word that is read, and never with the word itself."""
    network, text = gap_reader(layers, bidirectional, cell), TEXTS[2]
    scores = network([text])
    for place in range(len(text)):
        differs = (network([changed(text, place)]) != scores).any(dim=1).tolist()
        for gap, differ in enumerate(differs, start=1):
            assert differ == (place < gap or (bidirectional and place > gap)), (place, gap)


@pytest.mark.parametrize("network", [reader(2, True), gap_reader(2, True)])
def test_gradients(network: nn.Module) -> None:
    network = network.double()

    def scores(vectors: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, {"embed.weight": vectors}, (TEXTS,))

    assert torch.autograd.gradcheck(scores, network.embed.weight)


def test_a_bag_of_words_knows_how_often_and_not_where() -> None:
    bag = Bag(V, 2, hidden=H)
    one, turned, other = bag([torch.tensor(text) for text in ([4, 5, 5], [5, 4, 5], [4, 4, 5])])
    torch.testing.assert_close(one, turned)
    assert not torch.allclose(one, other)
    hidden = (bag.hide.weight[:, 4] + 2 * bag.hide.weight[:, 5] + bag.hide.bias).tanh()
    torch.testing.assert_close(one, bag.score(hidden))


def test_the_first_and_the_last_colour_on_a_page() -> None:
    scenes = Scenes(24)
    captions = [["A white car on the green grass."], ["The boat on the blue sea is red."]]
    scenes.captions = {"train": captions * 4, "test": captions}
    scenes.vocabulary = Vocabulary.of([caption for (caption,) in captions], min_count=1)
    task = ask_first_and_last(scenes, "many-to-one")
    for text, answers in zip(*task.train, strict=True):
        said = [scenes.vocabulary.words[i] for i in text.tolist()]
        things = [word for word in said if word in ("white", "red")]
        assert [SHADES[answer] for answer in answers] == [things[0], things[-1]]
    assert len({tuple(answers.tolist()) for answers in task.train[1]}) > 1


def test_reading_on_helps_to_find_a_left_out_word() -> None:
    recipe = Recipe(learning_rate=3e-2, warmup=5, epochs=5, batch_size=32, clip_norm=1.0)
    task = ask_left_out(Scenes(400), "many-to-many")
    right = []
    for hidden, bidirectional in ((64, False), (32, True)):  # states of 64 in all, both times
        sizes = {"embedding": 24, "hidden": hidden, "bidirectional": bidirectional}
        make = partial(GapReader, "gru", **sizes)
        example = task.example("", make)
        (share,), _ = learn(example, recipe, seed=0)
        right.append(share)
    assert right[0] > example.blind[0] + 0.1
    assert right[1] > right[0] + 0.1


def test_same_seed_same_network() -> None:
    task = ask_left_out(Scenes(24), "many-to-many")
    example = task.example("", partial(GapReader, "rnn", embedding=E, hidden=H))
    watched = replace(example, show=lambda network: [str(network.score.weight.tolist())])
    recipe = Recipe(epochs=1, batch_size=4)
    one, same, other = (learn(watched, recipe, seed)[1] for seed in (0, 0, 1))
    assert one == same != other


def test_the_command_prints_a_table(monkeypatch, capsys) -> None:
    monkeypatch.setattr(command, "SEEDS", 2)
    with pytest.raises(SystemExit) as left:
        command.main(["--scenes", "24", "--epochs", "1", "--cell", "rnn", "--layers", "3"])
    assert left.value.code == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["shape", "question", "network", "blind", "right", "of", "2", "seeds"]
    lines = lines[: lines.index("")]
    shapes = [line.split()[0] for line in lines]
    numbers = {"one-to-one": 3, "one-to-many": 2, "many-to-one": 3 * 2 * 2, "many-to-many": 9}
    assert {shape: shapes.count(shape) for shape in shapes} == numbers
    assert sum("rnn both ways, 3 layers" in line for line in lines) == 3
    for line in lines:
        mean, least, most = (float(part.strip("%")) for part in line.split()[-4:] if part != "to")
        assert 0 <= least <= mean <= most <= 100


@pytest.mark.parametrize(
    ("given", "told"),
    [(["--scenes", "9"], "too few"), (["--layers", "0"], "--layers"), (["--seed", "-1"], "--seed")],
)
def test_options_that_make_no_sense_are_refused(given, told, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(given)
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_help_needs_no_torch() -> None:
    code = "import sys, captioner.reading.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
