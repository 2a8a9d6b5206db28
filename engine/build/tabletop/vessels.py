"""Mug, teapot, bottle and wineglass: turned vessels with handles, lids, spouts and corks.

A builder takes a random stream and returns the parts of one object, z up, at any size: camera.pose scales it. Dimensions are
in object heights unless a comment gives another unit. The role of a part selects its material.
"""

from typing import Literal

import numpy as np

from .mesh import TAU, Array, Part, Radius, chaikin, ellipsoid, lathe, move, resample, rounded_square, shell, tube

Random = np.random.Generator


def handle_line(rng: Random, bottom: float, top: float, reach: float) -> Array:
    """The line (40, 3) of a handle in the xz plane, from the height `top` out to `reach` and back to `bottom`."""
    t = np.linspace(0, np.pi, 40)
    roundness, squareness = rng.uniform(0.45, 1.1), rng.uniform(0.6, 1.1)
    skew = rng.uniform(-0.25, 0.35)
    x = reach * np.sin(t) ** roundness * (1 + skew * np.cos(t))
    z = (bottom + top) / 2 + (top - bottom) / 2 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** squareness
    return np.stack([x, 0 * x, z], 1)


def section(rng: Random, chance: float) -> Radius | None:
    """With probability `chance` a cross-section that is not round (square, fluted or faceted), else None."""
    if rng.random() > chance:
        return None
    section_type = rng.integers(3)
    if section_type == 0:
        return rounded_square(rng.uniform(2.5, 5))
    flutes, depth = rng.integers(5, 24), rng.uniform(0.01, 0.035)
    if section_type == 1:
        return lambda u, z: 1 + depth * np.cos(flutes * u)
    facets = rng.integers(5, 10)
    return lambda u, z: np.cos(np.pi / facets) / np.cos((u % (TAU / facets)) - np.pi / facets) * 1.05


def inside_of(profile: Array, start: int, chance: float, rng: Random) -> Array:
    """The accent's share (points,) of a vessel of 72 columns: with probability `chance` 1 on its inside, else 0."""
    return np.tile(np.arange(len(profile)) >= start, 72) * float(rng.random() < chance)


def filled(profile: Array, start: int, height: float) -> Array:
    """The inner profile of a vessel up to a height, where a liquid is."""
    inside = profile[start:]
    return inside[(inside[:, 1] < height) & (inside[:, 0] > 0.001)]


def mug(rng: Random) -> list[Part]:
    """A cylinder, tapered or bellied, with a handle; sometimes filled."""
    low = rng.uniform(0.3, 0.5)
    high = low * rng.uniform(0.85, 1.3)
    belly, belly_at = rng.choice([0, 0, 1]) * rng.uniform(-0.08, 0.16), rng.uniform(0.3, 0.6)
    z = np.linspace(0.03, 1.0, 24)
    r = low + (high - low) * z + belly * np.exp(-(((z - belly_at) / 0.25) ** 2))
    foot = rng.uniform(0.75, 0.97)
    outer = np.concatenate([[(r[0] * foot, 0)], np.stack([r, z], 1)])
    wall = rng.uniform(0.025, 0.06)
    profile, start = shell(outer, wall, rng.uniform(0.05, 0.1))
    body = lathe(profile, 72, section(rng, 0.2))
    inside = inside_of(profile, start, 0.4, rng)
    bottom, top = rng.uniform(0.1, 0.32), rng.uniform(0.66, 0.93)
    handle = handle_line(rng, bottom, top, rng.uniform(0.22, 0.42))
    share = np.linspace(1, 0, len(handle))
    handle[:, 0] += (np.interp(bottom, z, r) * (1 - share) + np.interp(top, z, r) * share) - wall * 0.6
    thick = rng.uniform(0.035, 0.075)
    grip = tube(handle, thick, 14, rng.uniform(0.9, 1.8))
    parts = [Part(body, "body", inside), Part(grip, "body", float(rng.random() < 0.2))]
    if rng.random() < 0.45:
        surface = rng.uniform(0.6, 0.92)
        width = np.interp(surface, z, r) - wall * 0.9
        disc = [(0, surface), (width * 0.5, surface), (width, surface), (width, surface - 0.01), (0, surface - 0.01)]
        parts.append(Part(lathe(disc, 40), "liquid"))
    return parts


# (radius, share of the bowl's height) and the range of that height
BOWLS = {
    "wine": ([(0.2, 0.03), (0.36, 0.2), (0.38, 0.5), (0.3, 0.85), (0.26, 1)], (0.5, 0.7)),
    "flute": ([(0.1, 0.05), (0.16, 0.25), (0.18, 0.6), (0.17, 1)], (0.6, 0.85)),
    "coupe": ([(0.25, 0.05), (0.42, 0.3), (0.46, 0.7), (0.46, 1)], (0.22, 0.32)),
    "cocktail": ([(0.1, 0.1), (0.3, 0.5), (0.48, 0.95), (0.5, 1)], (0.28, 0.4)),
    "goblet": ([(0.22, 0.02), (0.32, 0.12), (0.34, 0.5), (0.36, 1)], (0.4, 0.6)),
}


