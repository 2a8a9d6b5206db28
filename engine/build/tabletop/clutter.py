"""Distractors: plain things around the object, none of them of the ten classes."""

from collections.abc import Callable

import numpy as np

from .mesh import TAU, Mesh, Part, box, chaikin, ellipsoid, join, lathe, move, rot, tube
from .streams import Stream
from .texture import fbm


def clutter(rng: Stream) -> list[Part]:
    """One random distractor, from a third of the object's size to about its size."""
    shape = rng.integers(9)
    scale = np.exp(rng.normal(-0.9, 0.5))
    parts = books(rng) if shape == 1 else [Part(SINGLE[shape](rng), "body")]
    for part in parts:
        part.points = part.points * scale
    return parts


def books(rng: Stream) -> list[Part]:
    """A stack of one to four books."""
    parts, z = [], 0.0
    for _ in range(rng.integers(1, 5)):
        thick = rng.uniform(0.06, 0.16)
        book = box(rng.uniform(0.6, 0.9), rng.uniform(0.45, 0.6), thick, 0.01, 5)
        book = move(book, (0, 0, z + thick / 2), rot([0, 0, 1], rng.uniform(-20, 20)))
        parts.append(Part(book, ["body", "accent", "stem"][rng.integers(3)]))
        z += thick
    return parts


def carton(rng: Stream) -> Mesh:
    """A box of any shape."""
    return box(rng.uniform(0.4, 1), rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.9), 0.02)


def ball(rng: Stream) -> Mesh:
    return ellipsoid(0.4, 0.4, 0.4, 40)


def turned(rng: Stream) -> Mesh:
    """A skittle or a drum."""
    r = rng.uniform(0.2, 0.45)
    if rng.random() < 0.5:
        return lathe(chaikin([(0, 0), (r, 0), (r, rng.uniform(0.3, 1.0)), (0, 1.0)], 1), 40)
    return lathe([(0, 0), (r, 0), (r, 0.015), (r, 0.6), (r * 0.98, 0.615), (0, 0.615)], 40)


def block(rng: Stream) -> Mesh:
    """Anything between a lozenge, an egg and a cushion."""
    return ellipsoid(rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.5), 40, rng.uniform(1.2, 7))


def stone(rng: Stream) -> Mesh:
    """A bumpy lump."""
    noise, bumps = fbm(rng, 3), rng.uniform(0.1, 0.35)
    points, faces = ellipsoid(0.45, 0.4, 0.3, 48)
    return points * (1 + bumps * noise(points * 2.5))[:, None], faces


def stick(rng: Stream) -> Mesh:
    """A lying rod."""
    path = np.linspace((-0.9, 0, 0.03), (0.9, rng.uniform(-0.3, 0.3), 0.03), 8)
    return tube(path, rng.uniform(0.012, 0.04), 10)


def leaves(rng: Stream) -> Mesh:
    """A tuft of grass or a leafy plant."""
    blades = []
    t = np.linspace(0, 1, 10)
    for _ in range(rng.integers(5, 22)):
        angle, length, bend = rng.uniform(0, TAU), rng.uniform(0.4, 1.0), rng.uniform(0.2, 1.3)
        x, y = (direction(angle) * length * t**1.4 * np.sin(bend) for direction in (np.cos, np.sin))
        up = length * t * np.cos(bend * 0.7) - 0.25 * length * t**3 * bend
        width = rng.uniform(0.02, 0.06) * np.sin(np.pi * (t * 0.96 + 0.03)) ** 0.7 + 0.002
        blades.append(tube(np.stack([x, y, up], 1), width, 8, 0.15))
    return join(*blades)


def ring(rng: Stream) -> Mesh:
    """A lying ring."""
    thick = rng.uniform(0.05, 0.16)
    t = np.linspace(0, TAU, 48)
    return tube(np.stack([0.35 * np.cos(t), 0.35 * np.sin(t), 0 * t + thick], 1), thick, 16, cap=False)


# Shapes of one part; 1 is the stack of books
SINGLE: dict[int, Callable[[Stream], Mesh]] = {
    0: carton,
    2: ball,
    3: turned,
    4: block,
    5: stone,
    6: stick,
    7: leaves,
    8: ring,
}
