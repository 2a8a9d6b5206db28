"""A cache of decoded pictures, so that a second race on the same pictures starts at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence

from torch import Tensor

from engine import device
from engine.data import decode
from engine.data.dataset import Dataset
from engine.events import Progressed

Key = tuple[str, int, int]  # "training" or "heldout", class index, index among the set's pictures of that class


class ImageCache:
    """Decoded pictures by set and side in pixels; the least recently used sets are dropped.

    `free_memory`: bytes that are free at the moment, for the check before decoding.
    """

    def __init__(self, max_sets: int = 2, free_memory: Callable[[], float] = device.free_memory):
        self._free_memory = free_memory
        self._max_sets = max_sets
        self._images: OrderedDict[tuple[str, int], dict[Key, Tensor]] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self, name: str, dataset: Dataset, keys: Sequence[Key], side: int
    ) -> Generator[Progressed, None, dict[Key, Tensor]]:
        """Return decoded pictures by key, (3, side, side) uint8 each; at least those of `keys`.

        Raises UnavailableError where they do not fit into memory, DataError for a picture that can no longer be read.
        """
        with self._lock:
            cached = self._images.setdefault((name, side), {})
            self._images.move_to_end((name, side))
            while len(self._images) > self._max_sets:
                self._images.popitem(last=False)
        missing = [key for key in keys if key not in cached]
        if missing:
            decode.check_memory(len(missing), side, dataset.title, self._free_memory)
            readers = [getattr(dataset, split)[k][i] for split, k, i in missing]
            images = yield from decode.decode(readers, side, dataset.title)
            cached.update(zip(missing, images, strict=True))
        return cached

    def names(self) -> tuple[str, ...]:
        """The sets with pictures in the cache."""
        with self._lock:
            return tuple(dict.fromkeys(name for name, _ in self._images))

    def remove(self, name: str) -> None:
        """Drop all pictures of one set."""
        with self._lock:
            for key in [key for key in self._images if key[0] == name]:
                del self._images[key]
