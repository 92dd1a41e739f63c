"""A confidence is the share of good captions among those that are given it."""

import csv
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captioner.calibration import FEWEST, calibrate, fit
from captioner.commands import main
from captioner.confidence import FILE, SIGNALS, Chance, Confidence, read_confidence, signals_of
from captioner.config import SearchConfig
from captioner.datasets import PhotoSet, read_dataset
from captioner.errors import InputError
from captioner.evaluation import evaluate, table
from captioner.exporting import export_model
from captioner.files import write_json
from captioner.metrics.reliability import Bin, calibration_error, reliability
from captioner.model import Captioner
from captioner.runtime import OnnxCaptioner
from captioner.streaming import Caption
from conftest import COLOURS

BIAS, WEIGHTS = -1.0, np.array([2.0, -0.5, 1.0])
CHANCE = Chance(3.0, (2.0, 0.0, 1.0, 0.5), captions=60, good=0.5, calibration_error=0.1)
CONFIDENCE = Confidence(3, 0.4, CHANCE, replace(CHANCE, bias=1.0), "val of x, 60 photos", "")


def leave(capsys, *argv) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in argv])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals of captions, and whether they are good, which is drawn with the chance of WEIGHTS."""
    generator = np.random.default_rng(seed)
    signals = generator.normal(size=(count, 3)) * (0.5, 2, 1) + (-1, 10, 0)
    chances = 1 / (1 + np.exp(-(BIAS + (signals - (-1, 10, 0)) @ WEIGHTS)))
    return signals, generator.random(count) < chances, chances


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    """Pictures of one colour; people say of half of them what no model can know."""
    root = tmp_path_factory.mktemp("data") / "pictures"
    (root / "images").mkdir(parents=True)
    lines = ["file,caption,split"]
    for i in range(FEWEST + 14):
        name, colour = list(COLOURS.items())[i % 4]
        picture = Image.new("RGB", (60, 40), tuple(max(0, part - i // 4) for part in colour))
        picture.save(root / "images" / f"{i}.png")
        said = f"a {name} picture" if i // 4 % 2 else f"thing number {i}"
        lines.append(f"{i}.png,{said},{'test' if i < 8 else 'val'}")
    (root / "captions.csv").write_text("\n".join(lines) + "\n")
    return read_dataset(root)


@pytest.fixture(scope="module")
def calibrated(trained: Path, pictures: PhotoSet, tmp_path_factory) -> Path:
    """The folder of a model with a confidence."""
    folder = tmp_path_factory.mktemp("models") / "calibrated"
    shutil.copytree(trained / "best", folder)
    calibrate(folder, pictures)
    return folder


def test_signals_of_captions() -> None:
    signals = signals_of(
        [Caption("a dog", -3.0), Caption("a dog runs", -2.0), Caption("grass", -4.0, agreement=0.7)]
    )
    assert signals[:, 0].tolist() == [-1.0, -0.5, -2.0]
    assert signals[:, 1].tolist() == [3, 4, 2]
    assert signals[:, 2].tolist() == [-0.5, 0.5, -1.5]
    assert signals[:, 3].tolist() == [0, 0, 0.7]
    assert signals_of([Caption("a dog", -3.0)]).tolist() == [[-1, 3, 0, 0]]
    assert len(SIGNALS) == signals.shape[1]


def test_the_fit_finds_the_weights_that_the_data_were_drawn_with() -> None:
    signals, good, chances = draw(40_000, seed=0)
    chance, _ = fit(signals, good, np.arange(len(good)))
    np.testing.assert_allclose(chance.weights, WEIGHTS, atol=0.1)
    assert abs(chance(signals) - chances).max() < 0.05
    assert chance(signals).mean() == pytest.approx(good.mean(), abs=1e-3)
    assert (chance.captions, chance.good) == (len(good), good.mean())
    assert chance.calibration_error < 0.01


def test_a_fit_to_few_photos_holds_for_others() -> None:
    """1,000 captions: luck alone makes an error of about 0.03."""
    signals, good, _ = draw(1000, seed=1)
    chance, bins = fit(signals, good, np.arange(1000))
    others, others_good, _ = draw(20_000, seed=2)
    assert calibration_error(reliability(chance(others), others_good)) < 0.05
    assert chance.calibration_error == calibration_error(bins) < 0.08
    assert sum(part.captions for part in bins) == 1000
    said_08 = abs(chance(others) - 0.8) < 0.05
    assert others_good[said_08].mean() == pytest.approx(0.8, abs=0.06)


def test_a_confidence_rises_with_the_likelihood() -> None:
    signals, good, _ = draw(500, seed=3)
    chance, _ = fit(signals, good, np.arange(500))
    one = np.repeat(signals[:1], 9, axis=0)
    one[:, 0] = np.linspace(-4, 0, 9)
    assert (np.diff(chance(one)) > 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_captions_that_are_all_alike_give_no_certainty(share: float) -> None:
    signals, _, _ = draw(98, seed=4)
    chance, bins = fit(signals, np.full(98, bool(share)), np.arange(98))
    assert chance(signals) == pytest.approx(np.full(98, 0.01 + 0.98 * share), abs=1e-6)
    assert len(bins) == 1
    assert chance.weights == pytest.approx((0, 0, 0), abs=1e-9)


def test_good_and_bad_captions_that_come_apart() -> None:
    signals = np.zeros((60, 3))
    signals[:, 0] = np.linspace(-1, 1, 60)
    chance, _ = fit(signals, signals[:, 0] > 0, np.arange(60))
    assert np.isfinite([chance.bias, *chance.weights]).all()
    assert chance.weights[0] > 3
    assert chance.weights[1:] == (0, 0)


def test_captions_of_a_photo_are_left_out_together() -> None:
    """What is good is known by the photo alone, and photos tell nothing of one another."""
    generator = np.random.default_rng(0)
    of_photo, good = generator.normal(size=(40, 3)), generator.random(40) < 0.5
    signals, good = np.repeat(of_photo, 50, axis=0), np.repeat(good, 50)
    apart, _ = fit(signals, good, np.arange(2000))
    together, _ = fit(signals, good, np.repeat(np.arange(40), 50))
    assert apart.weights == together.weights
    assert together.calibration_error > apart.calibration_error


def test_reliability_of_what_is_certain() -> None:
    bins = reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]))
    assert bins == [Bin(0.0, 0.0, 1), Bin(1.0, 1.0, 2)]
    assert calibration_error(bins) == calibration_error([]) == 0


@pytest.mark.parametrize(
    ("search", "holds"),
    [({}, True), ({"num_captions": 3}, True), ({"max_words": 8}, True), ({"seed": 7}, True),
     ({"beam_size": 2, "num_captions": 3}, True), ({"beam_size": 2}, False),
     ({"num_captions": 4}, False), ({"beam_size": 1}, False), ({"sample": True}, False),
     ({"max_words": 7}, False), ({"no_repeat": 2}, False), ({"must": ("dog",)}, False),
     ({"length_penalty": 0.5}, False)],
)  # fmt: skip
def test_a_caption_has_one_where_the_search_is_that_of_the_fit(
    captioner: Captioner, search: dict, holds: bool
) -> None:
    config, features = SearchConfig(**search), torch.randn(5, 5)
    without = captioner.search(features, config)
    captioner.confidence = CONFIDENCE
    found = captioner.search(features, config)
    assert captioner.is_confident(config) is holds
    told = [caption.confidence for of_photo in found for caption in of_photo]
    assert all((0 < p < 1) if holds else p is None for p in told)
    bare = [[replace(c, confidence=None) for c in of_photo] for of_photo in found]
    assert bare == without
    captioner.rerank = lambda found: found
    assert captioner.search(features, config) == without


def test_what_a_captioner_tells_is_that_of_its_whole_beam(captioner: Captioner) -> None:
    features = torch.randn(4, 5)
    beam = captioner.search(features, SearchConfig(num_captions=3))
    captioner.confidence = CONFIDENCE
    for (best,), of_photo in zip(captioner.search(features), beam, strict=True):
        signals = signals_of(of_photo)
        assert best.confidence == CHANCE(signals)[0]
    for found, of_photo in zip(
        captioner.search(features, SearchConfig(num_captions=3)), beam, strict=True
    ):
        signals = signals_of(of_photo)
        expected = [CHANCE(signals)[0], *CONFIDENCE.others(signals)[1:]]
        assert [caption.confidence for caption in found] == pytest.approx(expected)
    assert Caption("a dog", -1.0).confidence is None


def test_greedy_captions_can_have_one_too(captioner: Captioner) -> None:
    captioner.confidence = replace(CONFIDENCE, beam_size=1)
    found = captioner.search(torch.randn(3, 5), SearchConfig(beam_size=1))
    assert all(0 < of_photo[0].confidence < 1 for of_photo in found)


def test_a_confidence_that_is_saved_and_read(calibrated: Path, trained: Path) -> None:
    assert read_confidence(trained / "best") is None
    assert Captioner.from_pretrained(trained).confidence is None
    found = Captioner.from_pretrained(calibrated).confidence
    assert found == read_confidence(calibrated)
    assert (found.beam_size, found.bar, found.best.captions) == (3, 0.4, 56)
    assert found.others.captions > 56
    assert found.fitted_on == "val of pictures, 56 photos"
    about = json.loads((calibrated / FILE).read_text())["made_by"]
    assert {"commit", "command", "date", "data_fingerprint"} <= set(about)


def harmed(about: dict) -> dict[str, object]:
    best = about["best"]
    return {
        "weights cannot be used": about | {"best": best | {"weights": [1.0]}},
        "weights cannot be used;": about | {"best": best | {"bias": float("nan")}},
        "belongs to another model": about | {"made_from": "other"},
        "beam_size = 'many'": about | {"beam_size": "many"},
        "'mood' are unknown": about | {"mood": 1},
        "not whole": {name: part for name, part in about.items() if name != "bar"},
        "table of settings": [1, 2],
    }


def test_a_damaged_confidence_is_refused(calibrated: Path, tmp_path: Path) -> None:
    shutil.copytree(calibrated, tmp_path / "model")
    file = tmp_path / "model" / FILE
    for told, value in harmed(json.loads(file.read_text())).items():
        write_json(file, value)
        with pytest.raises(InputError, match=told) as error:
            Captioner.from_pretrained(tmp_path / "model")
        assert str(file) in str(error.value)
    file.write_text("{")
    with pytest.raises(InputError, match=r"confidence\.json: cannot be read as JSON"):
        Captioner.from_pretrained(tmp_path / "model")


def test_an_export_has_that_of_its_model(
    calibrated: Path, pictures: PhotoSet, tmp_path: Path
) -> None:
    model, files = tmp_path / "model", [photo.file for photo in pictures.split("test")]
    shutil.copytree(calibrated, model)
    export_model(model, model / "onnx", "float32", files[:2])
    of_torch = Captioner.from_pretrained(model)
    of_onnx = OnnxCaptioner.from_folder(model / "onnx")
    assert of_onnx.confidence == of_torch.confidence
    told = [[found[0].confidence for found in c.stream(files)] for c in (of_torch, of_onnx)]
    assert told[0] == pytest.approx(told[1], abs=1e-3)
    confidence, _ = calibrate(model, pictures, bar=3.0)  # once more: into the export as well
    assert OnnxCaptioner.from_folder(model / "onnx").confidence == confidence
    (model / "onnx" / FILE).write_text(json.dumps(asdict(CONFIDENCE)))
    with pytest.raises(InputError, match="another model"):
        OnnxCaptioner.from_folder(model / "onnx")


def test_an_evaluation_tells_how_reliable_it_is(calibrated: Path, pictures: PhotoSet) -> None:
    model = Captioner.from_pretrained(calibrated)
    record = evaluate(model, pictures, "val").record
    told = record["calibration"]
    assert told["bar"] == 0.4
    bins = [Bin(**part) for part in told["bins"]]
    assert sum(part.captions for part in bins) == record["photos"] == 56
    assert told["expected_calibration_error"] == calibration_error(bins)
    good = sum(part.good * part.captions for part in bins) / 56
    assert good == pytest.approx(model.confidence.best.good)
    assert table(record).splitlines()[-1].startswith("calibration error of the confidence: 0.")
    for search in (SearchConfig(beam_size=2), SearchConfig(views=2)):
        assert "calibration" not in evaluate(model, pictures, "val", search=search).record


def test_a_confidence_of_captions_from_several_views(
    trained: Path, pictures: PhotoSet, tmp_path: Path
) -> None:
    shutil.copytree(trained / "best", tmp_path / "best")
    confidence, _ = calibrate(tmp_path, pictures, "val", views=2)
    model = Captioner.from_pretrained(tmp_path)
    assert model.confidence == confidence
    told = evaluate(model, pictures, "val", search=SearchConfig(views=2)).record["calibration"]
    good = sum(part["good"] * part["captions"] for part in told["bins"]) / 56
    assert good == pytest.approx(confidence.best.good)
    photo = pictures.split("val")[0].file
    asked = [SearchConfig(views=number, num_captions=2) for number in (1, 2, 3)]
    found = [[c.confidence for c in next(model.stream([photo], config))] for config in asked]
    assert found[0] == found[2] == [None, None]
    assert all(0 < chance < 1 for chance in found[1])


def test_calibrating_from_the_command_line(
    capsys, trained: Path, pictures: PhotoSet, tmp_path: Path
) -> None:
    shutil.copytree(trained / "best", tmp_path / "best")
    argv = ["calibrate", "--model", tmp_path, "--data", pictures.root]
    code, out, err = leave(capsys, *argv, "--beam-size", 1, "--limit", FEWEST)
    assert code == 0
    assert str(tmp_path / "best" / FILE) in err
    confidence = read_confidence(tmp_path / "best")
    assert (confidence.beam_size, confidence.best.captions) == (1, FEWEST)
    assert f"{confidence.best.calibration_error:.4f}" in out.splitlines()[-1]
    assert out.splitlines()[2].split() == ["confidence", "good", "captions"]
    rows = [line.split() for line in out.splitlines()[3:] if line.strip()][:-1]
    assert sum(int(row[2]) for row in rows) == FEWEST
    before = (tmp_path / "best" / FILE).read_bytes()
    for more, told in {
        ("--split", "test"): "8 photos are too few",
        ("--limit", FEWEST - 1): f"{FEWEST - 1} photos are too few",
        ("--split", "train"): "choose val or test",
        ("--split", "dev"): "no split 'dev'",
        ("--bar", 0): "--bar must be above 0",
        ("--beam-size", -1): "--beam-size must not be below 0",
        ("--views", 11): "--views must be from 1 to 10",
    }.items():
        code, out, err = leave(capsys, *argv, *more)
        assert (code, out, told in err) == (2, "", True), err
    assert (tmp_path / "best" / FILE).read_bytes() == before


def test_photos_are_left_out(capsys, calibrated: Path, pictures: PhotoSet, tmp_path) -> None:
    files = [photo.file for photo in pictures.split("test")]
    argv = ["caption", *files, "--model", calibrated, "--min-confidence"]
    code, everything, err = leave(capsys, *argv, 0)
    assert (code, len(everything.splitlines()), err) == (0, 8, "")
    found = Captioner.from_pretrained(calibrated).stream(files)
    told = [caption.confidence for (caption,) in found]
    code, out, err = leave(capsys, *argv, 1)
    assert (code, out) == (0, "")
    *each, last = err.splitlines()
    for line, file, p in zip(each, files, told, strict=True):
        assert line == f"captioner: {file}: left out, the confidence is {p:.2f}"
    assert last == "captioner: 8 of 8 photos left out"
    code, _, err = leave(capsys, *argv, 1, "--sheet", tmp_path / "sheet.png")
    assert "no picture sheet, for there is no caption" in err
    assert not (tmp_path / "sheet.png").exists()
    middle = sorted(told)[4]
    argv[1:1] = ["none.jpg"]
    code, out, err = leave(capsys, *argv, middle)
    assert code == 1  # for the photo that is not there
    kept = [line for line, p in zip(everything.splitlines(), told, strict=True) if p >= middle]
    assert out.splitlines() == kept
    assert 0 < len(kept) < 8
    assert f"{8 - len(kept)} of 9 photos left out" in err


@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_the_confidence_in_what_is_written(
    capsys, trained, calibrated, pictures, tmp_path, form: str
) -> None:
    files = [photo.file for photo in pictures.split("test")]
    output = tmp_path / "captions"
    found = Captioner.from_pretrained(calibrated).stream(files)
    told = [round(caption.confidence, 4) for (caption,) in found]
    argv = ["caption", *files, "--format", form, "--output", output, "--model"]
    written = []
    for arguments in ([trained], [calibrated], [calibrated, "--min-confidence", 1]):
        assert leave(capsys, *argv, *arguments)[0] == 0
        written.append(output.read_text())
    plain, confident, empty = written
    if form == "json":
        captions = [json.loads(line)["captions"][0] for line in confident.splitlines()]
        assert [caption.pop("confidence") for caption in captions] == told
        assert captions == [json.loads(line)["captions"][0] for line in plain.splitlines()]
        assert empty == ""
    elif form == "csv":
        assert empty == "image,caption,log_prob,confidence\n"
        for text, expected in ((confident, told), (plain, [None] * 8)):
            rows = list(csv.DictReader(text.splitlines()))
            given = [float(row["confidence"]) if row["confidence"] else None for row in rows]
            assert given == expected
    else:
        assert (confident, empty) == (plain, "")


def test_a_confidence_that_is_not_to_be_had(
    capsys, trained: Path, calibrated: Path, pictures: PhotoSet
) -> None:
    photo = pictures.split("test")[0].file
    for arguments, told in {
        (trained, 0.5): f"captioner calibrate --model {trained} --data PATH",
        (calibrated, 0.5, "--sample"): "leave out --sample",
        (calibrated, 0.5, "--lm", "x"): "leave out --sample, --lm",
        (calibrated, 0.5, "--ensemble", trained): "and --ensemble",
        (calibrated, 0.5, "--beam-size", 4): "holds for --beam-size 3",
        (calibrated, 0.5, "--min-words", 3): "holds for --beam-size 3",
        (calibrated, 1.5): "choose one from 0 to 1",
        (calibrated, "nan"): "choose one from 0 to 1",
    }.items():
        model, least, *more = arguments
        code, out, err = leave(
            capsys, "caption", photo, "--model", model, "--min-confidence", least, *more
        )
        assert (code, out, told in err) == (2, "", True), err
