"""Colours and solid patterns. A pattern is drawn from a random stream and maps points to linear RGB.

A solid pattern has a colour at every point of space, so that it has no seams on an object. Large flat surfaces (`flat`)
get calmer colours. Every class draws from the same colours and patterns.
"""

import colorsys
from collections.abc import Callable

import numpy as np

from .streams import Stream

Array = np.ndarray
Paint = Callable[[Array], Array]  # points (n, 3) -> linear RGB (n, 3)
Noise = Callable[[Array], Array]  # points (n, 3) -> about -1..1 (n,)


# Colour -------------------------------------------------------------------------------------------------------


def linear(srgb: Array | tuple | list) -> Array:
    """sRGB to linear RGB, both 0..1."""
    srgb = np.asarray(srgb, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def colour(rng: Stream, flat: bool = False) -> Array:
    """One linear RGB colour: a grey, an earth tone or any hue."""
    group = rng.random()
    if group < (0.45 if flat else 0.32):
        hue = rng.uniform(0.05, 0.16) if rng.random() < 0.6 else rng.random()
        hsv = hue, rng.beta(1, 9), rng.beta(1.6, 1.0)
    elif group < (0.75 if flat else 0.55):
        hsv = rng.uniform(0.03, 0.13), rng.uniform(0.15, 0.7), rng.uniform(0.15, 0.85)
    else:
        hsv = rng.random(), rng.beta(2, 2.6) * (0.7 if flat else 1.0), rng.uniform(0.15, 0.9)
    return np.clip(linear(colorsys.hsv_to_rgb(*hsv)), 0.012, 0.85)


def shade_of(rng: Stream, base: Array, spread: float) -> Array:
    """A colour near another."""
    return np.clip(base * np.exp(rng.normal(0, spread)) * np.exp(rng.normal(0, spread * 0.3, 3)), 0.01, 0.9)


def partner(rng: Stream, base: Array, flat: bool) -> Array:
    """A second colour for a pattern; on large surfaces mostly a shade of the first."""
    return shade_of(rng, base, 0.4) if rng.random() < (0.75 if flat else 0.3) else colour(rng, flat)


def mix(a: Array, b: Array, share: Array) -> Array:
    """Colours (n, 3) from a (share 0) to b (share 1)."""
    return a + (b - a) * np.clip(share, 0, 1)[:, None]


# Noise --------------------------------------------------------------------------------------------------------

# One noise lattice per split, so that no held-out mottle or wood grain is a patch of a training one
LATTICE = {
    split: np.random.Generator(np.random.PCG64(number)).random((32, 32, 32)) * 2 - 1
    for split, number in (("train", 12345), ("heldout", 54321))
}


def value_noise(points: Array, lattice: Array) -> Array:
    """Smoothly interpolated random values of a periodic lattice (32, 32, 32)."""
    cell = np.floor(points).astype(np.int64)
    f = points - cell
    fx, fy, fz = (f * f * (3 - 2 * f)).T
    x0, y0, z0 = (cell & 31).T
    x1, y1, z1 = ((cell + 1) & 31).T
    a = lattice[x0, y0, z0] * (1 - fx) + lattice[x1, y0, z0] * fx
    b = lattice[x0, y1, z0] * (1 - fx) + lattice[x1, y1, z0] * fx
    c = lattice[x0, y0, z1] * (1 - fx) + lattice[x1, y0, z1] * fx
    d = lattice[x0, y1, z1] * (1 - fx) + lattice[x1, y1, z1] * fx
    return (a * (1 - fy) + b * fy) * (1 - fz) + (c * (1 - fy) + d * fy) * fz


def fbm(rng: Stream, octaves: int = 4, gain: float = 0.5) -> Noise:
    """Noise at several scales, each twice as fine and `gain` times as strong as the one before."""
    offset = rng.uniform(0, 32, (octaves, 3))
    lattice = LATTICE[rng.split]

    def noise(points: Array) -> Array:
        total, strength, sum_of_strengths = 0.0, 1.0, 0.0
        for octave in range(octaves):
            total = total + strength * value_noise(points * 2.0**octave + offset[octave], lattice)
            sum_of_strengths, strength = sum_of_strengths + strength, strength * gain
        return total / sum_of_strengths

    return noise


def hash_of(row: Array, column: Array, salt: int = 0) -> Array:
    """A pseudorandom number in 0..1 for every tile or plank."""
    value = np.sin(row * 12.9898 + column * 78.233 + salt) * 43758.5453
    return value - np.floor(value)


def axes(rng: Stream, upright: float = 0.5) -> Array:
    """A random orthonormal basis (3, 3); with probability `upright` the axes of the object."""
    if rng.random() < upright:
        return np.eye(3)[rng.permutation(3)]
    return np.linalg.qr(rng.normal(size=(3, 3)))[0]


def turned(rng: Stream) -> Array:
    """A rotation (3, 3) about z: none, a quarter turn or any."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    return np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


# Patterns: (rng, scale, flat) -> paint --------------------------------------------------------------------------


def plain(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """One slightly uneven colour."""
    base, noise = colour(rng, flat), fbm(rng, 4, 0.9)
    depth = rng.uniform(0, 0.35) * (0.3 + 0.7 * rng.busy)
    size = rng.choice([3.0, 12.0])
    return lambda points: base * (1 + depth * noise(points * size * scale))[:, None]


def mottle(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Clouds of two colours."""
    a = colour(rng, flat)
    b = partner(rng, a, flat)
    noise, size, contrast = fbm(rng, 5, rng.uniform(0.55, 0.95)), rng.uniform(1.5, 9) * scale, rng.uniform(0.8, 3)
    return lambda points: mix(a, b, 0.5 + contrast * noise(points * size))


def wood(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Year rings around a crooked axis, with grain."""
    hue = rng.uniform(0.04, 0.11)
    light = linear(colorsys.hsv_to_rgb(hue, rng.uniform(0.2, 0.65), rng.uniform(0.25, 0.9)))
    dark = light * rng.uniform(0.25, 0.75)
    basis, bends, grain, rings = axes(rng, 0.6), fbm(rng, 3), fbm(rng, 3), rng.uniform(5, 16) * scale
    heart, crooked = rng.uniform(-0.6, 0.6, 3), rng.uniform(0.1, 0.5)

    def paint(points: Array) -> Array:
        q = (points - heart) @ basis.T
        radius = np.hypot(q[:, 0], q[:, 1]) * rings + crooked * 3 * bends(q * [2, 2, 0.4] * scale)
        ring = 0.5 + 0.5 * np.sin(radius * 2.2)
        return mix(light, dark, 0.6 * ring + 0.35 * grain(q * [30, 30, 2] * scale) + 0.2)

    return paint


def marble(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Veins."""
    a = colour(rng, flat)
    b = partner(rng, a, flat)
    across, noise, size = axes(rng)[0], fbm(rng, 5, 0.55), rng.uniform(2, 6) * scale
    sharpness = rng.uniform(1, 5)

    def paint(points: Array) -> Array:
        return mix(a, b, (1 - np.abs(np.sin(points @ across * size + 3 * noise(points * size * 0.5)))) ** sharpness)

    return paint


def stripes(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Straight or wavy stripes."""
    a = colour(rng, flat)
    b = partner(rng, a, flat)
    across, size = axes(rng, 0.75)[0], rng.uniform(8, 40) * scale
    duty, noise = rng.uniform(-0.5, 0.5), fbm(rng, 2)
    wave = rng.choice([0.0, 0.3])
    return lambda points: mix(a, b, 0.5 + 4 * (np.sin(points @ across * size + wave * 4 * noise(points * 4)) - duty))


def dots(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Polka dots."""
    a = colour(rng, flat)
    b = partner(rng, a, flat)
    size, radius, basis = rng.uniform(4, 10) * scale, rng.uniform(0.28, 0.45), axes(rng, 0.3)

    def paint(points: Array) -> Array:
        q = (points @ basis.T) * size
        q[:, 0] += 0.5 * (np.floor(q[:, 2]) % 2)
        return mix(a, b, 0.5 + 6 * (radius - np.linalg.norm(q - np.floor(q) - 0.5, axis=1)))

    return paint


def checks(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """A chequered cloth: two colours, and mostly their mean where they cross."""
    a = colour(rng, flat)
    b, c = partner(rng, a, flat), colour(rng, flat)
    size, basis = rng.uniform(4, 12) * scale, axes(rng, 0.7)
    c = (a + b) / 2 if rng.random() < 0.7 else c

    def paint(points: Array) -> Array:
        q = np.floor((points @ basis.T) * size).astype(int) % 2
        crossed = q[:, 0] + q[:, 1]
        return np.where((crossed == 0)[:, None], a, np.where((crossed == 1)[:, None], c, b))

    return paint


def speckle(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Stoneware or terrazzo: specks of two colours on a third."""
    a = colour(rng, flat)
    b, c = partner(rng, a, flat), partner(rng, a, flat)
    fine, coarse, size, least = fbm(rng, 2), fbm(rng, 2), rng.uniform(10, 30) * scale, rng.uniform(0.1, 0.4)

    def paint(points: Array) -> Array:
        specks = mix(a, b, 8 * (fine(points * size) - least))
        return mix(specks, c, 8 * (coarse(points * size * 0.8 + 7) - least))

    return paint


def bands(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Two or three glazes above each other with sharp, soft or wavy borders."""
    colours = [colour(rng) for _ in range(rng.integers(2, 4))]
    heights = np.sort(rng.uniform(0.1, 0.9, len(colours) - 1))
    sharp, noise = rng.choice([80, 80, 5]), fbm(rng, 3)
    wave = rng.choice([0.0, 0.15])

    def paint(points: Array) -> Array:
        painted = np.broadcast_to(colours[0], (len(points), 3))
        for above, height in zip(colours[1:], heights):
            painted = mix(painted, above, 0.5 + sharp * (points[:, 2] + wave * noise(points * 4) - height))
        return painted

    return paint


def waves(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Rings around a point, like a thrown glaze or a rippled cloth."""
    a = colour(rng, flat)
    b = partner(rng, a, flat)
    middle, size, noise = rng.uniform(-0.8, 0.8, 3), rng.uniform(14, 40) * scale, fbm(rng, 2)
    wobble = rng.uniform(0.2, 1.0)

    def paint(points: Array) -> Array:
        phase = np.linalg.norm(points - middle, axis=1) * size + 2 * wobble * noise(points * 3 * scale)
        return mix(a, b, 0.5 + 0.8 * np.sin(phase))

    return paint


def planks(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Floor boards that differ in grain and brightness."""
    board, width, basis = wood(rng, scale), rng.uniform(0.15, 0.6) / scale, turned(rng)
    salt, gap, length = rng.integers(1 << 30), rng.uniform(0.01, 0.05), rng.uniform(2, 8)

    def paint(points: Array) -> Array:
        q = points @ basis.T
        row = np.floor(q[:, 1] / width)
        plank = hash_of(row, np.floor(q[:, 0] / (width * length) + 0.37 * row), salt % 1000)
        grain = np.stack([q[:, 1] + plank * 3, plank * 5 + 0 * q[:, 1], q[:, 0]], 1)
        is_gap = np.abs(q[:, 1] / width - row - 0.5) > 0.5 - gap
        return board(grain) * (0.7 + 0.5 * plank)[:, None] * np.where(is_gap, 0.3, 1.0)[:, None]

    return paint


def tiles(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Tiles or bricks with joints, sometimes in two colours."""
    a, joint = colour(rng, flat), colour(rng, flat)
    width, aspect, basis = rng.uniform(0.15, 0.7) / scale, rng.choice([1.0, 1.0, 2.0, 3.0]), turned(rng)
    gap, noise = rng.uniform(0.02, 0.08), fbm(rng, 4)
    shift, uneven, b = rng.choice([0.0, 0.5]), rng.uniform(0, 0.35), colour(rng, flat)
    is_chequered = rng.random() < 0.25

    def paint(points: Array) -> Array:
        q = points @ basis.T
        row = np.floor(q[:, 1] / width)
        x = q[:, 0] / (width * aspect) + shift * (row % 2)
        column = np.floor(x)
        brightness = hash_of(row, column)
        is_joint = (np.abs(q[:, 1] / width - row - 0.5) > 0.5 - gap) | (np.abs(x - column - 0.5) > 0.5 - gap / aspect)
        tile = a * (1 + uneven * (2 * brightness - 1) + 0.2 * noise(points * 4))[:, None]
        if is_chequered:
            tile = np.where(((row + column) % 2 == 0)[:, None], tile, b)
        return np.where(is_joint[:, None], joint, tile)

    return paint


def ground(rng: Stream, scale: float, flat: bool = False) -> Paint:
    """Gravel, grass, carpet or sand: fine strong noise of a few shades."""
    a = colour(rng, flat)
    b, c = shade_of(rng, a, 0.7), shade_of(rng, a, 0.5)
    fine, broad, size = fbm(rng, 4, 0.85), fbm(rng, 3), rng.uniform(8, 30) * scale
    stretch = np.array([1, rng.choice([1.0, 1.0, 0.25]), 1])

    def paint(points: Array) -> Array:
        return mix(mix(a, b, 0.5 + 1.6 * fine(points * size * stretch)), c, 0.4 + 1.5 * broad(points * 1.3))

    return paint


# Families of patterns with their weights. Both splits use the quiet ones (with different bands and noise lattices). The
# loud ones differ between the splits, so that no held-out picture has a loud pattern of a training picture.
QUIET = [(plain, 0.42), (mottle, 0.12), (wood, 0.12), (bands, 0.08)]
LOUD = {
    "train": [(marble, 0.1), (stripes, 0.1), (dots, 0.06)],
    "heldout": [(speckle, 0.1), (checks, 0.06), (waves, 0.1)],
}
QUIET_FLAT = [(plain, 0.28), (mottle, 0.15), (wood, 0.12), (planks, 0.17), (ground, 0.09)]
LOUD_FLAT = {
    "train": [(marble, 0.08), (stripes, 0.04), (tiles, 0.1)],
    "heldout": [(speckle, 0.08), (checks, 0.06), (waves, 0.06)],
}


def pattern(rng: Stream, flat: bool = False, scale: float = 1.0) -> Paint:
    """A random pattern for an object, or for a large flat surface, from the split's families."""
    quiet, loud = (QUIET_FLAT, LOUD_FLAT) if flat else (QUIET, LOUD)
    families = quiet + [(make, weight * rng.busy) for make, weight in loud[rng.split]]
    weights = np.array([weight for _, weight in families])
    return families[rng.choice(len(families), p=weights / weights.sum())][0](rng, scale, flat)


def bitmap(rng: Stream, pixels: int, size: float, scale: float = 1.0, is_ground: bool = False) -> Array:
    """A patch of a flat pattern, `size` units a side, as an image (pixels, pixels, 3) float32, linear RGB."""
    steps = (np.arange(pixels) + 0.5) / pixels * size
    x, y = np.meshgrid(steps, steps)
    points = np.stack([x.ravel(), y.ravel(), np.full(pixels * pixels, 0.37)], 1)
    paint = ground(rng, scale, True) if is_ground else pattern(rng, True, scale)
    return np.clip(paint(points), 0.005, 0.9).reshape(pixels, pixels, 3).astype(np.float32)
