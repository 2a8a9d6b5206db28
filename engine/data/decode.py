"""Decodes many pictures into one uint8 tensor, in parallel, after a check of the free memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from engine import device
from engine.data.image import Reader, center_crop
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.progress import work_through

MEMORY_SHARE = 0.5  # of the free memory that the pictures of a race may take; the networks need the rest


def decode(readers: Sequence[Reader], side: int, name: str) -> Generator[Progressed, None, Tensor]:
    """Decode all pictures into (N, 3, side, side) uint8, in order. Closing the generator stops the work.

    Raises what a reader raises: DataError for a picture that can no longer be read.
    """
    pixels = torch.empty(len(readers), 3, side, side, dtype=torch.uint8)
    array = pixels.numpy()

    def fill(k: int) -> None:
        array[k] = center_crop(readers[k](), side).transpose(2, 0, 1)

    yield from work_through(range(len(readers)), fill, "decode", name)
    return pixels


def bytes_needed(count: int, side: int) -> int:
    """Bytes of `count` decoded RGB pictures."""
    return count * 3 * side * side


def check_memory(count: int, side: int, name: str, free_memory: Callable[[], float] = device.free_memory) -> None:
    """Raise UnavailableError where the decoded pictures would take more than MEMORY_SHARE of the free memory (bytes)."""
    need, free = bytes_needed(count, side), free_memory()
    if need > MEMORY_SHARE * free:
        raise UnavailableError(
            "refusal.picture.memory",
            n=count,
            name=name,
            image_size=side,
            need=need / 1e9,
            free=free / 1e9,
            share=MEMORY_SHARE,
        )
