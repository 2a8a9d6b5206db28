"""The pose of the object and the view of the camera."""

from typing import NamedTuple

import numpy as np

from .catalogue import CATALOGUE
from .difficulty import Knobs
from .mesh import Part, rot
from .streams import Stream


class Posed(NamedTuple):
    """An object on the table: its largest dimension is 1, its centre is above the origin."""

    parts: list[Part]
    local: list[np.ndarray]  # each part's points before posing, so that patterns are fixed to the object
    elevation: float  # of the camera above the table, in degrees


def blend(easy: float, hard: float, amount: float) -> float:
    """Interpolate between the value at amount 0 and the value at amount 1."""
    return easy + (hard - easy) * amount


def pose(name: str, shape: Stream, rng: Stream, knobs: Knobs) -> Posed:
    """Build one object of a class and put it on the table with its key part in view."""
    object_class = CATALOGUE[name]
    parts = object_class.build(shape)
    local = [part.points.copy() for part in parts]
    points = np.concatenate(local)
    middle = (points.max(0) + points.min(0)) / 2
    size = (points.max(0) - points.min(0)).max()
    local = [(v - middle) / size + [0, 0, 0.5] for v in local]

    low, high = (blend(e, h, knobs.elevation) for e, h in zip(object_class.elevation_easy, object_class.elevation_hard))
    elevation = low + (high - low) * rng.random() ** 1.5
    to_camera = np.array([0, -np.cos(np.radians(elevation)), np.sin(np.radians(elevation))])
    sines = zip(object_class.min_sine_easy, object_class.min_sine_hard)
    towards, away = (blend(e, h, knobs.hidden_key) for e, h in sines)
    while True:  # turn the object until its key part is in view
        turn = rot([0, 0, 1], rng.uniform(0, 360))
        if rng.random() < object_class.lying * knobs.lying:
            turn = turn @ rot([1, 0, 0], 90) @ rot([0, 0, 1], rng.uniform(0, 360))
        elif rng.random() < knobs.tilt:
            turn = turn @ rot([rng.normal(), rng.normal(), 0], rng.uniform(0, 5))
        along = (turn @ np.asarray(object_class.key_direction, float)) @ to_camera
        sine = np.sqrt(max(0.0, 1 - along * along))
        if sine >= (away if along < 0 else towards) or rng.random() < 0.04 * knobs.hidden_key:
            break
    for part, v in zip(parts, local):
        part.points = v @ turn.T
    points = np.concatenate([part.points for part in parts])
    low3, high3 = points.min(0), points.max(0)
    shift = np.array([-(low3[0] + high3[0]) / 2, -(low3[1] + high3[1]) / 2, -low3[2]])
    for part in parts:
        part.points = (part.points + shift) / (high3 - low3).max()
    return Posed(parts, local, elevation)


class View(NamedTuple):
    """Position and optics of the camera; lengths in object sizes, angles in degrees."""

    origin: np.ndarray
    forward: np.ndarray
    up: np.ndarray
    field: float
    aperture: float
    focus: float


def view(points: np.ndarray, elevation: float, rng: Stream, knobs: Knobs) -> View:
    """Choose a view in which the points (n, 3) fill a random share of the frame, a little off its centre."""
    field = rng.uniform(16, 46)
    e = np.radians(elevation)
    to_camera = np.array([0, -np.cos(e), np.sin(e)])
    fill = rng.uniform(knobs.least_fill, 0.95)
    forward, right = -to_camera, np.array([1.0, 0, 0])
    up = np.cross(right, forward)
    roll = np.radians(rng.uniform(-25, 25) if rng.random() < knobs.wild_roll else rng.normal(0, knobs.roll))
    right, up = right * np.cos(roll) + up * np.sin(roll), up * np.cos(roll) - right * np.sin(roll)
    half = np.tan(np.radians(field / 2))
    centre = (points.min(0) + points.max(0)) / 2
    distance, offset = 2.0, np.zeros(2)
    place = rng.uniform(-1, 1, 2) * knobs.wander
    for _ in range(14):  # distance and offset depend on each other through the perspective: iterate
        origin = centre + to_camera * distance - (right * offset[0] + up * offset[1])
        relative = points - origin
        depth = np.maximum(relative @ forward, 0.05)
        flat = np.stack([relative @ right, relative @ up], 1) / depth[:, None] / half
        spread = flat.max(0) - flat.min(0)
        distance = np.clip(distance * (spread.max() / 2 / fill) ** 0.8, 0.9, 14)
        target = place * np.maximum(1.0 - spread / 2, 0) * 0.9
        offset += (target - (flat.max(0) + flat.min(0)) / 2) * half * distance
    origin = centre + to_camera * distance - (right * offset[0] + up * offset[1])
    origin[2] = max(origin[2], 0.06)
    aperture = distance * (rng.uniform(0.006, 0.03) if rng.random() < knobs.blur else rng.uniform(0, 0.006))
    return View(origin, forward, up, field, max(aperture, 1e-4), distance * rng.normal(1, 0.01))
