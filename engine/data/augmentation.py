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


def crop(images: Tensor, boxes: Tensor, flip: Tensor, image_size: int, precision: torch.dtype = torch.float32) -> Tensor:
    """Crop one box out of each picture, mirror it where `flip` is set, and resize it to image_size x image_size.

    images: (N, 3, H, W) uint8; boxes: (N, 4) from `draw_boxes`; flip: (N,) bool. Returns (N, 3, image_size, image_size)
    float32 in 0..1, channels last. Antialiased bilinear, as a product with each of two matrices of weights.
    """
    count, colours, height, width = images.shape
    x, y, wide, high = boxes.to(images.device).unbind(1)
    columns = bilinear(x, torch.where(flip.to(images.device), -wide, wide), width, image_size).to(precision)
    rows = bilinear(y, high, height, image_size).to(precision)
    narrow = images.to(precision).view(count, colours * height, width) @ columns.mT
    narrow = narrow.view(count, colours, height, image_size).permute(0, 2, 3, 1).reshape(count, height, -1)
    return (rows @ narrow).view(count, image_size, image_size, colours).permute(0, 3, 1, 2).float() / 255


def bilinear(centre: Tensor, extent: Tensor, pixels: int, samples: int) -> Tensor:
    """The weights of the pixels in every sample of N segments, by bilinear interpolation: (N, samples, pixels).

    centre, extent: (N,), fractions of the picture; a negative extent mirrors. Beyond the border the last pixel continues.
    """
    steps = (torch.arange(samples, device=centre.device) + 0.5) / samples - 0.5
    places = ((centre[:, None] + extent[:, None] * steps) * pixels - 0.5).clamp(0, pixels - 1)
    # Fewer samples than pixels: each is an average over the distance between them
    reach = (extent.abs() * pixels / samples).clamp(min=1)[:, None, None]
    weights = (1 - (torch.arange(pixels, device=centre.device) - places[..., None]).abs() / reach).clamp(min=0)
    return weights / weights.sum(-1, keepdim=True)


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
