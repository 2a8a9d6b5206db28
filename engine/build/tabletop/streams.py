"""The random streams of one picture.

Every picture has five independent streams, each a pure function of (seed, class name, split, index, attempt, purpose).
So neither the order in which pictures are rendered nor the number of draws for another purpose changes a picture.
"""

import hashlib
from typing import Literal, NamedTuple

import numpy as np

Split = Literal["train", "heldout"]

# Every range that a shape or a texture draws from has six equal bands. Training pictures draw from four of them, held-out
# pictures from the two in between: no handle, stripe or lampshade is in both splits, yet the pictures are alike, because
# the held-out values lie between training values and not beyond them.
BANDS = 6
BANDS_OF = {"train": np.array([0, 2, 3, 5]), "heldout": np.array([1, 4])}


class Stream(np.random.Generator):
    """A numpy Generator of one split. If `banded`, `uniform` draws from the bands of this split only."""

    def __init__(self, entropy: int, split: Split, banded: bool, busy: float) -> None:
        super().__init__(np.random.PCG64(np.random.SeedSequence(entropy)))
        self.split = split
        self.banded = banded
        self.busy = busy  # 0..1: how often a texture may be a loud one (see texture.pattern)

    def uniform(self, low=0.0, high=1.0, size=None):  # noqa: ANN001, ANN201 - numpy's own signature
        """Like numpy's, but a banded stream skips the other split's part of the range."""
        if not self.banded:
            return super().uniform(low, high, size)
        bands = BANDS_OF[self.split]
        share = (bands[self.integers(len(bands), size=size)] + self.random(size)) / BANDS
        return low + (high - low) * share


class Streams(NamedTuple):
    """The five streams of one picture."""

    shape: Stream  # banded: the object's proportions
    texture: Stream  # banded: colours, patterns, materials
    setting: Stream  # room, light, clutter
    camera: Stream  # pose, view, lens
    film: Stream  # exposure, tone, sensor noise


def streams(seed: int, name: str, split: Split, index: int, attempt: int, busy: float = 1.0) -> Streams:
    """The streams of picture `index` of class `name`; a rejected picture is made again as the next attempt."""

    def stream(purpose: str) -> Stream:
        key = f"{seed}/{name}/{split}/{index}/{attempt}/{purpose}"
        entropy = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
        return Stream(entropy, split, purpose in ("shape", "texture"), busy)

    return Streams(*(stream(purpose) for purpose in Streams._fields))