def wineglass(rng: Random) -> list[Part]:
    """A foot, a stem and one of five bowls; often filled."""
    foot_radius, stem_height, stem = rng.uniform(0.22, 0.34), rng.uniform(0.25, 0.6), rng.uniform(0.018, 0.04)
    bowl_type = list(BOWLS)[rng.integers(5)]
    heights = [rng.uniform(*bowl_height) for _, bowl_height in BOWLS.values()]
    height = heights[list(BOWLS).index(bowl_type)]
    bowl = np.array(BOWLS[bowl_type][0]) * [rng.uniform(0.9, 1.15), height] + [0, stem_height]
    foot = [
        (foot_radius * 0.96, 0),
        (foot_radius, 0.012),
        (foot_radius * 0.95, 0.025),
        (foot_radius * 0.4, 0.045),
        (stem * 1.6, 0.09),
    ]
    rod = [(stem, 0.16), (stem, stem_height * 0.6)]
    if rng.random() < 0.3:  # a knob on the stem
        at, knob = rng.uniform(0.35, 0.75) * stem_height, stem * rng.uniform(1.6, 2.6)
        rod = [(stem, min(0.14, at - 0.06)), (stem, at - 0.05), (knob, at), (stem, at + 0.05)]
    rod += [(stem, stem_height - 0.03), (stem * 1.8, stem_height)]
    outer = chaikin(foot + rod + [tuple(point) for point in bowl], 2)
    profile, start = shell(outer, rng.uniform(0.012, 0.025), stem_height + 0.05)
    parts = [Part(lathe(profile, 72), "vessel", inside_of(profile, start, 0.3, rng))]
    if rng.random() < 0.5:
        inside = filled(profile, start, stem_height + height * rng.uniform(0.35, 0.75))
        if len(inside) > 3:
            drink = [(0, inside[0, 1])] + [(r * 0.985, z) for r, z in inside] + [(0, stem_height + 0.055)]
            parts.append(Part(lathe(drink, 48), "liquid"))
    return parts


def bottle(rng: Random) -> list[Part]:
    """A body, shoulders and a neck; with a label, a cap or cork and a filling, or without."""
    radius, shoulder, neck = rng.uniform(0.13, 0.24), rng.uniform(0.42, 0.66), rng.uniform(0.68, 0.82)
    neck_radius = rng.uniform(0.045, 0.075)
    if rng.random() < 0.3:  # waisted
        base = radius * rng.uniform(0.75, 1.1)
        waist = radius * rng.uniform(0.75, 0.95)
        body = [(base, 0.03), (base, shoulder * 0.3), (waist, shoulder * 0.6), (radius, shoulder)]
    else:
        body = [(radius, 0.02), (radius, shoulder * 0.5), (radius, shoulder)]
    slope = rng.uniform(0, 1)
    outer = [(radius * 0.85, 0)] + body
    outer += [(radius * (0.98 - 0.3 * slope), shoulder + (neck - shoulder) * (0.55 - 0.2 * slope))]
    outer += [(neck_radius * 1.15, neck - 0.02), (neck_radius, neck + 0.03), (neck_radius, 0.95)]
    lip = [(neck_radius * 1.25, 0.955), (neck_radius * 1.25, 0.985), (neck_radius, 1.0)]
    outer = np.concatenate([chaikin(outer, 3), lip])
    profile, start = shell(resample(outer, 70), rng.uniform(0.012, 0.02), 0.04)
    around = section(rng, 0.3)
    modulate = None
    if around is not None:  # the neck stays round even when the body is squarish

        def modulate(u: Array, z: Array) -> Array:
            return 1 + (around(u, z) - 1) * np.clip((neck - z) / 0.15, 0, 1)

    points, faces = lathe(profile, 72, modulate)
    mix = np.zeros(len(points))
    parts = []
    if rng.random() < 0.6:
        low, high = np.sort(rng.uniform(0.05, shoulder, 2))
        if high - low > 0.12:
            half = rng.uniform(1.2, 4)  # radians to either side; above pi it goes all around
            mix = ((points[:, 2] > low) & (points[:, 2] < high)).astype(float)
            mix *= np.abs(np.arctan2(points[:, 1], points[:, 0])) < half
            wall = profile[:start][(profile[:start, 1] > low) & (profile[:start, 1] < high)]
            if len(wall) > 2 and half > 1.7:  # a paper label around it
                band = np.concatenate([wall * [1.012, 1], wall[::-1] * [1.004, 1], wall[:1] * [1.012, 1]])
                parts.append(Part(lathe(band, 72, modulate), "label"))
    parts.append(Part((points, faces), "vessel", mix))
    closed = rng.random()
    n = neck_radius
    if closed < 0.3:
        cap = [(0, 1.04), (n * 1.2, 1.04), (n * 1.4, 1.03), (n * 1.4, 0.93), (n * 1.2, 0.925), (0, 0.925)]
        parts.append(Part(lathe(chaikin(cap, 1), 32), "accent"))
    elif closed < 0.5:
        cork = [(0, 1.06), (n * 0.8, 1.06), (n * 0.9, 1.05), (n * 0.8, 0.9), (0, 0.9)]
        parts.append(Part(lathe(cork, 32), "cork"))
    if rng.random() < 0.4:
        inside = filled(profile, start, rng.uniform(0.3, 0.8))
        drink = [(0, inside[0, 1])] + [(r * 0.98, z) for r, z in inside] + [(0, 0.045)]
        parts.append(Part(lathe(drink, 48, modulate), "liquid"))
    return parts


