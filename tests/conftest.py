"""Fixtures that several test files share. Inputs are made here, never downloaded."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, Preprocessing, TrainConfig
from captioner.model import Captioner
from captioner.runs import Run, begin, train_captioner
from captioner.vocabulary import SPECIAL, Vocabulary

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 170, 50),
    "blue": (40, 60, 220),
    "yellow": (240, 220, 40),
}
BACKBONE = "test_resnet"
"""timm's own network for tests: a fraction of a million weights."""


# Test processes run side by side; with several threads each they would wait for one another.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither see nor touch the cache of the person who runs them."""
    os.environ["CAPTIONER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real data sets, for the few tests that want real photos and captions."""
    here = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("CAPTIONER_PHOTOS", here.parent / "shared" / "data"))
    if not (folder / "flickr8k" / "captions_test.json").is_file():
        pytest.skip("the real photos are not at hand; set CAPTIONER_PHOTOS to their folder")
    return folder


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary((*SPECIAL, "a", "dog", "cat", "runs", "sleeps", "on", "grass"), max_words=8)


@pytest.fixture
def captioner(vocabulary: Vocabulary) -> Captioner:
    """A small untrained captioner without a CNN."""
    torch.manual_seed(0)
    config = ModelConfig(
        EncoderConfig(backbone=BACKBONE, channels=6, features=5),
        DecoderConfig(embedding=7, hidden=9, dropout=0.5, features=5),
    )
    captioner = Captioner(config, vocabulary)
    captioner.encoder.fit(torch.randn(40, 6))
    return captioner.eval()


@pytest.fixture(scope="session")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO folder of plain pictures: `a red picture`, `the picture is red`, ..."""
    root = tmp_path_factory.mktemp("data") / "coloured"
    (root / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    number = 0
    for split, count in (("train", 24), ("val", 8), ("test", 8)):
        images, annotations = [], []
        for place in range(count):
            name, colour = list(COLOURS.items())[place % len(COLOURS)]
            number += 1
            noise = generator.integers(-20, 20, (40, 60, 3))
            pixels = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{number:03d}.jpg")
            images.append(
                {"id": number, "file_name": f"{number:03d}.jpg", "width": 60, "height": 40}
            )
            for text in (f"A {name} picture.", f"the picture is {name}"):
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "caption": text}
                )
        value = {"info": {}, "licenses": [], "images": images, "annotations": annotations}
        (root / f"captions_{split}.json").write_text(json.dumps(value))
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the test CNN, random but always the same."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "cnn.safetensors"
    save_file(timm.create_model(BACKBONE, pretrained=False).state_dict(), file)
    return file


TINY = TrainConfig(
    backbone=BACKBONE,
    embedding=16,
    hidden=32,
    dropout=0.1,
    min_count=1,
    learning_rate=0.01,
    warmup=2,
    batch_size=8,
    epochs=12,
    patience=12,
)


@pytest.fixture(scope="session")
def tiny_run(coloured: Path, weights: Path) -> Run:
    """The settings of a run that takes seconds."""
    return Run(
        data=str(coloured),
        seed=0,
        split_seed=0,
        skip_bad=False,
        backbone_weights=str(weights),
        device="cpu",
        config=TINY,
    )


@pytest.fixture(scope="session")
def trained(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on the coloured pictures."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    begin(folder, tiny_run)
    train_captioner(folder, tiny_run)
    return folder


@pytest.fixture(scope="module")
def model(trained: Path) -> Captioner:
    """The captioner of that run."""
    return Captioner.from_pretrained(trained)


@pytest.fixture(scope="module")
def files(coloured: Path) -> list[Path]:
    """The test photos: red, green, blue, yellow, and again."""
    return sorted((coloured / "images").iterdir())[-8:]


@pytest.fixture
def preprocessing() -> Preprocessing:
    return Preprocessing(size=32)
