import io

import numpy as np
import pytest
from PIL import Image

from captioner.config import Preprocessing
from captioner.errors import InputError
from captioner.images import find_photos, open_photo, photo_array

RED = (255, 0, 0)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def red(mode: str) -> Image.Image:
    image = Image.new("RGB", (40, 30), RED)
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"),
     ("RGB", "WEBP"), ("RGB", "BMP"), ("CMYK", "TIFF")],
)  # fmt: skip
def test_every_kind_of_picture_shows_its_colour(mode: str, form: str) -> None:
    photo = open_photo(encoded(red(mode), form))
    assert photo.mode == "RGB"
    assert photo.size == (40, 30)
    assert np.abs(np.asarray(photo, float).mean(axis=(0, 1)) - RED).max() < 5


def test_grey_pictures_of_8_and_16_bits_are_the_same() -> None:
    grey = np.linspace(0, 255, 40 * 30).reshape(30, 40)
    eight = open_photo(encoded(Image.fromarray(grey.astype(np.uint8)), "PNG"))
    sixteen = open_photo(encoded(Image.fromarray((grey * 257).astype(np.uint16)), "PNG"))
    assert np.abs(np.asarray(eight, int) - np.asarray(sixteen, int)).max() <= 1


def test_transparent_pixels_become_white() -> None:
    photo = open_photo(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"))
    assert photo.getpixel((0, 0)) == (255, 255, 255)


def test_exif_rotation_is_applied() -> None:
    image = Image.new("RGB", (40, 30), "white")
    image.paste(RED, (0, 0, 40, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the top of the scene is on the right
    photo = open_photo(encoded(image, "JPEG", exif=exif, quality=95))
    assert photo.size == (30, 40)
    assert photo.getpixel((27, 20))[1] < 60
    assert photo.getpixel((3, 20))[1] > 200


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_photo(data).getpixel((4, 4)) == RED


def test_sources_of_all_kinds_are_the_same_photo(tmp_path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8))
    file = tmp_path / "été 犬.png"
    image.save(file)
    array = np.asarray(image)
    for source in (file, str(file), file.read_bytes(), image, array, (array / 255).astype("f4")):
        assert np.array_equal(np.asarray(open_photo(source)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.full((8, 8, 3), 128.0),
        np.full((8, 8, 3), np.nan),
        np.zeros((8, 8, 3), np.int64),
        np.zeros(8, np.uint8),
    ],
)
def test_ambiguous_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError):
        open_photo(array)


def test_what_is_no_photo_is_refused_by_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    whole = encoded(Image.effect_noise((200, 200), 90), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.png").write_bytes(encoded(Image.effect_noise((99, 99), 90), "PNG")[:2000])
    (tmp_path / "folder.jpg").mkdir()
    for name in ("text.jpg", "empty.jpg", "cut.jpg", "cut.png", "folder.jpg", "missing.jpg"):
        with pytest.raises(InputError, match=name):
            open_photo(tmp_path / name)
    (tmp_path / "huge.png").write_bytes(encoded(Image.new("1", (3000, 3000)), "PNG"))
    monkeypatch.setattr("captioner.images.MAX_PIXELS", 1_000_000)
    with pytest.raises(InputError, match=r"huge\.png.*too many"):
        open_photo(tmp_path / "huge.png")


def test_large_jpegs_are_decoded_at_a_reduced_scale() -> None:
    data = encoded(Image.linear_gradient("L").resize((1600, 1200)).convert("RGB"), "JPEG")
    small = open_photo(data, smallest=260)
    assert 260 <= min(small.size) < 600
    full = photo_array(open_photo(data), Preprocessing(size=64))
    assert np.abs(photo_array(small, Preprocessing(size=64)) - full).mean() < 0.01


def test_array_of_a_photo_is_normalised() -> None:
    preprocessing = Preprocessing(size=5, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
    image = Image.new("RGB", (50, 20), (255, 51, 0))
    array = photo_array(image, preprocessing)
    assert array.shape == (3, 5, 5)
    assert array.dtype == np.float32
    assert array[:, 2, 2] == pytest.approx([1.0, (0.2 - 0.4) / 0.25, -1.5], abs=1e-6)


def test_squeeze_keeps_all_of_the_photo_and_crop_its_middle() -> None:
    image = Image.new("RGB", (90, 30), "black")
    image.paste("white", (0, 0, 30, 30))
    squeezed = photo_array(image, Preprocessing(size=30, fit="squeeze"))
    cropped = photo_array(image, Preprocessing(size=30, fit="crop"))
    assert squeezed[0, 15, 2] == pytest.approx(1, abs=0.1)
    assert (cropped < -0.7).all()


def test_finding_photos(tmp_path) -> None:
    for name in ("b.jpg", "a.PNG", "sub/c.webp", "notes.txt", "sub/deep/d.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "none").mkdir()
    files, problems = find_photos([str(tmp_path)])
    assert [file.name for file in files] == ["a.PNG", "b.jpg", "c.webp", "d.jpeg"]
    assert problems == []
    files, problems = find_photos(
        [str(tmp_path / "*.jpg"), str(tmp_path / "b.jpg"), str(tmp_path / "x*"),
         str(tmp_path / "none"), str(tmp_path / "notes.txt")]
    )  # fmt: skip
    assert [file.name for file in files] == ["b.jpg", "notes.txt"]
    assert len(problems) == 2
