"""Several data sets learned from as one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from captioner.commands import main
from captioner.datasets import read_dataset
from captioner.errors import InputError
from captioner.joining import read_datasets
from captioner.material import Run
from captioner.runs import begin, recall, train_captioner


@pytest.fixture
def two(coloured: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the coloured pictures; the second says something else of its own."""
    first, second = tmp_path / "sets" / "first", tmp_path / "sets" / "second"
    shutil.copytree(coloured, first)
    shutil.copytree(coloured, second)
    for file in second.glob("captions_*.json"):
        content = json.loads(file.read_text())
        for annotation in content["annotations"]:
            annotation["caption"] = "another zebra"
        file.write_text(json.dumps(content))
    return first, second


def test_the_others_training_photos_join_and_nothing_else(two: tuple[Path, Path]) -> None:
    first, second = (read_dataset(path) for path in two)
    both = read_datasets(two[0], [two[1]])
    assert both.split("train") == first.split("train") + second.split("train")
    assert {photo.captions for photo in second.split("train")} == {("another zebra",) * 2}
    for split in ("val", "test"):
        assert both.split(split) == first.split(split)
    assert both.title == "first+second"
    assert both.root == two[0].parent
    assert both.name(second.split("train")[0]).startswith("second/images/")
    assert len({both.fingerprint(), first.fingerprint(), second.fingerprint()}) == 3
    assert read_datasets(two[0]) == first


def test_one_that_is_given_twice_is_refused(two: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="given twice, or lies within another"):
        read_datasets(two[0], [two[1], two[0]])
    with pytest.raises(InputError, match="does not exist"):
        read_datasets(two[0], [two[1] / "nowhere"])


def test_training_learns_their_words_and_resumes(
    two: tuple[Path, Path], tiny_run: Run, tmp_path: Path
) -> None:
    run = replace(
        tiny_run,
        data=str(two[0]),
        more_data=(str(two[1]),),
        config=replace(tiny_run.config, epochs=2, views=2),
    )
    begin(tmp_path / "run", run)
    assert recall(tmp_path / "run", Run) == run
    train_captioner(tmp_path / "run", run)
    known = json.loads((tmp_path / "run" / "best" / "vocabulary.json").read_text())
    assert "zebra" in json.dumps(known)
    metrics = json.loads((tmp_path / "run" / "best" / "metrics.json").read_text())
    assert metrics["training"]["data"] == "first+second"
    assert metrics["training"]["photos"] == 2 * len(read_dataset(two[0]).split("train"))
    assert metrics["metrics"]["val"]["photos"] == len(read_dataset(two[0]).split("val"))


def test_a_consensus_is_learned_from_all(
    two: tuple[Path, Path], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    with pytest.raises(SystemExit) as stopped:
        main(["consensus", "--model", str(folder), "--data", str(two[0]), "--more-data",
              str(two[1]), "--choose-on", "val"])  # fmt: skip
    assert stopped.value.code == 0
    assert "n-grams of 96 captions" in capsys.readouterr().out
