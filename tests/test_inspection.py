"""Inside a language model: states, gates, expectations, gradients, and how they are shown."""

import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captioner.checkpoint import save_model
from captioner.commands import main
from captioner.config import DecoderConfig, LanguageConfig, LanguageTrainConfig
from captioner.errors import InputError
from captioner.inspection import (
    activations,
    busiest_units,
    gates,
    gradient_by_distance,
    next_words,
)
from captioner.language import LanguageModel
from captioner.language_runs import LanguageRun, train_language_model
from captioner.runs import begin
from captioner.vocabulary import END, SPECIAL, START, UNK, Vocabulary

CHARS = Vocabulary((*SPECIAL, *"abcd "), max_words=99, unit="char")
WORDS = Vocabulary((*SPECIAL, "a", "dog", "runs", "sleeps"), max_words=9)
HEAVY = ("torch", "matplotlib", "nltk")


def made(
    cell: str = "lstm",
    layers: int = 1,
    vocabulary: Vocabulary = CHARS,
    running: bool = True,
    hidden: int = 3,
) -> LanguageModel:
    """An untrained model with weights large enough to be told apart."""
    torch.manual_seed(1)
    decoder = DecoderConfig(
        cell=cell, layers=layers, embedding=2, hidden=hidden, dropout=0.0, features=0
    )
    model = LanguageModel(LanguageConfig(decoder, running), vocabulary).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.8)
    return model


def unrolled(model: LanguageModel, indices: list[int]) -> torch.Tensor:
    """Hidden states (T, H) of the highest layer, by torch's cell over all steps at once."""
    with torch.no_grad():
        return model.decoder.cell(model.decoder.embed(torch.tensor([indices])))[0][0]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_activations_are_those_of_the_network_over_the_whole_text(cell: str) -> None:
    model = made(cell, layers=2)
    tokens, h = activations(model, "ab\n\n c")
    assert tokens == ["a", "b", "\n", "\n", " ", "c"]
    read = [START, 4, 5, START, START, 8, 6]
    assert torch.allclose(torch.tensor(h), unrolled(model, read)[1:], atol=1e-6)
    lowest = activations(model, "ab\n\n c", layer=0)[1]
    assert lowest.shape == h.shape
    assert np.abs(lowest - h).max() > 0.1


def test_lines_that_stand_apart_are_read_apart() -> None:
    model = made(vocabulary=WORDS, running=False)
    tokens, h = activations(model, "A dog runs.\na dog")
    assert tokens == ["a", "dog", "runs", "\n", "a", "dog"]
    assert np.allclose(h[:2], h[4:])
    assert np.allclose(h[3], unrolled(model, [START])[0], atol=1e-6)
    running = activations(made(vocabulary=WORDS), "A dog runs.\na dog")[1]
    assert np.abs(running[:2] - running[4:]).max() > 0.01


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("running", [True, False])
def test_gates_are_those_of_the_very_network(layer: int, running: bool) -> None:
    text = "ab d\nca\nbb"
    model = made("lstm", layers=2, running=running)
    _, h = activations(model, text, layer)
    found = gates(model, text, layer)
    assert np.abs(found["output"] * np.tanh(found["memory"]) - h).max() < 1e-5
    model = made("gru", layers=2, running=running)
    _, h = activations(model, text, layer)
    found = gates(model, text, layer)
    z = found["update"][1:]
    mixed = z * h[:-1] + (1 - z) * found["candidate"][1:]
    # Where lines stand apart the state before a line break is not the one that it is made of.
    goes_on = [t for t in range(len(mixed)) if running or (text[t + 1] != "\n")]
    assert np.abs(mixed - h[1:])[goes_on].max() < 1e-5