POTS: dict[Literal["round", "low", "high", "straight"], list[tuple[float, float]]] = {
    "round": [(0.3, 0), (0.48, 0.15), (0.52, 0.5), (0.42, 0.85), (0.26, 1)],
    "low": [(0.36, 0), (0.52, 0.1), (0.5, 0.4), (0.34, 0.85), (0.25, 1)],
    "high": [(0.3, 0), (0.34, 0.1), (0.46, 0.45), (0.5, 0.75), (0.36, 0.97), (0.27, 1)],
    "straight": [(0.4, 0), (0.42, 0.1), (0.42, 0.5), (0.4, 0.9), (0.28, 1)],
}


def teapot(rng: Random) -> list[Part]:
    """One of four bodies with a lid, a knob, a curved spout, and a side handle or an arched one."""
    height = rng.uniform(0.62, 0.95)
    body = list(POTS.values())[rng.integers(4)]
    outer = resample(chaikin(np.array(body) * [1, height], 3), 40)
    rim, top = outer[-1]

    def radius(z: float) -> float:
        return np.interp(z, outer[:, 1], outer[:, 0])

    profile = np.concatenate([[(0, 0)], outer, [(0, top)]])
    parts = [Part(lathe(profile, 72, section(rng, 0.25)), "body")]
    dome = rng.uniform(0.04, 0.16)
    lid = [
        (0, top + dome),
        (rim * 0.5, top + dome * 0.95),
        (rim * 0.95, top + dome * 0.3),
        (rim * 1.04, top + 0.015),
        (rim * 1.04, top - 0.01),
        (0, top - 0.01),
    ]
    lid_mix = float(rng.random() < 0.25)
    parts.append(Part(lathe(chaikin(lid, 2), 48), "body", lid_mix))
    knob = rng.uniform(0.05, 0.085)
    ball = move(ellipsoid(knob, knob, knob * rng.uniform(0.8, 1.2), 24), (0, 0, top + dome + knob * 0.7))
    parts.append(Part(ball, "body", max(lid_mix, float(rng.random() < 0.25))))

    root, tip = rng.uniform(0.15, 0.4) * height, rng.uniform(0.9, 1.12) * height
    x = radius(root) - 0.06
    reach = rng.uniform(0.3, 0.5)
    spout = chaikin(
        [
            (x, root),
            (x + reach * 0.45, root + 0.03 * height),
            (x + reach * 0.62, (root + tip) / 2),
            (x + reach * 0.8, tip - 0.04),
            (x + reach + 0.08, tip),
        ],
        3,
    )
    wide, narrow = rng.uniform(0.09, 0.15), rng.uniform(0.04, 0.065)
    thickness = wide + (narrow - wide) * np.linspace(0, 1, len(spout)) ** 0.7
    parts.append(Part(tube(np.stack([spout[:, 0], 0 * spout[:, 0], spout[:, 1]], 1), thickness, 20), "body"))

    handle_mix = float(rng.random() < 0.3)
    grip = rng.uniform(0.03, 0.055)
    if rng.random() < 0.72:
        low, high = rng.uniform(0.12, 0.3) * height, rng.uniform(0.72, 0.92) * height
        handle = handle_line(rng, low, high, rng.uniform(0.25, 0.4))
        share = np.linspace(1, 0, len(handle))
        handle[:, 0] += radius(low) * (1 - share) + radius(high) * share - 0.03
        handle[:, 0] *= -1
    else:  # an arch over the lid
        t = np.linspace(0, np.pi, 40)
        foot = 0.8 * height
        arch = foot + np.sin(t) ** 0.7 * rng.uniform(0.45, 0.65)
        handle = np.stack([np.cos(t) * (radius(foot) - 0.02), 0 * t, arch], 1)
    parts.append(Part(tube(handle, grip, 14, rng.uniform(0.9, 1.6)), "body", handle_mix))
    if rng.random() < 0.4:  # a foot
        base = outer[0, 0]
        parts.append(Part(lathe([(0, -0.04), (base, -0.04), (base * 0.95, 0.03), (0, 0.03)], 48), "body", lid_mix))
    return parts
