"""Random numbers depend only on their counters, and crops equal those of torchvision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import functional as tv

from engine.data import augmentation
from engine.rng import generator


def pictures(count: int = 4, side: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_random_numbers_depend_only_on_their_counters() -> None:
    first = torch.rand(5, generator=generator(1, 2, 3))
    torch.rand(100)  # the global generator has no effect
    assert torch.equal(first, torch.rand(5, generator=generator(1, 2, 3)))
    for others in ((1, 2, 4), (2, 1, 3), (0, 2, 3)):
        assert not torch.equal(first, torch.rand(5, generator=generator(*others)))


def test_boxes_lie_inside_the_picture_and_cover_the_requested_area() -> None:
    x, y, width, height = augmentation.draw_boxes(2000, generator(0), smallest=0.35).unbind(1)
    assert (x - width / 2 >= -1e-6).all()
    assert (x + width / 2 <= 1 + 1e-6).all()
    assert (y - height / 2 >= -1e-6).all()
    assert (y + height / 2 <= 1 + 1e-6).all()
    area = width * height
    assert 0.33 < area.min() < 0.4
    assert area.max() > 0.95


def sampled(images: Tensor, boxes: Tensor, flip: Tensor, image_size: int) -> Tensor:
    """The plain version of a crop: one bilinear sample for every pixel, without antialiasing."""
    x, y, width, height = boxes.double().unbind(1)
    zero, mirror = torch.zeros_like(x), torch.where(flip, -1.0, 1.0)
    theta = torch.stack([torch.stack([width * mirror, zero, 2 * x - 1], 1), torch.stack([zero, height, 2 * y - 1], 1)], 1)
    grid = F.affine_grid(theta, [len(images), 3, image_size, image_size], align_corners=False)
    return F.grid_sample(images.double() / 255, grid, mode="bilinear", padding_mode="border", align_corners=False)


def test_an_enlarged_crop_equals_bilinear_samples() -> None:
    images, rng = pictures(50, 48), generator(1)
    boxes, flip = augmentation.draw_boxes(50, rng), torch.rand(50, generator=rng) < 0.5
    actual = augmentation.crop(images, boxes, flip, 64)
    assert (actual.dtype, actual.shape) == (torch.float32, (50, 3, 64, 64))
    torch.testing.assert_close(actual.double(), sampled(images, boxes, flip, 64), atol=1e-5, rtol=0)


def test_a_crop_in_bf16_differs_by_rounding_only() -> None:
    images, boxes, flip = pictures(50), augmentation.draw_boxes(50, generator(1)), torch.arange(50) % 2 == 0
    exact, rounded = (augmentation.crop(images, boxes, flip, 64, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().max() < 0.01
    assert (exact - rounded).mean().abs() < 1e-4


@pytest.mark.parametrize("image_size", [20, 63, 64, 65, 97])
def test_a_crop_of_the_whole_picture_equals_torchvisions_antialiased_resize(image_size: int) -> None:
    images, whole = pictures(), torch.tensor(augmentation.FULL).expand(4, 4)
    actual = augmentation.crop(images, whole, torch.zeros(4, dtype=torch.bool), image_size)
    torch.testing.assert_close(actual, augmentation.resize(images, image_size), atol=1e-5, rtol=0)


def test_a_crop_of_whole_pixels_equals_torchvisions_resized_crop() -> None:
    images = pictures()
    left, top, width, height = 8, 16, 40, 32
    box = torch.tensor([[(left + width / 2) / 64, (top + height / 2) / 64, width / 64, height / 64]]).expand(4, 4)
    for image_size, margin in ((64, 4), (16, 2)):
        actual = augmentation.crop(images, box, torch.zeros(4, dtype=torch.bool), image_size)
        expected = tv.resized_crop(images.float() / 255, top, left, height, width, [image_size, image_size], antialias=True)
        # torchvision pads with the edge of the crop, ours samples the neighbouring pixels: compare the inside
        inside = slice(margin, -margin)
        torch.testing.assert_close(actual[..., inside, inside], expected[..., inside, inside], atol=1e-4, rtol=0)


def test_a_mirrored_crop_is_the_flipped_crop() -> None:
    images, whole = pictures(), torch.tensor(augmentation.FULL).expand(4, 4)
    plain = augmentation.crop(images, whole, torch.zeros(4, dtype=torch.bool), 64)
    mirrored = augmentation.crop(images, whole, torch.ones(4, dtype=torch.bool), 64)
    torch.testing.assert_close(plain, images.float() / 255, atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored, plain.flip(-1), atol=1e-5, rtol=0)


def test_resizing_equals_torchvisions_resize() -> None:
    images = pictures(2, 96)
    expected = tv.resize(images.float() / 255, [64, 64], antialias=True)
    torch.testing.assert_close(augmentation.resize(images, 64), expected)
