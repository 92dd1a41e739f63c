"""Features of photos as scripts compute them: torchvision's transforms, torch, 32 at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from captioner.config import Preprocessing

BATCH = 32


@torch.inference_mode()
def extract_features(
    files: Sequence[Path],
    backbone: nn.Module,
    project: Callable[[Tensor], Tensor],
    preprocessing: Preprocessing,
    output: Path,
) -> np.ndarray:
    """Write the features (n, D) of photos to a file, and give them.

    Args:
        files: The photos.
        backbone: In evaluation mode; gives maps (n, C, h, w).
        project: From pooled maps (n, C) to features (n, D).
        preprocessing: What the network was trained with.
        output: File of NumPy.
    """
    size = preprocessing.size
    prepare = transforms.Compose(
        [
            transforms.Resize(
                (size, size), transforms.InterpolationMode(preprocessing.interpolation)
            ),
            transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    found = []
    for first in range(0, len(files), BATCH):
        photos = []
        for file in files[first : first + BATCH]:
            with Image.open(file) as photo:
                photos.append(prepare(photo.convert("RGB")))
        found.append(project(backbone(torch.stack(photos)).mean(dim=(2, 3))))
    features = torch.cat(found).numpy()
    np.save(output, features)
    return features
