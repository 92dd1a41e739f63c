"""Language models: what they score is a probability, what they write is drawn from it."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils.rnn import pad_packed_sequence

from captioner.config import DecoderConfig, LanguageConfig, LanguageTrainConfig, TrainConfig
from captioner.data import CaptionData, RunningText
from captioner.decoders import PooledDecoder
from captioner.errors import InputError
from captioner.language import LanguageModel, check_start, start_decoder
from captioner.language_runs import LanguageRun, train_language_model
from captioner.logbook import Logbook
from captioner.resume import FILE
from captioner.runs import begin, recall
from captioner.validation import Perplexity
from captioner.vocabulary import END, SPECIAL, START, UNK, Vocabulary

CELLS = ("rnn", "gru", "lstm")
LINES = ["a dog runs", "a cat sleeps on grass", "a", "a dog sleeps"]


def make(
    vocabulary: Vocabulary, cell: str = "gru", running: bool = False, layers: int = 1
) -> LanguageModel:
    torch.manual_seed(0)
    decoder = DecoderConfig(cell, layers, embedding=7, hidden=9, dropout=0.0, features=0)
    return LanguageModel(LanguageConfig(decoder, running), vocabulary).eval()


def log_prob_by_steps(model: LanguageModel, text: str) -> float:
    state = model.decoder.empty_state(1)
    before, total = START, 0.0
    for word in [*model.vocabulary.indices(model.vocabulary.split(text)), END]:
        log_probs, state = model.decoder.step(torch.tensor([before]), state)
        total += log_probs[0, word].item()
        before = word
    return total


@pytest.mark.parametrize("cell", CELLS)
def test_a_score_is_the_sum_of_the_steps(vocabulary: Vocabulary, cell: str) -> None:
    model = make(vocabulary, cell, layers=2)
    texts = [*LINES, "", "a zebra runs", "a dog " * 30]
    for text, score in zip(texts, model.score(texts), strict=True):
        assert score.text == text
        assert score.log_prob == pytest.approx(log_prob_by_steps(model, text), abs=1e-4)
        assert score.words == len(text.split()) + 1
        assert score.perplexity == pytest.approx(math.exp(-score.log_prob / score.words))
        assert score.unknown == (("zebra",) if "zebra" in text else ())
    assert model.score([]) == []


def test_many_texts_are_scored_as_one_by_one(vocabulary: Vocabulary, monkeypatch) -> None:
    model = make(vocabulary)
    alone = [model.score([text])[0].log_prob for text in LINES]
    monkeypatch.setattr("captioner.language.TOGETHER", 7)
    assert [s.log_prob for s in model.score(LINES)] == pytest.approx(alone, abs=1e-5)


def test_all_texts_together_are_certain() -> None:
    """Over a vocabulary of two words, texts of up to nine words hold almost all of the chance."""
    model = make(Vocabulary((*SPECIAL, "x", "y"), unit="char"))
    with torch.no_grad():
        model.decoder.score.bias[[0, START, UNK]] = -100.0
        model.decoder.score.bias[END] = 2.0
    texts = ["".join(word) for n in range(10) for word in itertools.product("xy", repeat=n)]
    assert sum(math.exp(s.log_prob) for s in model.score(texts)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("cell", CELLS)
def test_a_carried_state_makes_one_text_of_the_chunks(vocabulary: Vocabulary, cell: str) -> None:
    """The losses of chunk after chunk add up to that of each whole piece."""
    model = make(vocabulary, cell, running=True)
    text = RunningText(LINES * 5, vocabulary, chunk=4)
    carried, nats = (), 0.0
    for batch in text.batches(2):
        assert len(batch) == 2
        loss, carried = model.loss(batch, carried)
        assert not any(part.requires_grad for part in carried)
        nats += loss.item() * 2
    (whole,) = RunningText(LINES * 5, vocabulary, chunk=40).batches(2)
    assert model.loss(whole)[0].item() * 2 == pytest.approx(nats, rel=1e-5)
    apart = make(vocabulary, cell, running=False)
    assert apart.loss(whole)[1] == ()


def test_running_text_is_read_line_after_line(vocabulary: Vocabulary) -> None:
    text = RunningText(["a dog", "", "cat"], vocabulary, chunk=2)
    a, dog, cat = vocabulary.indices(["a", "dog", "cat"])
    assert text.inputs.tolist() == [START, a, dog, START, START, cat]
    assert text.targets.tolist() == [a, dog, END, END, cat, END]
    read = [pad_packed_sequence(b.words, batch_first=True)[0].tolist() for b in text.batches(2)]
    assert read == [[[START, a], [START, START]], [[dog], [cat]]]
    skipped = [b.targets.data.tolist() for b in text.batches(2, skip=1)]
    assert skipped == [b.targets.data.tolist() for b in text.batches(2)][1:]
    assert [text.num_batches(size) for size in (1, 2, 3, 99)] == [3, 2, 1, 1]


def test_perplexity_is_that_of_the_scores(vocabulary: Vocabulary) -> None:
    import numpy as np

    model = make(vocabulary)
    examples = CaptionData([[line] for line in LINES], np.empty((4, 0)), vocabulary)
    figures, samples = Perplexity(examples, batch_size=3).score(model)
    scores = model.score(LINES)
    nats, words = -sum(s.log_prob for s in scores), sum(s.words for s in scores)
    assert figures == {"val_perplexity": pytest.approx(math.exp(nats / words), rel=1e-5)}
    assert len(samples) == 3


def test_writing(vocabulary: Vocabulary) -> None:
    model = make(vocabulary)
    texts = model.write("A dog", length=5, num=4)
    assert texts == model.write("A dog", length=5, num=4)
    assert texts != model.write("A dog", length=5, num=4, seed=1)
    assert len(set(texts)) > 1
    assert all(text.startswith("a dog") for text in texts)
    assert all(2 <= len(text.split()) <= 7 and "\n" not in text for text in texts)
    likeliest = model.write("a dog", length=5, temperature=0.0)
    assert likeliest == model.write("a dog", length=5, top_k=1, seed=7)
    assert likeliest == model.write("a dog", length=5, top_p=1e-9, seed=8)


def test_a_running_text_goes_on_over_line_breaks(vocabulary: Vocabulary) -> None:
    model = make(Vocabulary((*SPECIAL, *"abc"), unit="char"), running=True)
    (text,) = model.write("ab\nc", length=200, temperature=1.0)
    assert text.startswith("ab\nc")
    assert len(text) == 204  # a line break is a character like any other
    assert text.count("\n") > 5
    assert set(text) == {"a", "b", "c", "\n"}


def test_a_prompt_is_read_as_it_was_in_training(vocabulary: Vocabulary) -> None:
    model = make(vocabulary, "lstm", running=True)
    last, state = model.read("a dog\ncat", num=2)
    expected = model.decoder.empty_state(1)
    for word in [START, *vocabulary.indices(["a", "dog"]), START]:
        _, expected = model.decoder.step(torch.tensor([word]), expected)
    assert last.tolist() == [vocabulary.index["cat"]] * 2
    for part, wanted in zip(state, expected, strict=True):
        torch.testing.assert_close(part, wanted.expand(2, -1, -1))
    after_end, _ = model.step(torch.tensor([END]), expected)
    after_start, _ = model.decoder.step(torch.tensor([START]), expected)
    torch.testing.assert_close(after_end, after_start)


SMALL = LanguageTrainConfig(
    cell="lstm", embedding=8, hidden=16, dropout=0.1, min_count=1, batch_size=4, chunk=5,
    epochs=4, learning_rate=0.02, warmup=2, checkpoint_minutes=0.0,
)  # fmt: skip


@pytest.fixture(scope="session")
def rhyme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text whose every line foretells the next."""
    file = tmp_path_factory.mktemp("text") / "rhyme.txt"
    file.write_text("one two three\nfour five six\nseven eight nine\nten\n" * 15)
    return file


