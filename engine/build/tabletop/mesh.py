"""A small mesh toolkit in numpy: lathe, tube, loft, box, ellipsoid and implicit surfaces.

A mesh is a pair (points (n, 3) float64, faces (m, 3) int64). Every builder here returns a closed one with z up.
"""

from collections.abc import Callable, Sequence

import numpy as np

TAU = 2 * np.pi

Array = np.ndarray
Mesh = tuple[Array, Array]
Path = Sequence[Sequence[float]] | Array  # points along a line, (n, 2) or (n, 3)
Radius = Callable[[Array, Array], Array]  # (angle, height or share of the length) -> factor on the radius


class Part:
    """One mesh of an object. `role` selects its material; `mix` (0..1 per point) is the share of the accent's paint."""

    def __init__(self, mesh: Mesh, role: str = "body", mix: float | Array | None = None) -> None:
        self.points = np.asarray(mesh[0], float)
        self.faces = facing_out(self.points, np.asarray(mesh[1]))
        self.role = role
        share = 0.0 if mix is None else np.asarray(mix, float)
        self.mix = np.broadcast_to(share, (len(self.points),)).copy()


def facing_out(points: Array, faces: Array) -> Array:
    """The faces (m, 3), turned over if they enclose a negative volume."""
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    middle = points.mean(0)
    volume = np.einsum("ij,ij->i", a - middle, np.cross(b - middle, c - middle)).sum()
    return faces[:, ::-1].copy() if volume < 0 else faces


def weld(points: Array) -> Array:
    """For each point (n, 3) the index of its position (n,); points that are equal after rounding to 1e-5 share one."""
    _, place = np.unique(np.round(points * 1e5).astype(np.int64), axis=0, return_inverse=True)
    return place.ravel()


def normals(points: Array, faces: Array) -> Array:
    """Smooth unit normals (n, 3): the mean over adjacent faces weighted by area, also across seams."""
    across = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    place = weld(points)
    total = np.zeros((place.max() + 1, 3))
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(place[faces[:, corner]], across[:, axis], len(total))
    total = total[place]
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


# Moving and joining -------------------------------------------------------------------------------------------


def join(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    points, faces, count = [], [], 0
    for mesh_points, mesh_faces in meshes:
        points.append(mesh_points)
        faces.append(mesh_faces + count)
        count += len(mesh_points)
    return np.concatenate(points), np.concatenate(faces)


def rot(axis: Sequence[float], degrees: float) -> Array:
    """The matrix (3, 3) of a rotation about an axis (Rodrigues' formula)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(np.asarray(axis, float))
    angle = np.radians(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def move(mesh: Mesh, shift: Sequence[float] = (0, 0, 0), turn: Array | None = None, scale: float = 1.0) -> Mesh:
    """Scale, then rotate by the matrix `turn`, then shift."""
    points = mesh[0] * np.asarray(scale, float)
    if turn is not None:
        points = points @ turn.T
    return points + np.asarray(shift, float), mesh[1]


# Lines --------------------------------------------------------------------------------------------------------


def chaikin(path: Path, rounds: int = 3) -> Array:
    """Round a line by cutting its corners (Chaikin 1974); the two ends stay."""
    path = np.asarray(path, float)
    for _ in range(rounds):
        here, there = path[:-1], path[1:]
        corners = np.stack([0.75 * here + 0.25 * there, 0.25 * here + 0.75 * there], 1).reshape(-1, path.shape[1])
        path = np.concatenate([path[:1], corners, path[-1:]])
    return path


def resample(path: Path, count: int) -> Array:
    """`count` points at equal steps along a line."""
    path = np.asarray(path, float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1) + 1e-9)])
    steps = np.linspace(0, length[-1], count)
    return np.stack([np.interp(steps, length, path[:, axis]) for axis in range(path.shape[1])], 1)


def frames(path: Array) -> tuple[Array, Array]:
    """Two unit vectors perpendicular to a 3D line at each of its points, without twist along the line."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.cross(along[0], [0.0, 1.0, 0.0])
    if np.linalg.norm(side) < 0.2:  # the line starts along y
        side = np.cross(along[0], [1.0, 0.0, 0.0])
    sides = np.zeros_like(path)
    for i, direction in enumerate(along):
        side = side - direction * (side @ direction)
        side /= np.linalg.norm(side) + 1e-12
        sides[i] = side
    return sides, np.cross(along, sides)


# Surfaces -----------------------------------------------------------------------------------------------------


def grid_faces(nu: int, nv: int, wrap: bool) -> Array:
    """Faces of a grid of nu x nv points; `wrap` joins its ends in u to a ring."""
    i, j = np.meshgrid(np.arange(nu if wrap else nu - 1), np.arange(nv - 1), indexing="ij")
    a, b = (i * nv + j).ravel(), (((i + 1) % nu) * nv + j).ravel()
    return np.concatenate([np.stack([a, b, b + 1], 1), np.stack([a, b + 1, a + 1], 1)])


def lathe(profile: Path, around: int = 72, modulate: Radius | None = None) -> Mesh:
    """Turn a profile of (radius, z) about the z axis; `modulate` gives ribs, facets or a squarish section."""
    profile = np.asarray(profile, float)
    angle, row = np.meshgrid(np.arange(around) / around * TAU, np.arange(len(profile)), indexing="ij")
    radius, z = profile[row, 0], profile[row, 1]
    if modulate is not None:
        radius = radius * modulate(angle, z)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1).reshape(-1, 3)
    return points, grid_faces(around, len(profile), True)


