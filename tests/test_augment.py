"""The same draw for whoever asks, and crops that equal torchvision's."""

from __future__ import annotations

import torch
from torchvision.transforms import functional as tv

from engine import augment


def pictures(count: int = 4, side: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_draw_depends_only_on_its_counters() -> None:
    first = torch.rand(5, generator=augment.generator(1, 2, 3))
    torch.rand(100)  # the global generator plays no part
    assert torch.equal(first, torch.rand(5, generator=augment.generator(1, 2, 3)))
    for others in ((1, 2, 4), (2, 1, 3), (0, 2, 3)):
        assert not torch.equal(first, torch.rand(5, generator=augment.generator(*others)))


def test_boxes_lie_inside_the_picture_and_cover_what_was_asked() -> None:
    x, y, width, height = augment.draw_boxes(2000, augment.generator(0), smallest=0.35).unbind(1)
    assert (x - width / 2 >= -1e-6).all()
    assert (x + width / 2 <= 1 + 1e-6).all()
    assert (y - height / 2 >= -1e-6).all()
    assert (y + height / 2 <= 1 + 1e-6).all()
    area = width * height
    assert 0.33 < area.min() < 0.4
    assert area.max() > 0.95


def test_a_crop_is_torchvisions_resized_crop() -> None:
    images = pictures()
    left, top, width, height = 8, 16, 40, 24
    box = torch.tensor([[(left + width / 2) / 64, (top + height / 2) / 64, width / 64, height / 64]]).expand(4, 4)
    ours = augment.crop(images, box, torch.zeros(4, dtype=torch.bool), 64)
    theirs = tv.resized_crop(images.float() / 255, top, left, height, width, [64, 64], antialias=False)
    # torchvision repeats the crop's own edge, a box in the picture sees its neighbours: compare the inside
    torch.testing.assert_close(ours[..., 4:-4, 4:-4], theirs[..., 4:-4, 4:-4], atol=1e-4, rtol=0)


def test_mirroring_is_mirroring() -> None:
    images, whole = pictures(), torch.tensor(augment.FULL).expand(4, 4)
    plain = augment.crop(images, whole, torch.zeros(4, dtype=torch.bool), 64)
    mirrored = augment.crop(images, whole, torch.ones(4, dtype=torch.bool), 64)
    torch.testing.assert_close(plain, images.float() / 255, atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored, plain.flip(-1), atol=1e-5, rtol=0)


def test_resizing_is_torchvisions() -> None:
    images = pictures(2, 96)
    theirs = tv.resize(images.float() / 255, [64, 64], antialias=True)
    torch.testing.assert_close(augment.resize(images, 64), theirs)