class Interruption(BaseException):
    pass


@pytest.mark.parametrize("lines", ["running", "apart"])
def test_training_learns_and_an_interruption_leaves_no_trace(
    rhyme: Path, tmp_path: Path, monkeypatch, lines: str
) -> None:
    run = LanguageRun(str(rhyme), 0, "cpu", replace(SMALL, lines=lines))
    begin(tmp_path / "whole", run)
    whole = train_language_model(tmp_path / "whole", run)
    assert whole.best < whole.history[0]["val_perplexity"] / 1.2
    assert whole.best == min(record["val_perplexity"] for record in whole.history)

    begin(tmp_path / "parts", run)
    original, steps = Logbook.step_done, 0

    def stop(self, record) -> None:
        nonlocal steps
        steps += 1
        original(self, record)
        if steps in (3, 20):
            raise Interruption

    with monkeypatch.context() as patched:
        patched.setattr(Logbook, "step_done", stop)
        for _ in range(2):
            with pytest.raises(Interruption):
                train_language_model(tmp_path / "parts", recall(tmp_path / "parts", LanguageRun))
    train_language_model(tmp_path / "parts", recall(tmp_path / "parts", LanguageRun))
    one, other = (load_file(tmp_path / name / FILE) for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one if not key.startswith("random"))
    names = {file.name for file in (tmp_path / "whole" / "best").iterdir()}
    assert names == {"config.json", "metrics.json", "model.safetensors", "README.md",
                     "vocabulary.json"}  # fmt: skip
    model = LanguageModel.from_pretrained(tmp_path / "whole")
    assert model.config.running == (lines == "running")
    card = (tmp_path / "whole" / "best" / "README.md").read_text()
    assert f"| val | perplexity | {whole.best:.4f} |" in card
    settings = json.loads((tmp_path / "whole" / "best" / "config.json").read_text())
    assert settings["kind"] == "language model"