def rounded_square(power: float) -> Radius:
    """A lathe's modulation to a rounded square (power > 2) of about the same size."""
    return lambda angle, z: (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)


def shell(outer: Path, thickness: float, floor: float) -> tuple[Array, int]:
    """The closed profile of a vessel with this outer profile (bottom to rim), and the index where its inside starts."""
    outer = np.asarray(outer, float)
    rim_radius, rim_z = outer[-1]
    inside = [(max(r - thickness, 0.0), z) for r, z in outer[::-1][1:] if z > floor and r > thickness]
    rim = [
        (rim_radius - 0.15 * thickness, rim_z + 0.35 * thickness),
        (rim_radius - 0.85 * thickness, rim_z + 0.35 * thickness),
    ]
    low = (inside or rim)[-1][0]
    base = [(low * 0.85, floor), (low * 0.4, floor), (0, floor)]
    profile = [(0, outer[0, 1])] + [tuple(point) for point in outer] + rim + inside + base
    return np.array(profile), len(outer) + 2


def tube(
    path: Path, radius: float | Array, around: int = 16, flat: float = 1.0, cap: bool = True, modulate: Radius | None = None
) -> Mesh:
    """Sweep an ellipse (`flat`: its aspect ratio) along a 3D line, with round ends if `cap`."""
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), (len(path),)).copy()
    if cap:
        first, last = path[0] - path[1], path[-1] - path[-2]
        first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
        bend = np.linspace(1, 0, 5)[:-1] * np.pi / 2
        before = path[0] + first * (np.sin(bend) * radius[0])[:, None]
        after = path[-1] + last * (np.sin(bend[::-1]) * radius[-1])[:, None]
        path = np.concatenate([before, path, after])
        ends = np.cos(bend) * radius[0] + 1e-4, np.cos(bend[::-1]) * radius[-1] + 1e-4
        radius = np.concatenate([ends[0], radius, ends[1]])
    side, up = frames(path)
    angle = np.arange(around) / around * TAU
    factor = np.ones((around, len(path)))
    if modulate is not None:
        factor = modulate(angle[:, None], np.linspace(0, 1, len(path))[None])
    ring = np.cos(angle)[:, None, None] * side[None] + flat * np.sin(angle)[:, None, None] * up[None]
    points = path[None] + ring * (radius[None] * factor)[..., None]
    return points.reshape(-1, 3), grid_faces(around, len(path), True)


def loft(rings: Sequence[Array]) -> Mesh:
    """Join rings, each (n, 3), and close the two ends with fans."""
    rings = np.asarray(rings, float)
    first, last = rings[:1].mean(1, keepdims=True), rings[-1:].mean(1, keepdims=True)
    count = rings.shape[1]
    closed = np.concatenate([np.repeat(first, count, 1), rings, np.repeat(last, count, 1)])
    return closed.transpose(1, 0, 2).reshape(-1, 3), grid_faces(count, len(closed), True)


