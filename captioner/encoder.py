"""A photo -> L places of D features; pooled, one vector of D."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from captioner.config import EncoderConfig, Maps
from captioner.errors import InputError

SUMMARIES: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    "mean": F.avg_pool2d,
    "max": F.max_pool2d,
    "min": lambda part, cell: -F.max_pool2d(-part, cell),
}
"""What can be kept of a finer map within a place of the last one."""

COLUMNS: dict[Maps, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "last": ((), ()),
    "early+last": ((1, 2), ("mean", "max", "min")),
    "middle+last": ((-2,), ("mean", "max")),
}
"""Which finer maps are put beside the last one, by their numbers in timm, and what is kept of them.
Early: of a fourth and an eighth of the photo's side. Middle: before the last downsampling."""


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
        self.tuned: frozenset[str] = frozenset()
        """Names of the CNN's weights that training has changed."""
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

        With finer maps beside the last one, a place has its own channels of the last map, and
        behind them the `COLUMNS` of what the others find within it: a hypercolumn (Hariharan et al.
        2015, arXiv:1411.5752).
        """
        if self.backbone is None:
            raise RuntimeError("this encoder was made without its CNN")
        numbers, kept = COLUMNS[self.config.maps]
        if not numbers:
            return places_of(self.backbone, self.backbone(images))
        last, finer = self.backbone.forward_intermediates(  # type: ignore[operator]
            images, indices=list(numbers), output_fmt="NCHW"
        )
        if last.ndim != 4:
            raise InputError(f"{self.config.backbone} has no map of places; use --maps last")
        own = places_of(self.backbone, last)  # (N, L, last channels)
        height, width = last.shape[1:3] if _is_nhwc(self.backbone) else last.shape[2:]
        columns = [own]
        for part in finer:
            even, cell = evenly(part, int(height), int(width))
            columns += [SUMMARIES[name](even, cell).flatten(2).transpose(1, 2) for name in kept]
        return torch.cat(columns, dim=2)

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

        The channels of the last map and those of the finer ones are given the same total variance
        first, or else the last ones, being many, would crowd out the others. In the end all
        components are scaled by one number, such that a feature has a mean square of 1.

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
    if _is_nhwc(backbone):
        return maps.flatten(1, 2)
    return maps.flatten(2).transpose(1, 2)


def _is_nhwc(backbone: nn.Module) -> bool:
    return getattr(backbone, "output_fmt", "NCHW") == "NHWC"


def evenly(
    part: Float[Tensor, "N C h w"], height: int, width: int
) -> tuple[Float[Tensor, "N C H W"], tuple[int, int]]:
    """A finer map as whole cells, one to each place of the last map, and the size of a cell.

    Where the sizes do not divide, some rows and columns are said twice, alike from both sides: 17
    for 9 places become 18, of which the middle place has the middle one twice. Nothing is left out.

    >>> rows = torch.arange(5.0).view(1, 1, 5, 1)
    >>> even, cell = evenly(rows, height=3, width=1)
    >>> print(*even.flatten().tolist(), "in cells of", cell)
    0.0 1.0 2.0 2.0 3.0 4.0 in cells of (2, 1)
    """
    cell = []
    for axis, places in ((2, height), (3, width)):
        # Plain numbers, so that an exported network has them as constants.
        size = int(part.shape[axis])
        cell.append(-(-size // places))
        even = cell[-1] * places
        if even != size:
            nearest = [(2 * row + 1) * size // (2 * even) for row in range(even)]
            part = part.index_select(axis, torch.tensor(nearest, device=part.device))
    return part, (cell[0], cell[1])


def moments(features: Float[Tensor, "N ..."]) -> Float[Tensor, "N X"]:
    """Mean and standard deviation of places (N, L, D) over them, (N, 2 D); vectors stay themselves.

    >>> moments(torch.tensor([[[1.0, 5.0], [3.0, 5.0]]])).tolist()
    [[2.0, 5.0, 1.0, 0.0]]
    """
    if features.ndim == 2:
        return features
    mean = features.mean(dim=1)
    apart = (features - mean.unsqueeze(1)).square().mean(dim=1).sqrt()
    return torch.cat([mean, apart], dim=1)
