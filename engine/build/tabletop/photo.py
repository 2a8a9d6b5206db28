"""Renders one picture, a pure function of (seed, class, split, index, difficulty)."""

from typing import NamedTuple

import numpy as np

from . import texture
from .camera import View, pose, view
from .develop import clean, denoise, despeckle, develop, is_readable
from .difficulty import Knobs, knobs
from .materials import materials_by_role, mesh_of
from .setting import Setting
from .streams import Split, Streams, streams
from .surroundings import tint
from .tracer import mi

RENDERED = 192  # pixels a side before averaging 2 x 2 down to 96
SAMPLES = 6  # light paths a rendered pixel: 24 a final pixel
GUIDE_SAMPLES = 2  # of the noise-free albedo and normals that guide the denoiser
ATTEMPTS = 12  # the last one is always kept
LEAST_AREA = 0.055  # share of the frame that the object must cover

PATHS = {"type": "path", "max_depth": 7, "rr_depth": 4}
GUIDES = {"type": "aov", "aovs": "a:albedo,n:sh_normal"}


class Photo(NamedTuple):
    """A picture and facts about it."""

    pixels: np.ndarray  # (96, 96, 3) uint8
    attempt: int  # number of rejected attempts before
    visible: float  # share of the object that is not hidden
    area: float  # share of the frame that it covers


def build(name: str, rngs: Streams, knob: Knobs) -> tuple[dict, dict]:
    """A random scene: all its entries, and the entries of the object."""
    posed = pose(name, rngs.shape, rngs.camera, knob)
    points = np.concatenate([part.points for part in posed.parts])
    is_lit = any(part.role in ("shade_lit", "bulb") for part in posed.parts)
    looks, accent = materials_by_role(rngs.texture, knob)
    targets = {}
    for i, (part, local) in enumerate(zip(posed.parts, posed.local)):
        glow = None
        if part.role in ("shade_lit", "bulb"):
            glow = np.clip(tint(rngs.texture, 0.1) * [1.15, 0.95, 0.65], 0, 3) * rngs.texture.uniform(0.5, 1.6)
            if part.role == "bulb":
                glow = glow * 8
            elif rngs.texture.random() < 0.5:
                glow = glow * np.clip(texture.colour(rngs.texture) * 2 + 0.2, 0, 1)
        targets[f"target{i}"] = mesh_of(part, looks[part.role], f"target{i}", accent, glow, local)
    setting = Setting(points, is_lit, rngs.setting, rngs.texture, knob)
    low = 3.0 if setting.table else 1.0  # below this the camera would look along the table top
    camera = view(points, max(posed.elevation, low), rngs.camera, knob)
    scene = {"type": "scene", "integrator": PATHS} | targets | setting.scene | {"sensor": sensor(camera)}
    return scene, targets


def sensor(camera: View) -> dict:
    """The camera as a Mitsuba dictionary."""
    film = {
        "type": "hdrfilm",
        "width": RENDERED,
        "height": RENDERED,
        "rfilter": {"type": "box"},
        "pixel_format": "rgb",
        "component_format": "float32",
    }
    target = (camera.origin + camera.forward).tolist()
    to_world = mi.ScalarTransform4f().look_at(camera.origin.tolist(), target, camera.up.tolist())
    return {
        "type": "thinlens",
        "fov": float(camera.field),
        "aperture_radius": float(camera.aperture),
        "focus_distance": float(camera.focus),
        "near_clip": 0.02,
        "far_clip": 200.0,
        "to_world": to_world,
        "film": film,
        "sampler": {"type": "multijitter", "sample_count": 16},
    }


def visibility(scene: dict, targets: dict, size: int = 48) -> tuple[float, np.ndarray]:
    """The share of the object that is not hidden, and its mask (size, size), by one ray per pixel."""
    small = dict(scene["sensor"], sampler={"type": "independent", "sample_count": 1})
    small["film"] = dict(small["film"], width=size, height=size)
    everything = mi.load_dict({**scene, "sensor": small})
    # Mitsuba counts shapes from 1 in the shape_index channel; 0 is the surroundings
    target_ids = [k + 1 for k, shape in enumerate(everything.shapes()) if shape.id() in targets]
    ids = mi.load_dict({"type": "aov", "aovs": "s:shape_index"})
    front = np.array(mi.render(everything, integrator=ids, spp=1, seed=0))[..., -1]
    mask = np.isin(np.round(front).astype(int), target_ids)
    alone = mi.load_dict({"type": "scene", "sensor": small, **targets})
    depth = np.array(mi.render(alone, integrator=mi.load_dict({"type": "aov", "aovs": "d:depth"}), spp=1, seed=0))
    hit = depth[..., -1] > 0
    return float((mask & hit).sum() / max(hit.sum(), 1)), mask


def photograph(seed: int, name: str, split: Split, index: int, difficulty: float, size: int = 96) -> Photo:
    """Render picture `index` of a class, again while the object is hidden, too small or without contrast."""
    knob = knobs(difficulty)
    for attempt in range(ATTEMPTS):
        rngs = streams(seed, name, split, index, attempt, knob.busy)
        scene, targets = build(name, rngs, knob)
        visible, mask = visibility(scene, targets)
        is_last = attempt == ATTEMPTS - 1
        if not is_last and (visible < knob.least_visible or mask.mean() < LEAST_AREA):
            continue
        loaded = mi.load_dict(scene)
        noise = int(rngs.film.integers(1 << 31))
        light = np.array(mi.render(loaded, spp=SAMPLES, seed=noise))
        guide = np.array(mi.render(loaded, integrator=mi.load_dict(GUIDES), spp=GUIDE_SAMPLES, seed=noise))
        smooth = denoise(despeckle(clean(light, 0)), clean(guide, -1))
        pixels = develop(rngs.film, smooth, size, knob)
        if is_last or is_readable(pixels, mask, knob):
            return Photo(pixels, attempt, visible, float(mask.mean()))
    raise AssertionError("the last attempt is always kept")