def box(length: float, width: float, height: float, bevel: float = 0.02, steps: int = 7) -> Mesh:
    """A box around the origin with rounded edges."""
    half = np.array([length, width, height]) / 2
    bevel = min(bevel, half.min() * 0.95)
    edge = np.linspace(-1, 1, steps)
    edge = np.sign(edge) * np.abs(edge) ** 0.5  # more points near the edges, where it is round
    a, b = np.meshgrid(edge, edge, indexing="ij")
    sides = []
    for axis in range(3):
        for sign in (-1, 1):
            side = np.zeros((steps, steps, 3))
            side[..., axis], side[..., (axis + 1) % 3], side[..., (axis + 2) % 3] = sign, a * sign, b
            side = side.reshape(-1, 3) * half
            core = np.clip(side, -(half - bevel), half - bevel)
            out = side - core
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
            sides.append((core + out * bevel, grid_faces(steps, steps, False)))
    return join(*sides)


def ellipsoid(a: float, b: float, c: float, around: int = 40, power: float = 2.0) -> Mesh:
    """A superellipsoid with half axes a, b, c (power 2: an ellipsoid; larger: boxier)."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, around // 2 + 1)

    def bent(x: Array) -> Array:
        return np.sign(x) * np.abs(x) ** (2 / power)

    u, v = np.meshgrid(np.arange(around) / around * TAU, latitude, indexing="ij")
    ring = bent(np.cos(v))
    points = np.stack([a * ring * bent(np.cos(u)), b * ring * bent(np.sin(u)), c * bent(np.sin(v))], -1)
    return points.reshape(-1, 3), grid_faces(around, len(latitude), True)


def surface_nets(distance: Callable[[Array], Array], low: Sequence[float], high: Sequence[float], cell: float) -> Mesh:
    """The surface where `distance` (points -> values) is 0, by naive surface nets (Gibson 1998) on a grid."""
    axes = [np.arange(a, b + cell, cell) for a, b in zip(low, high)]
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    value = distance(corners.reshape(-1, 3)).reshape(corners.shape[:3])
    for axis in range(3):  # make the border positive (outside), so that the surface is closed
        face = np.moveaxis(value, axis, 0)
        face[0], face[-1] = np.abs(face[0]) + 1e-3, np.abs(face[-1]) + 1e-3
    shape = np.array(value.shape) - 1  # of the grid of cells
    total, count, quads = np.zeros((*shape, 3)), np.zeros(shape), []
    number = np.arange(shape.prod()).reshape(shape)
    for axis in range(3):
        here, there = np.moveaxis(value, axis, 0)[:-1], np.moveaxis(value, axis, 0)[1:]
        corner = np.moveaxis(corners, axis, 0)
        crossed = (here < 0) != (there < 0)
        i, j, k = np.nonzero(crossed)
        inner = (j > 0) & (k > 0) & (j < crossed.shape[1] - 1) & (k < crossed.shape[2] - 1)
        i, j, k = i[inner], j[inner], k[inner]
        share = (here[i, j, k] / (here[i, j, k] - there[i, j, k]))[:, None]
        crossing = corner[i, j, k] * (1 - share) + corner[i + 1, j, k] * share
        totals, counts, numbers = (np.moveaxis(x, axis, 0) for x in (total, count, number))
        quad = []
        for dj, dk in ((-1, -1), (0, -1), (0, 0), (-1, 0)):  # the four cells around this edge
            np.add.at(totals, (i, j + dj, k + dk), crossing)
            np.add.at(counts, (i, j + dj, k + dk), 1)
            quad.append(numbers[i, j + dj, k + dk])
        quad = np.stack(quad, 1)
        keeps = (here[i, j, k] < 0) ^ (axis == 1)
        quad[~keeps] = quad[~keeps][:, ::-1]
        quads.append(quad)
    quads = np.concatenate(quads)
    used = np.unique(quads)
    points = total.reshape(-1, 3)[used] / count.reshape(-1)[used][:, None]
    quads = np.searchsorted(used, quads)
    return points, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


# Signed distances ---------------------------------------------------------------------------------------------


def to_ellipsoid(points: Array, centre: Array, radii: Array) -> Array:
    """The approximate distance of points (n, 3) to an ellipsoid; negative inside."""
    return (np.linalg.norm((points - centre) / radii, axis=1) - 1) * np.min(radii)


def to_capsule(points: Array, start: Sequence[float], end: Sequence[float], r0: float, r1: float) -> Array:
    """The distance of points (n, 3) to a rod whose radius goes from r0 to r1; negative inside."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start
    share = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * axis, axis=1) - (r0 + (r1 - r0) * share)


def blended(a: Array, b: Array, width: float) -> Array:
    """The union of two distances with its crease filled over `width` (polynomial smooth minimum)."""
    share = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b * (1 - share) + a * share - width * share * (1 - share)
