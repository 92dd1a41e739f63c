"""What people would say of a photo chooses among the captions of a beam."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner import consensus
from captioner.commands import main
from captioner.config import SearchConfig
from captioner.consensus import FILE, ConsensusConfig, ConsensusScorer, ngrams, read_consensus
from captioner.datasets import read_dataset
from captioner.errors import InputError
from captioner.exporting import export_model
from captioner.metrics import CiderD, bleu, reward
from captioner.model import Captioner
from captioner.regression import gather_said, learn_consensus, train
from captioner.runtime import OnnxCaptioner
from captioner.vocabulary import END, PAD

WORDS = ["_", "_", "_", "_", "a", "dog", "cat", "runs", "sleeps", "on", "grass"]
CAPTIONS = [
    ["a dog runs", "a dog runs on grass"],
    ["a cat sleeps", "the cat sleeps on grass"],
    ["a dog sleeps", "dog on grass"],
]
FEATURES = np.array([[1.0, 0.0, 3.0], [0.0, 2.0, 3.0], [1.0, 1.0, 3.0]])
"""The last tells nothing."""


def indices(text: str) -> list[int]:
    return [WORDS.index(word) if word in WORDS else 3 for word in text.split()]


def made(**settings: object) -> ConsensusScorer:
    usual: dict[str, object] = {"dropout": 0.0, "units": 64, "steps": 400}
    config = ConsensusConfig(**{**usual, **settings})  # type: ignore[arg-type]
    captions = [[indices(text) for text in photo] for photo in CAPTIONS]
    return train(gather_said(FEATURES[None], captions, config.num_ngrams), config)


def padded(*captions: str) -> np.ndarray:
    rows = [[*indices(caption), END] for caption in captions]
    width = max(map(len, rows))
    return np.array([[row + [PAD] * (width - len(row)) for row in rows]])


def grams(words: list[int], n: int) -> Counter[tuple[int, ...]]:
    said = [*words, END]
    return Counter(tuple(said[i : i + n]) for i in range(len(said) - n + 1))


def vector(words: list[int], n: int, rarity: dict[tuple[int, ...], float]) -> dict:
    """TF-IDF of the n-grams of a caption with END, in the plainest way."""
    return {gram: count * rarity[gram] for gram, count in grams(words, n).items()}


def inverse_frequencies() -> dict[tuple[int, ...], float]:
    photos: Counter[tuple[int, ...]] = Counter()
    for of_photo in CAPTIONS:
        said = [[*indices(text), END] for text in of_photo]
        photos.update(
            {tuple(s[i : i + n]) for s in said for n in range(1, 5) for i in range(len(s) - n + 1)}
        )
    return {gram: float(np.log(3 / count)) for gram, count in photos.items()}


def test_ngrams_are_counted_up_to_end_and_hashed_alike() -> None:
    found = list(ngrams(np.array([[4, 5, 4, 5, END, 4], [5, END, 4, 5, 4, 5]])))
    assert [sorted(part.counts[part.rows == 0].tolist()) for part in found] == [
        [1, 2, 2], [1, 1, 2], [1, 1, 1], [1, 1]
    ]  # fmt: skip
    assert [sorted(part.counts[part.rows == 1].tolist()) for part in found] == [[1, 1], [1], [], []]
    alone = list(ngrams(np.array([[5, END]])))
    assert len(alone) == 2
    for one, other in zip(alone, found, strict=False):
        assert set(one.hashes) <= set(other.hashes)
    assert not set(found[0].hashes) & set(found[1].hashes)


def test_what_is_expected_of_the_photos_learned_from_is_what_people_said() -> None:
    # Three photos are learned by heart where nothing is silenced.
    scorer = made(steps=1500)
    expected = scorer.expect(FEATURES)
    rarity = inverse_frequencies()
    assert len(scorer.hashes) == len(rarity)
    for photo, of_photo in enumerate(CAPTIONS):
        target: Counter[int] = Counter()
        for text in of_photo:
            for n in range(1, 5):
                weights = vector(indices(text), n, rarity)
                norm = sum(value**2 for value in weights.values()) ** 0.5 or 1
                for gram, value in weights.items():
                    target[hash_of(gram)] += value / norm / 2
        for key, value in zip(scorer.hashes.tolist(), expected[photo], strict=True):
            assert value == pytest.approx(target[key], abs=0.02)  # a byte for each number


def hash_of(gram: tuple[int, ...]) -> int:
    return int(list(ngrams(np.array([gram])))[-1].hashes[0])


def test_numbers_are_those_of_the_metric() -> None:
    assert (consensus.MAX_N, consensus.SIGMA) == (bleu.MAX_N, reward.SIGMA)
    assert consensus.SCALE == reward.SCALE


def test_agreement_is_cider_d_with_what_is_expected() -> None:
    scorer = made()
    captions = ["a dog runs", "a cat sleeps on grass", "dog dog dog"]
    found = scorer.agreement(FEATURES[:1], padded(*captions))[0]
    rarity = inverse_frequencies()
    expected = dict(zip(scorer.hashes.tolist(), scorer.expect(FEATURES[:1])[0], strict=True))
    lengths = [len(indices(text)) for of_photo in CAPTIONS for text in of_photo]
    for caption, value in zip(captions, found, strict=True):
        words = indices(caption)
        total = 0.0
        for n in range(1, 5):
            unseen = Counter({gram: np.log(3) for gram in grams(words, n)})
            weights = vector(words, n, {**unseen, **rarity})
            norm = sum(weight**2 for weight in weights.values()) ** 0.5
            once = {gram: {**unseen, **rarity}[gram] for gram in weights}
            agreed = sum(rare * expected.get(hash_of(gram), 0.0) for gram, rare in once.items())
            total += agreed / norm if norm else 0.0
        punished = np.mean([np.exp(-((len(words) - length) ** 2) / 72) for length in lengths])
        assert value == pytest.approx(10 / 4 * total * punished, rel=1e-5)
    assert found[0] > found[1]
    other = scorer.agreement(FEATURES[1:2], padded(*captions))[0]
    assert other[1] > other[0]


def test_a_lower_rank_says_less_and_little_training_the_same_of_all() -> None:
    whole, part = made(), made(rank=1)
    assert (whole.basis.shape[0], part.basis.shape[0]) == (3, 1)
    expected = [scorer.expect(FEATURES) for scorer in (whole, part)]
    far = [np.linalg.matrix_rank(e - e.mean(axis=0), tol=0.02) for e in expected]
    assert far == [2, 1]
    apart = np.ptp(expected[0], axis=0).max()
    assert np.ptp(made(steps=1).expect(FEATURES), axis=0).max() < 0.5 * apart
    a, on, grass = indices("a on grass")
    of_all_photos = [(a,), (on,), (grass,), (END,), (on, grass), (grass, END), (on, grass, END)]
    few = made(num_ngrams=7)
    assert {*few.hashes.tolist()} == {hash_of(gram) for gram in of_all_photos}
    assert few.basis.shape[1] == 7


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    saved = made(weight=0.3, made_from="abc")
    saved.expect(FEATURES)
    saved.save(tmp_path)
    found = read_consensus(tmp_path, "abc")
    assert found is not None
    assert found.config == saved.config
    with np.load(tmp_path / FILE) as arrays:
        assert arrays["basis"].dtype == arrays["hidden"].dtype == np.int8
    captions = padded("a dog runs", "a cat sleeps")
    assert np.array_equal(
        found.agreement(FEATURES[:1], captions), saved.agreement(FEATURES[:1], captions)
    )
    assert read_consensus(tmp_path / "elsewhere", "abc") is None


def test_damaged_files_and_those_of_another_model_are_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE
    made(made_from="abc").save(tmp_path)
    with pytest.raises(InputError, match="belongs to another model"):
        read_consensus(tmp_path, "other")
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            read_consensus(tmp_path, "abc")
    for name in ("hashes", "lengths", "spread"):
        mixed = made(made_from="abc")
        setattr(mixed, name, getattr(mixed, name) * 0)
        mixed.save(tmp_path)
        with pytest.raises(InputError, match="do not fit together"):
            read_consensus(tmp_path, "abc")
    np.savez(file, basis=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        read_consensus(tmp_path, "abc")


def test_features_of_another_size_are_told() -> None:
    with pytest.raises(InputError, match="for 3 features of a photo, not 2"):
        made().agreement(FEATURES[:1, :2], padded("a dog"))


@pytest.fixture
def model(trained: Path, coloured: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, with a consensus."""
    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    learn_consensus(folder, read_dataset(coloured), config=ConsensusConfig(weight=0.2, steps=100))
    return folder


