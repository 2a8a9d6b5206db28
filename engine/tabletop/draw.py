"""Random streams of one picture. Knows the picture's name and split, nothing of what is drawn from them.

Every picture has five independent streams, each a pure function of (seed, class name, split, index, attempt,
purpose): the order in which pictures are rendered, and how many draws another purpose makes, change nothing.
"""

import hashlib
from typing import Literal, NamedTuple

import numpy as np

Split = Literal["train", "heldout"]

# Every range a shape or a texture draws from is cut into six equal bands. Training pictures draw from four of
# them, held-out pictures from the two in between: never the same handle, stripe or lampshade in both splits,
# yet the same kind of picture, because the held-out values lie between training values and not beyond them.
BANDS = 6
BANDS_OF = {"train": np.array([0, 2, 3, 5]), "heldout": np.array([1, 4])}


class Draw(np.random.Generator):
    """A numpy Generator that knows its split; `banded` ones draw `uniform` from their split's bands only."""

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

    shape: Draw  # banded: the object's proportions
    texture: Draw  # banded: colours, patterns, materials
    setting: Draw  # room, light, clutter
    camera: Draw  # pose, view, lens
    film: Draw  # exposure, tone, sensor noise


def streams(seed: int, name: str, split: Split, index: int, attempt: int, busy: float = 1.0) -> Streams:
    """The streams of picture `index` of class `name`; a refused picture is drawn again as the next attempt."""

    def one(purpose: str) -> Draw:
        key = f"{seed}/{name}/{split}/{index}/{attempt}/{purpose}"
        entropy = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
        return Draw(entropy, split, purpose in ("shape", "texture"), busy)

    return Streams(*(one(purpose) for purpose in Streams._fields))
