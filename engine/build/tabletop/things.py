"""Mushroom, cactus, duck and plane. Builders as in vessels.py: each takes a random stream and returns the parts."""

import numpy as np

from .mesh import (
    TAU,
    Array,
    Mesh,
    Part,
    blended,
    chaikin,
    ellipsoid,
    lathe,
    loft,
    move,
    resample,
    rot,
    shell,
    surface_nets,
    to_capsule,
    to_ellipsoid,
    tube,
)
from .vessels import section

Random = np.random.Generator

# Profiles of a cap as (share of its radius, share of its height): dome, cone, plate, bell.
CAPS = [
    [(0, 1), (0.5, 0.95), (0.9, 0.55), (1, 0.08)],
    [(0, 1), (0.25, 0.75), (0.65, 0.4), (1, 0)],
    [(0, 0.55), (0.6, 0.55), (0.95, 0.4), (1, 0.12)],
    [(0, 1), (0.6, 0.98), (0.85, 0.4), (0.95, -0.15)],
]


def mushroom(rng: Random) -> list[Part]:
    """One to three mushrooms, the first upright, the others smaller and leaning outwards."""
    parts = []
    for i in range(rng.choice([1, 1, 1, 2, 3])):
        parts += one_mushroom(rng, is_first=i == 0)
    return parts


def one_mushroom(rng: Random, is_first: bool) -> list[Part]:
    """A stem, sometimes with a ring, and a wavy cap, sometimes with raised spots."""
    scale = 1.0 if is_first else rng.uniform(0.4, 0.8)
    height, radius = rng.uniform(0.6, 1.0), rng.uniform(0.28, 0.6)
    stem = radius * rng.uniform(0.16, 0.42)
    tall = radius * rng.uniform(0.35, 1.1)  # of the cap
    height = max(height, tall * 0.6 + 0.38)
    under = height - tall * 0.6  # where the cap sits on the stem
    bulge = rng.uniform(1.0, 1.7)
    stalk = chaikin(
        [
            (0, 0),
            (stem * bulge * 0.9, 0),
            (stem * bulge, 0.06),
            (stem, under * 0.5),
            (stem * 0.9, under),
            (stem * 0.9, under + 0.05),
            (0, under + 0.05),
        ],
        2,
    )
    top = chaikin(CAPS[rng.integers(4)], 3)
    edge, brim = top[-1]
    gills = [
        (edge * 0.97, brim - 0.05),
        (edge * 0.75, brim + 0.02),
        (stem / radius * 1.2, brim + rng.uniform(0.02, 0.25)),
        (0, brim + 0.2),
    ]
    profile = np.concatenate([top, gills]) * [radius, tall] + [0, under]
    waves, depth = rng.integers(3, 7), rng.uniform(0, 0.05)
    phase = rng.uniform(0, 6)
    cap, cap_faces = lathe(profile, 72, lambda u, z: 1 + depth * np.cos(waves * u + phase))
    mix = np.tile((np.arange(len(profile)) >= len(top)).astype(float), 72) * float(rng.random() < 0.7)
    spots = []
    if rng.random() < 0.35:
        for _ in range(rng.integers(5, 16)):
            row, angle = rng.integers(2, int(len(top) * 0.9)), rng.uniform(0, TAU)
            r, z = profile[row]
            size = rng.uniform(0.03, 0.075) * radius / 0.4
            where = np.array([r * np.cos(angle), r * np.sin(angle), z]) * scale
            spots.append(move(ellipsoid(size, size, size * 0.5, 12), where))
    lean = rot([1, 0, 0], rng.uniform(-10, 10) if is_first else rng.uniform(-22, 22))
    heading = rng.uniform(0, 360)
    turn = rot([0, 0, 1], heading) @ lean
    foot = np.array([0, 0, 0])
    if not is_first:  # the heading in degrees is used as radians: any direction is fine
        foot = np.append(rng.uniform(0.35, 0.6) * np.array([np.cos(heading), np.sin(heading)]), 0)
    nod = turn @ rot([1, 0, 0], rng.uniform(-12, 12))
    parts = [Part(move(lathe(stalk, 36), foot, turn, scale), "stem")]
    if rng.random() < 0.25:
        z = under * rng.uniform(0.55, 0.8)
        inner = (stem * 0.8, z + 0.02)
        ring = [inner, (stem * 1.6, z - 0.03), (stem * 1.65, z - 0.045), (stem * 0.8, z), inner]
        parts.append(Part(move(lathe(ring, 36), foot, turn, scale), "stem"))
    pivot = turn @ [0, 0, under * scale] + foot

    def nodded(points: Array) -> Array:
        return (points - np.array([0, 0, under]) * scale) @ nod.T + pivot

    caps = [Part((nodded(cap * scale), cap_faces), "body", mix)]
    return [Part((nodded(points), faces), "accent") for points, faces in spots] + parts + caps


