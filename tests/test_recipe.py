"""What training may do besides: each by value, and all of them when a run is broken off."""

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from captioner.averaging import Average
from captioner.config import DecoderConfig, EncoderConfig, LanguageTrainConfig, ModelConfig
from captioner.config import TrainConfig as Config
from captioner.corruption import Corrupted, draw, hide, mix_in, sampling_chance, silence
from captioner.data import Batch, CaptionData
from captioner.errors import InputError
from captioner.exporting import export_model
from captioner.logbook import Logbook
from captioner.model import Captioner
from captioner.refinements import FineTuningSettings, Refinements, SelfCriticalSettings
from captioner.resume import FILE
from captioner.runs import Run, begin, recall, train_captioner
from captioner.vocabulary import START, UNK, Vocabulary

CAPTIONS = [["a dog", "a dog runs on grass"], ["a cat sleeps", "cat", "the cat on grass"]]
ALL = {
    "label_smoothing": 0.1,
    "tie_weights": True,
    "word_dropout": 0.2,
    "feature_dropout": 0.2,
    "scheduled_sampling": 0.5,
    "scheduled_sampling_rise": 0.5,
    "average": 0.9,
    "views": 2,
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def make(vocabulary: Vocabulary, kind: str = "pooled", **settings: object) -> Captioner:
    decoder = DecoderConfig(
        kind=kind, embedding=7, hidden=9, attention=4, dropout=0.5, features=5, **settings
    )
    encoder = EncoderConfig(backbone="test_resnet", channels=6, features=5)
    captioner = Captioner(ModelConfig(encoder, decoder), vocabulary)
    captioner.decoder.double()
    return captioner


def make_data(vocabulary: Vocabulary, kind: str = "pooled") -> CaptionData:
    shape = (2, 5) if kind == "pooled" else (2, 3, 5)
    features = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return CaptionData(CAPTIONS, features, vocabulary)


def make_batch(vocabulary: Vocabulary, kind: str = "pooled") -> Batch:
    batch = make_data(vocabulary, kind).batch(torch.arange(5))
    return replace(batch, features=batch.features.double())


def gradients(loss: Tensor, network: nn.Module) -> Sequence[Tensor]:
    return torch.autograd.grad(loss, list(network.parameters()))


def test_all_of_it_is_off_by_default_and_of_captioners_alone() -> None:
    off = Refinements()
    assert {name: value for name, value in asdict(off).items() if value} == {
        "scheduled_sampling_rise": 1.0,
        "samples": 5,
        "baseline": "mean",
        "cnn_stages": 2,
        "views": 1,
    }
    names = {item.name for item in fields(Refinements)}
    others = {*fields(SelfCriticalSettings), *fields(FineTuningSettings)}
    assert names - {item.name for item in others} == ALL.keys()
    assert names <= {item.name for item in fields(Config)}
    assert not names & {item.name for item in fields(LanguageTrainConfig)}


@pytest.mark.parametrize(
    "wrong",
    [{"label_smoothing": 1.0}, {"word_dropout": -0.1}, {"feature_dropout": 1.0}, {"average": 1.0},
     {"scheduled_sampling": 1.1}, {"scheduled_sampling_rise": float("nan")}],
)  # fmt: skip
def test_shares_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Config(**wrong)


@pytest.mark.parametrize("kind", ["pooled", "attention"])
def test_smoothed_labels_are_for_the_gradient_in_training_alone(
    vocabulary: Vocabulary, kind: str
) -> None:
    captioner, batch = make(vocabulary, kind), make_batch(vocabulary, kind)
    decoder = captioner.decoder
    decoder.config = replace(decoder.config, dropout=0.0)
    plain = captioner.train().loss(batch)[0]
    captioner.label_smoothing = 0.2
    smoothed = captioner.loss(batch)[0]
    assert smoothed.item() == plain.item()  # so that logs can be compared
    hidden, penalty = decoder.read(batch.features, batch.photo, batch.words)
    true = F.cross_entropy(
        decoder.scores(hidden), batch.targets.data, reduction="sum", label_smoothing=0.2
    )
    expected = gradients(true / len(batch) + penalty, decoder)
    for ours, theirs in zip(gradients(smoothed, decoder), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    read = captioner.eval().loss(batch)[0]
    for ours, theirs in zip(gradients(read, decoder), gradients(plain, decoder), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["pooled", "attention"])
def test_tied_weights_score_words_by_the_vectors_they_are_read_with(
    vocabulary: Vocabulary, kind: str
) -> None:
    captioner, batch = make(vocabulary, kind, tie_weights=True).eval(), make_batch(vocabulary, kind)
    decoder = captioner.decoder
    hidden, penalty = decoder.read(batch.features, batch.photo, batch.words)
    weights = dict(decoder.named_parameters())
    assert "score.weight" not in weights
    out, words = weights["score.out.weight"], weights["embed.weight"]
    assert (out.shape, words.shape) == ((7, 9), (len(vocabulary), 7))
    scores = hidden.h @ out.T @ words.T + weights["score.bias"]
    torch.testing.assert_close(decoder.scores(hidden), scores)
    plain = F.cross_entropy(scores, batch.targets.data, reduction="sum") / len(batch)
    plain = plain + penalty - penalty.detach()
    loss = captioner.loss(batch)[0]
    torch.testing.assert_close(loss, plain)
    for ours, theirs in zip(gradients(loss, decoder), gradients(plain, decoder), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_tied_weights_are_the_copys_own_in_a_copy(vocabulary: Vocabulary) -> None:
    decoder = make(vocabulary, tie_weights=True).decoder
    twin = copy.deepcopy(decoder)
    assert twin.score.weight is twin.embed.weight is not decoder.embed.weight
    assert decoder.float().score.weight is decoder.embed.weight


def test_hidden_words_are_unk_and_never_start(vocabulary: Vocabulary) -> None:
    data = CaptionData([["a dog runs on grass"] * 2000], np.zeros((1, 5)), vocabulary)
    words = data.batch(torch.arange(2000)).words
    assert hide(words, 0.0) is words
    found = hide(words, 0.3)
    changed = found.data != words.data
    assert (found.data[:2000] == START).all()
    assert (found.data[changed] == UNK).all()
    assert changed[2000:].float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(found.batch_sizes, words.batch_sizes)


def test_silenced_features_are_the_same_at_all_places_of_a_photo() -> None:
    features = torch.ones(40, 6, 500)
    assert silence(features, 0.0) is features
    found = silence(features, 0.3)
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert not torch.equal(found[0], found[1])
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert found.mean().item() == pytest.approx(1, abs=0.03)
    pooled = silence(torch.ones(40, 500), 0.3)
    assert (pooled == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_the_chance_of_a_drawn_word_rises_to_its_largest() -> None:
    config = Config(scheduled_sampling=0.4, scheduled_sampling_rise=0.5, epochs=9)
    chances = [sampling_chance(config, epoch) for epoch in range(9)]
    assert chances == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4])
    at_once = replace(config, scheduled_sampling_rise=0.0)
    assert [sampling_chance(at_once, epoch) for epoch in (0, 8)] == [0.4, 0.4]


def test_words_are_drawn_by_their_chances() -> None:
    chances = torch.tensor([0.5, 0.2, 0.05, 0.05, 0.06, 0.0, 0.14])
    words = draw(chances.log().expand(20_000, -1))
    counts = words.bincount(minlength=7) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0, 0, 0, 0, 0.3, 0, 0.7]), rtol=0, atol=0.015)


