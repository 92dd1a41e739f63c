"""Scores are those of the captions that were written, and the record says where they come from."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from captioner.config import SearchConfig
from captioner.datasets import PhotoSet, read_dataset
from captioner.errors import InputError
from captioner.evaluation import evaluate, table, write_results
from captioner.metrics import score_captions
from captioner.metrics.ptb import tokenise
from captioner.model import Captioner
from captioner.scenes import judge_captions, prepare_scenes
from captioner.scoring import split_references

METRICS = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "cider_d"]


@pytest.fixture(scope="module")
def dataset(coloured: Path) -> PhotoSet:
    return read_dataset(coloured)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    folder = prepare_scenes(tmp_path_factory.mktemp("data") / "scenes", images=24, workers=1)
    return read_dataset(folder)


@pytest.fixture(scope="module")
def evaluated(model: Captioner, dataset: PhotoSet) -> tuple[dict, list[dict]]:
    told = evaluate(model, dataset, "test", seed=5)
    return told.record, told.results


@pytest.fixture(scope="module")
def judged(model: Captioner, scenes: PhotoSet) -> tuple[dict, list[dict]]:
    """Captions that are mostly wrong: the model knows nothing but colours."""
    told = evaluate(model, scenes, "test", search=SearchConfig(beam_size=1), seed=5)
    return told.record, told.results


def test_metrics_are_those_of_the_captions_that_were_written(judged, scenes, tmp_path) -> None:
    from pycocoevalcap.cider.cider import Cider
    from pycocotools.coco import COCO

    record, results = judged
    file = write_results(record, results, tmp_path / "new" / "scores.json")
    written = json.loads(file.read_text())
    assert file == tmp_path / "new" / "scores.captions.json"
    photos = {photo.image_id: photo for photo in scenes.split("test")}
    assert [result["image_id"] for result in written] == list(photos)
    captions = tokenise([result["caption"] for result in written])
    references = split_references([photo.captions for photo in photos.values()])
    metrics = json.loads((tmp_path / "new" / "scores.json").read_text())["metrics"]
    assert metrics == score_captions(captions, references)
    assert list(metrics) == METRICS
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())

    coco = COCO(str(scenes.root / "captions_test.json"))
    loaded = coco.loadRes(str(file))
    assert sorted(loaded.getImgIds()) == sorted(photos)
    told = {i: [loaded.imgToAnns[i][0]["caption"]] for i in photos}
    truth = dict(zip(photos, references, strict=True))
    assert Cider().compute_score(truth, told)[0] == pytest.approx(metrics["cider_d"], abs=1e-9)
    assert metrics["cider_d"] > 0


def test_the_record_says_what_was_done(evaluated, dataset: PhotoSet) -> None:
    record, results = evaluated
    assert (record["split"], record["photos"], record["references"]) == ("test", 8, 16)
    assert record["tokenisation"] == "ptb"
    assert (record["seed"], record["beam_size"], record["data"]) == (5, 3, "coloured")
    assert record["data_fingerprint"] == dataset.fingerprint()
    assert record["different_captions"] == len({result["caption"] for result in results}) == 4
    assert record["mean_length"] == pytest.approx(
        sum(len(result["caption"].split()) for result in results) / 8
    )
    taught = {*tokenise([c for photo in dataset.split("train") for c in photo.captions])}
    copied = sum(result["caption"] in taught for result in results) / 8
    assert record["shares"] == {
        "break_off": 0, "say_something_twice": 0, "training_captions": copied
    }  # fmt: skip
    assert copied > 0
    assert {"commit", "command", "date", "versions", "hardware"} <= set(record)
    assert set(record["seconds"]) == {"features", "search", "metrics"}
    for name, (low, high) in record["intervals"].items():
        assert 0 <= low <= record["metrics"][name] <= high <= (10 if "cider" in name else 1)
    assert "truth" not in record  # nobody knows what is truly in these pictures


def test_the_table_shows_every_metric(evaluated) -> None:
    record, _ = evaluated
    lines = table(record).splitlines()
    assert [line.split()[0] for line in lines] == ["metric", *METRICS]
    assert "8 photos" in lines[0]
    low, high = record["intervals"]["cider_d"]
    value = record["metrics"]["cider_d"]
    assert lines[-1].split() == ["cider_d", f"{value:.4f}", f"{low:.4f}", "to", f"{high:.4f}"]


def test_a_limit_takes_the_first_photos(model, dataset, evaluated) -> None:
    told = evaluate(model, dataset, "test", limit=3)
    assert told.record["photos"] == 3
    assert told.results == evaluated[1][:3]
    assert evaluate(model, dataset, "test", limit=99, seed=5).record["photos"] == 8


def test_the_same_seed_gives_the_same_intervals(model, scenes, judged) -> None:
    again = evaluate(model, scenes, "test", search=SearchConfig(beam_size=1), seed=5).record
    assert again["intervals"] == judged[0]["intervals"]
    other = evaluate(model, scenes, "test", search=SearchConfig(beam_size=1), seed=6).record
    assert other["intervals"] != judged[0]["intervals"]
    assert other["metrics"] == judged[0]["metrics"]


def test_drawn_scenes_are_held_against_the_truth(judged, scenes: PhotoSet) -> None:
    record, results = judged
    facts = [photo.facts for photo in scenes.split("test")]
    assert record["truth"] == judge_captions([result["caption"] for result in results], facts)
    assert record["truth"]["num_things_right"] == 8
    assert record["truth"]["num_things_right_held_out"] == 4
    assert 0 <= record["truth"]["things_right"] <= 1
    assert f"things_right: {record['truth']['things_right']}" in table(record)


@pytest.mark.parametrize("facts", [{"mood": "calm"}, {}, None])
def test_facts_of_another_kind_are_no_truth(model, dataset: PhotoSet, facts) -> None:
    photos = tuple(replace(photo, facts=facts) for photo in dataset.split("val"))
    record = evaluate(model, replace(dataset, splits={"val": photos}), "val").record
    assert "truth" not in record


def test_a_split_or_photo_that_is_not_there(model: Captioner, coloured, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "data"
    shutil.copytree(coloured, folder)
    (folder / "images" / "040.jpg").write_bytes(b"no photo")
    dataset = read_dataset(folder)
    with pytest.raises(InputError, match=r"no split 'dev'; choose among: train, val, test"):
        evaluate(model, dataset, "dev")
    with pytest.raises(InputError, match=r"040\.jpg[\s\S]*--skip-bad"):
        evaluate(model, dataset, "test")
    told = evaluate(model, dataset, "test", skip_bad=True)
    assert (told.record["photos"], len(told.results)) == (7, 7)
    assert 40 not in [result["image_id"] for result in told.results]
