"""A photo -> L places of D features; pooled, one vector of D."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from captioner.config import EncoderConfig
from captioner.errors import InputError

EARLY = (1, 2)
"""The early maps that `early+last` adds: of a fourth and an eighth of the photo's side."""
SUMMARIES = ("mean", "max", "min")
"""What is kept of an early map within a place of the last one."""


class Encoder(nn.Module):
    """A pretrained CNN, frozen, and the projection of its last map to D features.

        map      = backbone(images)                       (N, 3, S, S) -> (N, L, C)
        places   = (map - mean) components                (C) -> (D), a PCA
        features = mean of the places                     (N, L, D) -> (N, D)

    Where the CNN gives no more than D channels the PCA only centres, turns and scales them. The
    projection is linear, so that the pooled features are the projection of the pooled map:
    the cache keeps that, and the PCA is fitted on it.

    The CNN always stays in evaluation mode: in training mode its BatchNorm would follow the
    batches and drift away from what it was trained on.

    Args:
        config: Which network, and its sizes.
        backbone: The network itself; `captioner.backbones.load_backbone` makes it. Without it the
            encoder projects cached maps alone, which is all that training needs.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, config: EncoderConfig, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.backbone: nn.Module | None = None
        if backbone is not None:
            self.attach(backbone)
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("components", torch.eye(config.channels, config.features))

    def attach(self, backbone: nn.Module) -> None:
        """Give the encoder its CNN, frozen."""
        self.backbone = backbone.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Encoder":
        """Only the flag changes: the frozen CNN stays as it was trained."""
        super().train(mode)
        if self.backbone is not None:
            self.backbone.eval()
        return self

    def forward(self, images: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N L D"]:
        """The features of each place."""
        return self.project(self.see(images))

    def see(self, images: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N L C"]:
        """What the CNN finds at each place, in rows from the upper left.

        With `early+last` a place has its own channels of the last map, and behind them mean,
        maximum and minimum of the early maps within it: a hypercolumn (Hariharan et al. 2015,
        arXiv:1411.5752).
        """
        if self.backbone is None:
            raise RuntimeError("this encoder was made without its CNN")
        if self.config.maps == "last":
            return places_of(self.backbone, self.backbone(images))
        last, early = self.backbone.forward_intermediates(  # type: ignore[operator]
            images, indices=list(EARLY), output_fmt="NCHW"
        )
        if last.ndim != 4:
            raise InputError(f"{self.config.backbone} has no map of places; use --maps last")
        # Plain numbers, so that an exported network has them as constants.
        height, width = int(last.shape[2]), int(last.shape[3])
        columns = [last]
        for part in early:
            cell = (int(part.shape[2]) // height, int(part.shape[3]) // width)
            summaries = (
                F.avg_pool2d(part, cell),
                F.max_pool2d(part, cell),
                -F.max_pool2d(-part, cell),
            )
            columns += [summary[:, :, :height, :width] for summary in summaries]
        return places_of(self.backbone, torch.cat(columns, dim=1))

    def count_places(self) -> int:
        """How many places (L) the CNN tells of."""
        size = self.config.preprocessing.size
        with torch.inference_mode():
            return self.see(self.mean.new_zeros(1, 3, size, size)).shape[1]

    def project(self, maps: Float[Tensor, "*N C"]) -> Float[Tensor, "*N D"]:
        """Bring C channels to D features."""
        return (maps - self.mean) @ self.components

    def fit(self, pooled: Float[Tensor, "P C"]) -> float:
        """Fit the PCA on the pooled maps of the training photos.

        Last and early channels are given the same total variance first, or else the last ones,
        being many, would crowd out the early ones. In the end all components are scaled by one
        number, such that a feature has a mean square of 1.

        Returns:
            Share of the variance that the D components keep.
        """
        pooled = pooled.double()
        mean = pooled.mean(dim=0)
        centred = pooled - mean
        weight = torch.ones_like(mean)  # (C)
        for part in (slice(0, self.config.last_channels), slice(self.config.last_channels, None)):
            weight[part] = centred[:, part].square().sum().clamp_min(1e-12).rsqrt()
        centred = centred * weight * len(pooled) ** 0.5
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(pooled))  # ascending
        kept = values.flip(0).clamp_min(0)[: self.config.features]
        vectors = vectors.flip(1)[:, : self.config.features]
        # An eigenvector's sign is arbitrary; its largest entry is made positive, so that two
        # machines agree.
        signs = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()
        scale = (self.config.features * len(pooled) / max(float(kept.sum()), 1e-12)) ** 0.5
        self.mean.copy_(mean)
        self.components.copy_(weight.unsqueeze(1) * vectors * signs * scale)
        return float(kept.sum() / values.clamp_min(0).sum().clamp_min(1e-12))


def places_of(backbone: nn.Module, maps: Any) -> Tensor:
    """What a network of timm gives, as (N, L, C): maps (N, C, h, w), (N, h, w, C) or tokens."""
    if maps.ndim == 3:
        return maps[:, getattr(backbone, "num_prefix_tokens", 0) :]
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return maps.flatten(1, 2)
    return maps.flatten(2).transpose(1, 2)
