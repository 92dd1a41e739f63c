"""What people wrote about similar photos chooses among the captions of a beam."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.commands import main
from captioner.config import SearchConfig
from captioner.datasets import read_dataset
from captioner.errors import InputError
from captioner.exporting import export_model
from captioner.metrics import CiderD
from captioner.model import Captioner
from captioner.neighbours import FILE, Neighbours, Say, attention, read_neighbours
from captioner.remembering import remember
from captioner.runtime import OnnxCaptioner
from captioner.vocabulary import END, PAD

WORDS = ["_", "_", "_", "_", "a", "dog", "cat", "runs", "sleeps", "on", "grass"]
CAPTIONS = [
    ["a dog runs", "a dog runs on grass"],
    ["a cat sleeps", "the cat sleeps on grass"],
    ["a dog sleeps", "dog on grass"],
]


def indices(text: str) -> list[int]:
    return [WORDS.index(word) if word in WORDS else 3 for word in text.split()]


def made(say: Say, features: np.ndarray | None = None) -> Neighbours:
    if features is None:
        features = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    return Neighbours.of(features, [[indices(text) for text in photo] for photo in CAPTIONS], say)


def padded(*captions: str) -> np.ndarray:
    rows = [[*indices(caption), END] for caption in captions]
    width = max(map(len, rows))
    return np.array([[row + [PAD] * (width - len(row)) for row in rows]])


def test_the_nearest_are_those_of_the_same_direction() -> None:
    near, alike = made(Say(photos=2)).nearest(np.array([[5.0, 0.0], [0.1, 3.0]]))
    assert [set(row) for row in near.tolist()] == [{0, 2}, {1, 2}]
    assert sorted(alike[0]) == pytest.approx([0.5**0.5, 1])
    weights = attention(alike, 3.0)
    first = dict(zip(near[0].tolist(), weights[0].tolist(), strict=True))
    assert first[0] / first[2] == pytest.approx(np.exp(3 * (1 - 0.5**0.5)), rel=1e-3)
    assert weights.sum(axis=1) == pytest.approx([1, 1])


def test_agreement_is_the_weighted_cider_d_with_the_captions_of_each() -> None:
    say = Say(photos=3, sharpness=2.0)
    features = np.array([[1.0, 0.2], [-0.3, 1.0]])
    captions = ["a dog runs", "a cat sleeps on grass"]
    words = np.concatenate([padded(*captions), padded(*captions)[:, ::-1]])
    found = made(say).agreement(features, words)
    unknown = [[text.replace("the", "UNK") for text in photo] for photo in CAPTIONS]
    scorer = CiderD(unknown)
    each = np.stack([scorer.score(captions, [p, p]) for p in range(3)])  # (P, B)
    near, alike = made(say).nearest(features)
    weights = attention(alike, 2.0)
    for n in range(2):
        expected = sum(w * each[p] for p, w in zip(near[n], weights[n], strict=True))
        assert found[n] == pytest.approx(expected if n == 0 else expected[::-1], rel=1e-6)


def test_fewer_photos_than_are_to_be_asked_are_all_asked() -> None:
    near, _ = made(Say(photos=60)).nearest(np.array([[1.0, 1.0]]))
    assert sorted(near[0].tolist()) == [0, 1, 2]


def test_they_come_back_from_their_file(tmp_path: Path) -> None:
    saved = made(Say(photos=2, weight=0.3, made_from="abc"))
    saved.save(tmp_path)
    found = read_neighbours(tmp_path, "abc")
    assert found is not None
    assert found.say == saved.say
    for name in ("features", "words", "lengths", "counts"):
        assert np.array_equal(getattr(found, name), getattr(saved, name))
    assert read_neighbours(tmp_path / "elsewhere", "abc") is None


def test_damaged_files_and_those_of_another_model_are_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE
    made(Say(made_from="abc")).save(tmp_path)
    with pytest.raises(InputError, match="belongs to another model"):
        read_neighbours(tmp_path, "other")
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            read_neighbours(tmp_path, "abc")
    mixed = made(Say(made_from="abc"))
    mixed.words = mixed.words[:-1]
    mixed.save(tmp_path)
    with pytest.raises(InputError, match="do not fit together"):
        read_neighbours(tmp_path, "abc")
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(file, features=pickled)
    with pytest.raises(InputError, match="cannot be read"):
        read_neighbours(tmp_path, "abc")


@pytest.fixture
def model(trained: Path, coloured: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, with its neighbours."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    remember(folder, read_dataset(coloured), say=Say(photos=3))
    return folder


def test_the_captions_of_a_beam_are_sorted_by_agreement_and_own_opinion(
    model: Path, coloured: Path
) -> None:
    captioner = Captioner.from_pretrained(model)
    assert captioner.neighbours is not None
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    config = SearchConfig(beam_size=4, num_captions=4)
    alone = list(captioner.stream(files, replace(config, neighbours=False)))
    asked = list(captioner.stream(files, config))
    for one, other in zip(alone, asked, strict=True):
        assert not isinstance(one, InputError)
        assert not isinstance(other, InputError)
        assert {(c.caption, c.log_prob) for c in one} == {(c.caption, c.log_prob) for c in other}
        assert all(c.agreement == 0 for c in one)
        values = [c.agreement + 0.2 * c.log_prob / (len(c.caption.split()) + 1) for c in other]
        assert values == sorted(values, reverse=True)
    # One caption is enough to ask for: the beams are there all the same.
    best = captioner(files, beam_size=4)
    assert best == [found[0].caption for found in asked]  # type: ignore[union-attr]
    sampled = list(captioner.stream(files[:1], SearchConfig(sample=True, num_captions=2)))
    assert sampled[0][0].agreement == 0  # type: ignore[index]


def test_settings_are_chosen_by_the_scores_of_the_captions_that_they_choose(
    model: Path, coloured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_dataset(coloured)
    settings = [(3.0, 0.0), (3.0, 50.0), (40.0, 0.0), (40.0, 50.0)]
    monkeypatch.setattr("captioner.remembering.SHARPNESS", (3.0, 40.0))
    monkeypatch.setattr("captioner.remembering.WEIGHTS", (0.0, 50.0))
    monkeypatch.setattr("captioner.remembering.CHOICE", 4)
    chosen = remember(model, dataset, say=Say(photos=5), choose_on="val").say
    val = dataset.split("val")
    scores = {}
    for sharpness, weight in settings:
        remember(model, dataset, say=Say(photos=5, sharpness=sharpness, weight=weight))
        captions = Captioner.from_pretrained(model)([photo.file for photo in val], beam_size=4)
        true = CiderD([[c.lower().rstrip(".") for c in photo.captions] for photo in val])
        scores[sharpness, weight] = true.score(captions).mean()
    assert scores[chosen.sharpness, chosen.weight] == pytest.approx(max(scores.values()))
    with pytest.raises(InputError, match="other photos"):
        remember(model, dataset, say=Say(), choose_on="train")


def test_an_export_asks_the_same_neighbours(model: Path, coloured: Path, tmp_path: Path) -> None:
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    export_model(model, tmp_path / "onnx", "float32", files[:4])
    config = SearchConfig(beam_size=4, num_captions=4)
    ours = list(OnnxCaptioner.from_folder(tmp_path / "onnx").stream(files, config))
    true = list(Captioner.from_pretrained(model).stream(files, config))
    for one, other in zip(ours, true, strict=True):
        agreements = [[c.agreement for c in found] for found in (one, other)]  # type: ignore[union-attr]
        assert agreements[0] == pytest.approx(agreements[1], abs=1e-2)
        assert one[0].caption == other[0].caption  # type: ignore[index]


def test_the_command_keeps_them_and_search_can_leave_them_out(
    trained: Path, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    arguments = ["neighbours", "--model", str(folder), "--data", str(coloured), "--photos", "5"]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "24 photos and 48 captions" in capsys.readouterr().out
    photo = str(next((coloured / "images").iterdir()))
    for more in ([], ["--no-neighbours"]):
        with pytest.raises(SystemExit) as stopped:
            main(["caption", photo, "--model", str(folder), "--format", "json", *more])
        assert stopped.value.code == 0
        assert json.loads(capsys.readouterr().out)["captions"][0]["caption"]
    with pytest.raises(SystemExit) as stopped:
        main([*arguments[:-1], "0"])
    assert stopped.value.code == 2


def test_a_run_that_goes_on_does_not_ask_them(model: Path, tiny_run, tmp_path: Path) -> None:
    from captioner.material import gather

    run = replace(tiny_run, begin_with=str(model))
    material = gather(run, read_dataset(Path(run.data)), resumed=False)
    assert material.captioner.neighbours is None


def test_a_search_that_says_nothing_of_beams_has_many_where_neighbours_choose(
    model: Path, coloured: Path
) -> None:
    captioner = Captioner.from_pretrained(model)
    photo = next((coloured / "images").iterdir())
    usual = SearchConfig()
    assert captioner.settle(usual).beam_size == 20
    assert captioner(photo, usual) == captioner(photo, beam_size=20)
    assert captioner.settle(replace(usual, beam_size=2)).beam_size == 2
    for few in (
        SearchConfig(neighbours=False),
        SearchConfig(sample=True),
        SearchConfig(must=("red",)),
    ):
        assert captioner.settle(few).beam_size == 3
    assert captioner.settle(SearchConfig(groups=2)).beam_size == 4
    captioner.neighbours = None
    assert captioner.settle(usual).beam_size == 3
    assert captioner(photo, usual) == captioner(photo, beam_size=3)
