"""Lamp and chair. Builders as in vessels.py: each takes a random stream and returns the parts of one object."""

import numpy as np

from .mesh import TAU, Array, Mesh, Part, box, chaikin, ellipsoid, lathe, move, resample, rot, tube
from .vessels import section

Random = np.random.Generator


def line(start: tuple | Array, end: tuple | Array, count: int) -> Array:
    """`count` points (count, 3) from start to end."""
    return np.linspace(start, end, count)


def lamp(rng: Random) -> list[Part]:
    """A desk lamp with two arms or a table lamp with a shade; lit with probability 0.4."""
    is_lit = rng.random() < 0.4
    return desk_lamp(rng, is_lit) if rng.random() < 0.3 else table_lamp(rng, is_lit)


def desk_lamp(rng: Random, is_lit: bool) -> list[Part]:
    """A foot, two jointed arms and a hood with a bulb."""
    foot = rng.uniform(0.2, 0.3)
    parts = [Part(lathe(chaikin([(0, 0), (foot, 0), (foot, 0.05), (foot * 0.5, 0.07), (0, 0.08)], 1), 40), "body")]
    lean, reach = np.radians(rng.uniform(5, 35)), np.radians(rng.uniform(15, 65))
    lower, upper = rng.uniform(0.45, 0.65), rng.uniform(0.4, 0.6)
    elbow = np.array([-lower * np.sin(lean), 0, 0.06 + lower * np.cos(lean)])
    wrist = elbow + [upper * np.sin(reach), 0, upper * np.cos(reach)]
    thick = rng.uniform(0.014, 0.028)
    role = "accent" if rng.random() < 0.5 else "body"
    parts += [
        Part(tube(line((0, 0, 0.05), elbow, 8), thick, 12), role),
        Part(tube(line(elbow, wrist, 8), thick, 12), role),
        Part(move(ellipsoid(0.04, 0.04, 0.04, 16), elbow), "body"),
    ]
    height, narrow, wide = rng.uniform(0.24, 0.36), rng.uniform(0.05, 0.09), rng.uniform(0.17, 0.25)
    outer = chaikin(
        [(narrow, height), (narrow * 1.3, height * 0.8), (wide * rng.uniform(0.6, 1.0), height * 0.45), (wide, 0)], 2
    )
    inner = outer[::-1] * [0.93, 0.93] + [0, 0.004]
    hood = np.concatenate([[(0, height)], outer, inner, [(0, height * 0.93)]])
    turn = rot([0, 1, 0], rng.uniform(-75, -15))
    bulb = move(ellipsoid(0.06, 0.06, 0.07, 20), wrist - turn @ [0, 0, height * 0.45], turn)
    parts += [
        Part(move(lathe(hood, 48), wrist - turn @ [0, 0, height * 0.9], turn), "body"),
        Part(bulb, "bulb" if is_lit else "liquid"),
    ]
    return parts


def table_lamp(rng: Random, is_lit: bool) -> list[Part]:
    """One of five stands under one of four shades, together of height 1."""
    shade = rng.uniform(0.3, 0.45)  # height
    top = 1.0 - shade - rng.uniform(-0.03, 0.08)  # of the stand
    parts = lamp_stand(rng, top)
    wide = rng.uniform(0.24, 0.4)
    shade_type = rng.integers(4)
    low = 1.0 - shade
    if shade_type == 0:  # drum
        outer = [(wide, low), (wide * rng.uniform(0.8, 1.0), 1.0)]
    elif shade_type == 1:  # cone
        outer = [(wide, low), (wide * rng.uniform(0.3, 0.6), 1.0)]
    elif shade_type == 2:  # dome
        outer = chaikin(
            [(wide, low), (wide * 0.98, low + shade * 0.3), (wide * 0.8, low + shade * 0.8), (wide * 0.25, 1.0)], 3
        )
    else:  # bell
        outer = chaikin(
            [(wide, low), (wide * 0.75, low + shade * 0.35), (wide * 0.5, low + shade * 0.75), (wide * 0.42, 1.0)], 3
        )
    outer = resample(outer, 16)
    profile = np.concatenate([outer, outer[::-1] - [0.012, 0], outer[:1]])
    pleats = None
    if rng.random() < 0.3:
        count, depth = rng.integers(8, 30), rng.uniform(0.01, 0.03)

        def pleats(u: Array, z: Array) -> Array:
            return 1 + depth * np.cos(count * u)

    parts.append(Part(lathe(profile, 72, pleats), "shade_lit" if is_lit else "shade"))
    return parts


