"""From photos to cached features of 512.

Usual: PIL and torchvision's transforms, the network of timm in torch with torch's own settings, 32
photos at a time, in one loop. Ours: `captioner.features.FeatureCache` in an empty cache, except
that the CNN was exported before, which happens once for a network; `export_seconds` says how long
that took. Both look with the CNN of the model that comes with the package, and write what they saw.
"""

import shutil
import time

import numpy as np

from benchmarks.inputs import Setting, photos_for
from benchmarks.measuring import Pair
from benchmarks.plain.features import extract_features
from captioner.extraction import WORTH_EXPORTING, make_look
from captioner.features import FeatureCache, project
from captioner.model import Captioner

CHECKED = 8
"""Photos that both are compared on."""
AGREED = 0.01
"""How far apart the two may be, in parts of a feature's usual size: the cache is of fp16."""


def features(setting: Setting) -> Pair:
    """The pair for `photos -> features`."""
    encoder = Captioner.from_pretrained().encoder
    backbone, config = encoder.backbone, encoder.config
    if backbone is None:
        raise RuntimeError("the packaged model came without its CNN")
    files = photos_for(setting, setting.size(quick=32, full=500))
    root, folder = files[0].parent, setting.folder / "cache"
    began = time.perf_counter()
    make_look(encoder, WORTH_EXPORTING, cache=folder)
    export_seconds = time.perf_counter() - began

    def usual(some: int = len(files)) -> np.ndarray:
        output = setting.folder / "usual.npy"
        return extract_features(
            files[:some], backbone, encoder.project, config.preprocessing, output
        )

    def ours(some: int = len(files)) -> np.ndarray:
        shutil.rmtree(folder / "features", ignore_errors=True)
        maps, errors = FeatureCache(root, files, encoder, folder=folder).maps(files[:some])
        if errors:
            raise next(iter(errors.values()))
        return project(encoder, maps)

    return Pair(
        usual,
        ours,
        amount=len(files),
        unit="photos",
        warm_up=lambda: check_features(usual(CHECKED), ours(CHECKED)),
        about={"backbone": config.backbone, "export_seconds": round(export_seconds, 2)},
    )


def check_features(usual: np.ndarray, ours: np.ndarray) -> None:
    """Refuse to compare two ways that find different features.

    >>> check_features(np.ones((2, 3)), np.ones((2, 3)) + 0.001)
    """
    apart = np.abs(usual - ours).max() / np.sqrt(np.square(usual).mean())
    if not apart < AGREED:
        raise AssertionError(f"the features differ by {apart:.3f} of their usual size")
