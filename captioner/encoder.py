"""A photo -> L places of D features; pooled, one vector of D."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from captioner.config import EncoderConfig


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
        """The CNN's last map, its places in rows from the upper left."""
        if self.backbone is None:
            raise RuntimeError("this encoder was made without its CNN")
        return places_of(self.backbone, self.backbone(images))

    def project(self, maps: Float[Tensor, "*N C"]) -> Float[Tensor, "*N D"]:
        """Bring C channels to D features."""
        return (maps - self.mean) @ self.components

    def fit(self, pooled: Float[Tensor, "P C"]) -> float:
        """Fit the PCA on the pooled maps of the training photos.

        The components are scaled by one number, such that a feature has a mean square of 1.

        Returns:
            Share of the variance that the D components keep.
        """
        pooled = pooled.double()
        mean = pooled.mean(dim=0)
        covariance = (pooled - mean).T @ (pooled - mean) / max(len(pooled) - 1, 1)  # (C, C)
        values, vectors = torch.linalg.eigh(covariance)  # ascending
        kept = values.flip(0).clamp_min(0)[: self.config.features]
        vectors = vectors.flip(1)[:, : self.config.features]
        # An eigenvector's sign is arbitrary; its largest entry is made positive, so that two
        # machines agree.
        signs = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()
        scale = math.sqrt(self.config.features / max(float(kept.sum()), 1e-12))
        self.mean.copy_(mean)
        self.components.copy_(vectors * signs * scale)
        return float(kept.sum() / values.clamp_min(0).sum().clamp_min(1e-12))


def places_of(backbone: nn.Module, maps: Any) -> Tensor:
    """What a network of timm gives, as (N, L, C): maps (N, C, h, w), (N, h, w, C) or tokens."""
    if maps.ndim == 3:
        return maps[:, getattr(backbone, "num_prefix_tokens", 0) :]
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return maps.flatten(1, 2)
    return maps.flatten(2).transpose(1, 2)