def lamp_stand(rng: Random, top: float) -> list[Part]:
    """A rod, a turned post, a vase, a pile of balls or a tripod, `top` high."""
    stand_type = rng.integers(5)
    if stand_type == 0:
        foot, rod = rng.uniform(0.14, 0.24), rng.uniform(0.015, 0.035)
        profile = [(0, 0), (foot, 0), (foot, 0.03), (rod * 2, 0.06), (rod, 0.1), (rod, top + 0.1), (0, top + 0.1)]
        return [Part(lathe(chaikin(profile, 1), 48), "body")]
    if stand_type == 1:
        count = rng.integers(3, 7)
        radii = rng.uniform(0.04, 0.2, count)
        radii[0] = rng.uniform(0.14, 0.22)
        knots = list(zip(radii, np.linspace(0, top, count) + 0.02))
        profile = [(0, 0), (radii[0], 0)] + knots + [(0.025, top + 0.02), (0.02, top + 0.12), (0, top + 0.12)]
        return [Part(lathe(chaikin(profile, 3), 56, section(rng, 0.25)), "body")]
    if stand_type == 2:
        wide = rng.uniform(0.16, 0.26)
        profile = [
            (0, 0),
            (wide * 0.6, 0),
            (wide, top * 0.25),
            (wide * 0.9, top * 0.6),
            (wide * 0.25, top * 0.9),
            (0.03, top),
            (0.02, top + 0.1),
            (0, top + 0.1),
        ]
        return [Part(lathe(chaikin(profile, 3), 56, section(rng, 0.35)), "body")]
    if stand_type == 3:
        count = rng.integers(1, 4)
        radius = top / (2 * count)
        wide = min(radius, 0.2)
        balls = [
            Part(move(ellipsoid(wide, wide, radius * 1.02, 32), (0, 0, radius * (2 * i + 1) + 0.02)), "body")
            for i in range(count)
        ]
        return balls + [
            Part(lathe([(0, 0), (0.15, 0), (0.15, 0.025), (0, 0.03)], 40), "accent"),
            Part(tube([(0, 0, top), (0, 0, top + 0.12)], 0.02, 10), "accent"),
        ]
    spread = rng.uniform(0.18, 0.32)
    legs = []
    for i in range(3):
        x, y = np.cos(i * TAU / 3 + 0.3), np.sin(i * TAU / 3 + 0.3)
        leg = line((spread * x, spread * y, 0), (0.02 * x, 0.02 * y, top + 0.05), 6)
        legs.append(Part(tube(leg, rng.uniform(0.016, 0.03), 10), "body"))
    return legs + [Part(tube([(0, 0, top), (0, 0, top + 0.12)], 0.025, 10), "accent")]


def chair(rng: Random) -> list[Part]:
    """A seat, legs or a swivel foot, one of five backs, sometimes arms. Its back is towards +y."""
    return Chair(rng).parts