@pytest.mark.parametrize("kind", ["pooled", "attention"])
def test_mixed_in_words_are_what_the_decoder_says_at_the_place_before(
    vocabulary: Vocabulary, kind: str, monkeypatch
) -> None:
    decoder, batch = make(vocabulary, kind).decoder.train(), make_batch(vocabulary, kind)
    monkeypatch.setattr(
        "captioner.corruption.draw", lambda scores: scores[:, UNK + 1 :].argmax(dim=1) + UNK + 1
    )
    found = mix_in(decoder, batch, 1.0)
    assert decoder.training
    assert all(weight.grad is None for weight in decoder.parameters())
    decoder.eval()
    order = batch.words.sorted_indices
    rows, _ = torch.nn.utils.rnn.pad_packed_sequence(batch.words, batch_first=True)
    scores = decoder(batch.features[batch.photo], rows)
    said = scores[:, :, UNK + 1 :].argmax(dim=2) + UNK + 1
    shown = torch.cat([rows[:, :1], said[:, :-1]], dim=1)
    lengths = batch.words.batch_sizes
    expected = torch.cat([shown[order[:n], step] for step, n in enumerate(lengths)])
    assert torch.equal(found.data, expected)
    assert (found.data[: len(batch)] == START).all()


def test_as_many_words_are_mixed_in_as_the_chance_says(vocabulary: Vocabulary) -> None:
    decoder = make(vocabulary).decoder
    data = CaptionData([["the the the the the"] * 1000], np.ones((1, 5)), vocabulary)
    batch = data.batch(torch.arange(1000))
    batch = replace(batch, features=batch.features.double())
    assert mix_in(decoder, batch, 0.0) is batch.words
    found = mix_in(decoder, batch, 0.3).data  # what is drawn is never UNK, as `the` is
    assert (found[1000:] != UNK).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert (found[found != UNK][1000:] > UNK).all()