def test_gates_of_one_lstm_unit_by_hand() -> None:
    model = made(hidden=1)
    for weight in model.decoder.cell.parameters():
        torch.nn.init.zeros_(weight)
    # torch's order: input 1/2, forget 3/4, candidate tanh(ln 2) = 0.6, output 1/4.
    model.decoder.cell.bias_ih_l0.data = torch.tensor([0, math.log(3), math.log(2), -math.log(3)])
    found = gates(model, "ab")
    assert np.allclose(found["input"], 0.5)
    assert np.allclose(found["forget"], 0.75)
    assert np.allclose(found["candidate"], 0.6)
    assert np.allclose(found["output"], 0.25)
    # START leaves 0.3; a: 0.75 * 0.3 + 0.3; b: 0.75 * 0.525 + 0.3
    assert np.allclose(found["memory"].ravel(), [0.525, 0.69375])


def test_gates_of_one_gru_unit_by_hand() -> None:
    model = made("gru", hidden=1)
    for weight in model.decoder.cell.parameters():
        torch.nn.init.zeros_(weight)
    # reset 1/2, update 3/4; the candidate's bias is inside the reset: tanh(1/2 * 2 ln 2) = 0.6.
    model.decoder.cell.bias_ih_l0.data = torch.tensor([0, math.log(3), 0])
    model.decoder.cell.bias_hh_l0.data = torch.tensor([0, 0, 2 * math.log(2)])
    found = gates(model, "ab")
    assert {name: round(float(value[0, 0]), 6) for name, value in found.items()} == {
        "reset": 0.5,
        "update": 0.75,
        "candidate": 0.6,
    }
    # START leaves 0.15; a: 0.75 * 0.15 + 0.15; b: 0.75 * 0.2625 + 0.15
    assert np.allclose(activations(model, "ab")[1].ravel(), [0.2625, 0.346875])


def test_an_rnn_has_no_gates() -> None:
    with pytest.raises(InputError, match="no gates; train a model with --cell gru"):
        gates(made("rnn"), "ab")


@pytest.mark.parametrize("running", [True, False])
def test_next_words_are_the_softmax_of_the_scores(running: bool) -> None:
    model = made("gru", layers=2, vocabulary=WORDS, running=running)
    steps = next_words(model, "a dog barks", k=3)
    with torch.no_grad():
        chances = model.decoder.score(unrolled(model, [START, 4, 5, UNK])).softmax(dim=1)
    names = [*WORDS.words]
    names[END] = "\n"
    assert [step.came for step in steps] == ["a", "dog", "barks", "\n"]
    for step, row, came in zip(steps, chances, [4, 5, UNK, END], strict=True):
        best = row.argsort(descending=True)[:3].tolist()
        assert [word for word, _ in step.likeliest] == [names[index] for index in best]
        assert np.allclose([chance for _, chance in step.likeliest], row[best], atol=1e-6)
        assert step.probability == pytest.approx(row[came].item(), abs=1e-6)
        assert sum(chance for _, chance in step.likeliest) <= 1
    whole = sum(math.log(step.probability) for step in steps)
    assert whole == pytest.approx(model.score(["a dog barks"])[0].log_prob, abs=1e-4)


def test_all_next_words_together_are_certain() -> None:
    steps = next_words(made(), "ab\nc", k=1000)
    assert [step.came for step in steps] == ["a", "b", "\n", "c", "\n"]
    for step in steps:
        assert len(step.likeliest) == len(CHARS)
        assert sum(chance for _, chance in step.likeliest) == pytest.approx(1, abs=1e-5)
        assert dict(step.likeliest)[step.came] == pytest.approx(step.probability)


