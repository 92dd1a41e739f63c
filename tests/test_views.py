"""The same photos seen otherwise, kept and shown by lot."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from captioner.data import CaptionData, Variants
from captioner.features import FeatureCache
from captioner.images import open_photo, photo_array
from captioner.model import Captioner
from captioner.selfcritical import PhotoData
from captioner.views import SLANT, SMALLEST, WHOLE, View, draw_view, fixed_view, may_mirror
from captioner.vocabulary import Vocabulary


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_the_whole_view_is_the_photo_and_a_mirror_turns_it() -> None:
    photo = picture()
    assert np.array_equal(WHOLE.of(photo), photo)
    assert np.array_equal(View(mirrored=True).of(photo), ImageOps.mirror(photo))
    part = View(0.5, 0.25, 1.0, 0.75).of(photo)
    assert np.array_equal(np.asarray(part), np.asarray(photo)[10:30, 30:60])


def test_drawn_views_lie_within_the_photo_and_show_most_of_it() -> None:
    views = [draw_view(np.random.default_rng(seed), True) for seed in range(300)]
    for left, upper, right, lower, _ in views:
        assert 0 <= left < right <= 1
        assert 0 <= upper < lower <= 1
        assert (right - left) * (lower - upper) > SMALLEST / SLANT
    areas = [(view.right - view.left) * (view.lower - view.upper) for view in views]
    assert min(areas) < 0.8
    assert max(areas) > 0.95
    assert 0.4 < np.mean([view.mirrored for view in views]) < 0.6
    assert len({view.left for view in views}) > 200


def test_photos_whose_captions_tell_sides_are_never_mirrored() -> None:
    assert not may_mirror(["a dog", "a dog , left of a cat"])
    drawn = [draw_view(np.random.default_rng(seed), False) for seed in range(20)]
    kept = [fixed_view(Path("a.jpg"), number, False) for number in range(20)]
    assert not any(view.mirrored for view in drawn + kept)


def test_kept_views_depend_on_name_and_number_alone() -> None:
    one, other = Path("x/a.jpg"), Path("y/a.jpg")
    assert [fixed_view(one, n, True) for n in range(5)] == [
        fixed_view(other, n, True) for n in range(5)
    ]
    views = {fixed_view(Path(f"{name}.jpg"), n, True) for name in "abcd" for n in range(2, 5)}
    assert len(views) == 12


def test_a_cache_keeps_what_the_network_sees_of_each_view(trained: Path, tmp_path: Path) -> None:
    captioner = Captioner.from_pretrained(trained)
    files = [tmp_path / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        tiles = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(tiles.repeat(10, axis=0).repeat(10, axis=1)).save(file)
    views = [fixed_view(file, 2, True) for file in files]
    cache = FeatureCache(tmp_path, files, captioner.encoder, folder=tmp_path, views=views)
    whole = FeatureCache(tmp_path, files, captioner.encoder, folder=tmp_path)
    assert cache.file != whole.file
    maps, _ = cache.maps(files)
    seen = [
        photo_array(view.of(open_photo(file)), captioner.preprocessing)
        for file, view in zip(files, views, strict=True)
    ]
    with torch.inference_mode():
        expected = captioner.encoder.see(torch.from_numpy(np.stack(seen))).mean(dim=1)
    assert np.allclose(maps, expected.numpy(), rtol=2e-2, atol=2e-3)
    others, _ = whole.maps(files)
    assert not np.allclose(maps, others, rtol=2e-2, atol=2e-3)


@pytest.fixture
def variants() -> Variants:
    """Three views of twenty photos; the features tell view and photo."""
    return Variants([np.stack([[view, photo] for photo in range(20)]) for view in range(3)])


def test_each_epoch_draws_a_view_of_every_photo_and_can_draw_it_again(variants: Variants) -> None:
    photos = np.array([3, 17, 4])
    shown = variants.show(photos, seed=1, epoch=2)
    assert shown[:, 1].tolist() == [3, 17, 4]
    assert np.array_equal(shown, variants.show(photos, seed=1, epoch=2))
    everyone = np.arange(20)
    assert np.array_equal(shown, variants.show(everyone, seed=1, epoch=2)[photos])
    epochs = [tuple(variants.show(everyone, 1, epoch)[:, 0]) for epoch in range(30)]
    assert len(set(epochs)) == 30
    assert set(np.bincount(np.array(epochs).ravel()) // 100) <= {1, 2}  # of 600, each about 200


def test_captions_and_drawing_of_captions_see_the_drawn_views(
    variants: Variants, vocabulary: Vocabulary
) -> None:
    data = CaptionData([["a dog runs"]] * 20, variants, vocabulary)
    for batch in data.batches(6, seed=5, epoch=3):
        expected = variants.show(batch.features[:, 1].long().numpy(), 5, 3)
        assert np.array_equal(batch.features.numpy(), expected)
    for photos in PhotoData(variants).batches(6, seed=5, epoch=3):
        assert np.array_equal(photos.features, variants.show(photos.numbers.numpy(), 5, 3))