def test_corrupted_captions_change_by_epoch_and_keep_their_targets(vocabulary) -> None:
    data = make_data(vocabulary)
    decoder = make(vocabulary).decoder.float()
    state = torch.get_rng_state()
    plain = list(Corrupted(data, decoder, Config()).batches(2, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)  # nothing was drawn
    true = list(data.batches(2, 0, 1))
    assert [batch.words.data.tolist() for batch in plain] == [b.words.data.tolist() for b in true]
    corrupted = Corrupted(data, decoder, Config(**ALL, epochs=3))
    assert corrupted.num_batches(2) == 3
    other = list(corrupted.batches(2, 0, 1))
    for shown, batch in zip(other, true, strict=True):
        assert torch.equal(shown.targets.data, batch.targets.data)
        assert torch.equal(shown.photo, batch.photo)
    assert any((shown.words.data != batch.words.data).any()
               for shown, batch in zip(other, true, strict=True))  # fmt: skip
    assert any((shown.features == 0).any() for shown in other)


def test_the_mean_of_the_weights_is_the_sum_done_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(5.0)
        average = Average(network, 0.2)
        expected = 5.0
        for step, (weight, decay) in enumerate([(1.0, 0.1), (3.0, 2 / 11), (2.0, 0.2), (4, 0.2)]):
            network.weight.fill_(weight)
            average.update(step)
            expected = decay * expected + (1 - decay) * weight
    with average.shown():
        assert network.weight.item() == pytest.approx(expected)
    assert network.weight.item() == 4.0
    assert Average(network, 0.0).weights == {}


class Interruption(BaseException):
    pass


def weights_of(file: Path) -> dict[str, Tensor]:
    return {key: part for key, part in load_file(file).items() if not key.startswith("random")}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module", params=["pooled", "attention"])
def full_run(request, tiny_run: Run, tmp_path_factory) -> tuple[Run, Path]:
    """A run with all of it, and its folder."""
    config = replace(tiny_run.config, decoder=request.param, attention=8, epochs=5, **ALL)
    run = replace(tiny_run, config=config)
    folder = tmp_path_factory.mktemp("runs") / "full"
    begin(folder, run)
    train_captioner(folder, run)
    return run, folder


def test_it_learns_with_all_of_it(full_run: tuple[Run, Path]) -> None:
    log = [json.loads(line) for line in (full_run[1] / "log.jsonl").read_text().splitlines()]
    losses = [record["train_loss"] for record in log if "epoch" in record]
    assert losses[-1] < 0.8 * losses[0]  # in five epochs, of words half of which are wrong


@pytest.mark.parametrize("stop_at", [9, 23])
def test_an_interruption_leaves_no_trace_with_all_of_it(
    full_run: tuple[Run, Path], tmp_path: Path, monkeypatch, stop_at: int
) -> None:
    run = replace(full_run[0], config=replace(full_run[0].config, checkpoint_minutes=0.0))
    steps, original = 0, Logbook.step_done

    def stop(self, record) -> None:
        nonlocal steps
        steps += 1
        original(self, record)
        if steps == stop_at:
            raise Interruption

    begin(tmp_path / "run", run)
    with monkeypatch.context() as patched:
        patched.setattr(Logbook, "step_done", stop)
        with pytest.raises(Interruption):
            train_captioner(tmp_path / "run", run)
    train_captioner(tmp_path / "run", recall(tmp_path / "run", Run))
    for name in (FILE, "best/model.safetensors"):
        assert same(weights_of(tmp_path / "run" / name), weights_of(full_run[1] / name))


def test_the_mean_of_the_weights_is_what_is_judged_and_kept(
    full_run: tuple[Run, Path], tmp_path: Path
) -> None:
    run = replace(full_run[0], config=replace(full_run[0].config, epochs=1))
    begin(tmp_path / "mean", run)
    train_captioner(tmp_path / "mean", run)
    state = load_file(tmp_path / "mean" / FILE)
    best = load_file(tmp_path / "mean" / "best" / "model.safetensors")
    names = [name.removeprefix("model.") for name in state if name.startswith("model.")]
    for name in names:
        assert torch.equal(best[f"decoder.{name}"], state[f"average.{name}"])
        assert not torch.equal(state[f"average.{name}"], state[f"model.{name}"])
    plain = replace(run, config=replace(run.config, average=0.0))
    begin(tmp_path / "plain", plain)
    train_captioner(tmp_path / "plain", plain)
    weights = load_file(tmp_path / "plain" / FILE)  # training went on beside the mean
    assert all(torch.equal(weights[f"model.{name}"], state[f"model.{name}"]) for name in names)
    assert not any(name.startswith("average") for name in weights)


def test_a_checkpoint_without_the_mean_is_refused(full_run, tmp_path: Path) -> None:
    run = replace(full_run[0], config=replace(full_run[0].config, average=0.0, epochs=1))
    begin(tmp_path / "run", run)
    train_captioner(tmp_path / "run", run)
    with pytest.raises(InputError, match="cannot be resumed"):
        train_captioner(tmp_path / "run", full_run[0])


def test_a_tied_model_is_saved_loaded_and_exported(
    full_run: tuple[Run, Path], coloured: Path, tmp_path: Path
) -> None:
    saved = load_file(full_run[1] / "best" / "model.safetensors")
    assert [name for name in saved if name.startswith("decoder.score")] == [
        "decoder.score.bias", "decoder.score.out.weight"
    ]  # fmt: skip
    captioner = Captioner.from_pretrained(full_run[1])
    assert captioner.config.decoder.tie_weights
    assert torch.equal(captioner.decoder.score.weight, saved["decoder.embed.weight"])
    photos = sorted((coloured / "images").iterdir())[:4]
    agreement = export_model(full_run[1], tmp_path / "onnx", "float32", photos)
    assert agreement.difference < 1e-4
    export_model(full_run[1], tmp_path / "int8", "int8", photos)


def test_a_language_model_cannot_begin_a_tied_decoder(tiny_run: Run, tmp_path: Path) -> None:
    config = replace(tiny_run.config, tie_weights=True)
    with pytest.raises(InputError, match="--tie-weights"):
        train_captioner(tmp_path, replace(tiny_run, config=config, init_decoder="any"))