def by_small_steps(model: LanguageModel, inputs: list[int], targets: list[int]) -> list[float]:
    """The mean norms by central differences: each entry of a state is nudged, the rest read on."""
    K, step = (len(inputs) + 1) // 2, 1e-5

    @torch.no_grad()
    def read(state: tuple, words: list[int]) -> tuple:
        for word in words:
            _, state = model.decoder.step(torch.tensor([word]), state)
        return state

    def log_prob(state: tuple, words: list[int], target: int) -> float:
        with torch.no_grad():
            h = read(state, words)[0][0, -1]
            return model.decoder.score(h).log_softmax(dim=0)[target].item()

    norms = np.zeros(K)
    places = range(K - 1, len(inputs))
    for t in places:
        for k in range(K):
            state = read(model.decoder.empty_state(1), inputs[: t - k + 1])
            slopes = []
            for part in range(len(state)):
                for entry in np.ndindex(*state[part].shape):
                    ends = []
                    for sign in (1, -1):
                        nudged = tuple(each.clone() for each in state)
                        nudged[part][entry] += sign * step
                        ends.append(log_prob(nudged, inputs[t - k + 1 : t + 1], targets[t]))
                    slopes.append((ends[0] - ends[1]) / (2 * step))
            norms[k] += np.linalg.norm(slopes) / len(places)
    return norms.tolist()


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("gru", 1), ("lstm", 1), ("lstm", 2)])
def test_gradient_by_distance_equals_small_steps(cell: str, layers: int) -> None:
    model = made(cell, layers, hidden=2).double()
    inputs, targets = [START, 4, 5, START, 6], [4, 5, END, 6, END]
    norms = gradient_by_distance(model, "ab\nc")
    assert norms.shape == (3,)
    assert np.allclose(norms, by_small_steps(model, inputs, targets), rtol=1e-5)


def test_the_gradient_looks_back_within_a_line_that_stands_apart() -> None:
    model = made(vocabulary=WORDS, running=False)
    alone = gradient_by_distance(model, "a dog runs a dog")
    assert alone.shape == (3,)
    # A line of fewer than three steps has no such past and changes nothing.
    assert np.allclose(gradient_by_distance(model, "a\na dog runs a dog\n"), alone)
    assert gradient_by_distance(made(vocabulary=WORDS), "a\na dog runs a dog").shape == (4,)


def test_one_character_has_a_gradient_at_no_distance() -> None:
    model = made(hidden=2).double()
    expected = by_small_steps(model, [START, 4], [4, END])
    assert np.allclose(gradient_by_distance(model, "a"), expected, rtol=1e-5)


def test_gradients_leave_the_model_as_it_was() -> None:
    model = made()
    with torch.no_grad():
        norms = gradient_by_distance(model, "abcd" * 40)
    assert norms.shape == (81,)
    assert np.isfinite(norms).all()
    assert all(weight.grad is None for weight in model.parameters())


def test_the_busiest_units_change_most() -> None:
    h = np.array([[0.1, 0.9, -0.5, 0.0], [0.1, 0.8, 0.5, 0.3]])
    assert busiest_units(h, 2) == [2, 3]
    assert busiest_units(h, 9) == [2, 3, 1, 0]


@pytest.mark.parametrize("look", [activations, gates, next_words, gradient_by_distance])
def test_a_text_without_a_word_is_refused(look) -> None:
    with pytest.raises(InputError, match="no word in the text"):
        look(made(vocabulary=WORDS), "... !\n?")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models named by their cells; the gru is a run, trained on a text of a few characters."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("the cat sat\non the <mat>\n" * 40)
    config = LanguageTrainConfig(
        cell="gru", embedding=6, hidden=12, unit="char", epochs=1, chunk=16, warmup=2
    )
    run = LanguageRun(str(folder / "text.txt"), seed=0, device="cpu", config=config)
    begin(folder / "gru", run)
    train_language_model(folder / "gru", run)
    vocabulary = LanguageModel.from_pretrained(folder / "gru").vocabulary
    for name, layers in (("rnn", 1), ("lstm", 2)):
        model = made(name, layers, vocabulary, hidden=12)
        save_model(folder / name, model.config, vocabulary, model.state_dict(), {}, "untrained")
    return folder


def leave(capsys, *argv) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `captioner lm inspect`."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["lm", "inspect", *map(str, argv)])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


