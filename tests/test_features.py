import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from captioner import extraction, features
from captioner.backbones import load_backbone
from captioner.config import EncoderConfig, Preprocessing
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.extraction import export_backbone, look_at, make_look
from captioner.features import FeatureCache, project
from conftest import BACKBONE


@pytest.fixture(scope="module", params=["last", "early+last", "middle+last"])
def encoder(weights: Path, request: pytest.FixtureRequest) -> Encoder:
    config = EncoderConfig(backbone=BACKBONE, maps=request.param, features=16)
    network, config = load_backbone(config, weights, size=100)  # maps of 25, 13, 7 and 4 places
    return Encoder(config, network)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    files = [tmp_path / "photos" / f"{number:02d}.png" for number in range(20)]
    files[0].parent.mkdir()
    for file in files:
        Image.fromarray(generator.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(file)
    return files


class Counting:
    """A look that counts the photos it saw, and can be interrupted."""

    def __init__(self, encoder: Encoder, stop_after: int | None = None) -> None:
        self.look = make_look(encoder, photos=1)
        self.seen = 0
        self.stop_after = stop_after

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(images)
        return self.look(images)


def use(monkeypatch: pytest.MonkeyPatch, look: Counting) -> Counting:
    monkeypatch.setattr("captioner.features.make_look", lambda *_: look)
    return look


def test_onnxruntime_gives_the_features_of_torch(encoder: Encoder, tmp_path: Path) -> None:
    size = encoder.config.preprocessing.size
    images = np.random.default_rng(0).standard_normal((3, 3, size, size)).astype(np.float32)
    plain = make_look(encoder, photos=1, cache=tmp_path)(images)
    assert not list(tmp_path.rglob("*.onnx"))
    fast = make_look(encoder, photos=1000, cache=tmp_path)
    assert len(list(tmp_path.rglob("*.onnx"))) == 1
    assert np.abs(fast(images) - plain).max() < 2e-5
    assert np.abs(fast(images[:1]) - plain[:1]).max() < 2e-5


def test_a_damaged_export_is_made_anew(encoder: Encoder, tmp_path: Path) -> None:
    make_look(encoder, photos=1000, cache=tmp_path)
    file = next(tmp_path.rglob("*.onnx"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="run the command again"):
        make_look(encoder, photos=1000, cache=tmp_path)
    size = encoder.config.preprocessing.size
    look = make_look(encoder, photos=1000, cache=tmp_path)
    assert look(np.zeros((1, 3, size, size), np.float32)).shape == (1, encoder.config.channels)


def test_a_cache_that_cannot_be_written_only_costs_time(encoder, tmp_path, caplog) -> None:
    (tmp_path / "onnx").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, logger="captioner"):
        look = make_look(encoder, photos=1000, cache=tmp_path)
    assert "going on with torch" in caplog.text
    size = encoder.config.preprocessing.size
    assert look(np.zeros((2, 3, size, size), np.float32)).shape == (2, encoder.config.channels)


def test_the_export_takes_any_number_of_photos(encoder: Encoder, tmp_path: Path) -> None:
    export_backbone(encoder, tmp_path / "cnn.onnx")
    look = extraction._onnx_look(tmp_path / "cnn.onnx", "pooled", photos=7)
    size = encoder.config.preprocessing.size
    for number in (1, 2, 7):
        assert look(np.zeros((number, 3, size, size), np.float32)).shape[0] == number


def test_bad_photos_are_told_and_the_others_come_in_order(files: list[Path]) -> None:
    files[5].write_text("no photo")
    preprocessing = Preprocessing(size=8)
    seen, bad = [], {}
    look = lambda images: images.mean(axis=(2, 3))  # noqa: E731
    for numbers, maps, errors in look_at(files, look, preprocessing, batch_size=4):
        assert len(numbers) == len(maps)
        seen += numbers
        bad |= errors
    assert seen == [i for i in range(20) if i != 5]
    assert list(bad) == [5]
    assert "05.png" in str(bad[5])


def test_each_photo_is_seen_once_ever(encoder, files, tmp_path, monkeypatch) -> None:
    look = use(monkeypatch, Counting(encoder))
    maps, errors = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files[:12])
    assert (look.seen, errors) == (12, {})
    again, _ = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    assert look.seen == 20
    assert np.array_equal(again[:12], maps)
    assert len(list(tmp_path.glob("features/*.npy"))) == 1
    direct = next(iter(look_at(files[:8], look.look, encoder.config.preprocessing)))[1]
    np.testing.assert_allclose(maps[:8], direct, rtol=2e-3, atol=1e-3)


def test_an_interrupted_extraction_goes_on(encoder, files, tmp_path, monkeypatch) -> None:
    use(monkeypatch, Counting(encoder, stop_after=8))
    with pytest.raises(KeyboardInterrupt):
        FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    look = use(monkeypatch, Counting(encoder))
    FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    assert look.seen == 12


