"""Random numbers depend only on their counters, and crops equal those of torchvision."""

from __future__ import annotations

import torch
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


def test_a_crop_equals_torchvisions_resized_crop() -> None:
    images = pictures()
    left, top, width, height = 8, 16, 40, 24
    box = torch.tensor([[(left + width / 2) / 64, (top + height / 2) / 64, width / 64, height / 64]]).expand(4, 4)
    actual = augmentation.crop(images, box, torch.zeros(4, dtype=torch.bool), 64)
    expected = tv.resized_crop(images.float() / 255, top, left, height, width, [64, 64], antialias=False)
    # torchvision pads with the edge of the crop, our grid samples the neighbouring pixels: compare the inside
    torch.testing.assert_close(actual[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-4, rtol=0)


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
