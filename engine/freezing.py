"""Which stages learn, and what the learning ones are fed. Knows nothing of losses, rivals or clocks.

A network is cut at the *boundary*: the stages below it are frozen, those above learn. What comes out of the frozen part
is always the same for the same picture, so it can be computed once (`CachedInputs`) instead of at every step
(`FreshInputs`, the plain version and the reference in the tests).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from engine import augment
from engine.device import Machine
from engine.tasks import Drawn

CHUNK = 50  # pictures a forward pass without gradients; small enough that a stop is seen at once


def split(model: nn.Sequential, learning_stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The frozen part and the learning part of a network, its own modules; 0 = everything learns."""
    count = len(model) if learning_stages == 0 else learning_stages
    cut = len(model) - count
    return model[:cut], model[cut:]  # type: ignore[return-value]  # torch's stubs: a slice is a Sequential


def freeze(frozen: nn.Sequential) -> None:
    """No gradients, and BatchNorm in eval mode: `requires_grad=False` alone lets its running statistics move."""
    frozen.requires_grad_(False).eval()


def learn(learning: nn.Sequential, pretrained: bool) -> None:
    """Gradients on. BatchNorm of a pretrained network keeps its statistics: a few pictures would only spoil them."""
    learning.requires_grad_(True).train()
    if pretrained:
        for module in learning.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def normalise(pixels: Tensor, pictures: Drawn) -> Tensor:
    """0..1 pixels (N, 3, px, px) -> what the network wants, channels last."""
    mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (pictures.mean, pictures.std))
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class FreshInputs:
    """Runs the frozen part anew for every batch. With nothing frozen, every epoch brings fresh crops.

    With a frozen part, a picture is seen whole, as it is or mirrored: what a cache can hold. The same epoch brings the
    same mirror images to both racers.
    """

    def __init__(self, frozen: nn.Sequential, pictures: Drawn, augmented: bool, seed: int, machine: Machine):
        self.frozen, self.pictures, self.machine = frozen, pictures, machine
        self.augmented, self.seed = augmented, seed
        self._epoch, self._boxes, self._flips = -1, torch.empty(0), torch.empty(0)

    def prepare(self) -> Iterator[None]:
        """Nothing to prepare."""
        yield from ()

    def batch(self, rows: Tensor, epoch: int) -> Tensor:
        """What the learning part sees of the training pictures `rows` in this epoch."""
        if epoch != self._epoch:
            self._epoch, (self._boxes, self._flips) = epoch, self._draw(epoch)
        images = self.pictures.training[rows.to(self.pictures.training.device)]
        if self.augmented:
            pixels = augment.crop(images, self._boxes[rows], self._flips[rows], self.pictures.px)
        else:
            pixels = augment.resize(images, self.pictures.px)
        return self._forward(pixels)

    def heldout(self, rows: slice | Tensor) -> Tensor:
        """What the learning part sees of held-out pictures, whole and unmirrored."""
        return self._forward(augment.resize(self.pictures.heldout[rows], self.pictures.px))

    def _draw(self, epoch: int) -> tuple[Tensor, Tensor]:
        count, rng = len(self.pictures.training), augment.generator(self.seed, 3, epoch)
        flips = torch.rand(count, generator=rng) < 0.5
        if len(self.frozen):
            return torch.tensor(augment.FULL).expand(count, 4), flips
        return augment.draw_boxes(count, rng), flips

    def _forward(self, pixels: Tensor) -> Tensor:
        x = normalise(pixels, self.pictures)
        if len(self.frozen):
            with torch.no_grad(), self.machine.autocast():
                x = self.frozen(x)
        return x


class CachedInputs:
    """Runs the frozen part once over every picture and its mirror image, and looks the answers up from then on."""

    def __init__(self, frozen: nn.Sequential, pictures: Drawn, augmented: bool, seed: int, machine: Machine):
        self._fresh = FreshInputs(frozen, pictures, augmented, seed, machine)
        self._augmented, self._views, self._held = augmented, torch.empty(0), torch.empty(0)
        self._epoch, self._flips = -1, torch.empty(0)

    def prepare(self) -> Iterator[None]:
        """Fill the cache, a chunk at a time; the racer's clock runs."""
        pictures, fresh = self._fresh.pictures, self._fresh
        still = torch.zeros(CHUNK, dtype=torch.bool)
        views = []
        for mirrored in (still, ~still) if self._augmented else (still,):
            parts = []
            for first in range(0, len(pictures.training), CHUNK):
                images = pictures.training[first : first + CHUNK]
                if self._augmented:
                    whole = torch.tensor(augment.FULL).expand(len(images), 4)
                    pixels = augment.crop(images, whole, mirrored[: len(images)], pictures.px)
                else:
                    pixels = augment.resize(images, pictures.px)
                parts.append(fresh._forward(pixels))
                yield
            views.append(torch.cat(parts))
        self._views = torch.stack(views)

    def prepare_heldout(self) -> Iterator[None]:
        """The same for the held-out pictures; that is evaluation, so the racer's clock stands still."""
        parts = []
        for first in range(0, len(self._fresh.pictures.heldout), CHUNK):
            parts.append(self._fresh.heldout(slice(first, first + CHUNK)))
            yield
        self._held = torch.cat(parts)

    def batch(self, rows: Tensor, epoch: int) -> Tensor:
        """What the learning part sees of the training pictures `rows` in this epoch."""
        if epoch != self._epoch:
            self._epoch, self._flips = epoch, self._fresh._draw(epoch)[1].long()
        view = self._flips[rows] if self._augmented else torch.zeros(len(rows), dtype=torch.long)
        device = self._views.device
        return self._views[view.to(device), rows.to(device)]

    def heldout(self, rows: slice | Tensor) -> Tensor:
        """What the learning part sees of held-out pictures."""
        return self._held[rows]
