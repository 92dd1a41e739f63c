"""What a photo goes through before the decoder: preprocessing, CNN, features, an export."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from captioner.config import Preprocessing
from captioner.diagnosis.finding import Finding
from captioner.errors import InputError
from captioner.model import Captioner
from captioner.runtime import OnnxCaptioner, find_export

LOUD = (0.5, 2.0)
"""Mean square of the features of photos like those of training: it was 1 there."""
APART = 0.05
"""Difference of features from an export's, as a share of their size, that precision explains."""


def check_preprocessing(captioner: Captioner) -> list[Finding]:
    """Whether a model does to photos what its CNN was trained with."""
    used = captioner.preprocessing
    given = getattr(captioner.encoder.backbone, "pretrained_cfg", None)
    told = f"{used.size} x {used.size} pixels, {used.fit}, {used.interpolation}"
    if given is None:
        return [Finding("preprocessing", "well", f"{told}; the CNN does not tell what it wants")]
    wanted = Preprocessing(
        used.size, tuple(given["mean"]), tuple(given["std"]), given["interpolation"], used.fit
    )
    wrong = [
        f"{name} {value} where the CNN was trained with {getattr(wanted, name)}"
        for name, value in asdict(used).items()
        if not _alike(value, getattr(wanted, name))
    ]
    if wrong:
        remedy = "train the model anew, or put right the preprocessing in its config.json"
        return [Finding("preprocessing", "bad", f"{told}; {'; '.join(wrong)}", remedy)]
    return [Finding("preprocessing", "well", f"{told}, as the CNN was trained")]


def check_features(captioner: Captioner, maps: np.ndarray) -> list[Finding]:
    """Whether photos look to the CNN as those did that the model learned from.

    In training features were scaled to a mean square of 1 over places' means. Photos that are
    normalised twice, or not at all, are far from that.

    Args:
        captioner: Trained.
        maps: Of photos (P, C) or (P, L, C).
    """
    pooled = maps.mean(axis=1, dtype=np.float32) if maps.ndim == 3 else maps.astype(np.float32)
    with torch.inference_mode():
        device = captioner.encoder.mean.device
        features = captioner.encoder.project(torch.from_numpy(pooled).to(device))
    loud = features.square().mean().item()
    told = f"mean square {loud:.2f}; it was 1 on the photos of training"
    if not np.isfinite(loud) or not LOUD[0] < loud < LOUD[1]:
        remedy = (
            "photos reach the CNN in another way than in training (size, colours, scale), or are "
            "of quite another kind"
        )
        return [Finding("features", "bad", told, remedy)]
    return [Finding("features", "well", told)]


def check_frozen(captioner: Captioner, images: Float[Tensor, "P 3 S S"]) -> list[Finding]:
    """Whether training leaves the CNN's BatchNorm alone.

    Args:
        captioner: Is brought to training mode and back.
        images: Some photos.
    """
    backbone = captioner.encoder.backbone
    parts = [] if backbone is None else backbone.modules()
    norms = [part for part in parts if isinstance(part, _BatchNorm)]
    if not norms:
        return [Finding("BatchNorm", "well", "this CNN has none")]
    was_training = captioner.training
    before = [_statistics(part) for part in norms]
    captioner.train()
    try:
        with torch.no_grad():
            captioner.encoder.see(images.to(captioner.encoder.mean.device))
        learning = sum(part.training for part in norms)
    finally:
        captioner.train(was_training)
    moved = sum(
        not torch.equal(one, _statistics(part)) for one, part in zip(before, norms, strict=True)
    )
    if moved or learning:
        told = f"{max(moved, learning)} of {len(norms)} layers change in training"
        remedy = "keep the CNN in evaluation mode: with them it is another CNN after each batch"
        return [Finding("BatchNorm", "bad", told, remedy)]
    return [Finding("BatchNorm", "well", f"its {len(norms)} layers stay as they are in training")]


def check_export(captioner: Captioner, model: str, images: np.ndarray) -> list[Finding]:
    """Whether the export beside a model, if any, sees in photos what the model sees.

    Args:
        captioner: The model.
        model: Its folder or name.
        images: Photos (P, 3, S, S) as the CNN takes them.
    """
    try:
        folder = find_export(model)
        if folder is None:
            return []
        exported = OnnxCaptioner.from_folder(folder)
    except InputError as error:
        return [Finding("export", "bad", str(error), "export the model again")]
    ours = captioner.pooled(captioner.features(captioner.make_look(1)(images)))
    theirs = exported.pooled(exported.features(exported.make_look(1)(images)))
    apart = float(np.abs(ours - theirs).mean() / np.abs(ours).mean())
    told = f"its features differ from the model's by {apart:.1%} of their size"
    if apart > APART:
        return [Finding("export", "doubtful", told, "export the model again, as float32")]
    return [Finding("export", "well", told)]


def _statistics(norm: _BatchNorm) -> torch.Tensor:
    mean, var = norm.running_mean, norm.running_var
    if mean is None or var is None:
        return torch.empty(0)
    return torch.cat([mean, var]).clone()


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, tuple | list):
        return bool(np.allclose(one, other, atol=1e-4))
    return bool(one == other)
