"""The ten classes: how each is built, from where it is usually seen, and which part tells it.

Knows no materials and no Mitsuba; builders take a random stream and return the parts of one object.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .furniture import chair, lamp
from .mesh import Part
from .things import cactus, duck, mushroom, plane
from .vessels import bottle, mug, teapot, wineglass

Builder = Callable[[np.random.Generator], list[Part]]


class Kind(NamedTuple):
    """One class. A "telling direction" points along the part a person tells it by (handle, spout, beak, stem)."""

    build: Builder
    usual: tuple[float, float]  # camera elevation in degrees at difficulty 0
    widest: tuple[float, float]  # camera elevation in degrees at difficulty 1
    lying: float  # chance of lying on its side at difficulty 1
    telling: tuple[float, float, float] = (0, 0, 1)
    # least sine of the angle between telling direction and view, where it points (towards, away from) the camera
    clear: tuple[float, float] = (0.0, 0.0)  # at difficulty 0
    enough: tuple[float, float] = (0.0, 0.0)  # at difficulty 1


FRONT, BACK, UP = (1, 0, 0), (0, 1, 0), (0, 0, 1)

CATALOGUE: dict[str, Kind] = {
    "mug": Kind(mug, (8, 32), (4, 60), 0.12, FRONT, (0.85, 0.93), (0.75, 0.85)),
    "teapot": Kind(teapot, (6, 30), (4, 55), 0.04, FRONT, (0.85, 0.85), (0.7, 0.7)),
    "bottle": Kind(bottle, (3, 22), (2, 45), 0.2, UP, (0.45, 0.5), (0.45, 0.5)),
    "wineglass": Kind(wineglass, (3, 24), (2, 45), 0.1, UP, (0.5, 0.5), (0.5, 0.5)),
    "lamp": Kind(lamp, (1, 18), (0, 35), 0.05, UP, (0.5, 0.6), (0.5, 0.6)),
    "mushroom": Kind(mushroom, (1, 20), (-4, 45), 0.1, UP, (0.5, 0.5), (0.5, 0.5)),
    "cactus": Kind(cactus, (4, 28), (2, 45), 0.04),
    "chair": Kind(chair, (8, 30), (3, 45), 0.08, BACK, (0.7, 0.0), (0.0, 0.0)),
    "duck": Kind(duck, (4, 28), (2, 55), 0.03, FRONT, (0.6, 0.8), (0.0, 0.65)),
    "plane": Kind(plane, (14, 50), (5, 65), 0.0, FRONT, (0.5, 0.5), (0.3, 0.3)),
}
