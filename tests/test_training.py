"""The whole loop: it learns, it repeats, and an interruption leaves no trace."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from captioner.checkpoint import read_model
from captioner.config import ModelConfig, SearchConfig, TrainConfig
from captioner.data import CaptionData
from captioner.errors import InputError
from captioner.files import write_json
from captioner.model import Captioner
from captioner.resume import FILE, RunState, load_state
from captioner.runs import Run, begin, recall, train_captioner
from captioner.training import OPTIMISERS, learning_rate, make_optimiser
from captioner.validation import Validation


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    tensors = load_file(folder / FILE)
    return {key: value for key, value in tensors.items() if not key.startswith("random")}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def steps_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_learns_to_tell_colours(trained: Path) -> None:
    state = RunState(**json.loads(_metadata(trained)["run"]))
    assert state.best > 5  # of 10; each picture has two captions that differ
    losses = [record["train_loss"] for record in state.history]
    assert losses[-1] < losses[0] / 3
    captioner = Captioner.from_pretrained(trained)
    assert captioner.config.encoder.weights == "file"


def _metadata(folder: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(folder / FILE, framework="pt") as opened:
        return opened.metadata()


def test_what_a_run_leaves(trained: Path) -> None:
    names = {file.name for file in trained.iterdir()}
    assert names >= {"run.json", "split.json", "log.jsonl", "curves.png", "best", FILE}
    assert any((trained / "tensorboard").iterdir())
    log = steps_of(trained)
    steps = [record for record in log if "epoch" not in record]
    epochs = [record for record in log if "epoch" in record]
    assert [record["step"] for record in steps] == list(range(1, 12 * 6 + 1))
    assert [record["epoch"] for record in epochs] == list(range(1, 13))
    notes = json.loads((trained / "best" / "metrics.json").read_text())
    best = max(epochs, key=lambda record: record["val_cider_d"])
    assert notes["metrics"]["val"]["cider_d"] == best["val_cider_d"]
    assert notes["training"]["epoch"] == best["epoch"]
    assert read_model(trained / "best", ModelConfig).config.decoder.hidden == 32


def test_same_seed_same_numbers(tiny_run: Run, trained: Path, tmp_path: Path) -> None:
    begin(tmp_path / "again", tiny_run)
    train_captioner(tmp_path / "again", tiny_run)
    assert same(weights_of(tmp_path / "again"), weights_of(trained))
    begin(tmp_path / "other", replace(tiny_run, seed=1))
    train_captioner(tmp_path / "other", replace(tiny_run, seed=1))
    assert not same(weights_of(tmp_path / "other"), weights_of(trained))


class Interruption(BaseException):
    pass


@pytest.mark.parametrize("stop_at", [1, 9, 30])
def test_an_interrupted_run_ends_with_the_very_weights_of_an_unbroken_one(
    tiny_run: Run, trained: Path, tmp_path: Path, monkeypatch, stop_at: int
) -> None:
    """Stopped in the middle of an epoch, with a checkpoint after every step."""
    run = replace(tiny_run, config=replace(tiny_run.config, checkpoint_minutes=0.0))
    steps = 0

    def stop(self, record) -> None:
        nonlocal steps
        steps += 1
        original(self, record)
        if steps == stop_at:
            raise Interruption

    original = captioner_logbook().step_done
    begin(tmp_path / "run", run)
    with monkeypatch.context() as patched:
        patched.setattr(captioner_logbook(), "step_done", stop)
        with pytest.raises(Interruption):
            train_captioner(tmp_path / "run", run)
    train_captioner(tmp_path / "run", recall(tmp_path / "run", Run))
    assert same(weights_of(tmp_path / "run"), weights_of(trained))
    assert same(load_file(tmp_path / "run/best/model.safetensors"),
                load_file(trained / "best/model.safetensors"))  # fmt: skip
    noted = [(r["step"], r.get("epoch"), r.get("loss")) for r in steps_of(tmp_path / "run")]
    assert noted == [(r["step"], r.get("epoch"), r.get("loss")) for r in steps_of(trained)]


def captioner_logbook():
    from captioner.logbook import Logbook

    return Logbook


def test_kill_9_at_any_moment(tiny_run: Run, trained: Path, tmp_path: Path) -> None:
    """The program itself, killed twice without warning, and resumed."""
    folder = tmp_path / "run"
    run = replace(tiny_run, config=replace(tiny_run.config, checkpoint_minutes=0.0))
    begin(folder, run)
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, str(root / "train.py"), "--resume", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for lines in (3, 25):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            log = folder / "log.jsonl"
            if log.exists() and log.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert same(weights_of(folder), weights_of(trained))
    assert same(load_file(folder / "best/model.safetensors"),
                load_file(trained / "best/model.safetensors"))  # fmt: skip


def test_a_new_run_does_not_overwrite_an_old_one(tiny_run: Run, trained: Path) -> None:
    with pytest.raises(InputError, match="--resume"):
        begin(trained, tiny_run)


def test_resuming_where_there_is_nothing_or_other_data_is_refused(
    tiny_run: Run, trained: Path, coloured: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no run to resume"):
        recall(tmp_path, Run)
    (tmp_path / "run.json").write_text('{"data": 5}')
    with pytest.raises(InputError, match=r"run\.json"):
        recall(tmp_path, Run)
    begin(tmp_path / "run", tiny_run)
    write_json(tmp_path / "run" / "data.json", {"fingerprint": "of other data"})
    with pytest.raises(InputError, match="no longer the data"):
        train_captioner(tmp_path / "run", tiny_run)


def test_a_checkpoint_cut_short_is_refused(trained: Path, captioner: Captioner, tmp_path) -> None:
    (tmp_path / FILE).write_bytes((trained / FILE).read_bytes()[:3000])
    optimiser = make_optimiser(TrainConfig(), captioner.decoder)
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(tmp_path, captioner.decoder, optimiser)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_learns_and_resumes(
    tiny_run: Run, tmp_path: Path, name: str, monkeypatch
) -> None:
    rate = {"sgd": 0.02, "adagrad": 0.05}.get(name, 0.01)
    config = replace(tiny_run.config, optimiser=name, learning_rate=rate, epochs=3, clip_norm=5.0)
    run = replace(tiny_run, config=config)
    begin(tmp_path / "whole", run)
    whole = train_captioner(tmp_path / "whole", run)
    assert whole.history[-1]["train_loss"] < whole.history[0]["train_loss"]
    begin(tmp_path / "parts", run)
    original = captioner_logbook().epoch_ends

    def stop(self, record, samples) -> None:
        original(self, record, samples)
        raise Interruption

    with monkeypatch.context() as patched:
        patched.setattr(captioner_logbook(), "epoch_ends", stop)
        with pytest.raises(Interruption):
            train_captioner(tmp_path / "parts", run)
    train_captioner(tmp_path / "parts", run)
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))


def test_it_stops_when_cider_d_no_longer_rises(tiny_run: Run, tmp_path: Path) -> None:
    config = replace(tiny_run.config, learning_rate=1e-12, patience=2, epochs=9)
    begin(tmp_path / "run", replace(tiny_run, config=config))
    state = train_captioner(tmp_path / "run", replace(tiny_run, config=config))
    assert (state.epoch, state.best_epoch) == (3, 1)


def test_divergence_is_told(tiny_run: Run, tmp_path: Path) -> None:
    config = replace(tiny_run.config, optimiser="sgd", learning_rate=1e30, clip_norm=1e30)
    begin(tmp_path / "run", replace(tiny_run, config=config))
    with pytest.raises(InputError, match="--learning-rate"):
        train_captioner(tmp_path / "run", replace(tiny_run, config=config))


def test_unreadable_photos_stop_a_run_unless_they_may_be_left_out(
    tiny_run: Run, coloured: Path, tmp_path: Path
) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(coloured, data)
    (data / "images" / "003.jpg").write_bytes(b"no photo")
    run = replace(tiny_run, data=str(data), config=replace(tiny_run.config, epochs=1))
    begin(tmp_path / "run", run)
    with pytest.raises(InputError, match=r"003\.jpg[\s\S]*--skip-bad"):
        train_captioner(tmp_path / "run", run)
    begin(tmp_path / "other", replace(run, skip_bad=True))
    train_captioner(tmp_path / "other", replace(run, skip_bad=True))
    notes = json.loads((tmp_path / "other" / "best" / "metrics.json").read_text())
    assert notes["training"]["photos"] == 23


def test_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(learning_rate=0.1, warmup=10)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[9] > 0.09
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[50] == pytest.approx(0.05)
    assert learning_rate(replace(config, schedule="constant"), 99, 100) == 0.1
    assert learning_rate(replace(config, schedule="linear"), 75, 100) == pytest.approx(0.025)


def test_biases_are_not_pulled_to_zero(captioner: Captioner) -> None:
    groups = make_optimiser(TrainConfig(weight_decay=0.1), captioner.decoder).param_groups
    assert {weight.ndim for weight in groups[0]["params"]} == {2}
    assert {weight.ndim for weight in groups[1]["params"]} == {1}
    assert (groups[0]["weight_decay"], groups[1]["weight_decay"]) == (0.1, 0.0)


def test_batches_hold_every_caption_once(captioner: Captioner) -> None:
    import numpy as np

    captions = [["a dog", "a dog runs"], ["cat sleeps"], ["a cat", "the cat on grass", "a"]]
    maps = np.arange(18, dtype=np.float16).reshape(3, 6)
    data = CaptionData(captions, maps, captioner.vocabulary)
    seen = []
    for batch in data.batches(4, seed=0, epoch=0):
        words, lengths = torch.nn.utils.rnn.pad_packed_sequence(batch.targets, batch_first=True)
        for row, length, of_photo in zip(words, lengths, batch.features[batch.photo], strict=True):
            text = captioner.vocabulary.decode(row[:length].tolist())
            seen.append((int(of_photo[0]) // 6, text))
    assert sorted(seen) == sorted(
        [(0, "a dog"), (0, "a dog runs"), (1, "cat sleeps"), (2, "a cat"),
         (2, "<unk> cat on grass"), (2, "a")]
    )  # fmt: skip
    first = [batch.words.data.tolist() for batch in data.batches(4, 0, 0)]
    assert first == [batch.words.data.tolist() for batch in data.batches(4, 0, 0)]
    assert first != [batch.words.data.tolist() for batch in data.batches(4, 0, 1)]
    assert first[1:] == [batch.words.data.tolist() for batch in data.batches(4, 0, 0, skip=1)]


def test_the_loss_of_packed_captions_equals_the_temporal_softmax_loss(captioner) -> None:
    import numpy as np

    from captioner.losses import temporal_softmax_loss
    from captioner.vocabulary import PAD

    captions = [["a dog", "a dog runs on grass"], ["cat"]]
    maps = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    data = CaptionData(captions, maps, captioner.vocabulary)
    batch = data.batch(torch.arange(3))
    words = data.words[:, :-1]
    targets = data.words[:, 1:]
    features = torch.from_numpy(maps)[[0, 0, 1]]
    scores = captioner.decoder(features, words)
    plain = temporal_softmax_loss(scores, targets, targets != PAD)
    fast, carried = captioner.loss(batch)
    assert carried == ()
    torch.testing.assert_close(fast, plain)


def test_validation_scores_what_is_really_decoded(captioner: Captioner, monkeypatch) -> None:
    import numpy as np

    maps = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    references = [("a dog runs on grass",), ("a cat sleeps on grass",), ("a dog sleeps",)]
    validation = Validation(maps, references, ["1.jpg", "2.jpg", "3.jpg"], beam_size=1)
    figures, samples = validation.score(captioner)
    expected = [
        found[0].caption
        for found in captioner.search(torch.from_numpy(maps), SearchConfig(beam_size=1))
    ]
    assert samples == [f"{n}.jpg: {caption}" for n, caption in enumerate(expected, start=1)]
    assert figures["val_different"] == len(set(expected))
    from captioner.metrics import score_captions

    assert figures["val_cider_d"] == pytest.approx(
        score_captions(expected, [list(r) for r in references])["cider_d"], abs=1e-12
    )


def test_settings_of_a_run_survive_json(tiny_run: Run, tmp_path: Path) -> None:
    begin(tmp_path / "run", tiny_run)
    assert recall(tmp_path / "run", Run) == tiny_run
    assert asdict(tiny_run)["config"]["hidden"] == 32
