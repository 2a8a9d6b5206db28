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
    labels, images, asked = drawn.training_labels, drawn.training, drawn.heldout
    if plan.label_noise > 0:
        labels = shuffle_labels(labels, plan.label_noise, plan.seed)
    if plan.inverted:
        images, asked = 255 - images, 255 - asked
    # Patches change places in what a network is fed (freezing.normalise): moved before a crop or a resize, their pixels
    # would run into one another, and only a racer with crops would see the grid cut
    places = draw_places(plan.patches, drawn.px, plan.seed) if plan.patches > 1 else None
    return replace(drawn, training=images, heldout=asked, training_labels=labels, places=places)


def alter(plan: Plan, images: Tensor) -> Tensor:
    """Pictures for a person to look at, (N, 3, H, W) uint8: in patches, and inverted, where the plan asks for it."""
    if plan.patches > 1:
        images = augment.shuffle_patches(images, draw_places(plan.patches, images.shape[-1], plan.seed))
    return 255 - images if plan.inverted else images


def draw_places(patches: int, px: int, seed: int) -> Tensor:
    """Which patch comes to which place, (n * n,) int64; n is `patches`, or `px` where there are no more pixels."""
    count = min(patches, px)
    return torch.randperm(count * count, generator=augment.generator(seed, 7, count))


def shuffle_labels(labels: Tensor, share: float, seed: int) -> Tensor:
    """The labels with `share` of them shuffled among themselves, so that every class keeps its size. (N,) int64."""
    rng = augment.generator(seed, 8)
    chosen = torch.randperm(len(labels), generator=rng)[: round(share * len(labels))]
    out = labels.clone()
    out[chosen] = labels[chosen[torch.randperm(len(chosen), generator=rng)]]
    return out
