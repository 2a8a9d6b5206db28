"""Random crops and flips for a whole batch at once, from a counter-based seed.

Knows nothing of racers or models. A draw depends only on (seed, epoch, picture), never on who asks or when, so
two racers that ask for the same picture in the same epoch get the same crop.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FULL = (0.5, 0.5, 1.0, 1.0)  # centre x, centre y, width, height: the untouched picture


def generator(*counters: int) -> torch.Generator:
    """A CPU random generator that depends only on the counters given, in their order.

    The counters are mixed with SplitMix64 (Steele, Lea & Flood 2014), so that neighbouring seeds and epochs do not
    give related streams.
    """
    state = 0x9E3779B97F4A7C15
    for counter in counters:
        state = (state ^ (counter & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return torch.Generator().manual_seed(state & 0x7FFFFFFFFFFFFFFF)


def draw_boxes(count: int, rng: torch.Generator, smallest: float = 0.35) -> Tensor:
    """Crop boxes as in torchvision's RandomResizedCrop: area share in [smallest, 1], aspect ratio in [3/4, 4/3].

    Returns (count, 4) float32: centre x, centre y, width, height, as shares of the picture, wholly inside it.
    """
    area = smallest + (1 - smallest) * torch.rand(count, generator=rng)
    ratio = torch.exp((torch.rand(count, generator=rng) * 2 - 1) * math.log(4 / 3))
    width = (area * ratio).sqrt().clamp(max=1)
    height = (area / ratio).sqrt().clamp(max=1)
    x = width / 2 + (1 - width) * torch.rand(count, generator=rng)
    y = height / 2 + (1 - height) * torch.rand(count, generator=rng)
    return torch.stack([x, y, width, height], 1)


def crop(images: Tensor, boxes: Tensor, flip: Tensor, px: int) -> Tensor:
    """Cut one box out of each picture, mirror it where told, and resize it to px by px.

    images: (N, 3, H, W) uint8 · boxes: (N, 4) as `draw_boxes` gives them · flip: (N,) bool
    Returns (N, 3, px, px) float32 in 0..1. Bilinear; where a crop is shrunk to less than half, blurred by
    sampling twice as finely first, so that no pixel is skipped.
    """
    x, y, width, height = (boxes[:, k].to(images.device) for k in range(4))
    mirror = torch.where(flip.to(images.device), -1.0, 1.0)
    zero = torch.zeros_like(x)
    theta = torch.stack([torch.stack([width * mirror, zero, 2 * x - 1], 1), torch.stack([zero, height, 2 * y - 1], 1)], 1)
    finer = 2 if images.shape[-1] > 1.4 * px else 1
    grid = torch.nn.functional.affine_grid(theta, [len(images), 3, px * finer, px * finer], align_corners=False)
    cut = torch.nn.functional.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    if finer > 1:
        cut = torch.nn.functional.avg_pool2d(cut, finer)
    return cut / 255


def resize(images: Tensor, px: int) -> Tensor:
    """Whole pictures at px by px: (N, 3, H, W) uint8 -> (N, 3, px, px) float32 in 0..1, antialiased bilinear."""
    scaled = images.float() / 255
    if images.shape[-2:] == (px, px):
        return scaled
    return torch.nn.functional.interpolate(scaled, size=(px, px), mode="bilinear", antialias=True)


def shuffle_patches(images: Tensor, places: Tensor) -> Tensor:
    """Cut pictures into n x n patches and let them change places, the same way in every picture.

    No pixel is lost, only its neighbourhood: the answer is still in there. Where the side is no multiple of n, a margin of
    less than a patch stays in place. images: (N, 3, H, W), square; places: (n * n,), as `breaking.draw_places` gives them.
    """
    side, count = images.shape[-1], math.isqrt(len(places))
    size = side // count
    first = (side - size * count) // 2
    inner = slice(first, first + size * count)
    tiles = images[..., inner, inner].unflatten(-1, (count, size)).unflatten(-3, (count, size))
    tiles = tiles.permute(0, 1, 2, 4, 3, 5).flatten(2, 3)  # (N, 3, count * count, size, size)
    mixed = tiles[:, :, places.to(images.device)].unflatten(2, (count, count)).permute(0, 1, 2, 4, 3, 5)
    out = images.clone()
    out[..., inner, inner] = mixed.flatten(4, 5).flatten(2, 3)
    return out
