"""The comparison of language models: its n-grams are nltk's, its gains are means over seeds."""

import importlib.util
import json
import math
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from nltk.lm.models import KneserNeyInterpolated
from nltk.util import everygrams

from captioner.config import LanguageTrainConfig
from captioner.errors import InputError
from captioner.language import LanguageModel
from captioner.language_runs import LanguageRun, train_language_model

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def language() -> ModuleType:
    spec = importlib.util.spec_from_file_location("language", ROOT / "results" / "language.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def texts() -> list[list[str]]:
    generator = random.Random(0)
    return [generator.choices("abcd", k=generator.randint(1, 6)) for _ in range(40)]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_n_grams_are_those_of_nltk_and_add_up_to_one(language, texts, order: int) -> None:
    padded = [[*language.beginning(order), *text, "<end>"] for text in texts]
    slow = KneserNeyInterpolated(order, 0.75)
    slow.fit((everygrams(t, max_len=order) for t in padded), {w for t in padded for w in t})
    fast = language.ngram_model(texts, order, 0.75)
    for context in [(), ("<start-1>",), ("a",), ("b", "a"), ("d", "d", "c")]:
        context = context[: order - 1]
        chances = {word: fast.unmasked_score(word, context) for word in fast.vocab}
        assert chances == {word: slow.unmasked_score(word, context) for word in fast.vocab}
        seen = sum(chances.values())
        assert seen == pytest.approx(1)


def test_perplexity_of_n_grams_by_hand(language) -> None:
    """A coin: `a` or `b`, then the end."""
    model = language.ngram_model([["a"], ["b"], ["a"], ["b"]], 2, 0.0)
    assert language.ngram_perplexity(model, [["a"], ["b"]]) == pytest.approx(math.sqrt(2))


def test_the_record(language, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a dog runs\na cat sleeps\nthe dog sleeps on the grass\n" * 30)
    config = LanguageTrainConfig(embedding=8, hidden=16, epochs=3, batch_size=8, warmup=2,
                                 learning_rate=0.02, lines="apart", cell="gru")  # fmt: skip
    train_language_model(tmp_path / "run", LanguageRun(str(text), 0, "cpu", config))
    other = LanguageRun(str(text), 0, "cpu", LanguageTrainConfig(epochs=1, min_count=31))
    train_language_model(tmp_path / "other", other)
    with pytest.raises(InputError, match="different vocabularies"):
        language.perplexity(str(text), (tmp_path / "run", tmp_path / "other"), tmp_path / "r.json")

    # As for training, the lines are taken apart.
    folder = tmp_path / "captions"
    folder.mkdir()
    (folder / "captions.csv").write_text(
        "file,caption,split\n" + "".join(
            f"{n}.jpg,{line},{split}\n"
            for n, (line, split) in enumerate(
                [("a dog runs", "train"), ("the dog sleeps on the grass", "train"),
                 ("a cat sleeps", "train"), ("a dog sleeps", "val"), ("the cat runs", "test")])
        )
    )  # fmt: skip
    for n in range(5):
        (folder / f"{n}.jpg").touch()
    language.perplexity(str(folder), (tmp_path / "run",), tmp_path / "r.json", order=2)
    record = json.loads((tmp_path / "r.json").read_text())
    ngrams, gru = record["rows"]
    assert (ngrams["model"], gru["model"]) == ("2-grams, Kneser-Ney", "gru")
    score = LanguageModel.from_pretrained(tmp_path / "run").score(["the cat runs"])[0]
    assert gru["test_perplexity"] == pytest.approx(score.perplexity)
    assert ngrams["val_perplexity"] == min(record["ngrams_tried_on_val"].values())
    assert record["lines"] == {"train": 3, "val": 1, "test": 1}


def test_gains_are_means_over_seeds_and_photos(language) -> None:
    differences = np.array([[0.2, 0.4, 0.0, 0.2], [0.0, 0.0, 0.0, 0.0]])
    gain = language._gain(differences)
    assert gain["gain"] == pytest.approx(0.1)
    assert gain["gain_of_each_seed"] == pytest.approx([0.2, 0.0])
    low, high = gain["gain_interval"]
    assert 0 <= low < 0.1 < high <= 0.2
