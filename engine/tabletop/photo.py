"""One photograph: (seed, class, split, index) in, 8-bit picture out. The only module that renders."""

from typing import NamedTuple

import numpy as np

from . import texture
from .camera import View, pose, view
from .develop import clean, denoise, despeckle, develop, is_readable
from .difficulty import Knobs, knobs
from .draw import Split, Streams, streams
from .materials import mesh_of, wardrobe
from .setting import Setting
from .surroundings import tint
from .tracer import mi

RENDERED = 192  # pixels a side before averaging 2 x 2 down to 96
SAMPLES = 6  # light paths a rendered pixel: 24 a final pixel
GUIDE_SAMPLES = 2  # for the noise-free albedo and normals that guide the denoiser
ATTEMPTS = 12  # the last one is kept whatever it looks like
LEAST_AREA = 0.055  # share of the frame that the object must cover

PATHS = {"type": "path", "max_depth": 7, "rr_depth": 4}
GUIDES = {"type": "aov", "aovs": "a:albedo,n:sh_normal"}


class Photo(NamedTuple):
    """A picture and how it came about."""

    pixels: np.ndarray  # (96, 96, 3) uint8
    attempt: int  # how many were thrown away before
    visible: float  # share of the object that nothing hides
    area: float  # share of the frame that it covers


def build(name: str, rolls: Streams, knob: Knobs) -> tuple[dict, dict]:
    """A random scene: all its entries, and those of them that are the object."""
    posed = pose(name, rolls.shape, rolls.camera, knob)
    points = np.concatenate([part.points for part in posed.parts])
    is_lit = any(part.role in ("shade_lit", "bulb") for part in posed.parts)
    looks, accent = wardrobe(rolls.texture, knob)
    targets = {}
    for i, (part, local) in enumerate(zip(posed.parts, posed.local)):
        glow = None
        if part.role in ("shade_lit", "bulb"):
            glow = np.clip(tint(rolls.texture, 0.1) * [1.15, 0.95, 0.65], 0, 3) * rolls.texture.uniform(0.5, 1.6)
            if part.role == "bulb":
                glow = glow * 8
            elif rolls.texture.random() < 0.5:
                glow = glow * np.clip(texture.colour(rolls.texture) * 2 + 0.2, 0, 1)
        targets[f"target{i}"] = mesh_of(part, looks[part.role], f"target{i}", accent, glow, local)
    around = Setting(points, is_lit, rolls.setting, rolls.texture, knob)
    low = 3.0 if around.table else 1.0  # any lower, and the camera looks along the table top
    seen = view(points, max(posed.elevation, low), rolls.camera, knob)
    scene = {"type": "scene", "integrator": PATHS} | targets | around.scene | {"sensor": sensor(seen)}
    return scene, targets


def sensor(seen: View) -> dict:
    """The camera as Mitsuba writes it."""
    film = {
        "type": "hdrfilm",
        "width": RENDERED,
        "height": RENDERED,
        "rfilter": {"type": "box"},
        "pixel_format": "rgb",
        "component_format": "float32",
    }
    look = mi.ScalarTransform4f().look_at(seen.origin.tolist(), (seen.origin + seen.forward).tolist(), seen.up.tolist())
    return {
        "type": "thinlens",
        "fov": float(seen.field),
        "aperture_radius": float(seen.aperture),
        "focus_distance": float(seen.focus),
        "near_clip": 0.02,
        "far_clip": 200.0,
        "to_world": look,
        "film": film,
        "sampler": {"type": "multijitter", "sample_count": 16},
    }


def visibility(scene: dict, targets: dict, size: int = 48) -> tuple[float, np.ndarray]:
    """The share of the object that nothing hides, and its mask (size, size), by one ray a pixel."""
    small = dict(scene["sensor"], sampler={"type": "independent", "sample_count": 1})
    small["film"] = dict(small["film"], width=size, height=size)
    everything = mi.load_dict({**scene, "sensor": small})
    # Mitsuba counts shapes from 1 in the shape_index channel; 0 is the surroundings
    ours = [k + 1 for k, shape in enumerate(everything.shapes()) if shape.id() in targets]
    ids = mi.load_dict({"type": "aov", "aovs": "s:shape_index"})
    front = np.array(mi.render(everything, integrator=ids, spp=1, seed=0))[..., -1]
    mask = np.isin(np.round(front).astype(int), ours)
    alone = mi.load_dict({"type": "scene", "sensor": small, **targets})
    depth = np.array(mi.render(alone, integrator=mi.load_dict({"type": "aov", "aovs": "d:depth"}), spp=1, seed=0))
    hit = depth[..., -1] > 0
    return float((mask & hit).sum() / max(hit.sum(), 1)), mask


def photograph(seed: int, name: str, split: Split, index: int, difficulty: float, size: int = 96) -> Photo:
    """Picture `index` of a class; draws again while the object is hidden or does not stand out."""
    knob = knobs(difficulty)
    for attempt in range(ATTEMPTS):
        rolls = streams(seed, name, split, index, attempt, knob.busy)
        scene, targets = build(name, rolls, knob)
        visible, mask = visibility(scene, targets)
        is_last = attempt == ATTEMPTS - 1
        if not is_last and (visible < knob.least_visible or mask.mean() < LEAST_AREA):
            continue
        loaded = mi.load_dict(scene)
        noise = int(rolls.film.integers(1 << 31))
        light = np.array(mi.render(loaded, spp=SAMPLES, seed=noise))
        guide = np.array(mi.render(loaded, integrator=mi.load_dict(GUIDES), spp=GUIDE_SAMPLES, seed=noise))
        smooth = denoise(despeckle(clean(light, 0)), clean(guide, -1))
        pixels = develop(rolls.film, smooth, size, knob)
        if is_last or is_readable(pixels, mask, knob):
            return Photo(pixels, attempt, visible, float(mask.mean()))
    raise AssertionError("the last attempt is always kept")
