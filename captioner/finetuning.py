"""Fine-tuning: the end of the CNN learns with the decoder, from photos seen anew in each epoch."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from captioner.backbones import fingerprint
from captioner.cells import State
from captioner.config import Preprocessing
from captioner.data import Batch
from captioner.errors import InputError
from captioner.extraction import num_threads
from captioner.images import open_photo, photo_array
from captioner.model import Captioner
from captioner.views import WHOLE, View, draw_view, may_mirror

AT_ONCE = 16
"""Photos that go through the CNN together where nothing is learned from them."""


class Photos:
    """Photos as the CNN takes them, in another view in each epoch; see `captioner.views`.

    Args:
        files: Of the photos.
        captions: Of each; they tell whether it may be mirrored.
        preprocessing: What is done to a photo first.
    """

    def __init__(
        self, files: Sequence[Path], captions: Sequence[Sequence[str]], preprocessing: Preprocessing
    ) -> None:
        self.files = files
        self.may_mirror = [may_mirror(of_photo) for of_photo in captions]
        self.preprocessing = preprocessing
        self.pool = ThreadPoolExecutor(num_threads())

    def __len__(self) -> int:
        return len(self.files)

    def show(
        self, photos: Int[np.ndarray, " n"], seed: int, epoch: int
    ) -> Float[np.ndarray, "n 3 S S"]:
        """Some photos, each in the view that seed and epoch decide."""

        def load(number: int) -> np.ndarray:
            lot = np.random.default_rng([seed, epoch, number])
            view = draw_view(lot, self.may_mirror[number])
            return _see(self.files[number], view, self.preprocessing)

        return np.stack(list(self.pool.map(load, photos.tolist())))


class FineTuned:
    """A captioner whose CNN learns too: BatchNorm, and all before the last stages, excepted.

    BatchNorm goes on with the statistics of the photos that the CNN was pretrained on, those of a
    small batch being no match for them.

    Args:
        captioner: One that has settled: a decoder that knows nothing would undo the CNN.
        stages: How many of the CNN's last stages learn, as timm counts them.

    Raises:
        InputError: if the CNN has not so many stages.
    """

    def __init__(self, captioner: Captioner, stages: int) -> None:
        backbone = captioner.encoder.backbone
        if backbone is None:
            raise ValueError("a captioner without its CNN cannot be fine-tuned")
        self.captioner, self.backbone = captioner, backbone
        names = names_of_last(backbone, stages)
        for name, weight in backbone.named_parameters():
            weight.requires_grad_(name in names)
        captioner.encoder.tuned |= names
        # A third faster on a CPU.
        backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.trained = nn.ModuleDict({"cnn": backbone, "decoder": captioner.decoder})

    def train(self) -> None:
        """Made ready for training; the CNN's BatchNorm stays as it is."""
        self.captioner.train()

    def loss(self, batch: Batch, carried: State = ()) -> tuple[Float[Tensor, ""], State]:
        """As of `Captioner.loss`, of a batch with photos (P, 3, S, S) for features."""
        return self.captioner.loss(replace(batch, features=self.see(batch.features)), carried)

    def see(self, images: Float[Tensor, "P 3 S S"]) -> Float[Tensor, "P ..."]:
        """The features of photos, as the decoder takes them."""
        features = self.captioner.encoder(images.contiguous(memory_format=torch.channels_last))
        return features if self.captioner.places else features.mean(dim=1)

    @torch.inference_mode()
    def features(self, files: Sequence[Path]) -> Float[Tensor, "P ..."]:
        """The features of whole photos under the CNN as it now is."""
        self.captioner.eval()
        device = self.captioner.encoder.mean.device
        load = partial(_see, view=WHOLE, preprocessing=self.captioner.preprocessing)
        with ThreadPoolExecutor(num_threads()) as pool:
            batches = [
                self.see(torch.from_numpy(np.stack(list(pool.map(load, part)))).to(device)).half()
                for part in (files[i : i + AT_ONCE] for i in range(0, len(files), AT_ONCE))
            ]
        return torch.cat(batches)

    def seal(self) -> None:
        """Note the CNN's weights in the configuration, before the captioner is saved."""
        config = self.captioner.config
        sha256 = fingerprint(self.backbone)
        encoder = replace(config.encoder, weights_sha256=sha256, tuned=True)
        if encoder.weights != "package":
            encoder = replace(encoder, weights="model")
        self.captioner.config = replace(config, encoder=encoder)
        self.captioner.encoder.config = encoder


def _see(file: Path, view: View, preprocessing: Preprocessing) -> np.ndarray:
    photo = open_photo(file, smallest=preprocessing.size)
    return photo_array(view.of(photo), preprocessing)


def names_of_last(backbone: nn.Module, stages: int) -> frozenset[str]:
    """Names of the weights of a CNN's last stages, BatchNorm's left out.

    Args:
        backbone: A network of timm, which knows its own stages.
        stages: How many; a stage without such weights does not count.

    Raises:
        InputError: if there are not so many, or the network does not tell.
    """
    from timm.models import group_parameters

    frozen = {
        f"{name}.{own}"
        for name, part in backbone.named_modules()
        if isinstance(part, _BatchNorm)
        for own, _ in part.named_parameters()
    }
    if not hasattr(backbone, "group_matcher"):
        raise InputError("this CNN does not tell its stages; it cannot be fine-tuned")
    matcher: Any = backbone.group_matcher
    stage_of = group_parameters(backbone, matcher(coarse=True), reverse=True)
    found: dict[int, set[str]] = {}
    for name, stage in stage_of.items():
        if name not in frozen:
            found.setdefault(stage, set()).add(name)
    if not 1 <= stages <= len(found):
        raise InputError(f"this CNN has {len(found)} stages that can learn; choose --cnn-stages")
    return frozenset().union(*(found[stage] for stage in sorted(found)[-stages:]))