def cactus(rng: Random) -> list[Part]:
    """A column with arms, a globe or a prickly pear; mostly in a pot, sometimes with flowers."""
    parts = []
    floor = 0.0
    growth = rng.random()  # selects the form
    if rng.random() < 0.82 or growth >= 0.62:
        pot, floor = cactus_pot(rng)
        parts += pot
    ribs = Ribs(rng)
    if growth < 0.62:
        plant, tip = column(rng, ribs, floor)
    elif growth < 0.8:
        plant, tip = globe(rng, ribs, floor)
    else:
        plant, tip = prickly_pear(rng, ribs.has_spines, floor)
    parts += plant
    if rng.random() < 0.3:
        for _ in range(rng.integers(1, 4)):
            size = rng.uniform(0.04, 0.08)
            flower = ellipsoid(size, size, size * 0.7, 14)
            parts.append(Part(move(flower, tip + rng.normal(0, 0.05, 3) * [1, 1, 0.2]), "accent"))
    return parts


def cactus_pot(rng: Random) -> tuple[list[Part], float]:
    """A pot with earth, and the height of the earth."""
    height, radius = rng.uniform(0.28, 0.42), rng.uniform(0.22, 0.34)
    outer = [(radius * rng.uniform(0.6, 0.9), 0), (radius * 0.97, height * 0.75)]
    has_rim = rng.random() < 0.6
    outer += [(radius * 1.1, height * 0.76), (radius * 1.12, height)] if has_rim else [(radius, height)]
    profile, _ = shell(resample(np.array(outer), 20), 0.03, height * 0.8)
    earth = [(0, height * 0.9), (radius * 0.6, height * 0.92), (radius * 0.99, height * 0.88), (0, height * 0.8)]
    pot = [Part(lathe(profile, 56, section(rng, 0.3)), "pot"), Part(lathe(earth, 36), "soil")]
    return pot, height * 0.85


