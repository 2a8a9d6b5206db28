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

CHUNK = 50  # pictures of 64 px a forward pass without gradients; small enough that a stop is seen at once
CACHE_SHARE = 0.3  # of the free memory that the features of all racers may take; while they are joined, twice that


def chunk(px: int) -> int:
    """Pictures of this side a forward pass without gradients."""
    return max(4, min(CHUNK, CHUNK * 64 * 64 // (px * px)))


def split(model: nn.Sequential, learning_stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The frozen part and the learning part of a network, its own modules; 0 = everything learns."""
    count = len(model) if learning_stages == 0 else learning_stages
    cut = len(model) - count
    return model[:cut], model[cut:]  # type: ignore[return-value]  # torch's stubs: a slice is a Sequential


def freeze(frozen: nn.Sequential) -> None:
    """No gradients, and BatchNorm in eval mode: `requires_grad=False` alone lets its running statistics move."""
    frozen.requires_grad_(False).eval()


def learn(learning: nn.Sequential, pretrained: bool) -> None:
    """Gradients on. BatchNorm of a pretrained network keeps its statistics: a few pictures would only spoil them.

    A lone head is a linear probe: no dropout.
    """
    learning.requires_grad_(True).train(len(learning) > 1)
    if pretrained:
        for module in learning.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def blank(head: nn.Module) -> None:
    """Start a new head at zero, as BiT does (Kolesnikov et al. 2020): it then weighs features by what it learnt alone."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def settle(frozen: nn.Sequential, pictures: Drawn, machine: Machine) -> None:
    """Give a network that never learnt the statistics of its training pictures, so that random features are no straw man.

    Untouched, BatchNorm would scale by statistics of nothing, and residual branches whose last gain starts at zero
    would be silent. No label is used.
    """
    frozen.eval()
    norms = [m for m in frozen.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # a plain mean over what it sees
        norm.train()
        if norm.affine:
            nn.init.ones_(norm.weight)
    for module in frozen.modules():
        if isinstance(scale := getattr(module, "layer_scale", None), nn.Parameter):  # ConvNeXt's, 1e-6
            nn.init.ones_(scale)
    for rows in _few(pictures).split(max(16, chunk(pictures.px))) if norms else ():
        pixels = augment.resize(pictures.training[rows.to(pictures.training.device)], pictures.px)
        with torch.no_grad(), machine.autocast():
            frozen(normalise(pixels, pictures))


def _few(pictures: Drawn) -> Tensor:
    """The rows of 64 training pictures at most, spread over the classes."""
    return torch.linspace(0, len(pictures.training) - 1, min(64, len(pictures.training))).long()


def cache_bytes(frozen: nn.Sequential, pictures: Drawn, augmented: bool, machine: Machine) -> int:
    """Memory that the features of all these pictures take at the frozen boundary; runs one picture to know."""
    one = FreshInputs(frozen, pictures, False, 0, machine).heldout(slice(0, 1))
    views = 2 if augmented else 1
    return one.nbytes * (views * len(pictures.training) + len(pictures.heldout))


def normalise(pixels: Tensor, pictures: Drawn) -> Tensor:
    """0..1 pixels (N, 3, px, px) -> what the network wants, channels last; in patches where the race asks for it."""
    if pictures.places is not None:
        pixels = augment.shuffle_patches(pixels, pictures.places)
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

    def size(self) -> float:
        """How large the features are: the sum of their absolute values, the mean over a few pictures."""
        return _size(self)

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
        self.pictures = pictures
        self._augmented, self.views, self._held = augmented, torch.empty(0), torch.empty(0)
        self._epoch, self._flips = -1, torch.empty(0)

    def prepare(self) -> Iterator[None]:
        """Fill the cache, a chunk at a time; the racer's clock runs."""
        pictures, fresh = self._fresh.pictures, self._fresh
        size = chunk(pictures.px)
        still = torch.zeros(size, dtype=torch.bool)
        views = []
        for mirrored in (still, ~still) if self._augmented else (still,):
            parts = []
            for first in range(0, len(pictures.training), size):
                images = pictures.training[first : first + size]
                if self._augmented:
                    whole = torch.tensor(augment.FULL).expand(len(images), 4)
                    pixels = augment.crop(images, whole, mirrored[: len(images)], pictures.px)
                else:
                    pixels = augment.resize(images, pictures.px)
                parts.append(fresh._forward(pixels))
                yield
            views.append(torch.cat(parts))
        self.views = torch.stack(views)

    def prepare_heldout(self) -> Iterator[None]:
        """The same for the held-out pictures; that is evaluation, so the racer's clock stands still."""
        parts = []
        size = chunk(self._fresh.pictures.px)
        for first in range(0, len(self._fresh.pictures.heldout), size):
            parts.append(self._fresh.heldout(slice(first, first + size)))
            yield
        self._held = torch.cat(parts)

    def batch(self, rows: Tensor, epoch: int) -> Tensor:
        """What the learning part sees of the training pictures `rows` in this epoch."""
        if epoch != self._epoch:
            self._epoch, self._flips = epoch, self._fresh._draw(epoch)[1].long()
        view = self._flips[rows] if self._augmented else torch.zeros(len(rows), dtype=torch.long)
        device = self.views.device
        return self.views[view.to(device), rows.to(device)]

    def size(self) -> float:
        """How large the features are: the sum of their absolute values, the mean over a few pictures."""
        return _size(self)

    def heldout(self, rows: slice | Tensor) -> Tensor:
        """What the learning part sees of held-out pictures."""
        return self._held[rows]


def _size(inputs: FreshInputs | CachedInputs) -> float:
    pictures = inputs.pictures
    parts = [inputs.batch(rows, 0).float().flatten(1).abs().sum(1) for rows in _few(pictures).split(16)]
    return float(torch.cat(parts).mean())
