"""Materials: Mitsuba BSDF dictionaries drawn from a random stream, and Mitsuba meshes made of parts.

Every class draws from the same materials and colours, so that a colour carries no information about the class.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import texture
from .difficulty import Knobs
from .mesh import Part, normals
from .streams import Stream
from .tracer import mi

Paint = Callable[[np.ndarray], np.ndarray]  # points (n, 3) -> linear RGB (n, 3)

# Linear RGB of steel, silver, gold, copper, brass, bronze and blackened iron.
METALS = [
    (0.56, 0.57, 0.58),
    (0.95, 0.93, 0.88),
    (1.0, 0.71, 0.29),
    (0.95, 0.64, 0.54),
    (0.89, 0.76, 0.43),
    (0.4, 0.32, 0.25),
    (0.12, 0.12, 0.13),
]
PAINTED = {"type": "mesh_attribute", "name": "vertex_color"}  # colours are attributes of the vertices
DIFFUSE = {"type": "diffuse", "reflectance": PAINTED}


class Material(NamedTuple):
    """How a surface scatters light, and its colour at every point (None: clear glass)."""

    bsdf: dict
    paint: Paint | None


def glass(rng: Stream) -> Material:
    """Clear, tinted or frosted glass."""
    tint = [1.0, 1.0, 1.0]
    if rng.random() < 0.45:
        tint = [float(x) for x in np.clip(texture.colour(rng) * 1.6 + 0.15, 0, 1)]
    through = {"type": "rgb", "value": tint}
    if rng.random() < 0.2:
        alpha = float(rng.uniform(0.05, 0.3))
        return Material({"type": "roughdielectric", "int_ior": 1.5, "alpha": alpha, "specular_transmittance": through}, None)
    ior = float(rng.uniform(1.4, 1.55))
    return Material({"type": "dielectric", "int_ior": ior, "specular_transmittance": through}, None)


def material(rng: Stream, knobs: Knobs, finish: str | None = None) -> Material:
    """An opaque material in any pattern of the split. finish: "gloss", "satin", "matte", "metal" or None (random)."""
    share = np.array([0.42, 0.22, 0.22, 0.14 * knobs.mirror])
    finish = finish or rng.choice(["gloss", "satin", "matte", "metal"], p=share / share.sum())
    paint = texture.pattern(rng)
    bsdf = {"type": "principled", "base_color": PAINTED}
    if finish == "gloss":
        bsdf |= {
            "roughness": float(rng.uniform(0.08, 0.32)),
            "specular": 0.5,
            "clearcoat": float(rng.choice([0, 0, 0.8])),
            "clearcoat_gloss": 0.9,
        }
    elif finish == "satin":
        bsdf |= {"roughness": float(rng.uniform(0.32, 0.6)), "specular": float(rng.uniform(0.3, 0.6))}
    elif finish == "matte":
        if rng.random() < 0.5:
            return Material(DIFFUSE, paint)
        bsdf |= {"roughness": float(rng.uniform(0.7, 1.0)), "specular": 0.2, "sheen": float(rng.choice([0, 0.8]))}
    else:
        metal = np.array(METALS[rng.integers(len(METALS))]) if rng.random() < 0.75 else texture.colour(rng)
        noise, depth, scale = texture.fbm(rng, 4), rng.choice([0.0, 0.15, 0.5]), rng.uniform(2, 9)

        def paint(points: np.ndarray) -> np.ndarray:
            return metal * (1 + depth * noise(points * scale))[:, None]

        bsdf |= {"roughness": float(max(knobs.roughest_mirror, rng.uniform(0.08, 0.5))), "metallic": 1.0}
    return Material(bsdf, paint)


def one_colour(value: np.ndarray) -> Paint:
    """The same colour everywhere."""
    return lambda points: np.broadcast_to(value, points.shape)


def materials_by_role(rng: Stream, knobs: Knobs) -> tuple[dict[str, Material], Paint]:
    """A material for every role of a part, and the paint of accents (lids, labels, undersides of caps)."""
    main = glass(rng) if rng.random() < 0.03 * knobs.glass else material(rng, knobs)
    accent = material(rng, knobs)
    by_role = {"body": main, "plant": main, "accent": accent, "pot": material(rng, knobs)}
    by_role["stem"] = accent if rng.random() < 0.5 else material(rng, knobs)
    by_role["vessel"] = glass(rng) if rng.random() < 0.3 * knobs.glass else main
    by_role["liquid"] = by_role["bulb"] = material(rng, knobs, "gloss")
    by_role["label"] = material(rng, knobs, "matte")
    by_role["cork"] = Material(DIFFUSE, texture.wood(rng, 1))
    by_role["soil"] = Material(DIFFUSE, texture.ground(rng, 1))
    shade = rng.choice(["matte", "matte", "satin", "gloss", "metal"])
    if shade == "metal" and rng.random() >= knobs.mirror:
        shade = "satin"
    by_role["shade"] = by_role["shade_lit"] = material(rng, knobs, shade)
    by_role["beak"] = accent if rng.random() < 0.8 else main
    dark = np.array([0.02, 0.02, 0.02]) if rng.random() < 0.75 else texture.colour(rng)
    by_role["eye"] = Material({"type": "principled", "base_color": PAINTED, "roughness": 0.15}, one_colour(dark))
    by_role["glassy"] = Material({"type": "principled", "base_color": PAINTED, "roughness": 0.1}, one_colour(dark + 0.03))
    return by_role, accent.paint or texture.pattern(rng)


def mesh_of(
    part: Part,
    look: Material,
    name: str,
    accent: Paint | None = None,
    radiance: np.ndarray | None = None,
    local: np.ndarray | None = None,
) -> mi.Mesh:
    """The Mitsuba mesh of a part. local: (n, 3) points at which the paint is evaluated; None: those of the part."""
    faces = part.faces
    edge1, edge2 = part.points[faces[:, 1]] - part.points[faces[:, 0]], part.points[faces[:, 2]] - part.points[faces[:, 0]]
    faces = faces[np.linalg.norm(np.cross(edge1, edge2), axis=1) > 1e-12]  # Mitsuba warns about empty triangles
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(look.bsdf)
    if radiance is not None:
        properties["emitter"] = mi.load_dict({"type": "area", "radiance": rgb(radiance)})
    mesh = mi.Mesh(name, len(part.points), len(faces), has_vertex_normals=True, props=properties)
    if look.paint is not None:
        points = part.points if local is None else local
        colours = look.paint(points)
        if accent is not None and part.mix.any():
            colours = colours + (accent(points) - colours) * part.mix[:, None]
        mesh.add_attribute("vertex_color", 3, np.clip(colours, 0.004, 0.92).astype(np.float32).ravel())
    values = mi.traverse(mesh)
    values["vertex_positions"] = part.points.astype(np.float32).ravel()
    values["vertex_normals"] = normals(part.points, part.faces).astype(np.float32).ravel()
    values["faces"] = faces.astype(np.uint32).ravel()
    values.update()
    return mesh


def rgb(value: np.ndarray) -> dict:
    """Three numbers as Mitsuba writes a colour."""
    return {"type": "rgb", "value": [float(x) for x in value]}
