"""Distractors: plain things that stand about, none of them one of the ten classes."""

from collections.abc import Callable

import numpy as np

from .draw import Draw
from .mesh import TAU, Mesh, Part, box, chaikin, ellipsoid, join, lathe, move, rot, tube
from .texture import fbm


def clutter(rng: Draw) -> list[Part]:
    """One random distractor, from a third of the object's size to about its size."""
    kind = rng.integers(9)
    scale = np.exp(rng.normal(-0.9, 0.5))
    parts = books(rng) if kind == 1 else [Part(SINGLE[kind](rng), "body")]
    for part in parts:
        part.points = part.points * scale
    return parts


def books(rng: Draw) -> list[Part]:
    """A stack of one to four."""
    parts, z = [], 0.0
    for _ in range(rng.integers(1, 5)):
        thick = rng.uniform(0.06, 0.16)
        book = box(rng.uniform(0.6, 0.9), rng.uniform(0.45, 0.6), thick, 0.01, 5)
        book = move(book, (0, 0, z + thick / 2), rot([0, 0, 1], rng.uniform(-20, 20)))
        parts.append(Part(book, ["body", "accent", "stem"][rng.integers(3)]))
        z += thick
    return parts


def carton(rng: Draw) -> Mesh:
    """A box of any shape."""
    return box(rng.uniform(0.4, 1), rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.9), 0.02)


def ball(rng: Draw) -> Mesh:
    """A ball."""
    return ellipsoid(0.4, 0.4, 0.4, 40)


def turned(rng: Draw) -> Mesh:
    """A skittle, or a drum."""
    r = rng.uniform(0.2, 0.45)
    if rng.random() < 0.5:
        return lathe(chaikin([(0, 0), (r, 0), (r, rng.uniform(0.3, 1.0)), (0, 1.0)], 1), 40)
    return lathe([(0, 0), (r, 0), (r, 0.015), (r, 0.6), (r * 0.98, 0.615), (0, 0.615)], 40)


def block(rng: Draw) -> Mesh:
    """Anything between a lozenge, an egg and a cushion."""
    return ellipsoid(rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.5), 40, rng.uniform(1.2, 7))


def stone(rng: Draw) -> Mesh:
    """A bumpy lump."""
    noise, bumps = fbm(rng, 3), rng.uniform(0.1, 0.35)
    points, faces = ellipsoid(0.45, 0.4, 0.3, 48)
    return points * (1 + bumps * noise(points * 2.5))[:, None], faces


def stick(rng: Draw) -> Mesh:
    """A rod, lying."""
    path = np.linspace((-0.9, 0, 0.03), (0.9, rng.uniform(-0.3, 0.3), 0.03), 8)
    return tube(path, rng.uniform(0.012, 0.04), 10)


def leaves(rng: Draw) -> Mesh:
    """A tuft of grass or a leafy plant."""
    blades = []
    t = np.linspace(0, 1, 10)
    for _ in range(rng.integers(5, 22)):
        angle, length, bend = rng.uniform(0, TAU), rng.uniform(0.4, 1.0), rng.uniform(0.2, 1.3)
        x, y = (side(angle) * length * t**1.4 * np.sin(bend) for side in (np.cos, np.sin))
        up = length * t * np.cos(bend * 0.7) - 0.25 * length * t**3 * bend
        width = rng.uniform(0.02, 0.06) * np.sin(np.pi * (t * 0.96 + 0.03)) ** 0.7 + 0.002
        blades.append(tube(np.stack([x, y, up], 1), width, 8, 0.15))
    return join(*blades)


def ring(rng: Draw) -> Mesh:
    """A ring, lying."""
    thick = rng.uniform(0.05, 0.16)
    t = np.linspace(0, TAU, 48)
    return tube(np.stack([0.35 * np.cos(t), 0.35 * np.sin(t), 0 * t + thick], 1), thick, 16, cap=False)


# by kind; 1 is the stack of books, which has several parts
SINGLE: dict[int, Callable[[Draw], Mesh]] = {0: carton, 2: ball, 3: turned, 4: block, 5: stone, 6: stick, 7: leaves, 8: ring}
