"""The doctor finds what is wrong, and nothing where all is well."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_export import draw, make_model
from torch import nn

from captioner.commands import main
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, Preprocessing, TrainConfig
from captioner.datasets import Photo, PhotoSet, read_dataset
from captioner.decoders import DECODERS
from captioner.diagnosis import Finding
from captioner.diagnosis.cost import check_cost, time_of
from captioner.diagnosis.data import (
    check_captions,
    check_coverage,
    check_splits,
    split_captions,
)
from captioner.diagnosis.learning import check_by_heart, check_looks
from captioner.diagnosis.network import (
    check_export,
    check_features,
    check_frozen,
    check_preprocessing,
)
from captioner.diagnosis.photos import check_photos, same_photos
from captioner.encoder import Encoder
from captioner.exporting import export_model
from captioner.model import Captioner
from captioner.vocabulary import SPECIAL, Vocabulary
from conftest import BACKBONE


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: finding.level for finding in findings}


def made_of(**splits: list[tuple[str, ...]]) -> PhotoSet:
    """A data set of these captions, without photos."""
    members = {
        split: tuple(Photo(Path(f"{split}{n}.jpg"), c, n) for n, c in enumerate(captions))
        for split, captions in splits.items()
    }
    return PhotoSet(Path(), "csv", members, "made")


def captions_of(dataset: PhotoSet) -> list[Finding]:
    return check_captions(dataset, split_captions(dataset), 16)


def coverage_of(dataset: PhotoSet, vocabulary: Vocabulary | None = None) -> list[Finding]:
    return check_coverage(dataset, split_captions(dataset), vocabulary)


PLENTY = [(f"dog number {n} runs", f"the dog {n} is running") for n in range(300)]


def test_splits() -> None:
    assert levels(check_splits(made_of(train=PLENTY, val=PLENTY, test=PLENTY)))["splits"] == "well"
    assert levels(check_splits(made_of(train=PLENTY, val=PLENTY[:9])))["splits"] == "doubtful"
    assert levels(check_splits(made_of(train=PLENTY[:9], val=PLENTY)))["splits"] == "doubtful"
    (finding,) = check_splits(made_of(train=PLENTY))
    assert (finding.level, "val missing" in finding.told) == ("bad", True)


def test_captions_that_are_cut_or_empty_or_alone_or_copied() -> None:
    assert levels(captions_of(made_of(train=PLENTY, val=PLENTY[:1]))) == {"captions": "well"}
    long = made_of(train=[("a " * 30, "a dog"), ("a cat", "two cats")] * 10)
    (cut,) = (f for f in captions_of(long) if "cut after 16" in f.told)
    assert cut.level == "doubtful"
    assert "25.0% are cut" in cut.told
    assert "--max-words 30" in cut.remedy
    empty = captions_of(made_of(train=[("...", "a dog")]))
    assert levels(empty)["captions"] == "bad"
    alone = captions_of(made_of(train=PLENTY, val=[("a dog",), ("a cat", "two cats")]))
    assert levels(alone)["references"] == "doubtful"
    assert "1 of 2 photos" in alone[-1].told
    copied = captions_of(made_of(train=[("a dog", f"cat {n}") for n in range(10)]))
    assert levels(copied)["repeated captions"] == "doubtful"
    assert "50.0%" in copied[-1].told


def test_words_that_are_not_known() -> None:
    known = made_of(train=[("a dog runs",) * 5], val=[("a dog runs",)])
    assert levels(coverage_of(known))["vocabulary"] == "well"
    unknown = made_of(train=[("a dog runs",) * 5], val=[("a zebra runs",)])
    (finding,) = coverage_of(unknown)
    assert finding.level == "doubtful"
    assert "66.7%" in finding.told
    assert "not zebra" in finding.told
    assert "--min-count" in finding.remedy
    assert finding.told.startswith("3 words are known")
    (of_model,) = coverage_of(known, Vocabulary((*SPECIAL, "cat")))
    assert of_model.told.startswith("1 words are known")
    assert "--min-count" not in of_model.remedy


@pytest.fixture
def photographed(tmp_path: Path) -> Path:
    """Twelve different photos, of which train, val and test have four each."""
    root = tmp_path / "photographed"
    (root / "images").mkdir(parents=True)
    lines = []
    generator = np.random.default_rng(0)
    for number in range(12):
        patches = generator.integers(0, 255, (4, 6, 3), dtype=np.uint8)
        photo = Image.fromarray(patches).resize((96, 64), Image.Resampling.BILINEAR)
        photo.save(root / "images" / f"{number:02d}.jpg", quality=90)
        split = ("train", "val", "test")[number % 3]
        lines += [(f"{number:02d}.jpg", f"{text} {number}", split) for text in ("a dog", "a cat")]
    write_table(root, lines)
    return root


def write_table(root: Path, lines: list[tuple[str, str, str]]) -> None:
    with (root / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "caption", "split"), *lines])


def add(root: Path, name: str, split: str) -> None:
    with (root / "captions.csv").open("a", newline="") as file:
        csv.writer(file).writerow((name, f"once more {name}", split))


def test_copies_are_found_however_they_were_saved(photographed: Path) -> None:
    assert levels(check_photos(read_dataset(photographed))) == {"photos": "well", "leaks": "well"}
    with Image.open(photographed / "images" / "00.jpg") as photo:
        photo.resize((72, 48)).save(photographed / "images" / "small.png")
        photo.save(photographed / "images" / "again.jpg", quality=60)
    add(photographed, "small.png", "test")
    add(photographed, "again.jpg", "train")
    found = {finding.check: finding for finding in check_photos(read_dataset(photographed))}
    assert (found["leaks"].level, found["copies"].level) == ("bad", "doubtful")
    assert "2 pairs" in found["leaks"].told
    assert "1 pairs" in found["copies"].told
    assert "small.png" in found["leaks"].told


def test_a_photo_that_is_cut_short_is_named(photographed: Path) -> None:
    file = photographed / "images" / "03.jpg"
    file.write_bytes(file.read_bytes()[:400])
    found = {finding.check: finding for finding in check_photos(read_dataset(photographed))}
    assert found["photos"].level == "bad"
    assert "03.jpg" in found["photos"].told
    assert found["leaks"].level == "well"


def test_plain_photos_are_no_copies() -> None:
    plain = np.full((3, 30), 7.0)
    assert list(same_photos(plain)) == []
    noise = np.random.default_rng(0).uniform(0, 255, (2000, 30))
    noise[1999] = noise[3] + 0.5
    assert list(same_photos(noise)) == [(3, 1999)]


def encoder(photos: int = 40) -> tuple[Encoder, np.ndarray]:
    """Without a CNN, with maps of as many photos."""
    made = Encoder(EncoderConfig(backbone=BACKBONE, channels=12, features=8))
    maps = np.random.default_rng(0).normal(size=(photos, 9, 12)).astype(np.float32)
    made.fit(torch.from_numpy(maps.mean(axis=1)))
    return made, maps


@pytest.mark.parametrize("kind", sorted(DECODERS))
def test_every_decoder_learns_four_captions_by_heart(kind: str) -> None:
    made, maps = encoder()
    seen = maps[:4] if DECODERS[kind].places else maps[:4].mean(axis=1)
    captions = ["a dog runs", "two cats sleep on a sofa", "a man rides", "the sea"]
    found = check_by_heart(made, seen, captions, DecoderConfig(kind=kind), seed=0)
    assert levels(found) == {"by heart": "well", "sees the photo": "well"}


def test_photos_that_are_all_the_same_cannot_be_learned() -> None:
    made, maps = encoder()
    same = np.repeat(maps[:1], 4, axis=0).mean(axis=1)
    captions = ["a dog runs", "two cats sleep on a sofa", "a man rides", "the sea"]
    (finding,) = check_by_heart(made, same, captions, DecoderConfig(), seed=0)
    assert finding.level == "bad"
    assert "1 of 4" in finding.told


def taught(looking: bool) -> tuple[Captioner, np.ndarray, list[tuple[str, ...]]]:
    """A captioner that learned from 40 photos, with their own captions or those of others."""
    made, maps = encoder()
    pooled = maps.mean(axis=1)
    sides = ["left" if value > 0 else "right" for value in made.project(
        torch.from_numpy(pooled))[:, 0]]  # fmt: skip
    captions = [(f"a dog on the {side}",) for side in sides]
    words = Vocabulary.of([c for (c,) in captions], min_count=1)
    torch.manual_seed(0)
    decoder = DecoderConfig(embedding=8, hidden=16, dropout=0.0, features=8)
    captioner = Captioner(ModelConfig(made.config, decoder), words)
    captioner.encoder = made
    features = captioner.features(pooled)
    from captioner.data import CaptionData

    shown = features if looking else torch.zeros_like(features)
    data = CaptionData(captions, shown.numpy(), words)
    optimiser = torch.optim.Adam(captioner.decoder.parameters(), lr=0.02)
    for _ in range(60):
        loss, _ = captioner.loss(data.batch(torch.arange(40)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    if not looking:
        nn.init.zeros_(captioner.decoder.project.weight)
    return captioner.eval(), pooled, captions


@pytest.mark.parametrize("looking", [True, False])
def test_whether_a_captioner_looks_at_the_photo(looking: bool) -> None:
    captioner, pooled, captions = taught(looking)
    found = levels(check_looks(captioner, pooled, captions, seed=0))
    assert found["looks at the photo"] == ("well" if looking else "bad")
    assert found["different captions"] == ("bad" if not looking else found["different captions"])


def test_features_that_are_too_loud() -> None:
    captioner, pooled, _ = taught(looking=True)
    assert levels(check_features(captioner, pooled))["features"] == "well"
    assert levels(check_features(captioner, 255 * pooled))["features"] == "bad"
    assert levels(check_features(captioner, pooled / 255))["features"] == "bad"


@pytest.fixture(scope="module")
def model(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "model", weights)


def test_preprocessing_other_than_the_cnn_was_trained_with(model: Path) -> None:
    captioner = Captioner.from_pretrained(model)
    assert levels(check_preprocessing(captioner))["preprocessing"] == "well"
    used = captioner.preprocessing
    wrong = replace(used, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    config = replace(captioner.config.encoder, preprocessing=wrong)
    captioner.config = replace(captioner.config, encoder=config)
    (finding,) = check_preprocessing(captioner)
    assert finding.level == "bad"
    assert "mean (0.0, 0.0, 0.0)" in finding.told


def test_a_cnn_whose_batchnorm_learns(model: Path) -> None:
    captioner = Captioner.from_pretrained(model)
    size = captioner.preprocessing.size
    images = torch.rand(2, 3, size, size)
    assert levels(check_frozen(captioner, images))["BatchNorm"] == "well"
    assert not captioner.training
    backbone = captioner.encoder.backbone
    backbone.train = lambda mode=True: nn.Module.train(backbone, True)  # as if nobody cared
    captioner.encoder.train = lambda mode=True: nn.Module.train(captioner.encoder, mode)
    assert levels(check_frozen(captioner, images))["BatchNorm"] == "bad"


def test_an_export_that_is_another_model(model: Path, weights: Path, tmp_path: Path) -> None:
    captioner = Captioner.from_pretrained(model)
    size = captioner.preprocessing.size
    images = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    assert check_export(captioner, str(model), images) == []
    export_model(model, tmp_path / "export", "float32", draw(2))
    assert levels(check_export(captioner, str(tmp_path / "export"), images)) == {"export": "well"}
    torch.manual_seed(1)
    nn.init.normal_(captioner.encoder.components)
    found = levels(check_export(captioner, str(tmp_path / "export"), images))
    assert found == {"export": "doubtful"}
    (tmp_path / "export" / "encoder.onnx").write_bytes(b"cut short")
    assert levels(check_export(captioner, str(tmp_path / "export"), images)) == {"export": "bad"}


def test_time_and_memory_grow_with_the_data() -> None:
    captioner, pooled, captions = taught(looking=True)
    config = TrainConfig(batch_size=8, epochs=3)

    def told(photos: int) -> dict[str, Finding]:
        found = check_cost(captioner, pooled, captions, config, photos, 5 * photos, 0.1, photos)
        return {finding.check: finding for finding in found}

    assert "at most 3 epochs (5 batches of 8)" in told(8)["time"].told
    assert "17 min for the CNN" in told(10_000)["time"].told
    assert told(8)["memory"].level == "well"
    assert told(10**12)["memory"].level == "bad"
    assert time_of(lambda images: images, np.zeros((4, 3, 2, 2))) < 0.1


def run_doctor(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["doctor", *map(str, arguments)])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


def test_the_command_examines_data_alone(
    coloured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_doctor(capsys, "--data", coloured, "--preset", "tiny", "--format", "json")
    found = {finding["check"]: finding["level"] for finding in json.loads(out)}
    assert {"entries", "by heart", "BatchNorm", "time", "memory"} <= found.keys()
    assert found["by heart"] == "well"
    assert found["leaks"] == "well"  # plain pictures cannot be told apart
    assert code == ("bad" in found.values())
    assert "checks:" in err


def test_the_command_examines_a_model(
    coloured: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_doctor(capsys, "--data", coloured, "--model", trained)
    assert code == 0, out
    assert "ok   looks at the photo" in out
    assert "ok   features" in out
    assert "-> " in out


def test_bad_entries_are_findings_and_a_missing_data_set_is_an_error(
    photographed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(photographed, "nowhere.jpg", "train")
    code, out, _ = run_doctor(capsys, "--data", photographed, "--preset", "tiny", "--no-photos")
    assert code == 1
    assert "BAD  entries" in out
    assert "nowhere.jpg" in out
    assert run_doctor(capsys, "--data", tmp_path / "none")[0] == 2
    assert run_doctor(capsys, "--data", photographed, "--preset", "none")[0] == 2


def test_a_finding_has_a_remedy_unless_all_is_well() -> None:
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", "bad", "told")
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", "well", "told", "remedy")


def test_preprocessing_of_another_size_is_fine(model: Path) -> None:
    captioner = Captioner.from_pretrained(model)
    used = captioner.preprocessing
    larger = Preprocessing(used.size + 32, used.mean, used.std, used.interpolation, "crop")
    config = replace(captioner.config.encoder, preprocessing=larger)
    captioner.config = replace(captioner.config, encoder=config)
    assert levels(check_preprocessing(captioner))["preprocessing"] == "well"
