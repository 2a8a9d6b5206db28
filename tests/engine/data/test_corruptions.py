"""Corruptions keep pixels and class sizes, and never change held-out labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine import Plan
from engine.data import augmentation, corruptions
from engine.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from engine.race.inputs import RaceInputs
from engine.rng import generator
from engine.training.features import FreshInputs
from tests.conftest import CPU, TRAIN


def pictures(side: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=generator(side))


@pytest.mark.parametrize(("side", "shuffle_grid"), [(32, 2), (32, 8), (37, 4), (32, 32), (8, 512)])
def test_shuffled_patches_keep_all_pixels_and_move_the_same_way_in_every_picture(side: int, shuffle_grid: int) -> None:
    images = pictures(side)
    shuffled = augmentation.shuffle_patches(images, corruptions.draw_patch_order(shuffle_grid, side, 0))
    assert not torch.equal(shuffled, images)
    assert torch.equal(shuffled.flatten(2).sort().values, images.flatten(2).sort().values)
    identical = torch.stack([images[0]] * 2)
    assert torch.equal(*augmentation.shuffle_patches(identical, corruptions.draw_patch_order(shuffle_grid, side, 0)))


def test_a_patch_keeps_its_content() -> None:
    images = torch.arange(16, dtype=torch.uint8).repeat_interleave(8, 0).view(1, 1, 4, 32)
    images = images.repeat_interleave(8, 2)[:, :, :32].expand(1, 3, 32, 32)
    shuffled = augmentation.shuffle_patches(images, corruptions.draw_patch_order(4, 32, 1))
    for row in range(4):
        for column in range(4):
            assert len(shuffled[0, 0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].unique()) == 1


def test_a_plan_without_corruptions_changes_no_picture(drawn: RaceInputs) -> None:
    plan = Plan()
    assert torch.equal(corruptions.corrupt_for_display(plan, drawn.data.training), drawn.data.training)


def test_inverting_twice_restores_the_picture() -> None:
    plan, images = Plan(invert_colors=True), pictures(8)
    assert torch.equal(corruptions.corrupt_for_display(plan, corruptions.corrupt_for_display(plan, images)), images)


def test_shuffled_labels_keep_the_size_of_every_class() -> None:
    labels = torch.arange(4).repeat_interleave(50)
    half = corruptions.shuffle_labels(labels, 0.5, 0)
    assert torch.equal(half.bincount(), labels.bincount())
    assert 0.25 < (half != labels).float().mean() < 0.5  # a quarter of the shuffled labels stay the same by chance
    assert torch.equal(corruptions.shuffle_labels(labels, 0.0, 0), labels)


def test_both_splits_are_corrupted_alike_and_heldout_labels_never_change(drawn: RaceInputs) -> None:
    plan = Plan(shuffle_grid=4, invert_colors=True, label_noise=1.0)
    corrupted = corruptions.corrupt(plan, drawn.data)
    assert torch.equal(corrupted.heldout, 255 - drawn.data.heldout)
    assert corruptions.preprocessing(plan, 32, (IMAGENET_MEAN, IMAGENET_STD)).patch_order is not None
    assert torch.equal(corrupted.heldout_labels, drawn.data.heldout_labels)
    assert not torch.equal(corrupted.training_labels, drawn.data.training_labels)
    assert len(drawn.data.training) <= 3 * TRAIN


def test_normalisations_have_the_statistics_of_their_names() -> None:
    pretraining = ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    white = {}
    for name in ("own", "symmetric", "raw", "imagenet"):
        mean, std = corruptions.normalisation(Plan(normalisation=name), pretraining)  # type: ignore[arg-type]
        white[name] = (1 - mean[0]) / std[0]
    assert white == {"own": 0.9, "symmetric": 1.0, "raw": 255.0, "imagenet": pytest.approx(2.2489, abs=1e-4)}


@pytest.mark.parametrize("mode", ["crops", "whole"])
def test_patches_are_shuffled_after_the_resize_so_that_pixels_do_not_mix(drawn: RaceInputs, mode: str) -> None:
    """Patches shuffled before a resize would be interpolated with their new neighbours."""
    corrupted = corruptions.preprocessing(Plan(shuffle_grid=512), 16, (IMAGENET_MEAN, IMAGENET_STD))
    plain = replace(corrupted, patch_order=None)
    batches = [
        FreshInputs(torch.nn.Sequential(), drawn.data, preprocessing, mode == "crops", 0, CPU).batch(torch.arange(4), 0)
        for preprocessing in (corrupted, plain)
    ]
    assert not torch.equal(*batches)
    torch.testing.assert_close(batches[0].flatten(2).sort().values, batches[1].flatten(2).sort().values)
