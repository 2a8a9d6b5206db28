"""Random crops and flips for a whole batch, resizing, and patch shuffling.

Crops come from a counter-based seed: they depend only on (seed, epoch, picture), so both racers see the same crop of a
picture in the same epoch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FULL = (0.5, 0.5, 1.0, 1.0)  # centre x, centre y, width, height: the whole picture


def draw_boxes(count: int, rng: torch.Generator, smallest: float = 0.35) -> Tensor:
    """Crop boxes as in torchvision's RandomResizedCrop: area fraction in [smallest, 1], aspect ratio in [3/4, 4/3].

    Returns (count, 4) float32: centre x, centre y, width, height, as fractions of the picture, fully inside it.
    """
    area = smallest + (1 - smallest) * torch.rand(count, generator=rng)
    ratio = torch.exp((torch.rand(count, generator=rng) * 2 - 1) * math.log(4 / 3))
    width = (area * ratio).sqrt().clamp(max=1)
    height = (area / ratio).sqrt().clamp(max=1)
    x = width / 2 + (1 - width) * torch.rand(count, generator=rng)
    y = height / 2 + (1 - height) * torch.rand(count, generator=rng)
    return torch.stack([x, y, width, height], 1)


def crop(images: Tensor, boxes: Tensor, flip: Tensor, image_size: int) -> Tensor:
    """Crop one box out of each picture, mirror it where `flip` is set, and resize it to image_size x image_size.

    images: (N, 3, H, W) uint8 · boxes: (N, 4) from `draw_boxes` · flip: (N,) bool
    Returns (N, 3, image_size, image_size) float32 in 0..1. Bilinear; large pictures are sampled at twice the resolution and
    averaged, so that no pixel is skipped.
    """
    x, y, width, height = (boxes[:, k].to(images.device) for k in range(4))
    mirror = torch.where(flip.to(images.device), -1.0, 1.0)
    zero = torch.zeros_like(x)
    theta = torch.stack([torch.stack([width * mirror, zero, 2 * x - 1], 1), torch.stack([zero, height, 2 * y - 1], 1)], 1)
    oversampling = 2 if images.shape[-1] > 1.4 * image_size else 1
    grid = torch.nn.functional.affine_grid(
        theta, [len(images), 3, image_size * oversampling, image_size * oversampling], align_corners=False
    )
    cropped = torch.nn.functional.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    if oversampling > 1:
        cropped = torch.nn.functional.avg_pool2d(cropped, oversampling)
    return cropped / 255


def resize(images: Tensor, image_size: int) -> Tensor:
    """Resize whole pictures, antialiased bilinear: (N, 3, H, W) uint8 -> (N, 3, image_size, image_size) float32 in 0..1."""
    scaled = images.float() / 255
    if images.shape[-2:] == (image_size, image_size):
        return scaled
    return torch.nn.functional.interpolate(scaled, size=(image_size, image_size), mode="bilinear", antialias=True)


def shuffle_patches(images: Tensor, patch_order: Tensor) -> Tensor:
    """Cut pictures into n x n patches and permute them, the same way in every picture.

    No pixel is lost, only its neighbourhood. Where the side is not a multiple of n, a margin narrower than a patch stays in
    place. images: (N, 3, H, W), square; patch_order: (n * n,) int64, from `corruptions.draw_patch_order`.
    """
    side, count = images.shape[-1], math.isqrt(len(patch_order))
    size = side // count
    first = (side - size * count) // 2
    inner = slice(first, first + size * count)
    tiles = images[..., inner, inner].unflatten(-1, (count, size)).unflatten(-3, (count, size))
    tiles = tiles.permute(0, 1, 2, 4, 3, 5).flatten(2, 3)  # (N, 3, count * count, size, size)
    shuffled = tiles[:, :, patch_order.to(images.device)].unflatten(2, (count, count)).permute(0, 1, 2, 4, 3, 5)
    out = images.clone()
    out[..., inner, inner] = shuffled.flatten(4, 5).flatten(2, 3)
    return out
