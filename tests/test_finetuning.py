"""A CNN that learns on: which of its weights, from which photos, saved and resumed how."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from captioner import training
from captioner.commands import main
from captioner.data import CaptionData
from captioner.datasets import read_dataset
from captioner.errors import InputError
from captioner.finetuning import FineTuned, Photos, names_of_last
from captioner.images import open_photo, photo_array
from captioner.material import Run, gather
from captioner.model import Captioner
from captioner.release import release
from captioner.runs import begin, train_captioner
from captioner.training import make_optimiser
from conftest import TINY


def lite() -> Any:
    return timm.create_model("tf_efficientnet_lite0", num_classes=0, global_pool="")


def test_the_last_stages_are_those_nearest_to_the_captions() -> None:
    block = {f"blocks.6.0.conv_{name}.weight" for name in ("pw", "dw", "pwl")}
    assert names_of_last(lite(), 1) == block | {"conv_head.weight"}
    two = names_of_last(lite(), 2)
    assert {name.split(".")[1] for name in two if name.startswith("blocks")} == {"5", "6"}
    assert not any(".bn" in name for name in two)
    with pytest.raises(InputError, match="has 8 stages"):
        names_of_last(lite(), 10)


@pytest.fixture
def settled(trained: Path) -> Captioner:
    return Captioner.from_pretrained(trained)


def photos_of(coloured: Path, captioner: Captioner, split: str = "train") -> Photos:
    photos = read_dataset(coloured).split(split)
    return Photos(
        [photo.file for photo in photos],
        [photo.captions for photo in photos],
        captioner.preprocessing,
    )


def test_photos_change_with_the_epoch_and_come_back_with_it(
    coloured: Path, settled: Captioner
) -> None:
    photos = photos_of(coloured, settled)
    some = np.array([4, 1])
    first = photos.show(some, seed=0, epoch=0)
    assert first.shape == (2, 3, *2 * [settled.preprocessing.size])
    assert np.array_equal(first, photos.show(some, 0, 0))
    assert np.array_equal(first[1], photos.show(np.array([1]), 0, 0)[0])
    assert not np.array_equal(first, photos.show(some, 0, 1))
    assert not np.array_equal(first, photos.show(some, 1, 0))


def test_photos_of_which_captions_tell_sides_stay_as_they_are_turned(
    coloured: Path, settled: Captioner
) -> None:
    photos = photos_of(coloured, settled)
    assert all(photos.may_mirror)
    sided = Photos(photos.files[:1], [["a picture on the left"]], settled.preprocessing)
    assert sided.may_mirror == [False]


def test_the_features_are_those_of_the_encoder(coloured: Path, settled: Captioner) -> None:
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    images = [photo_array(open_photo(file), settled.preprocessing) for file in files]
    with torch.inference_mode():
        expected = settled.encoder(torch.from_numpy(np.stack(images))).mean(dim=1)
    found = FineTuned(settled, 2).features(files)
    assert torch.allclose(found.float(), expected, rtol=2e-3, atol=2e-3)


def test_a_step_changes_the_last_stages_and_nothing_else(
    coloured: Path, settled: Captioner
) -> None:
    learner = FineTuned(settled, 2)
    for part in learner.backbone.modules():  # timm has a block's last one begin with nought
        if isinstance(part, torch.nn.BatchNorm2d):
            part.weight.data.fill_(1.0)
    before = {name: value.clone() for name, value in settled.state_dict().items()}
    data = CaptionData(
        [photo.captions for photo in read_dataset(coloured).split("train")],
        photos_of(coloured, settled),
        settled.vocabulary,
        together=True,
    )
    config = replace(TINY, weight_decay=0.0, learning_rate=0.01)
    optimiser = make_optimiser(config, learner.trained, {"cnn.": 0.1})
    for group in optimiser.param_groups:
        group["lr"] *= group["pace"]
    learner.train()
    batch = next(data.batches(8, seed=0, epoch=0))
    training.train_step(learner, batch, (), optimiser, config)
    after = settled.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    mark = "encoder.backbone."
    assert {name.removeprefix(mark) for name in changed if name.startswith(mark)} == (
        settled.encoder.tuned
    )
    assert "decoder.embed.weight" in changed
    assert not {"encoder.mean", "encoder.components"} & changed
    # The step of Adam is as long as the rate of the group: the CNN's a tenth of the decoder's.
    cnn = max((after[mark + n] - before[mark + n]).abs().max() for n in settled.encoder.tuned)
    embed = (after["decoder.embed.weight"] - before["decoder.embed.weight"]).abs().max()
    assert 0.5 < 10 * cnn / embed < 2


@pytest.fixture
def run(tiny_run: Run, trained: Path) -> Run:
    config = replace(
        tiny_run.config, cnn_learning_rate=1e-3, cnn_stages=2, epochs=2, learning_rate=1e-3
    )
    return replace(tiny_run, config=replace(config, average=0.5), begin_with=str(trained))


@pytest.fixture
def tuned(run: Run, tmp_path: Path) -> Path:
    begin(tmp_path / "tuned", run)
    train_captioner(tmp_path / "tuned", run)
    return tmp_path / "tuned"


def test_a_tuned_model_is_saved_whole_and_captions_as_it_was_judged(
    tuned: Path, trained: Path, coloured: Path
) -> None:
    captioner, before = Captioner.from_pretrained(tuned), Captioner.from_pretrained(trained)
    one, other = (c.encoder.backbone.state_dict() for c in (captioner, before))  # type: ignore[union-attr]
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed == names_of_last(before.encoder.backbone, 2)  # type: ignore[arg-type]
    notes = json.loads((tuned / "best" / "metrics.json").read_text())
    record, before_it = notes["metrics"]["val"], notes["training"]["began_with"]
    assert before_it["commit"]
    settings, model = notes["training"]["settings"], captioner.config
    assert (settings["hidden"], settings["decoder"]) == (model.decoder.hidden, model.decoder.kind)
    assert settings["backbone"] == model.encoder.backbone
    card = (tuned / "best" / "README.md").read_text()
    assert "its last stages trained on" in card
    assert card.count(before_it["command"]) >= 1
    log = [json.loads(line) for line in (tuned / "log.jsonl").read_text().splitlines()]
    assert record["cider_d"] == max(line.get("val_cider_d", 0) for line in log)
    val = read_dataset(coloured).split("val")
    captions = captioner([photo.file for photo in val], beam_size=1)
    from captioner.metrics import CiderD

    scorer = CiderD([[c.lower().rstrip(".") for c in photo.captions] for photo in val])
    assert scorer.score(captions).mean() == pytest.approx(record["cider_d"], abs=1e-6)


def test_the_copy_that_is_given_to_others_is_whole(
    tuned: Path, coloured: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"split": "test", "metrics": {"cider_d": 1.0}, "photos": 8}))
    release(tuned, tmp_path / "copy", scores)
    one, other = Captioner.from_pretrained(tuned), Captioner.from_pretrained(tmp_path / "copy")
    whole, halved = one.saved_tensors(), other.saved_tensors()
    assert whole.keys() == halved.keys()
    for name, value in whole.items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(halved[name], expected), name
    sizes = [
        (folder / "model.safetensors").stat().st_size
        for folder in (tuned / "best", tmp_path / "copy")
    ]
    assert sizes[1] < 0.6 * sizes[0]
    files = [photo.file for photo in read_dataset(coloured).split("val")]
    assert one(files) == other(files)


def test_a_new_captioner_looks_through_the_tuned_cnn_of_another(
    tuned: Path, tiny_run: Run, tmp_path: Path
) -> None:
    whole = tiny_run.config
    config = replace(whole, epochs=1, hidden=24, decoder="attention", attention=8)
    run = replace(tiny_run, config=config, backbone_weights=str(tuned))
    begin(tmp_path / "new", run)
    train_captioner(tmp_path / "new", run)
    new, old = Captioner.from_pretrained(tmp_path / "new"), Captioner.from_pretrained(tuned)
    assert new.config.encoder == old.config.encoder
    assert new.config.decoder.hidden == 24
    ours, theirs = (c.encoder.backbone.state_dict() for c in (new, old))  # type: ignore[union-attr]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    notes = json.loads((tmp_path / "new" / "best" / "metrics.json").read_text())
    assert notes["training"]["cnn_of"]["began_with"]["commit"]
    other = replace(run, config=replace(config, backbone="resnet18", size=99))
    with pytest.raises(InputError, match="its CNN wants --backbone test_resnet, --size"):
        gather(other, read_dataset(run.data), resumed=False)


class KilledError(Exception):
    pass


def test_killed_in_the_midst_of_an_epoch_it_ends_with_the_same_weights(
    tuned: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "resumed"
    begin(folder, run)
    run = replace(run, config=replace(run.config, checkpoint_minutes=0.0))
    original = training.train_step
    steps: Iterator[int] = iter(range(100))

    def step(*args: Any) -> Any:
        if next(steps) == 3:
            raise KilledError
        return original(*args)

    monkeypatch.setattr(training, "train_step", step)
    with pytest.raises(KilledError):
        train_captioner(folder, run)
    monkeypatch.setattr(training, "train_step", original)
    train_captioner(folder, run)
    one, other = (Captioner.from_pretrained(f).state_dict() for f in (tuned, folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fine-tune"], "--begin-with"),
        (["fine-tune", "--begin-with", "a", "--views", "2"], "--views"),
        (["fine-tune", "--begin-with", "a", "--scheduled-sampling", "0.2"], "--scheduled-sampling"),
        (["lstm", "--views", "0"], "views 0 must be at least 1"),
        (["lstm", "--cnn-learning-rate", "-1"], "cnn_learning_rate"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    arguments: list[str], told: str, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", *arguments, "--data", str(coloured), "--out", str(tmp_path / "run")])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_views_are_learned_from(tiny_run: Run, tmp_path: Path) -> None:
    run = replace(tiny_run, config=replace(tiny_run.config, views=3, epochs=1))
    begin(tmp_path / "views", run)
    state = train_captioner(tmp_path / "views", run)
    assert state.epoch == 1
