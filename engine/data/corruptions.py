"""Corruptions that weaken transfer on any task: shuffled patches, inverted colours, shuffled labels.

All racers get the same corrupted pictures, training and held-out alike; labels are shuffled in training only. Pretrained
features then no longer fit the task, which makes negative transfer visible.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.data import augmentation
from engine.data.preprocessing import NORMALISATIONS, Preprocessing, Statistics
from engine.data.sampling import RaceData
from engine.plan import Plan
from engine.rng import generator

RAW = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # 0..1 -> 0..255, as the bytes in a file


def normalisation(plan: Plan, pretraining: Statistics) -> Statistics:
    """Mean and standard deviation that normalise the pixels (0..1) of this plan; `pretraining`: those of the weights."""
    return {"own": pretraining, "raw": RAW, **NORMALISATIONS}[plan.normalisation]


def preprocessing(plan: Plan, image_size: int, pretraining: Statistics) -> Preprocessing:
    """What this plan does to every picture before a network sees it; `pretraining`: mean and std of the weights.

    Patches are shuffled after cropping and resizing: before it, interpolation would mix pixels of different patches, and a
    random crop would cut through the grid.
    """
    mean, std = normalisation(plan, pretraining)
    order = draw_patch_order(plan.shuffle_grid, image_size, plan.seed) if plan.shuffle_grid > 1 else None
    return Preprocessing(image_size, mean, std, order)


def corrupt(plan: Plan, data: RaceData) -> RaceData:
    """Invert the colours and shuffle training labels as the plan says; patches are shuffled later, by `Preprocessing`."""
    labels, training, heldout = data.training_labels, data.training, data.heldout
    if plan.label_noise > 0:
        labels = shuffle_labels(labels, plan.label_noise, plan.seed)
    if plan.invert_colors:
        training, heldout = 255 - training, 255 - heldout
    return replace(data, training=training, heldout=heldout, training_labels=labels)


def corrupt_for_display(plan: Plan, images: Tensor) -> Tensor:
    """Corrupt pictures for display, (N, 3, H, W) uint8: patches shuffled and colours inverted as the plan says."""
    if plan.shuffle_grid > 1:
        images = augmentation.shuffle_patches(images, draw_patch_order(plan.shuffle_grid, images.shape[-1], plan.seed))
    return 255 - images if plan.invert_colors else images


def draw_patch_order(shuffle_grid: int, image_size: int, seed: int) -> Tensor:
    """A random permutation of n * n patches, (n * n,) int64; n is `shuffle_grid`, at most `image_size`."""
    count = min(shuffle_grid, image_size)
    return torch.randperm(count * count, generator=generator(seed, 7, count))


def shuffle_labels(labels: Tensor, fraction: float, seed: int) -> Tensor:
    """Shuffle a fraction of the labels among themselves, so that every class keeps its size: (N,) int64."""
    rng = generator(seed, 8)
    chosen = torch.randperm(len(labels), generator=rng)[: round(fraction * len(labels))]
    out = labels.clone()
    out[chosen] = labels[chosen[torch.randperm(len(chosen), generator=rng)]]
    return out
