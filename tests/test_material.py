"""What a run learns from: which photos, how large, and what is made of them."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from captioner.commands import main
from captioner.config import TrainConfig
from captioner.datasets import Photo, PhotoSet, read_dataset
from captioner.errors import InputError
from captioner.features import FeatureCache
from captioner.material import draw_photos, gather
from captioner.metrics.health import letters
from captioner.model import Captioner
from captioner.runs import Run
from captioner.vocabulary import Vocabulary

PHOTOS = tuple(Photo(Path(f"{number:03d}.jpg"), ("a dog",), number) for number in range(40))
DATASET = PhotoSet(Path("data"), "csv", {"train": PHOTOS, "val": PHOTOS[:3]}, "data")


def test_fewer_photos_are_among_more_of_them() -> None:
    drawn = [draw_photos(DATASET, number, seed=3) for number in range(1, 41)]
    for number, (fewer, more) in enumerate(pairwise(drawn), start=1):
        assert len({photo.file for photo in fewer}) == number
        assert {photo.file for photo in fewer} < {photo.file for photo in more}
        assert [*fewer] == sorted(fewer, key=lambda photo: photo.file)
    assert drawn[-1] == draw_photos(DATASET, 0, seed=3) == PHOTOS
    assert drawn[9] == draw_photos(DATASET, 10, seed=3)
    assert draw_photos(DATASET, 10, seed=-4) != drawn[9]  # any whole number is a seed
    assert drawn[9] != PHOTOS[:10]


def test_more_photos_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match=r"data has 40 training photos, not 41.*--train-photos"):
        draw_photos(DATASET, 41, seed=0)


def test_a_run_sees_the_drawn_photos_alone(tiny_run: Run, coloured: Path, monkeypatch) -> None:
    """They alone go through the CNN, and make the vocabulary and the PCA."""
    dataset = read_dataset(coloured)
    texts = [(f"photo {place} shows {place}",) for place in range(24)]
    named = tuple(
        replace(photo, captions=of_photo)
        for photo, of_photo in zip(dataset.split("train"), texts, strict=True)
    )
    dataset = replace(dataset, splits=dataset.splits | {"train": named})
    seen: list[Path] = []
    maps = FeatureCache.maps

    def look(cache: FeatureCache, files: list[Path], description: str) -> tuple:
        seen.extend(files)
        return maps(cache, files, description)

    monkeypatch.setattr(FeatureCache, "maps", look)
    run = replace(tiny_run, split_seed=5, config=replace(tiny_run.config, train_photos=7))
    material = gather(run, dataset, resumed=False)
    drawn = draw_photos(dataset, 7, seed=5)
    assert seen == [photo.file for photo in (*drawn, *dataset.split("val"))]
    assert material.captions == [photo.captions for photo in drawn]
    words = Vocabulary.of([photo.captions[0] for photo in drawn], min_count=1)
    assert material.captioner.vocabulary.words == words.words
    assert material.goal.known == {letters(photo.captions[0]) for photo in drawn}
    assert len(material.features) == 7
    # The PCA centres what it was fitted on.
    np.testing.assert_allclose(material.features.mean(axis=0), 0, atol=1e-3)


def test_a_run_with_larger_photos_and_fewer_of_them(
    coloured: Path, weights: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "run"
    argv = ["train", "tiny", "--data", coloured, "--out", out, "--backbone", "test_resnet",
            "--backbone-weights", weights, "--epochs", 1, "--decoder", "attention"]  # fmt: skip
    argv += ["--size", 200, "--train-photos", 9, "--maps", "middle+last"]
    with pytest.raises(SystemExit) as left:
        main([*map(str, argv)])
    assert left.value.code in (0, None), capsys.readouterr().err
    notes = json.loads((out / "best" / "metrics.json").read_text())
    assert (notes["training"]["photos"], notes["training"]["captions"]) == (9, 18)
    captioner = Captioner.from_pretrained(out)
    assert captioner.preprocessing.size == 200
    assert captioner.config.encoder.maps == "middle+last"
    assert captioner.encoder.count_places() == 49
    assert captioner([coloured / "images" / "001.jpg"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "31"], "size 31 must be from 32 to 2048 pixels, or 0"),
        (["--size", "-64"], "must be from 32"),
        (["--size", "4096"], "to 2048 pixels"),
        (["--size", "64", "--begin-with", "runs/a"], "leave out --size"),
        (["--train-photos", "-1"], "train_photos -1 must not be below 0"),
        (["--train-photos", "25"], "has 24 training photos, not 25"),
    ],
)
def test_sizes_and_numbers_that_cannot_be(
    arguments: list[str], told: str, coloured: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as left:
        main(["train", "tiny", *arguments, "--data", str(coloured), "--out", str(out)])
    assert left.value.code == 2
    assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not out.exists()


def test_a_size_of_none_and_all_photos_are_the_default() -> None:
    config = TrainConfig()
    assert (config.size, config.train_photos) == (0, 0)
