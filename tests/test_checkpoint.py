import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from captioner.checkpoint import read_model, save_model
from captioner.config import ModelConfig, SearchConfig
from captioner.errors import InputError
from captioner.folders import find_model, parse
from captioner.model import Captioner


@pytest.fixture
def folder(captioner: Captioner, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    save_model(
        folder, captioner.config, captioner.vocabulary, captioner.saved_tensors(), {"a": 1}, "card"
    )
    return folder


def test_a_saved_model_is_five_files_and_comes_back_whole(folder, captioner) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md", "config.json", "metrics.json", "model.safetensors", "vocabulary.json"
    ]  # fmt: skip
    assert [file.name for file in folder.parent.iterdir()] == ["model"]
    saved = read_model(folder, ModelConfig)
    assert saved.config == captioner.config
    assert saved.vocabulary == captioner.vocabulary
    assert all((saved.tensors[key] == value).all() for key, value in captioner.state_dict().items())


def test_saving_again_replaces_the_model(folder, captioner) -> None:
    captioner.decoder.score.bias.data += 1
    save_model(folder, captioner.config, captioner.vocabulary, captioner.saved_tensors(), {}, "new")
    assert (
        read_model(folder, ModelConfig).tensors["decoder.score.bias"]
        == captioner.decoder.score.bias
    ).all()
    assert (folder / "README.md").read_text() == "new"


def test_a_failed_save_leaves_the_old_model(folder, captioner, monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(InputError, match="disk is full"):
        save_model(folder, captioner.config, captioner.vocabulary, {}, {}, "")
    assert read_model(folder, ModelConfig).config == captioner.config
    assert [file.name for file in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
def test_a_folder_that_is_not_whole_is_refused(folder: Path, name: str, harm: str) -> None:
    file = folder / name
    data = bytearray(file.read_bytes())
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(data[: len(data) // 2])
    else:
        data[-10] ^= 0x01
        file.write_bytes(data)
    if (name, harm) == ("config.json", "changed"):
        value = json.loads((folder / "vocabulary.json").read_text())  # still whole
        assert value["words"]
        (folder / name).write_text(json.dumps({"format": 1, "sha256": {}}))
    with pytest.raises(InputError, match=r"config\.json|vocabulary\.json|model\.safetensors"):
        read_model(folder, ModelConfig)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("format", 99, "format 99"),
        ("decoder", None, "DecoderConfig"),
        ("extra", 1, "extra"),
        ("decoder.cell", "transformer", "cell"),
        ("decoder.hidden", "many", "hidden"),
        ("decoder.hidden", True, "hidden"),
        ("decoder.heads", 8, "heads"),
        ("encoder.preprocessing.mean", [0.5], "mean"),
    ],
)
def test_settings_of_another_version_are_refused(folder: Path, key, value, told) -> None:
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    part = settings
    *path, last = key.split(".")
    for step in path:
        part = part[step]
    part[last] = value
    file.write_text(json.dumps(settings))
    with pytest.raises(InputError, match=told):
        read_model(folder, ModelConfig)


def test_weights_of_other_sizes_are_refused(folder: Path, captioner: Captioner) -> None:
    smaller = {**captioner.saved_tensors(), "decoder.score.bias": captioner.decoder.score.bias[:3]}
    save_model(folder, captioner.config, captioner.vocabulary, smaller, {}, "")
    with pytest.raises(InputError, match="do not fit"):
        Captioner.from_pretrained(folder)


def test_a_setting_that_did_not_exist_yet_takes_its_default(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    del settings["encoder"]["maps"]
    (folder / "config.json").write_text(json.dumps(settings))
    assert read_model(folder, ModelConfig).config.encoder.maps == "last"


def test_settings_survive_json() -> None:
    config = ModelConfig()
    assert parse(ModelConfig, json.loads(json.dumps(asdict(config))), Path("x")) == config


def test_settings_that_make_no_sense_are_told_with_their_file() -> None:
    with pytest.raises(InputError, match=r"run\.json: cannot be used \(beam_size -1"):
        parse(SearchConfig, {"beam_size": -1}, Path("run.json"))


def test_models_are_found_by_path_run_or_name(folder: Path, tmp_path: Path, monkeypatch) -> None:
    assert find_model(folder) == folder
    shutil.move(folder, tmp_path / "run" / "best")
    assert find_model(tmp_path / "run") == tmp_path / "run" / "best"
    monkeypatch.setattr("captioner.folders.MODELS", tmp_path / "run")
    assert find_model("best") == tmp_path / "run" / "best"
    with pytest.raises(InputError, match=r"nothing: not a model.*best"):
        find_model("nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no config\.json"):
        find_model(tmp_path / "empty")