def test_the_command_tells_the_next_words(runs: Path, capsys) -> None:
    code, out, err = leave(capsys, runs / "gru", "the caß\no", "--next-words", 3)
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split()[:2] == ["came", "prob."]
    steps = next_words(LanguageModel.from_pretrained(runs / "gru"), "the caß\no", k=3)
    assert [line.split()[0] for line in lines] == list("the␣caß↵o↵")
    for line, step in zip(lines, steps, strict=True):
        _, chance, *best = line.split()
        assert chance == f"{step.probability:.3f}"
        assert best[::2] == [{"\n": "↵", " ": "␣"}.get(word, word) for word, _ in step.likeliest]
        assert best[1::2] == [f"{chance:.3f}" for _, chance in step.likeliest]
    assert err == "captioner: unknown to this model: ß\n"


def test_the_command_draws(runs: Path, capsys, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    code, _, err = leave(
        capsys, runs / "lstm", "the cat\nsat on <mat>", "--output", folder,
        "--units", 3, 11, "--layer", 1, "--compare", runs / "rnn", runs / "gru",
    )  # fmt: skip
    assert code == 0
    pictures = ["gates.png", "gradients.png", "next_words.png", "units.png"]
    pages = ["next_words.html", "units.html"]
    assert sorted(file.name for file in folder.iterdir()) == sorted(pictures + pages)
    assert str(folder) in err
    assert all(name in err for name in pictures + pages)
    for name in pictures:
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
            assert len(picture.convert("L").getcolors()) > 5
    page = (folder / "units.html").read_text(encoding="utf-8")
    assert "lstm, layer 1" in page
    assert page.count("<h2>") == 2
    assert "<h2>unit 3 " in page
    assert "<h2>unit 11 " in page
    h = activations(LanguageModel.from_pretrained(runs / "lstm"), "the cat\nsat on <mat>", 0)[1]
    assert f'title="{h[0, 3]:+.2f}">t</span>' in page
    assert "&lt;" in (folder / "next_words.html").read_text(encoding="utf-8")


def test_an_rnn_has_all_pictures_but_the_gates(runs: Path, capsys, tmp_path: Path) -> None:
    code, _, err = leave(capsys, runs / "rnn", "the cat", "--output", tmp_path, "--num-units", 100)
    assert code == 0
    assert "gates.png" not in err
    assert not (tmp_path / "gates.png").exists()
    page = (tmp_path / "units.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 12


def test_the_text_may_be_a_file_or_stdin(runs: Path, capsys, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "text.txt").write_bytes(b"the\r\n\r\ncat\r\n")
    expected = leave(capsys, runs / "gru", "the\n\ncat")
    assert expected[0] == 0
    assert len(expected[1].splitlines()) == 1 + len("the\n\ncat\n")
    assert leave(capsys, runs / "gru", tmp_path / "text.txt") == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the\r\n\r\ncat\r\n")))
    assert leave(capsys, runs / "gru", "-") == expected


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["lstm", "the cat", "--layer", "3"], "--layer 3: this model has layers 1 to 2"),
        (["gru", "the cat", "--layer", "0"], "--layer 0: this model has one layer"),
        (["gru", "the cat", "--units", "3", "12"], "--units 12: this model has units 0 to 11"),
        (["gru", "the cat", "--units", "-1"], "--units -1: this model has units 0 to 11"),
        (["gru", " \n "], "which text?"),
        (["gru", "the cat", "--num-units", "0"], "--num-units must be above 0"),
        (["gru", "the cat", "--next-words", "0"], "--next-words must be above 0"),
        (["gru", "a" * 2000], "the text has 2001 tokens"),
        (["gru", "the cat", "--compare", "rnn"], "say by --output"),
        (["gru", "the cat", "--output", "text.txt"], "choose another place"),
        (["nothing", "the cat"], "nothing"),
    ],
)
def test_mistakes_are_told(runs: Path, capsys, monkeypatch, argv: list[str], told: str) -> None:
    monkeypatch.chdir(runs)
    code, _, err = leave(capsys, *argv)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_help_comes_without_anything_heavy() -> None:
    code = (
        "import sys; from captioner.commands import main\n"
        "try: main(['lm', 'inspect', '--help'])\n"
        f"finally: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--next-words" in done.stdout
    assert done.stderr == "[]\n"
