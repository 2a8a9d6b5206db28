"""Ways to break transfer on any task: patches shuffled, colours inverted, labels shuffled. Knows no network.

Both racers get the same broken pictures, training and held-out alike; labels are shuffled in training only. What is left
to win is then no longer what pretraining knows: how negative transfer is made visible.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine import augment
from engine.backbones import NORMALISATIONS
from engine.plan import Plan
from engine.tasks import Drawn

RAW = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # 0..1 -> 0..255, as the bytes in a file
Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]


def normalisation(plan: Plan, own: Statistics) -> Statistics:
    """Mean and standard deviation by which this plan's pixels (0..1) are normalised; `own` is what the weights want."""
    return {"own": own, "raw": RAW, **NORMALISATIONS}[plan.normalisation]


def apply(plan: Plan, drawn: Drawn) -> Drawn:
    """The drawn pictures with what this plan does to them."""
    labels = drawn.training_labels
    if plan.label_noise > 0:
        labels = shuffle_labels(labels, plan.label_noise, plan.seed)
    return replace(drawn, training=alter(plan, drawn.training), heldout=alter(plan, drawn.heldout), training_labels=labels)


def alter(plan: Plan, images: Tensor) -> Tensor:
    """Pictures as both racers see them, (N, 3, H, W) uint8: in patches, and inverted, where the plan asks for it."""
    if plan.patches > 1:
        images = shuffle_patches(images, plan.patches, plan.seed)
    return 255 - images if plan.inverted else images


def shuffle_patches(images: Tensor, patches: int, seed: int) -> Tensor:
    """Cut pictures into patches x patches and let them change places, the same way in every picture.

    No pixel is lost, only its neighbourhood: the answer is still in there. Where the side is no multiple, a margin of
    less than a patch stays in place. images: (N, 3, H, W) uint8, square; as many patches as pixels shuffles pixels.
    """
    side = images.shape[-1]
    count = min(patches, side)
    size = side // count
    first = (side - size * count) // 2
    inner = slice(first, first + size * count)
    tiles = images[..., inner, inner].unflatten(-1, (count, size)).unflatten(-3, (count, size))
    tiles = tiles.permute(0, 1, 2, 4, 3, 5).flatten(2, 3)  # (N, 3, count * count, size, size)
    places = torch.randperm(count * count, generator=augment.generator(seed, 7, count))
    mixed = tiles[:, :, places.to(images.device)].unflatten(2, (count, count)).permute(0, 1, 2, 4, 3, 5)
    out = images.clone()
    out[..., inner, inner] = mixed.flatten(4, 5).flatten(2, 3)
    return out


def shuffle_labels(labels: Tensor, share: float, seed: int) -> Tensor:
    """The labels with `share` of them shuffled among themselves, so that every class keeps its size. (N,) int64."""
    rng = augment.generator(seed, 8)
    chosen = torch.randperm(len(labels), generator=rng)[: round(share * len(labels))]
    out = labels.clone()
    out[chosen] = labels[chosen[torch.randperm(len(chosen), generator=rng)]]
    return out
