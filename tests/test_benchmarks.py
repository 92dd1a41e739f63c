"""The benchmarks: both ways do the same work, in alternation, and the record of it is whole."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import ceilings, work
from benchmarks import inputs as made
from benchmarks.__main__ import QUICK, BenchOptions, measure, use_processors
from benchmarks.beam import share_of_same, teach
from benchmarks.catalogue import BENCHMARKS, Benchmark
from benchmarks.features import check_features
from benchmarks.inputs import Setting, captions_for, make_captions, make_features, make_vocabulary
from benchmarks.measuring import Pair, compare
from benchmarks.plain.attention import PlainAttention
from benchmarks.plain.beam import beam_caption
from benchmarks.plain.features import extract_features
from benchmarks.plain.pooled import PlainPooled
from benchmarks.processes import PEAK, link_photos, memory, run
from benchmarks.records import read_records
from benchmarks.table import speed_table
from benchmarks.train_attention import train_attention
from benchmarks.train_pooled import train_pooled
from benchmarks.training import check_losses, make_captioner, training_pair
from benchmarks.work import Sizes, pooled_flops
from captioner.backbones import load_backbone
from captioner.config import DecoderConfig, EncoderConfig, SearchConfig
from captioner.data import CaptionData
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.features import FeatureCache, project
from captioner.model import Captioner
from conftest import BACKBONE

TINY = Sizes(words=60, embedding=6, hidden=8, features=5, places=4, attention=7)


def make_learner(kind: Any, dropout: float = 0.0) -> tuple[Captioner, CaptionData]:
    """A tiny captioner and 20 photos with five captions each."""
    vocabulary = make_vocabulary(TINY.words)
    config = DecoderConfig(
        kind=kind, embedding=TINY.embedding, hidden=TINY.hidden, features=TINY.features,
        attention=TINY.attention, dropout=dropout,
    )  # fmt: skip
    captions, topic = make_captions(20, vocabulary, topics=3)
    features = make_features(topic, TINY.features)
    if kind == "attention":
        shape = (20, TINY.places, TINY.features)
        features = np.random.default_rng(0).normal(size=shape).astype(np.float16)
    captioner = make_captioner(config, vocabulary, seed=0)
    return captioner, CaptionData(captions, features, vocabulary)


def test_the_two_ways_take_turns() -> None:
    calls: list[str] = []
    pair = Pair(lambda: calls.append("A"), lambda: calls.append("B"), 1, "calls")
    rates = iter([1.0, 2.0, 3.0])
    found = compare("turns", pair, 2, lambda: (calls.append("-"), next(rates))[1])
    assert "".join(calls) == "AB-AB-AB-"
    assert found.matrix_rates == [1.0, 2.0, 3.0]
    assert all(seconds > 0 for seconds in (*found.usual, *found.ours))


def test_another_warm_up_takes_the_place_of_a_call_of_each() -> None:
    calls: list[str] = []
    pair = Pair(lambda: 2.0, lambda: 4.0, 1, "calls", warm_up=lambda: calls.append("w"),
                measure=lambda way: way())  # fmt: skip
    found = compare("memory", pair, 1)
    assert calls == ["w"]
    assert (found.usual, found.ours, found.ratios) == ([2.0], [4.0], [0.5])


def test_a_matrix_product_of_known_size_has_a_share_of_one(monkeypatch) -> None:
    """Its own rate is that of the machine, but for noise."""
    monkeypatch.setattr(ceilings, "SHAPES", (256,))
    machine = ceilings.Ceilings()
    rates = [machine.matrix_rate() for _ in range(30)]
    a, out = torch.randn(256, 256), torch.empty(256, 256)
    product = Pair(lambda: torch.matmul(a, a, out=out), lambda: None, 1, "products")
    found = compare("product", product, 30, machine.matrix_rate)
    share = np.median(found.shares(found.usual, 2 * 256**3))
    assert 0.3 < share < 3
    assert min(rates) > 1e8


@pytest.mark.parametrize(
    ("kind", "plain"), [("pooled", PlainPooled), ("attention", PlainAttention)]
)
def test_the_plain_network_has_the_same_loss_and_learns_the_same(kind: str, plain: Any) -> None:
    """After four steps of either, the weights of the plain network are those of ours."""
    captioner, data = make_learner(kind)
    network = plain.like(captioner)
    penalty = captioner.config.decoder.attention_penalty
    before = network.score.weight.detach().clone()

    def loss(features: torch.Tensor, photo: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        if kind == "pooled":
            return network.loss(features[photo], words)
        return network.loss(features, photo, words, penalty)

    pair = training_pair(captioner, data, network, loss, TINY, pooled_flops)
    assert (pair.amount, pair.about["steps"]) == (100, 2)
    for _ in range(2):
        pair.usual()
        pair.ours()
    after = plain.like(captioner).state_dict()
    assert (network.score.weight - before).abs().max() > 1e-3
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, after[name], rtol=1e-3, atol=2e-5, msg=name)


def test_networks_that_do_not_compute_the_same_are_not_compared() -> None:
    captioner, data = make_learner("pooled")
    batch, other = data.batch(torch.arange(5)), torch.nn.Linear(2, 1)
    with pytest.raises(AssertionError):
        check_losses(
            other, captioner, lambda: other(torch.ones(2)).sum(), lambda: captioner.loss(batch)[0]
        )
    with pytest.raises(AssertionError, match="differ"):
        check_features(np.ones((2, 2)), np.full((2, 2), 1.1))
    with pytest.raises(AssertionError, match="same"):
        share_of_same(["a", "b"], ["a", "c"])


@pytest.fixture(scope="module")
def taught() -> tuple[Captioner, CaptionData]:
    """A learner that says captions of different lengths."""
    captioner, data = make_learner("pooled")
    teach(captioner, data, steps=60)
    return captioner, data


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
def test_the_plain_beam_says_the_same_captions(taught, beam_size: int) -> None:
    captioner, data = taught
    plain = PlainPooled.like(captioner).eval()
    features = torch.from_numpy(data.features).float()
    limit = captioner.vocabulary.max_words
    usual = [
        captioner.vocabulary.decode(beam_caption(plain, of_photo, beam_size, limit))
        for of_photo in features
    ]
    ours = [
        found[0].caption for found in captioner.search(features, SearchConfig(beam_size=beam_size))
    ]
    assert usual == ours
    assert len(set(ours)) > 2


def test_the_plain_features_are_those_of_the_cache(weights: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(3)]
    for file, colour in zip(files, ("red", "green", "blue"), strict=True):
        cloud, plain = made.make_photo(0, (120, 90)), Image.new("RGB", (120, 90), colour)
        Image.blend(cloud, plain, 0.7).save(file)
    backbone, config = load_backbone(EncoderConfig(backbone=BACKBONE, features=8), weights)
    encoder = Encoder(config, backbone)
    maps, errors = FeatureCache(tmp_path, files, encoder, folder=tmp_path / "cache").maps(files)
    encoder.fit(torch.from_numpy(maps).float())
    usual = extract_features(
        files, backbone.eval(), encoder.project, config.preprocessing, tmp_path / "usual.npy"
    )
    check_features(usual, project(encoder, maps))
    assert not errors
    np.testing.assert_array_equal(np.load(tmp_path / "usual.npy", allow_pickle=False), usual)
    assert np.abs(usual[0] - usual[1]).max() > 0.5


@pytest.mark.parametrize("make", [train_pooled, train_attention])
def test_useful_work_is_that_of_real_words(make: Any, tmp_path: Path) -> None:
    pair = make(Setting(tmp_path), TINY)
    captions, vocabulary = captions_for(Setting(tmp_path), 16, TINY.words)
    words = sum(len(vocabulary.split(caption)) + 1 for photo in captions for caption in photo)
    of = {train_pooled: work.pooled_flops, train_attention: work.attention_flops}[make]
    assert pair.flops == 3 * of(TINY, 16, words)
    assert pair.about["words_per_caption"] == pytest.approx(words / 80, abs=0.01)
    assert pair.about["padding"] == pytest.approx(1 - words / (80 * 17), abs=0.05)


def test_captions_are_as_long_as_real_ones() -> None:
    captions, topic = make_captions(2000, make_vocabulary(50))
    lengths = Counter(len(caption.split()) + 1 for photo in captions for caption in photo)
    assert lengths.keys() == made.LENGTHS.keys()
    assert sum(made.LENGTHS.values()) == 100
    for length, share in made.LENGTHS.items():
        assert lengths[length] / 100 == pytest.approx(share, abs=1.5)
    assert captions == make_captions(2000, make_vocabulary(50))[0]
    assert 0 <= topic.min() < topic.max() < made.TOPICS


def test_a_data_set_gives_its_photos_and_captions(coloured: Path, tmp_path: Path) -> None:
    setting = Setting(tmp_path, data=coloured)
    files = made.photos_for(setting, 30)
    assert len(files) == 30
    assert all(file.is_relative_to(coloured) for file in files)
    with pytest.raises(InputError, match="have 5 captions"):
        captions_for(setting, 4, TINY.words)


def test_memory_is_that_of_the_program_alone(tmp_path: Path) -> None:
    """Fifty megabytes more are seen as fifty more, however large this process is."""
    setting = Setting(tmp_path)
    peaks = [
        float(run([sys.executable, "-c", PEAK, sys.executable, "-c", program], setting))
        for program in ("pass", "kept = b'x' * 50_000_000")
    ]
    assert peaks[1] - peaks[0] == pytest.approx(50_000_000 / 2**20, abs=5)
    assert len(list(link_photos(tmp_path / "photos", 25).iterdir())) == 25
    with pytest.raises(RuntimeError, match="no such"):
        run([sys.executable, "-c", "import sys; sys.exit('no such photo')"], setting)
    assert memory(setting, few=2, many=3).quantity == "MiB"


def sleepless(setting: Setting) -> Pair:
    """A benchmark of no time at all."""
    return Pair(lambda: sum(range(3000)), lambda: sum(range(1000)), 10, "sums", flops=1e3)


@pytest.fixture
def quick_machine(monkeypatch) -> None:
    monkeypatch.setattr(ceilings, "COPIED", 1000)
    monkeypatch.setattr(ceilings, "SHAPES", (16,))


def test_the_record_and_the_last_line_are_whole(
    quick_machine, monkeypatch, tmp_path: Path, capsys
) -> None:
    for name in QUICK:
        entry = BENCHMARKS[name]
        monkeypatch.setitem(
            BENCHMARKS, name, Benchmark(entry.work, "measuring:sleepless", 3, 2, target=4.5)
        )
    monkeypatch.setattr("benchmarks.measuring.sleepless", sleepless, raising=False)
    assert measure(BenchOptions(quick=True, seed=7, output=tmp_path)) == 0
    *_, last = capsys.readouterr().out.splitlines()
    ratios = json.loads(last)
    assert set(ratios) == {
        "features", "train_pooled", "train_attention", "beam", "cider", "reward"
    }  # fmt: skip
    assert all(ratio > 0 for ratio in ratios.values())
    records = read_records(tmp_path)
    assert [record["benchmark"] for record in records] == QUICK
    for record in records:
        assert record["seed"] == 7
        assert record["rounds"] == len(record["usual"]["all"]) == len(record["ours"]["all"]) == 2
        pairs = zip(record["usual"]["all"], record["ours"]["all"], strict=True)
        of_rounds = [usual / ours for usual, ours in pairs]
        assert record["ratio"]["median"] == pytest.approx(np.median(of_rounds))
        assert record["ratio"]["min"] == pytest.approx(min(of_rounds))
        assert record["share"]["ours"]["median"] > 0
        assert record["hardware"]["threads"] == torch.get_num_threads()
        assert record.keys() >= {"commit", "command", "date", "versions", "ceilings", "about"}
        assert record["versions"].keys() >= {"python", "torch", "numpy", "onnxruntime"}
    table = speed_table(tmp_path)
    assert f"[{BENCHMARKS['beam'].work}](benchmarks/records/beam.json) | 4.5 |" in table
    assert table.count("Machine:") == 1


def test_quick_writes_nothing_unless_told(quick_machine, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.measuring.sleepless", sleepless, raising=False)
    monkeypatch.setitem(BENCHMARKS, "beam", Benchmark("sums", "measuring:sleepless", 3, 2))
    monkeypatch.setattr("benchmarks.records.FOLDER", tmp_path)
    measure(BenchOptions(quick=True, only=("beam",)))
    assert list(tmp_path.iterdir()) == []
    measure(BenchOptions(only=("beam",), repeats=1))
    assert [file.name for file in tmp_path.iterdir()] == ["beam.json"]


def test_every_benchmark_is_found() -> None:
    for name, benchmark in BENCHMARKS.items():
        assert callable(benchmark.load()), name


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--threads 10000"):
        use_processors(10_000)
    with pytest.raises(InputError, match="--repeats"):
        measure(BenchOptions(repeats=0))
    (tmp_path / "beam.json").write_text("{}")
    with pytest.raises(InputError, match="--only beam"):
        read_records(tmp_path)
    (tmp_path / "beam.json").unlink()
    assert speed_table(tmp_path) == "No records yet.\n"
