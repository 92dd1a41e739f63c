"""Captions of photos, whichever way they come in."""

import io
import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import captioner as package
from captioner.config import SearchConfig
from captioner.errors import InputError
from captioner.files import write_json
from captioner.images import open_photo
from captioner.model import Caption, Captioner
from conftest import COLOURS


def test_a_caption_for_every_kind_of_photo(model: Captioner, files: list[Path]) -> None:
    for file, colour in zip(files, COLOURS, strict=False):
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        caption = model(file)
        assert caption in (f"a {colour} picture", f"the picture is {colour}")
        array = np.asarray(image)
        sources = [str(file), file.read_bytes(), image, array, (array / 255).astype("f4")]
        assert [model(source) for source in sources] == [caption] * 5
        assert model(sources) == [caption] * 5
    assert model([]) == []


def test_a_batch_gives_what_photos_alone_give(model: Captioner, files: list[Path]) -> None:
    together = list(model.stream(files, SearchConfig(num_captions=3)))
    assert list(model.stream(iter(files), SearchConfig(num_captions=3), batch_size=3)) == together
    for file, captions in zip(files, together, strict=True):
        (alone,) = model.stream([file], SearchConfig(num_captions=3))
        assert [found.caption for found in alone] == [found.caption for found in captions]
        log_probs = [found.log_prob for found in captions]
        assert [found.log_prob for found in alone] == pytest.approx(log_probs, abs=1e-4)


def test_an_unreadable_photo_in_a_batch(model: Captioner, files: list[Path]) -> None:
    results = list(model.stream([files[0], b"no photo", "none.jpg", files[1]], batch_size=2))
    assert [isinstance(result, InputError) for result in results] == [False, True, True, False]
    assert [results[0][0].caption, results[3][0].caption] == model(files[:2])
    with pytest.raises(InputError, match=r"none\.jpg: there is no such file"):
        model([files[0], "none.jpg"])


def test_an_unreadable_photo_leaves_what_others_draw_by_lot(
    model: Captioner, files: list[Path]
) -> None:
    config = SearchConfig(sample=True, num_captions=4, seed=3)
    whole = list(model.stream(files[:4], config))
    files = [files[0], "none.jpg", *files[2:4]]
    assert [result for i, result in enumerate(model.stream(files, config)) if i != 1] == [
        result for i, result in enumerate(whole) if i != 1
    ]


def test_log_probabilities_are_those_of_the_decoder(model: Captioner, files: list[Path]) -> None:
    """The sum over words and END of what teacher forcing gives to the very same caption."""
    from captioner.images import photo_array

    photo = photo_array(open_photo(files[0]), model.config.encoder.preprocessing)
    with torch.inference_mode():
        maps = model.encoder.see(torch.from_numpy(photo).unsqueeze(0)).mean(dim=1)
        for beam_size in (1, 3):
            (found,) = model.search(model.encoder.project(maps), SearchConfig(beam_size=beam_size))[
                0
            ]
            words = torch.tensor([model.vocabulary.encode(found.caption)])
            scores = model.decoder(model.encoder.project(maps), words[:, :-1])
            log_probs = scores.log_softmax(dim=2).gather(2, words[:, 1:].unsqueeze(2))
            assert found.log_prob == pytest.approx(log_probs.sum().item(), abs=1e-4)


def test_a_run_and_its_best_model_are_the_same(trained: Path, files: list[Path]) -> None:
    of_run, of_best = (Captioner.from_pretrained(path) for path in (str(trained), trained / "best"))
    assert not of_run.training
    assert of_run.config == of_best.config
    state = of_best.state_dict()
    assert of_run.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in of_run.state_dict().items())
    assert of_run(files) == of_best(files)


def test_a_model_in_half_precision_says_the_same(
    trained: Path, files: list[Path], tmp_path: Path, model: Captioner
) -> None:
    from captioner.checkpoint import read_model, save_model
    from captioner.config import ModelConfig

    saved = read_model(trained / "best", ModelConfig)
    folder = tmp_path / "best"
    decoder = {k: v.half() if k.startswith("decoder.") else v for k, v in saved.tensors.items()}
    save_model(folder, saved.config, saved.vocabulary, decoder, {}, "")
    assert Captioner.from_pretrained(folder)(files) == model(files)


def test_the_saved_tensors_hold_the_cnn_unless_a_package_does(model: Captioner) -> None:
    from dataclasses import replace

    names = model.saved_tensors().keys()
    assert any(name.startswith("encoder.backbone.") for name in names)
    original = model.config
    try:
        model.config = replace(original, encoder=replace(original.encoder, weights="package"))
        packaged = model.saved_tensors().keys()
    finally:
        model.config = original
    assert packaged == {name for name in names if not name.startswith("encoder.backbone.")}


def test_public_names() -> None:
    assert package.Captioner is Captioner
    assert package.Caption is Caption
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Painter'"):
        package.Painter  # noqa: B018


def test_photos_opened_side_by_side_leave_the_warnings_as_they_were() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(buffer, "PNG")
    data = buffer.getvalue()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        for _ in range(3):
            with ThreadPoolExecutor(4) as pool:
                assert len(list(pool.map(open_photo, [data] * 100))) == 100
        assert list(warnings.filters) == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"format": 99}, "format 99.*install the version"),
        ({"decoder": {"hidden": 64}}, "do not fit the settings.*fetch or save the model again"),
        ({"decoder": {"dropout": 7.0}}, "cannot be used.*fetch or save the model again"),
        ({"encoder": {"features": -5}}, "cannot be used.*fetch or save the model again"),
        ({"encoder": {"backbone": "resnet81"}}, "resnet81"),
        ({"encoder": {"backbone": "resnet18"}}, "resnet18.*do not fit"),
        ({"encoder": {"preprocessing": {"size": 0}}}, "cannot be used.*fetch or save"),
        ({"encoder": {"preprocessing": {"std": [0, 1, 1]}}}, "cannot be used.*fetch or save"),
        ({"encoder": {"preprocessing": {"mean": ["a", "b", "c"]}}}, "cannot be used.*fetch or"),
    ],
)
def test_a_model_of_another_version_or_tampered_with(
    trained: Path, tmp_path: Path, settings: dict, told: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "best", folder)
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", merged(config, settings))
    with pytest.raises(InputError, match=told):
        Captioner.from_pretrained(folder)


def merged(old: dict, new: dict) -> dict:
    return old | {
        key: merged(old[key], value) if isinstance(value, dict) else value
        for key, value in new.items()
    }