def test_the_state_crosses_lines_only_where_they_run_on(rhyme: Path, tmp_path: Path) -> None:
    """Which line comes next is known from the last one alone."""
    best = {}
    long = tmp_path / "long.txt"
    long.write_text(rhyme.read_text() * 2)
    small = replace(SMALL, cell="gru", hidden=32, dropout=0.0, learning_rate=0.05,
                    checkpoint_minutes=9.0)  # fmt: skip
    for lines in ("running", "apart"):
        run = LanguageRun(str(long), 0, "cpu", replace(small, lines=lines))
        best[lines] = train_language_model(tmp_path / lines, run).best
    assert best["running"] < 1.3
    # Apart, nothing tells which of the four lines it is: ln 4 nats each, over 14 / 4 words.
    assert best["apart"] == pytest.approx(math.exp(4 * math.log(4) / 14), rel=0.1)
    model = LanguageModel.from_pretrained(tmp_path / "running")
    assert model.write("four five six\n", length=7, temperature=0.0) == [
        "four five six\nseven eight nine\nten\none"
    ]


def test_a_changed_text_and_a_blank_one_are_refused(rhyme: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(rhyme.read_text())
    run = LanguageRun(str(text), 0, "cpu", replace(SMALL, epochs=1))
    train_language_model(tmp_path / "run", run)
    text.write_text("eleven\n" * 60)
    with pytest.raises(InputError, match="no longer the data"):
        train_language_model(tmp_path / "run", run)
    rare = replace(run, config=replace(run.config, min_count=99))
    with pytest.raises(InputError, match="--min-count"):
        train_language_model(tmp_path / "other", rare)


def test_a_decoder_begins_with_a_language_model(vocabulary: Vocabulary) -> None:
    words = (*SPECIAL, "grass", "dog", "tree", "a")
    model = make(Vocabulary(words))
    torch.manual_seed(1)
    config = DecoderConfig("gru", embedding=7, hidden=9, features=5)
    decoder = PooledDecoder(config, len(vocabulary))
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    assert start_decoder(decoder, vocabulary, model) == len(SPECIAL) + 3
    after = decoder.state_dict()
    for word in ("grass", "dog", "a", "<end>"):
        mine, other = vocabulary.index[word], words.index(word)
        for name in ("embed.weight", "score.weight", "score.bias"):
            assert torch.equal(after[name][mine], model.decoder.state_dict()[name][other])
    cat = vocabulary.index["cat"]  # the language model never heard of it
    assert torch.equal(after["embed.weight"][cat], before["embed.weight"][cat])
    assert torch.equal(after["project.weight"], before["project.weight"])
    assert torch.equal(after["cell.weight_hh_l0"], model.decoder.cell.weight_hh_l0)


def test_a_decoder_of_other_sizes_is_refused(vocabulary: Vocabulary) -> None:
    model = make(vocabulary)
    fitting = TrainConfig(cell="gru", embedding=7, hidden=9)
    check_start(fitting, model)
    others = {"cell": "lstm", "hidden": 10, "embedding": 8, "layers": 2, "decoder": "attention"}
    for other in ({name: value} for name, value in others.items()):
        with pytest.raises(InputError, match=f"--{next(iter(other))}"):
            check_start(replace(fitting, **other), model)
    with pytest.raises(InputError, match="characters"):
        check_start(fitting, make(Vocabulary((*SPECIAL, "a"), unit="char")))
