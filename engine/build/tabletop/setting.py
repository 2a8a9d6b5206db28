"""Everything around the object: table, walls, clutter and lamps, as entries of a Mitsuba scene dictionary.

It depends on the object's size and on whether it is a lit lamp, but on nothing else of its class: except for the dimmer
room around a lit lamp, the setting carries no information about the class.
"""

import numpy as np

from . import texture
from .clutter import clutter
from .difficulty import Knobs
from .materials import DIFFUSE, Material, glass, material, mesh_of, rgb
from .mesh import TAU, Part, box, grid_faces, move, rot
from .streams import Stream
from .surroundings import HEIGHT, environment, tint
from .tracer import mi

Turn = mi.ScalarTransform4f


class Setting:
    """One room around an object with points `points` (n, 3); `scene` has the Mitsuba entries."""

    def __init__(self, points: np.ndarray, is_lit: bool, rng: Stream, paint: Stream, knobs: Knobs) -> None:
        self.rng, self.paint, self.knobs, self.is_lit = rng, paint, knobs, is_lit
        low, high = points.min(0), points.max(0)
        self.centre = (low + high) / 2
        self.foot = np.hypot(*(high - low)[:2]) / 2  # radius of the object's footprint
        self.wall = 99.0  # distance of the wall behind the object
        self.table: tuple[float, float] | None = None  # half sizes of a table with visible edges
        self.scene: dict = {}
        self.place = rng.choice(["wall", "corner", "indoor", "outdoor", "studio"], p=[0.36, 0.08, 0.28, 0.18, 0.10])
        self.add_surroundings()
        self.add_table()
        if self.has_wall:
            self.add_walls()
        self.add_clutter()
        if self.place in ("indoor", "outdoor") and rng.random() < 0.7 * knobs.backdrop:
            self.add_distance()
        self.add_light()

    @property
    def has_wall(self) -> bool:
        """Whether a wall stands behind the object."""
        return self.place in ("wall", "corner")

    def surface(self, size: float = 30.0) -> dict:
        """A BSDF for a plane of `size` units: a repeated patch of a pattern, sometimes glossy or bumpy."""
        rng, paint = self.rng, self.paint
        patch = float(rng.uniform(1.2, 3.5))
        image = texture.bitmap(paint, 240, patch, float(rng.choice([0.6, 1.0, 1.6])))
        uv = Turn().scale([size / patch, size / patch, 1]).rotate([0, 0, 1], float(rng.uniform(0, 360)))

        def bitmap(array: np.ndarray) -> dict:
            return {"type": "bitmap", "bitmap": mi.Bitmap(array), "raw": True, "wrap_mode": "mirror", "to_uv": uv}

        bsdf = {"type": "diffuse", "reflectance": bitmap(image)}
        if rng.random() >= 0.5:
            bsdf = {
                "type": "principled",
                "base_color": bitmap(image),
                "specular": 0.5,
                "roughness": float(rng.uniform(0.2, 0.7)),
            }
        if rng.random() < 0.3:
            is_same = rng.random() < 0.5  # the bumps follow the pattern
            height = (image if is_same else texture.bitmap(paint, 240, patch, is_ground=True)).mean(-1, keepdims=True)
            bsdf = {
                "type": "bumpmap",
                "arbitrary": bitmap(np.ascontiguousarray(height)),
                "scale": float(rng.uniform(0.02, 0.1)),
                "bsdf": bsdf,
            }
        return {"type": "twosided", "bsdf": bsdf}

    def add_surroundings(self) -> None:
        """The environment map, dimmer where the object is a lit lamp."""
        rng = self.rng
        place = rng.choice(["indoor", "studio", "outdoor"], p=[0.7, 0.15, 0.15]) if self.has_wall else self.place
        self.environment = environment(rng, self.paint, place)
        scale = rng.uniform(0.1, 0.4) * self.knobs.dim + 0.8 * (1 - self.knobs.dim)
        self.scene["environment"] = {
            "type": "envmap",
            "bitmap": mi.Bitmap(self.environment),
            "scale": float(scale if self.is_lit else 1.0),
            "to_world": Turn().rotate([0, 0, 1], float(rng.uniform(0, 360))).rotate([1, 0, 0], 90),
        }

    def add_table(self) -> None:
        """A table that fills the view, or one with visible edges and a floor below."""
        rng = self.rng
        if self.place in ("wall", "indoor") and rng.random() < 0.4:
            self.table = rng.uniform(1.3, 4), rng.uniform(1.2, 2.2)
            turn = Turn().translate([float(rng.uniform(-0.3, 0.3)), 0, -0.05]).rotate([0, 0, 1], float(rng.normal(0, 12)))
            self.scene["table"] = {
                "type": "cube",
                "bsdf": self.surface(4.0),
                "to_world": turn.scale([float(self.table[0]), float(self.table[1]), 0.05]),
            }
            self.scene["floor"] = {
                "type": "rectangle",
                "bsdf": self.surface(),
                "to_world": Turn().translate([0, 0, -1.6]).scale(15),
            }
        else:
            self.scene["table"] = {"type": "rectangle", "bsdf": self.surface(), "to_world": Turn().scale(15)}

    def add_walls(self) -> None:
        """One wall or two, sometimes with pictures or a curtain, sometimes with a skirting board."""
        rng, paint, knobs = self.rng, self.paint, self.knobs
        self.wall = self.foot + np.exp(rng.normal(-0.3, 0.8))
        angle = rng.normal(0, 14) if self.place == "wall" else rng.uniform(20, 70)
        same = rng.random() < 0.12 and self.table is None
        bsdf = self.scene["table"]["bsdf"] if same else self.surface()
        for k, a in enumerate([angle] if self.place == "wall" else [angle, angle - 90]):
            stand = Turn().rotate([0, 0, 1], float(a)).translate([0, float(self.wall), 0]).rotate([1, 0, 0], 90)
            self.scene[f"wall{k}"] = {"type": "rectangle", "bsdf": bsdf, "to_world": stand.scale(15)}
        turn = rot([0, 0, 1], angle)
        if rng.random() < 0.5 * knobs.backdrop:
            for k in range(rng.integers(1, 5)):
                frame = box(rng.uniform(0.2, 1.3), 0.05, rng.uniform(0.2, 1.3), 0.01)
                frame = move(frame, turn @ [rng.normal(0, 1.3), self.wall - 0.03, rng.uniform(0, 2.2)], turn)
                self.scene[f"picture{k}"] = mesh_of(Part(frame), material(paint, knobs), f"picture{k}")
        elif rng.random() < 0.25 * knobs.backdrop:
            self.add_curtain(turn)
        if rng.random() < 0.25:
            board = move(box(12, 0.06, rng.uniform(0.08, 0.3), 0.01), turn @ [0, self.wall - 0.03, 0.1], turn)
            self.scene["skirting"] = mesh_of(Part(board), material(paint, knobs), "skirting")

    def add_curtain(self, turn: np.ndarray) -> None:
        """A sheet in folds before the wall."""
        rng = self.rng
        fold, sway, depth = rng.uniform(6, 16), rng.uniform(2, 5), rng.uniform(0.02, 0.1)
        x, z = np.meshgrid(np.linspace(-4, 4, 240), np.linspace(-2, 5, 24), indexing="ij")
        y = self.wall - 0.15 + depth * (np.sin(x * fold + np.sin(x * sway)) - 1)
        sheet = np.stack([x, y, z], -1).reshape(-1, 3) @ turn.T, grid_faces(240, 24, False)
        look = Material({"type": "twosided", "bsdf": DIFFUSE}, material(self.paint, self.knobs, "matte").paint)
        self.scene["curtain"] = mesh_of(Part(sheet), look, "curtain")

    def add_clutter(self) -> None:
        """Up to seven small things beside and behind the object; seldom a tall one in front of it."""
        rng, paint, knobs = self.rng, self.paint, self.knobs
        planned = int(rng.choice([0, 1, 2, 3, 4, 5, 7], p=[0.07, 0.1, 0.15, 0.2, 0.2, 0.16, 0.12]))
        for k in range(int((rng.random(planned) < knobs.clutter).sum())):
            parts = clutter(rng)
            points = np.concatenate([part.points for part in parts])
            radius = np.hypot(points[:, 0], points[:, 1]).max()
            height = points[:, 2].max() - points[:, 2].min()
            for _ in range(12):
                angle = rng.uniform(0, TAU) if rng.random() < 0.55 else rng.uniform(0.15, np.pi - 0.15)
                reach = self.foot + radius + np.exp(rng.normal(-1.2, 1.0))
                x, y = reach * np.cos(angle), reach * np.sin(angle)
                if not self.has_room(x, y, radius):
                    continue
                is_before = y < 0 and abs(x) < (self.foot + radius) * 0.8
                if is_before and height >= 0.22 and rng.random() >= 0.06:
                    continue
                turn = rot([0, 0, 1], rng.uniform(0, 360))
                for j, part in enumerate(parts):
                    local = part.points.copy()
                    part.points = (part.points - [0, 0, points[:, 2].min()]) @ turn.T + [x, y, 0]
                    look = glass(paint) if rng.random() < 0.05 * knobs.glass else material(paint, knobs)
                    self.scene[f"clutter{k}_{j}"] = mesh_of(part, look, f"clutter{k}_{j}", local=local)
                break

    def has_room(self, x: float, y: float, radius: float) -> bool:
        """Whether a thing of that radius fits at (x, y): on the table and in front of the walls."""
        if self.table is not None and (abs(x) > self.table[0] or abs(y) > self.table[1]):
            return False
        if self.place == "corner" and np.hypot(x, y) + radius > self.wall:
            return False
        return y + radius < self.wall * 0.95

    def add_distance(self) -> None:
        """Larger things far behind."""
        rng = self.rng
        for k in range(rng.integers(1, 6)):
            parts, scale = clutter(rng), rng.uniform(1.5, 5)
            x, y = rng.normal(0, 4), rng.uniform(3, 10)
            floor = min(part.points[:, 2].min() for part in parts)
            for j, part in enumerate(parts):
                part.points = (part.points - [0, 0, floor]) * scale * [1, 1, rng.uniform(0.8, 2)]
                part.points = part.points + [x, y, -1.6 if self.table else 0]
                self.scene[f"far{k}_{j}"] = mesh_of(part, material(self.paint, self.knobs), f"far{k}_{j}")

    def add_light(self) -> None:
        """One lamp, soft box or sun, as bright as the surroundings or a few times brighter."""
        rng = self.rng
        share = np.array([0.14 * self.knobs.unlit, 0.42, 0.18, 0.26])
        light = rng.choice(["none", "area", "ball", "sun"], p=share / share.sum())
        azimuth, elevation = rng.uniform(0, 360), np.radians(rng.uniform(15, 80))
        if self.has_wall:
            azimuth = rng.uniform(170, 370)
        direction = np.array(
            [
                np.cos(np.radians(azimuth)) * np.cos(elevation),
                np.sin(np.radians(azimuth)) * np.cos(elevation),
                np.sin(elevation),
            ]
        )
        rows = np.sin((np.arange(HEIGHT) + 0.5) / HEIGHT * np.pi)[:, None]
        ambient = float((self.environment.mean(-1) * rows).mean() * np.pi / 2)
        irradiance = ambient * np.pi * np.exp(rng.normal(0.6, 0.7))
        irradiance *= 1 - 0.7 * self.knobs.dim if self.is_lit else 1
        colour = tint(rng)
        if light == "none":
            return
        if light == "sun":
            self.scene["sun"] = {
                "type": "directional",
                "direction": [float(-x) for x in direction],
                "irradiance": rgb(colour * irradiance),
            }
            return
        distance, size = rng.uniform(1.8, 4.5), rng.uniform(0.2, 0.9)
        where = self.centre + direction * distance
        if self.has_wall:
            where[1] = min(where[1], self.wall - 0.5)
        if light == "area":
            glow = irradiance * distance**2 / (4 * size**2)
            aim = Turn().look_at(where.tolist(), self.centre.tolist(), [0.01, 0.02, 1]).scale(float(size))
            shape = {"type": "rectangle", "to_world": aim}
        else:
            size *= 0.4
            glow = irradiance * distance**2 / (np.pi * size**2)
            shape = {"type": "sphere", "center": where.tolist(), "radius": float(size)}
        self.scene["lamp"] = shape | {"emitter": {"type": "area", "radiance": rgb(colour * glow)}}
