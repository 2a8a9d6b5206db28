"""What the learning stages of a racer are given: the output of its frozen stages, cached or computed anew.

A network is divided at a boundary: the stages below it are frozen, those above are trained. The output of the frozen part
is the same whenever a picture comes again, so it can be computed once (`CachedInputs`) instead of at every step
(`FreshInputs`, which is simpler and the reference in the tests).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from engine.data import augmentation
from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData
from engine.device import Machine
from engine.models.freezing import chunk, normalise, spread_rows
from engine.rng import generator

MAX_HELDOUT = 100_000_000  # bytes of held-out pictures that are kept as a network's input, resized and normalised once
CACHE_SHARE = 0.3  # of the free memory, for the cached features of all racers; while they are concatenated, twice that


class FreshInputs:
    """Runs the frozen part anew for every batch. With nothing frozen, every epoch brings fresh crops.

    With a frozen part, a picture is seen whole, as it is or mirrored: what a cache can hold. The same epoch brings the
    same mirror images to all racers.
    """

    def __init__(
        self,
        frozen: nn.Sequential,
        data: RaceData,
        preprocessing: Preprocessing,
        augment: bool,
        seed: int,
        machine: Machine,
    ):
        self.frozen, self.data, self.preprocessing, self.machine = frozen, data, preprocessing, machine
        self.augment, self.seed = augment, seed
        self._epoch, self._boxes, self._flips = -1, torch.empty(0), torch.empty(0)
        self._heldout: Tensor | None = None  # where nothing is frozen and they are few
        values = data.heldout.numel() // data.heldout.shape[-1] ** 2 * preprocessing.image_size**2
        self._keeps_heldout = not len(frozen) and values * machine.dtype.itemsize <= MAX_HELDOUT

    def prepare(self) -> Iterator[None]:
        """Nothing to prepare."""
        yield from ()

    def batch(self, rows: Tensor, epoch: int) -> Tensor:
        """The inputs of the learning part for the training pictures `rows` in this epoch."""
        if epoch != self._epoch:
            self._epoch, (self._boxes, self._flips) = epoch, self.augmentation(epoch)
        images, size = self.data.training[rows.to(self.data.training.device)], self.preprocessing.image_size
        if self.augment:
            pixels = augmentation.crop(images, self._boxes[rows], self._flips[rows], size, self.machine.dtype)
        else:
            pixels = augmentation.resize(images, size)
        return self.run_frozen(pixels)

    def feature_sum(self) -> float:
        """The sum of a picture's absolute features, the mean over a few training pictures."""
        return _feature_sum(self)

    def heldout(self, rows: slice | Tensor) -> Tensor:
        """The inputs of the learning part for held-out pictures, whole and not mirrored."""
        if not self._keeps_heldout:
            return self.run_frozen(augmentation.resize(self.data.heldout[rows], self.preprocessing.image_size))
        if self._heldout is None:
            parts = self.data.heldout.split(chunk(self.preprocessing.image_size))
            inputs = [self.run_frozen(augmentation.resize(part, self.preprocessing.image_size)) for part in parts]
            self._heldout = torch.cat([part.to(self.machine.dtype) for part in inputs])  # autocast would convert it too
        return self._heldout[rows].contiguous(memory_format=self.preprocessing.memory_format)

    def augmentation(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The crop box of every training picture in this epoch, (N, 4), and whether it is mirrored, (N,) bool."""
        count, rng = len(self.data.training), generator(self.seed, 3, epoch)
        flips = torch.rand(count, generator=rng) < 0.5
        if len(self.frozen):
            return torch.tensor(augmentation.FULL).expand(count, 4), flips
        return augmentation.draw_boxes(count, rng), flips

    def run_frozen(self, pixels: Tensor) -> Tensor:
        """0..1 pixels (N, 3, px, px) -> the output of the frozen part, or the normalised pixels where nothing is frozen."""
        x = normalise(pixels, self.preprocessing)
        if len(self.frozen):
            with torch.no_grad(), self.machine.autocast():
                x = self.frozen(x)
        return x


class CachedInputs:
    """Runs the frozen part once over every picture and its mirror image, and looks its outputs up from then on."""

    def __init__(
        self,
        frozen: nn.Sequential,
        data: RaceData,
        preprocessing: Preprocessing,
        augment: bool,
        seed: int,
        machine: Machine,
    ):
        self._fresh = FreshInputs(frozen, data, preprocessing, augment, seed, machine)
        self.data, self._image_size, self._dtype = data, preprocessing.image_size, machine.dtype
        self._augment, self.views, self._heldout = augment, torch.empty(0), torch.empty(0)
        self._epoch, self._flips = -1, torch.empty(0)

    def prepare(self) -> Iterator[None]:
        """Fill the cache with the training pictures, a chunk at a time; the racer's clock runs."""
        data, size = self.data, chunk(self._image_size)
        still = torch.zeros(size, dtype=torch.bool)
        views = []
        for mirrored in (still, ~still) if self._augment else (still,):
            parts = []
            for first in range(0, len(data.training), size):
                images = data.training[first : first + size]
                if self._augment:
                    whole = torch.tensor(augmentation.FULL).expand(len(images), 4)
                    pixels = augmentation.crop(images, whole, mirrored[: len(images)], self._image_size, self._dtype)
                else:
                    pixels = augmentation.resize(images, self._image_size)
                parts.append(self._fresh.run_frozen(pixels))
                yield
            views.append(torch.cat(parts))
        self.views = torch.stack(views)

    def prepare_heldout(self) -> Iterator[None]:
        """The same for the held-out pictures; that is evaluation, so the racer's clock stands still."""
        parts, size = [], chunk(self._image_size)
        for first in range(0, len(self.data.heldout), size):
            parts.append(self._fresh.heldout(slice(first, first + size)))
            yield
        self._heldout = torch.cat(parts)

    def batch(self, rows: Tensor, epoch: int) -> Tensor:
        """The inputs of the learning part for the training pictures `rows` in this epoch."""
        if epoch != self._epoch:
            self._epoch, self._flips = epoch, self._fresh.augmentation(epoch)[1].long()
        view = self._flips[rows] if self._augment else torch.zeros(len(rows), dtype=torch.long)
        device = self.views.device
        return self.views[view.to(device), rows.to(device)]

    def feature_sum(self) -> float:
        """The sum of a picture's absolute features, the mean over a few training pictures."""
        return _feature_sum(self)

    def heldout(self, rows: slice | Tensor) -> Tensor:
        """The inputs of the learning part for held-out pictures."""
        return self._heldout[rows]


def choose_inputs(
    frozen: nn.Sequential,
    data: RaceData,
    preprocessing: Preprocessing,
    augment: bool,
    seed: int,
    machine: Machine,
    memory_share: float,
) -> FreshInputs | CachedInputs:
    """Cached inputs where there are frozen stages whose features fit into this share of the free memory, else fresh ones.

    Low in a network the features are many times as large as the pictures.
    """
    memory = memory_share * machine.free_memory()
    if not len(frozen) or cache_bytes(frozen, data, preprocessing, augment, machine) > memory:
        return FreshInputs(frozen, data, preprocessing, augment, seed, machine)
    return CachedInputs(frozen, data, preprocessing, augment, seed, machine)


def cache_bytes(frozen: nn.Sequential, data: RaceData, preprocessing: Preprocessing, augment: bool, machine: Machine) -> int:
    """Bytes that the features of all these pictures take at the frozen boundary; runs one picture to measure it."""
    one = FreshInputs(frozen, data, preprocessing, False, 0, machine).heldout(slice(0, 1))
    views = 2 if augment else 1
    return one.nbytes * (views * len(data.training) + len(data.heldout))


def _feature_sum(inputs: FreshInputs | CachedInputs) -> float:
    parts = [inputs.batch(rows, 0).float().flatten(1).abs().sum(1) for rows in spread_rows(inputs.data).split(16)]
    return float(torch.cat(parts).mean())
