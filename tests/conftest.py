"""Fixtures that several test files share. Inputs are made here, never downloaded."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real data sets, for the few tests that want real photos and captions."""
    here = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("CAPTIONER_PHOTOS", here.parent / "shared" / "data"))
    if not (folder / "flickr8k" / "captions_test.json").is_file():
        pytest.skip("the real photos are not at hand; set CAPTIONER_PHOTOS to their folder")
    return folder
