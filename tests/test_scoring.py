"""Scores of raw captions are those of the official pipeline, Java and all."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from captioner.errors import InputError
from captioner.metrics import compare, resample, score_each, summarise
from captioner.results_files import pair_up, read_captions, read_references
from captioner.scoring import (
    add_metrics,
    choose_meteor,
    known_captions,
    leave_one_out,
    score,
    split_references,
)

ROOT = Path(__file__).resolve().parents[1]
MODELS = ["self-critical", "lstm", "rnn"]


def load(photos: Path, model: str) -> tuple[list[str], list[list[str]]]:
    truth = photos / "flickr8k" / "captions_test.json"
    results = ROOT / "results" / f"flickr8k-{model}-test.captions.json"
    pairs = pair_up(read_captions(results), read_references(truth), False, results, truth)
    return pairs.captions, pairs.references


@pytest.mark.photos
@pytest.mark.parametrize("model", MODELS)
def test_the_official_pipeline_gives_the_same(photos: Path, model: str) -> None:
    if not shutil.which("java"):
        pytest.skip("no Java here")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    captions, references = load(photos, model)
    captions[7] = ""  # what says nothing scores nothing
    truth = {i: [{"caption": text} for text in photo] for i, photo in enumerate(references)}
    told = {i: [{"caption": text}] for i, text in enumerate(captions)}
    truth, told = PTBTokenizer().tokenize(truth), PTBTokenizer().tokenize(told)
    metrics = score(captions, references).record["metrics"]
    bleu = Bleu(4).compute_score(truth, told, verbose=0)[0]
    assert [metrics[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(bleu, abs=1e-6)
    assert metrics["rouge_l"] == pytest.approx(Rouge().compute_score(truth, told)[0], abs=1e-6)
    assert metrics["cider_d"] == pytest.approx(Cider().compute_score(truth, told)[0], abs=1e-6)


@pytest.mark.photos
@pytest.mark.parametrize("model", MODELS)
def test_records_are_scored_so(photos: Path, model: str) -> None:
    record = json.loads((ROOT / "results" / f"flickr8k-{model}-test.json").read_text())
    found = score(*load(photos, model), seed=record["seed"]).record
    assert record["tokenisation"] == found["tokenisation"] == "ptb"
    assert found["metrics"] == pytest.approx(record["metrics"], abs=1e-9)
    for name, ends in found["intervals"].items():
        assert ends == pytest.approx(record["intervals"][name], abs=1e-9)


@pytest.mark.photos
def test_900_photos_take_a_couple_of_seconds(photos: Path) -> None:
    captions, references = load(photos, "lstm")
    score(captions[:9], references[:9])  # expressions are compiled on first use
    began = time.process_time()
    score(captions, references)
    assert time.process_time() - began < 4


@pytest.mark.photos
def test_people_agree_more_than_a_captioner_does(photos: Path) -> None:
    captions, references = load(photos, "rnn")
    found = score(captions, references)
    people, ours = leave_one_out(found.references, found.words)
    assert people["cider_d"] > ours["cider_d"]
    # CIDEr-D is a mean over references, so that leaving each out once changes nothing.
    assert ours["cider_d"] == pytest.approx(found.record["metrics"]["cider_d"])
    assert ours["bleu_4"] < found.record["metrics"]["bleu_4"]


def test_what_is_told_besides() -> None:
    known = known_captions(["A dog runs."])
    captions = ["a dog runs", "a dog runs", "a red cat with a", "a red dog and a red dog"]
    record = score(captions, [["a dog"]] * 4, known).record
    assert record["different_captions"] == 3
    assert record["vocabulary"] == 7
    assert record["mean_length"] == pytest.approx(18 / 4)
    assert record["shares"] == {
        "break_off": 0.25, "say_something_twice": 0.25, "training_captions": 0.5
    }  # fmt: skip
    assert "training_captions" not in score(captions, [["a dog"]] * 4).record["shares"]


def test_leave_one_out_by_hand() -> None:
    """Of three captions of a photo two are alike: each has the other, the third has nobody."""
    references = [["a dog runs", "a dog runs", "x y z"], ["b c", "d e", "f g"]]
    people, captions = leave_one_out(references, ["a dog runs", "h i"])
    # Six people; two of them say what another one says: ROUGE-L (1 + 1 + 0 + 0 + 0 + 0) / 6.
    assert people["rouge_l"] == pytest.approx(1 / 3)
    assert captions["rouge_l"] == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="one human caption"):
        leave_one_out([["a dog"]], ["a dog"])


def test_a_comparison_by_hand() -> None:
    """One photo of four is better by one: 0.25 more, and surely better where it is drawn at all."""
    references = [[word] for word in ("a", "b", "c", "d")]
    first, second = (
        score_each(w, references) for w in (["a", "x", "c", "d"], ["y", "x", "c", "d"])
    )
    found = compare(first, second, num_resamples=4000)["rouge_l"]
    assert found.difference == 0.25
    drawn = 1 - (3 / 4) ** 4
    assert found.better == pytest.approx(drawn + (1 - drawn) / 2, abs=0.02)
    assert found.interval[0] == 0
    swapped = compare(second, first, num_resamples=4000)["rouge_l"]
    assert swapped.better == pytest.approx(1 - found.better)
    assert compare(first, first)["bleu_1"] == (0.0, (0.0, 0.0), 0.5)


def test_pairs_are_surer_than_intervals_that_overlap() -> None:
    """Always a little better on photos that differ much: the intervals say nothing, pairs all."""
    generator = np.random.default_rng(0)
    hard = generator.random(300)
    counts = np.tile([1, 0, 0, 0, 1, 0, 0, 0, 1], (300, 1))
    first = {"bleu_counts": counts, "rouge_l": hard + 0.01}
    found = compare(first, first | {"rouge_l": hard})["rouge_l"]
    assert found.better == 1.0
    assert found.interval == pytest.approx((0.01, 0.01))


def test_resamples_are_scored_as_photos_drawn_by_hand() -> None:
    captions = ["a dog", "two cats sit", "the sun", "a red car on a road"]
    references = [["a dog runs"], ["two cats"], ["a moon"], ["a red car on the road"]]
    each = score_each(captions, references)
    draws = resample(each, 60, seed=3)
    generator = np.random.default_rng(3)
    drawn = generator.integers(4, size=(50, 4))[7]
    expected = summarise({name: values[drawn] for name, values in each.items()})
    assert {name: scores[7] for name, scores in draws.items()} == pytest.approx(expected)
    assert all(scores.shape == (60,) for scores in draws.values())


def test_meteor_and_spice_are_added(monkeypatch, tmp_path: Path) -> None:
    scored = score(["a dog runs", "a cat"], [["a dog runs"], ["two dogs"]])
    meteor, name = choose_meteor("python", 10)
    assert "exact + stem" in name
    found = add_metrics(scored, meteor)
    assert 0.3 < found.record["metrics"]["meteor"] < 1
    assert found.record["intervals"]["meteor"][0] < found.record["metrics"]["meteor"]
    monkeypatch.setattr("captioner.scoring.find_package", lambda: None)
    assert choose_meteor("auto", 10)[1] == "METEOR, exact + stem"
    with pytest.raises(InputError, match="the official METEOR needs"):
        choose_meteor("official", 10)
    with pytest.raises(InputError, match="SPICE: needs pycocoevalcap"):
        add_metrics(scored, spice=True)


def test_references_keep_their_photos() -> None:
    assert split_references([["A dog.", "B!"], ["C"]]) == [["a dog", "b"], ["c"]]