@pytest.mark.parametrize("harm", ["cut", "row", "note", "emptied"])
def test_a_damaged_file_is_noticed_and_redone(encoder, files, tmp_path, monkeypatch, harm) -> None:
    use(monkeypatch, Counting(encoder))
    cache = FeatureCache(files[0].parent, files, encoder, folder=tmp_path)
    maps, _ = cache.maps(files)
    data = bytearray(cache.file.read_bytes())
    if harm == "cut":
        cache.file.write_bytes(data[: len(data) // 2])
    elif harm == "row":
        data[-1] ^= 0xFF
        cache.file.write_bytes(data)
    elif harm == "emptied":
        cache.file.write_bytes(b"")
    else:
        cache.file.with_suffix(".json").write_text("{")
    look = use(monkeypatch, Counting(encoder))
    again, _ = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    assert np.array_equal(again, maps)
    assert look.seen in {"row": [1], "cut": range(9, 13)}.get(harm, [20])


def test_another_photo_or_another_preprocessing_makes_it_stale(
    encoder, files, tmp_path, monkeypatch
) -> None:
    use(monkeypatch, Counting(encoder))
    before, _ = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    Image.new("RGB", (33, 33), "red").save(files[3])
    after, _ = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    changed = [i for i in range(20) if not np.array_equal(before[i], after[i])]
    assert changed == [3]
    assert len(list(tmp_path.glob("features/*.npy"))) == 1


def test_an_unreadable_photo_keeps_the_others(encoder, files, tmp_path, monkeypatch) -> None:
    files[2].write_text("no photo")
    look = use(monkeypatch, Counting(encoder))
    maps, errors = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files)
    assert list(errors) == [files[2]]
    assert (maps[2] == 0).all()
    assert torch.from_numpy(maps).isfinite().all()
    assert look.seen == 19


def test_two_programs_on_the_same_photos_do_not_disturb_each_other(
    encoder, files, tmp_path, monkeypatch
) -> None:
    use(monkeypatch, Counting(encoder))
    first = FeatureCache(files[0].parent, files, encoder, folder=tmp_path)
    second = FeatureCache(files[0].parent, files, encoder, folder=tmp_path)
    half, _ = first.maps(files[:10])
    Image.new("RGB", (33, 33), "red").save(files[15])
    third = FeatureCache(files[0].parent, files, encoder, folder=tmp_path)  # begins the file anew
    changed, _ = third.maps(files)
    again, _ = second.maps(files[:10])
    assert np.array_equal(again, half)
    assert np.array_equal(changed[:10], half)
    assert (first.maps(files)[0] != 0).any(axis=1).all()


def test_who_waits_for_another_program_is_told_so(
    encoder, files, tmp_path, monkeypatch, caplog
) -> None:
    use(monkeypatch, Counting(encoder))
    cache = FeatureCache(files[0].parent, files, encoder, folder=tmp_path)
    expected, _ = cache.maps(files)
    assert "waiting for another program" not in caplog.text
    monkeypatch.setattr(features, "PATIENCE", 0.01)
    with ThreadPoolExecutor() as pool, FileLock(cache.file.with_suffix(".lock")):
        found = pool.submit(cache.maps, files)
        end = time.monotonic() + 20
        while "waiting for another program" not in caplog.text:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not found.done()
    assert np.array_equal(found.result()[0], expected)


def test_places_are_cached_beside_the_pooled_maps(
    encoder: Encoder, files: list[Path], tmp_path: Path
) -> None:
    pooled, _ = FeatureCache(files[0].parent, files, encoder, folder=tmp_path).maps(files[:4])
    cache = FeatureCache(files[0].parent, files, encoder, places=True, folder=tmp_path)
    places, errors = cache.maps(files[:4])
    assert not errors
    assert places.shape == (4, encoder.count_places(), pooled.shape[1])
    np.testing.assert_allclose(places.mean(axis=1, dtype=np.float32), pooled, rtol=3e-3, atol=2e-3)
    features = project(encoder, places)
    assert features.shape == (*places.shape[:2], encoder.config.features)
    with torch.inference_mode():
        direct = encoder.project(torch.from_numpy(places[3, 1]).float()).numpy()
    np.testing.assert_allclose(features[3, 1], direct, rtol=1e-3, atol=1e-3)


def test_a_folder_given_by_another_path_is_the_same_folder(
    encoder: Encoder, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = files[0].parent
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    caches = [
        FeatureCache(place, [place / file.name for file in files], encoder, folder=tmp_path)
        for place in (root, link, Path("link"))
    ]
    assert len({(cache.file, cache.fingerprint) for cache in caches}) == 1