class Ribs:
    """The ribs and spines that all limbs of one cactus share."""

    def __init__(self, rng: Random) -> None:
        self.count, self.depth = int(rng.integers(7, 15)), rng.uniform(0.08, 0.2)
        self.spine_rows = rng.integers(6, 16)
        self.has_spines = rng.random() < 0.6

    def limb(self, path: Array, radius: float | Array) -> Part:
        """A ribbed tube along a line; spines are accents on the crests."""
        around = self.count * 8
        mesh = tube(path, radius, around, modulate=lambda u, t: 1 + self.depth * (np.abs(np.cos(self.count * u / 2)) - 0.6))
        length = len(mesh[0]) // around
        column_of, row = np.repeat(np.arange(around), length), np.tile(np.arange(length), around)
        is_spine = (column_of % 8 == 0) & (row % max(2, length // self.spine_rows) == 0)
        return Part(mesh, "plant", is_spine.astype(float) * self.has_spines)


def column(rng: Random, ribs: Ribs, floor: float) -> tuple[list[Part], Array]:
    """A trunk with one to three arms, and the top of the trunk."""
    radius, height = rng.uniform(0.1, 0.17), rng.uniform(0.6, 1.0)
    bend = rng.uniform(-0.06, 0.06)
    t = np.linspace(0, 1, 36)
    path = np.stack([bend * t**2, 0 * t, floor - 0.03 + t * height], 1)
    parts = [ribs.limb(path, radius * (0.85 + 0.25 * np.sin(np.pi * t**0.8) * rng.uniform(0, 1)))]
    azimuth = rng.uniform(0, TAU)
    for i in range(rng.choice([1, 2, 2, 2, 3])):
        angle = azimuth + i * np.pi * rng.uniform(0.75, 1.25)
        z = floor + height * rng.uniform(0.2, 0.55)
        out, up = radius + rng.uniform(0.1, 0.2), rng.uniform(0.18, 0.45)
        bow = chaikin([(0, z), (out * 0.8, z), (out, z + 0.03), (out * 1.02, z + 0.1), (out * 1.02, z + up)], 3)
        arm = np.stack([bow[:, 0] * np.cos(angle), bow[:, 0] * np.sin(angle), bow[:, 1]], 1)
        parts.append(ribs.limb(resample(arm, 30), radius * rng.uniform(0.5, 0.72)))
    return parts, path[-1] + [0, 0, radius * 0.9]


def globe(rng: Random, ribs: Ribs, floor: float) -> tuple[list[Part], Array]:
    """A ribbed ball, and its top."""
    radius = rng.uniform(0.24, 0.34)
    t = np.linspace(-0.98, 0.98, 30)
    path = np.stack([0 * t, 0 * t, floor + radius * 0.85 + t * radius * rng.uniform(0.9, 1.3)], 1)
    return [ribs.limb(path, radius * np.sqrt(1 - t**2) * 1.0 + 0.02)], path[-1]


def prickly_pear(rng: Random, has_spines: bool, floor: float) -> tuple[list[Part], Array]:
    """Flat pads growing out of each other, and the tip of the last."""
    parts, pads = [], []

    def grow(base: Array, size: float, azimuth: float, tilt: float) -> None:
        turn = rot([0, 0, 1], azimuth) @ rot([1, 0, 0], tilt)
        pad = ellipsoid(size * 0.62, size * 0.17, size, 36)
        mix = (rng.random(len(pad[0])) < 0.07).astype(float) if has_spines else None
        parts.append(Part(move(pad, base + turn @ [0, 0, size * 0.9], turn), "plant", mix))
        pads.append((base, turn, size))

    grow(np.array([0, 0, floor - 0.03]), rng.uniform(0.26, 0.34), rng.uniform(0, 360), rng.uniform(-8, 8))
    for _ in range(rng.integers(2, 5)):
        base, turn, size = pads[rng.integers(len(pads))]
        angle = np.radians(rng.uniform(-55, 55))
        bud = base + turn @ [0.6 * size * np.sin(angle), 0, size * 0.9 + size * 0.9 * np.cos(angle)]
        grow(bud, size * rng.uniform(0.6, 0.85), rng.uniform(0, 360), rng.uniform(-35, 35))
    base, turn, size = pads[-1]
    return parts, base + turn @ [0, 0, size * 1.85]


def duck(rng: Random) -> list[Part]:
    """A bath duck: one surface of body, tail, head and wings, a beak and two eyes. It looks along +x."""
    length, width, height = rng.uniform(0.42, 0.52), rng.uniform(0.3, 0.38), rng.uniform(0.24, 0.34)
    head = rng.uniform(0.19, 0.29)
    forward, up = rng.uniform(0.18, 0.32), height * 1.55 + head * rng.uniform(0.75, 1.25)
    tail, tail_up = rng.uniform(0.08, 0.2), rng.uniform(0.15, 0.32)
    body_at, head_at = np.array([0, 0, height]), np.array([forward, 0, up])
    rump, tail_tip = (-length * 0.6, 0, height * 1.1), (-length - tail, 0, height + tail_up)
    wing_at = np.array([-length * 0.25, width * 0.86, height * 1.15])
    wing = np.array([length * 0.5, 0.08, height * 0.45])

    def distance(points: Array) -> Array:
        d = to_ellipsoid(points, body_at, np.array([length, width, height]))
        d = blended(d, to_capsule(points, rump, tail_tip, 0.15, 0.035), 0.1)
        neck = to_capsule(points, (forward * 0.8, 0, height * 1.2), head_at, head * 0.75, head * 0.8)
        d = blended(d, neck, 0.1)
        d = blended(d, np.linalg.norm(points - head_at, axis=1) - head, 0.05)
        one_side = np.stack([points[:, 0], np.abs(points[:, 1]), points[:, 2]], 1)
        d = blended(d, to_ellipsoid(one_side, wing_at, wing), 0.03)
        return np.maximum(d, 0.04 - points[:, 2])  # a flat bottom

    low = (-length - tail - 0.1, -width - 0.12, -0.02)
    high = (forward + head + 0.25, width + 0.12, up + head + 0.06)
    parts = [Part(surface_nets(distance, low, high, 0.022), "body")]
    beak = rng.uniform(0.8, 1.3)
    turn = rot([0, 1, 0], rng.uniform(-12, 15))
    for drop, size in ((0.012, 1.0), (-0.03, 0.85)):  # upper and lower half
        half = ellipsoid(0.15 * beak * size, 0.1 * beak, 0.03 * beak, 24)
        parts.append(Part(move(half, head_at + [head * 0.95, 0, -head * 0.15 + drop * beak], turn), "beak"))
    aside, above = np.radians(42), np.radians(24)
    for side in (-1, 1):
        gaze = np.array([np.cos(above) * np.cos(aside), side * np.cos(above) * np.sin(aside), np.sin(above)])
        parts.append(Part(move(ellipsoid(0.042, 0.042, 0.05, 16), head_at + head * 0.97 * gaze), "eye"))
    return parts


def wing_plate(root: tuple, tip: tuple, front: tuple[float, float], chord: tuple[float, float], thick: float) -> Mesh:
    """A wing from root to tip; front edge and chord (both along x) are given at the root and at the tip."""
    around = np.linspace(0, TAU, 20, endpoint=False)
    root, tip = np.asarray(root, float), np.asarray(tip, float)
    up = np.cross([1, 0, 0], tip - root)
    up /= np.linalg.norm(up)
    rings = []
    for share in np.linspace(0, 1, 6):
        c = chord[0] + (chord[1] - chord[0]) * share
        if share == 1:
            c *= 0.8  # a rounded tip
        x = front[0] + (front[1] - front[0]) * share - c / 2 + np.cos(around) * c / 2
        base = root + (tip - root) * share
        lift = (np.sin(around) * thick * (0.4 + 0.6 * c / chord[0]))[:, None] * up
        rings.append(base + np.stack([x, 0 * x, 0 * x], 1) + lift)
    return loft(rings)


def plane(rng: Random) -> list[Part]:
    """A jet, a propeller plane or a biplane with its nose along +x, often banked on a desk stand."""
    return Plane(rng).parts


class Plane:
    """One model plane of length 1: the dimensions that its pieces share, and its parts."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.parts: list[Part] = []
        self.radius = rng.uniform(0.06, 0.11)
        self.add_fuselage()
        self.span, self.chord, self.tip = rng.uniform(0.4, 0.6), rng.uniform(0.18, 0.3), rng.uniform(0.07, 0.2)
        self.sweep, self.rise = rng.uniform(0, 0.3), rng.uniform(-0.02, 0.08)
        self.wing_z, self.wing_x = rng.uniform(-0.6, 0.6) * self.radius, rng.uniform(0.1, 0.22)
        self.wing_mix = float(rng.random() < 0.35)
        self.is_jet = rng.random() < 0.5
        if not self.is_jet:
            self.sweep *= 0.2
        self.add_wings(is_biplane=not self.is_jet and rng.random() < 0.4)
        self.add_tail()
        if self.is_jet:
            self.add_jets()
        else:
            self.add_propeller()
        self.bank()

    def add(self, mesh: Mesh, role: str, mix: float | Array | None = None) -> None:
        self.parts.append(Part(mesh, role, mix))

    def add_fuselage(self) -> None:
        """A turned body with its tail bent up, sometimes with a belly of another colour."""
        r = self.radius
        profile = [(0, 0.5), (r * 0.6, 0.5), (r, 0.4), (r, 0.15), (r, -0.1), (r * 0.6, -0.35), (r * 0.25, -0.5), (0, -0.5)]
        points, faces = lathe(chaikin(profile, 3), 32)
        points = points @ rot([0, 1, 0], 90).T
        points[:, 2] += np.clip(-points[:, 0] - 0.05, 0, 1) ** 1.5 * r * 1.2
        points[:, 2] *= self.rng.uniform(0.95, 1.25)
        waterline = self.rng.uniform(-0.03, 0.03)
        self.add((points, faces), "body", (points[:, 2] < waterline) * float(self.rng.random() < 0.35))

    def add_wings(self, is_biplane: bool) -> None:
        """One pair, or two with struts between them."""
        r, x, span, chord = self.radius, self.wing_x, self.span, self.chord
        for z in [-0.8 * r, r * 2.2] if is_biplane else [self.wing_z]:
            for s in (-1, 1):
                wing = wing_plate((0, 0, z), (0, s * span, z + self.rise), (x, x - self.sweep), (chord, self.tip), 0.018)
                self.add(wing, "body", self.wing_mix)
        if is_biplane:
            for s in (-1, 1):
                for at in (x - chord * 0.25, x - chord * 0.7):
                    strut = np.linspace((at, s * span * 0.6, -0.8 * r), (at, s * span * 0.6, 2.2 * r + 0.6 * self.rise), 4)
                    self.add(tube(strut, 0.008, 8), "accent")

    def add_tail(self) -> None:
        """A fin and a tailplane, which may be on top of the fin."""
        rng = self.rng
        half, root = rng.uniform(0.14, 0.22), self.radius * 0.6
        height = rng.uniform(0.14, 0.24)
        raised = height if rng.random() < 0.2 else 0.0
        for s in (-1, 1):
            end = (0, s * half, root + (raised or 0.01))
            tailplane = wing_plate((0, 0, root + raised), end, (-0.36, -0.36 - self.sweep * 0.4), (0.13, 0.08), 0.012)
            self.add(tailplane, "body", self.wing_mix)
        fin = wing_plate((0, 0, root * 0.6), (0, 0, root + height), (-0.33, -0.42), (0.17, 0.09), 0.012)
        self.add(fin, "body", float(rng.random() < 0.4))

    def add_jets(self) -> None:
        """One or two engines under each wing."""
        for s in (-1, 1):
            for share in [0.4] if self.rng.random() < 0.7 else [0.35, 0.65]:
                engine = lathe(chaikin([(0, 0.1), (0.035, 0.1), (0.045, 0.06), (0.03, -0.1), (0, -0.1)], 2), 20)
                where = (self.wing_x - self.sweep * share, s * self.span * share, self.wing_z - 0.055 + self.rise * share)
                self.add(move(engine, where, rot([0, 1, 0], 90)), "accent")

    def add_propeller(self) -> None:
        """Two or three blades, a hub, mostly a cockpit, and two wheels."""
        rng, r, x = self.rng, self.radius, self.wing_x
        start = rng.uniform(0, 180)
        blades = int(rng.choice([2, 3]))
        for blade in range(blades):
            turn = rot([1, 0, 0], start + blade * 360 / blades)
            where = np.array([0.515, 0, 0]) + turn @ [0, 0, 0.19 / 2]
            self.add(move(ellipsoid(0.012, 0.028, 0.19 / 2, 16), where, turn), "accent")
        self.add(move(ellipsoid(0.05, 0.03, 0.03, 16), (0.52, 0, 0)), "accent")
        if rng.random() < 0.7:
            self.add(move(ellipsoid(0.1, r * 0.7, r * 0.7, 24), (x - 0.08, 0, r * 0.8)), "glassy")
        for s in (-1, 1):
            leg = np.linspace((x, s * 0.03, -r * 0.7), (x + 0.03, s * 0.13, -r - 0.08), 4)
            self.add(tube(leg, 0.01, 8), "accent")
            self.add(move(ellipsoid(0.045, 0.018, 0.045, 20), (x + 0.03, s * 0.13, -r - 0.09)), "eye")

    def bank(self) -> None:
        """Tilt the plane with probability 0.6 as in flight, then mostly add a stand."""
        rng = self.rng
        if rng.random() >= 0.6:
            return
        turn = rot([1, 0, 0], rng.uniform(-25, 25)) @ rot([0, 1, 0], rng.uniform(-22, 15))
        for part in self.parts:
            part.points = part.points @ turn.T
        if rng.random() < 0.7:
            height = rng.uniform(0.22, 0.45)
            base = chaikin([(0, 0), (0.18, 0), (0.18, 0.025), (0.03, 0.04), (0, 0.045)], 1)
            self.add(move(lathe(base, 32), (0, 0, -height)), "accent")
            self.add(tube(np.linspace((0, 0, -height + 0.02), (0.02, 0, -0.02), 5), 0.013, 10), "accent")