def test_the_captions_of_a_beam_are_sorted_by_agreement_and_own_opinion(
    model: Path, coloured: Path
) -> None:
    captioner = Captioner.from_pretrained(model)
    assert captioner.consensus is not None
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    config = SearchConfig(beam_size=4, num_captions=4)
    alone = list(captioner.stream(files, replace(config, consensus=False)))
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
    config = ConsensusConfig(steps=100)
    monkeypatch.setattr("captioner.regression.WEIGHTS", (0.0, 50.0))
    monkeypatch.setattr("captioner.regression.CHOICE", 4)
    chosen = learn_consensus(model, dataset, config=config, choose_on="val").config
    val = dataset.split("val")
    scores = {}
    for weight in (0.0, 50.0):
        learn_consensus(model, dataset, config=replace(config, weight=weight))
        captions = Captioner.from_pretrained(model)([photo.file for photo in val], beam_size=4)
        true = CiderD([[c.lower().rstrip(".") for c in photo.captions] for photo in val])
        scores[weight] = true.score(captions).mean()
    assert scores[chosen.weight] == pytest.approx(max(scores.values()))
    with pytest.raises(InputError, match="other photos"):
        learn_consensus(model, dataset, config=config, choose_on="train")


def test_places_are_told_apart_by_their_spread(coloured: Path, tiny_run, tmp_path: Path) -> None:
    from captioner.runs import begin, train_captioner

    config = replace(tiny_run.config, decoder="attention", attention=8, epochs=1)
    run = replace(tiny_run, config=config)
    begin(tmp_path / "run", run)
    train_captioner(tmp_path / "run", run)
    model = tmp_path / "run" / "best"
    found = learn_consensus(model, read_dataset(coloured), config=ConsensusConfig(steps=100))
    assert len(found.mean) == 2 * Captioner.from_pretrained(model).config.encoder.features
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    same_as_the_export(model, files, tmp_path / "onnx")


