"""The ten classes: how each is built, from which heights it is seen, and which part identifies it.

A builder takes a random stream and returns the parts of one object.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .furniture import chair, lamp
from .mesh import Part
from .things import cactus, duck, mushroom, plane
from .vessels import bottle, mug, teapot, wineglass

Builder = Callable[[np.random.Generator], list[Part]]


class ObjectClass(NamedTuple):
    """One class. Its key part (handle, spout, beak, stem) is the one that a person recognises it by."""

    build: Builder
    elevation_easy: tuple[float, float]  # range of the camera's elevation in degrees, at difficulty 0
    elevation_hard: tuple[float, float]  # the same at difficulty 1
    lying: float  # chance of lying on its side at difficulty 1
    key_direction: tuple[float, float, float] = (0, 0, 1)  # along the key part
    # least sine of the angle between key direction and view, where it points (towards, away from) the camera
    min_sine_easy: tuple[float, float] = (0.0, 0.0)  # at difficulty 0
    min_sine_hard: tuple[float, float] = (0.0, 0.0)  # at difficulty 1


FRONT, BACK, UP = (1, 0, 0), (0, 1, 0), (0, 0, 1)

CATALOGUE: dict[str, ObjectClass] = {
    "mug": ObjectClass(mug, (8, 32), (4, 60), 0.12, FRONT, (0.85, 0.93), (0.75, 0.85)),
    "teapot": ObjectClass(teapot, (6, 30), (4, 55), 0.04, FRONT, (0.85, 0.85), (0.7, 0.7)),
    "bottle": ObjectClass(bottle, (3, 22), (2, 45), 0.2, UP, (0.45, 0.5), (0.45, 0.5)),
    "wineglass": ObjectClass(wineglass, (3, 24), (2, 45), 0.1, UP, (0.5, 0.5), (0.5, 0.5)),
    "lamp": ObjectClass(lamp, (1, 18), (0, 35), 0.05, UP, (0.5, 0.6), (0.5, 0.6)),
    "mushroom": ObjectClass(mushroom, (1, 20), (-4, 45), 0.1, UP, (0.5, 0.5), (0.5, 0.5)),
    "cactus": ObjectClass(cactus, (4, 28), (2, 45), 0.04),
    "chair": ObjectClass(chair, (8, 30), (3, 45), 0.08, BACK, (0.7, 0.0), (0.0, 0.0)),
    "duck": ObjectClass(duck, (4, 28), (2, 55), 0.03, FRONT, (0.6, 0.8), (0.0, 0.65)),
    "plane": ObjectClass(plane, (14, 50), (5, 65), 0.0, FRONT, (0.5, 0.5), (0.3, 0.3)),
}