class Chair:
    """One chair: the dimensions that its pieces share, roughly in metres, and its parts."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.width, self.depth = rng.uniform(0.38, 0.52), rng.uniform(0.38, 0.5)
        self.seat, self.back, self.thick = rng.uniform(0.4, 0.52), rng.uniform(0.42, 0.62), rng.uniform(0.025, 0.07)
        self.leg = rng.uniform(0.014, 0.032)  # radius
        self.leg_role = "accent" if rng.random() < 0.35 else "body"
        self.is_round = rng.random() < 0.25
        self.parts: list[Part] = []
        self.add_seat()
        self.add_legs()
        self.lean = np.tan(np.radians(rng.uniform(3, 16)))
        self.rear = (self.depth / 2 - self.leg) * (0.9 if self.is_round else 1)  # y of the back at the seat
        self.back_role = ""
        self.add_back()
        if rng.random() < 0.25:
            self.add_arms()

    def add(self, mesh: Mesh, role: str) -> None:
        self.parts.append(Part(mesh, role))

    def add_seat(self) -> None:
        """A round or rectangular board, sometimes with a cushion."""
        width, depth, thick = self.width, self.depth, self.thick
        if self.is_round:
            disc = lathe(chaikin([(0, 0), (width / 2, 0), (width / 2, thick), (0, thick)], 2), 48)
            self.add(move(disc, (0, 0, self.seat)), "body")
        else:
            board = box(width, depth, thick, thick * self.rng.uniform(0.15, 0.5))
            self.add(move(board, (0, 0, self.seat + thick / 2)), "body")
        if self.rng.random() < 0.25:
            cushion = ellipsoid(width * 0.47, depth * 0.47, thick * 0.9, 40, 4)
            self.add(move(cushion, (0, 0, self.seat + thick)), "accent")

    def add_legs(self) -> None:
        """Four legs, straight or splayed, with or without rails; or a post on a star."""
        rng, leg, seat, role = self.rng, self.leg, self.seat, self.leg_role
        splay = rng.uniform(0.0, 0.1)
        inset = 0.72 if self.is_round else 1
        x, y = (self.width / 2 - leg * 1.3) * inset, (self.depth / 2 - leg * 1.3) * inset
        if rng.random() >= 0.88:
            self.add(tube([(0, 0, 0.05), (0, 0, seat)], leg * 1.5, 14), role)
            count = rng.integers(4, 6)
            for i in range(count):
                angle = TAU * i / count + 0.4
                toe = np.cos(angle) * self.width * 0.55, np.sin(angle) * self.width * 0.55, 0.02
                self.add(tube(line((0, 0, 0.07), toe, 5), leg, 10), role)
            return
        for sx in (-1, 1):
            for sy in (-1, 1):
                foot = np.array([sx * (x + splay), sy * (y + splay), 0])
                top = np.array([sx * x, sy * y, seat + self.thick * 0.5])
                if leg > 0.024 and splay < 0.05:
                    post = box(leg * 2, leg * 2, seat + self.thick * 0.3, 0.006)
                    self.add(move(post, (top[0], top[1], seat / 2)), role)
                else:
                    self.add(tube(line(foot, top, 6), np.linspace(leg * 0.8, leg * 1.2, 6), 12), role)
        if rng.random() < 0.4:
            z = seat * rng.uniform(0.25, 0.5)
            out = 1 + splay / x * (1 - z / seat)
            for s in (-1, 1):
                self.add(tube(line((s * x * out, -y * out, z), (s * x * out, y * out, z), 4), leg * 0.7, 10), role)
            self.add(tube(line((-x * out, 0, z), (x * out, 0, z), 4), leg * 0.7, 10), role)

    def on_back(self, x: float, z: float) -> Array:
        """The point of the leaning back at x and z."""
        return np.array([x, self.rear + self.lean * (z - self.seat), z])

    def slab(self, z: float, width: float, height: float, thick: float = 0.025) -> None:
        """A board across the back, its middle at height z."""
        tilt = rot([1, 0, 0], -np.degrees(np.arctan(self.lean)))
        self.add(move(box(width, thick, height, 0.01), self.on_back(0, z), tilt), "body")

    def add_back(self) -> None:
        """A panel, a hoop with spindles, or two posts with slats, spindles or a board."""
        rng, seat, back, leg = self.rng, self.seat, self.back, self.leg
        top = seat + back
        back_type = rng.integers(5)
        self.back_role = role = self.leg_role if rng.random() < 0.6 else "body"
        half = (self.width / 2 - leg) * (0.8 if self.is_round else 1)
        low = seat + self.thick
        if back_type == 0:
            start = low + back * rng.uniform(0.0, 0.4)
            self.slab((start + top) / 2, half * 2, top - start, rng.uniform(0.02, 0.06))
            if start > low + 0.03:
                for s in (-1, 1):
                    strut = line(self.on_back(s * half * 0.7, seat), self.on_back(s * half * 0.7, start + 0.1), 4)
                    self.add(tube(strut, leg, 10), role)
            return
        if back_type == 4:
            hoop = [self.on_back(-np.cos(a) * half, seat + back * np.sin(a) ** 0.6) for a in np.linspace(0, np.pi, 30)]
            self.add(tube(np.array(hoop), leg, 12), role)
            for x in np.linspace(-0.65, 0.65, rng.integers(3, 7)):
                end = self.on_back(x * half, seat + back * (1 - x * x) ** 0.3 * 0.98)
                self.add(tube(line(self.on_back(x * half, seat), end, 4), leg * 0.5, 8), role)
            return
        for s in (-1, 1):
            self.add(tube(line(self.on_back(s * half, seat), self.on_back(s * half, top), 5), leg * 1.05, 12), role)
        if back_type == 1:
            for z in np.linspace(low + back * 0.25, top - 0.04, rng.integers(2, 5)):
                self.slab(z, half * 2, rng.uniform(0.04, 0.09))
        elif back_type == 2:
            self.slab(top - 0.04, half * 2.05, rng.uniform(0.06, 0.11), 0.03)
            for x in np.linspace(-0.75, 0.75, rng.integers(3, 7)):
                spindle = line(self.on_back(x * half, seat), self.on_back(x * half, top - 0.05), 4)
                self.add(tube(spindle, leg * 0.55, 8), role)
        else:
            self.slab(top - back * 0.22, half * 2, back * rng.uniform(0.3, 0.45))

    def add_arms(self) -> None:
        """Two arm rests on posts."""
        z = self.seat + self.rng.uniform(0.18, 0.26)
        for s in (-1, 1):
            x, front = s * (self.width / 2 + 0.01), -self.depth * 0.38
            rest = np.array([[x, self.on_back(x, z)[1], z], [x, 0, z], [x, -self.depth * 0.42, z]])
            self.add(tube(rest, self.leg * 1.1, 10, 1.3), self.back_role)
            self.add(tube(np.array([[x, front, z], [x, front, self.seat]]), self.leg, 10), self.back_role)
