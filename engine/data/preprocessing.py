"""The preprocessing of a network's input: its size, the normalisation, and the order of shuffled patches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean and standard deviation by channel

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's reference training
NORMALISATIONS = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing of every picture of a race."""

    image_size: int  # side of the network's input in pixels
    mean: tuple[float, float, float]  # of pixels in 0..1
    std: tuple[float, float, float]
    patch_order: Tensor | None = None  # (n * n,) int64, the source patch at each position; None = not shuffled
    memory_format: torch.memory_format = torch.channels_last  # of the network's input