def same_as_the_export(model: Path, files: list[Path], folder: Path) -> list[float]:
    """How much people agree with the best captions, which are the same of both."""
    export_model(model, folder, "float32", files[:4])
    config = SearchConfig(beam_size=4, num_captions=4)
    ours = list(OnnxCaptioner.from_folder(folder).stream(files, config))
    true = list(Captioner.from_pretrained(model).stream(files, config))
    for one, other in zip(ours, true, strict=True):
        agreements = [[c.agreement for c in found] for found in (one, other)]  # type: ignore[union-attr]
        assert agreements[0] == pytest.approx(agreements[1], abs=1e-2)
        assert one[0].caption == other[0].caption  # type: ignore[index]
    return [found[0].agreement for found in ours]  # type: ignore[index]


def test_an_export_asks_the_same_people(model: Path, coloured: Path, tmp_path: Path) -> None:
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    assert min(same_as_the_export(model, files, tmp_path / "onnx")) > 0


def test_the_command_learns_it_and_search_can_leave_it_out(
    trained: Path, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    place = ["--model", str(folder), "--data", str(coloured)]
    arguments = ["consensus", *place, "--steps", "100", "--rank", "5"]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "n-grams of 48 captions" in capsys.readouterr().out
    photo = str(next((coloured / "images").iterdir()))
    for more in ([], ["--no-consensus"]):
        with pytest.raises(SystemExit) as stopped:
            main(["caption", photo, "--model", str(folder), "--format", "json", *more])
        assert stopped.value.code == 0
        assert json.loads(capsys.readouterr().out)["captions"][0]["caption"]
    with pytest.raises(SystemExit) as stopped:
        main([*arguments[:-1], "0"])
    assert stopped.value.code == 2


def test_a_run_that_goes_on_does_not_ask_it(model: Path, tiny_run, tmp_path: Path) -> None:
    from captioner.material import gather

    run = replace(tiny_run, begin_with=str(model))
    material = gather(run, read_dataset(Path(run.data)), resumed=False)
    assert material.captioner.consensus is None


def test_a_search_that_says_nothing_of_beams_has_many_where_people_choose(
    model: Path, coloured: Path
) -> None:
    captioner = Captioner.from_pretrained(model)
    photo = next((coloured / "images").iterdir())
    usual = SearchConfig()
    assert captioner.settle(usual).beam_size == 20
    assert captioner(photo, usual) == captioner(photo, beam_size=20)
    assert captioner.settle(replace(usual, beam_size=2)).beam_size == 2
    for few in (
        SearchConfig(consensus=False),
        SearchConfig(sample=True),
        SearchConfig(must=("red",)),
    ):
        assert captioner.settle(few).beam_size == 3
    assert captioner.settle(SearchConfig(groups=2)).beam_size == 4
    captioner.consensus = None
    assert captioner.settle(usual).beam_size == 3
    assert captioner(photo, usual) == captioner(photo, beam_size=3)


def test_views_are_learned_from_and_only_training_photos_have_them(
    model: Path, coloured: Path
) -> None:
    dataset = read_dataset(coloured)
    config = ConsensusConfig(steps=100, dropout=0.0)
    whole, seen = (
        learn_consensus(model, dataset, config=replace(config, views=views)) for views in (1, 2)
    )
    assert np.array_equal(whole.mean, seen.mean)
    assert not np.array_equal(whole.hidden, seen.hidden)
    with pytest.raises(InputError, match="val: has no views"):
        learn_consensus(model, dataset, "val", config=replace(config, views=2))


def test_the_copy_that_is_given_to_others_chooses_as_its_model_does(
    model: Path, coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from captioner.calibration import calibrate
    from captioner.release import release

    monkeypatch.setattr("captioner.calibration.FEWEST", 4)
    dataset = read_dataset(coloured)
    fitted = calibrate(model, dataset, "val", bar=0.5)[0]
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"split": "test", "metrics": {"cider_d": 1.0}, "photos": 8}))
    release(model, tmp_path / "copy", scores)
    one, other = (Captioner.from_pretrained(folder) for folder in (model, tmp_path / "copy"))
    assert other.consensus is not None
    assert other.confidence is not None
    assert other.confidence.best == fitted.best
    files = [photo.file for photo in dataset.split("val")]
    assert one(files) == other(files)
    found = [next(iter(c.stream(files[:1], SearchConfig())))[0] for c in (one, other)]  # type: ignore[index]
    assert found[0].agreement == pytest.approx(found[1].agreement, abs=0.05)
    assert found[0].confidence == pytest.approx(found[1].confidence, abs=0.02)
