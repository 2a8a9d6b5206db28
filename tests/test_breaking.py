"""What a broken task still holds, and what it lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import CPU, TRAIN

from engine import Plan, augment, breaking, freezing
from engine.tasks import Drawn


def pictures(side: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=augment.generator(side))


@pytest.mark.parametrize(("side", "patches"), [(32, 2), (32, 8), (37, 4), (32, 32), (8, 512)])
def test_shuffled_patches_lose_no_pixel_and_move_alike_in_every_picture(side: int, patches: int) -> None:
    images = pictures(side)
    mixed = augment.shuffle_patches(images, breaking.draw_places(patches, side, 0))
    assert not torch.equal(mixed, images)
    assert torch.equal(mixed.flatten(2).sort().values, images.flatten(2).sort().values)
    same = torch.stack([images[0]] * 2)
    assert torch.equal(*augment.shuffle_patches(same, breaking.draw_places(patches, side, 0)))


def test_a_patch_stays_whole() -> None:
    images = torch.arange(16, dtype=torch.uint8).repeat_interleave(8, 0).view(1, 1, 4, 32)
    images = images.repeat_interleave(8, 2)[:, :, :32].expand(1, 3, 32, 32)
    mixed = augment.shuffle_patches(images, breaking.draw_places(4, 32, 1))
    for row in range(4):
        for column in range(4):
            assert len(mixed[0, 0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].unique()) == 1


def test_one_patch_is_the_whole_picture(drawn: Drawn) -> None:
    plan = Plan()
    assert torch.equal(breaking.alter(plan, drawn.training), drawn.training)


def test_inverting_twice_gives_the_picture_back() -> None:
    plan, images = Plan(inverted=True), pictures(8)
    assert torch.equal(breaking.alter(plan, breaking.alter(plan, images)), images)


def test_shuffled_labels_keep_the_size_of_every_class_and_leave_the_rest() -> None:
    labels = torch.arange(4).repeat_interleave(50)
    half = breaking.shuffle_labels(labels, 0.5, 0)
    assert torch.equal(half.bincount(), labels.bincount())
    assert 0.25 < (half != labels).float().mean() < 0.5  # a quarter of those shuffled get their own label back
    assert torch.equal(breaking.shuffle_labels(labels, 0.0, 0), labels)


def test_both_sides_are_broken_alike_and_held_out_labels_are_never_touched(drawn: Drawn) -> None:
    broken = breaking.apply(Plan(patches=4, inverted=True, label_noise=1.0), drawn)
    assert torch.equal(broken.heldout, 255 - drawn.heldout)
    assert broken.places is not None
    assert torch.equal(broken.heldout_labels, drawn.heldout_labels)
    assert not torch.equal(broken.training_labels, drawn.training_labels)
    assert len(drawn.training) <= 3 * TRAIN


def test_normalisations_are_what_they_are_called() -> None:
    own = ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    white = {}
    for name in ("own", "symmetric", "raw", "imagenet"):
        mean, std = breaking.normalisation(Plan(normalisation=name), own)  # type: ignore[arg-type]
        white[name] = (1 - mean[0]) / std[0]
    assert white == {"own": 0.9, "symmetric": 1.0, "raw": 255.0, "imagenet": pytest.approx(2.2489, abs=1e-4)}


@pytest.mark.parametrize("mode", ["crops", "whole"])
def test_pixels_change_places_in_what_the_network_sees_and_none_runs_into_another(drawn: Drawn, mode: str) -> None:
    """Shuffled before a resize, pixels would be averaged with their new neighbours."""
    broken = breaking.apply(Plan(patches=512), replace(drawn, px=16))
    plain = replace(broken, places=None)
    seen = [
        freezing.FreshInputs(torch.nn.Sequential(), pictures, mode == "crops", 0, CPU).batch(torch.arange(4), 0)
        for pictures in (broken, plain)
    ]
    assert not torch.equal(*seen)
    torch.testing.assert_close(seen[0].flatten(2).sort().values, seen[1].flatten(2).sort().values)
