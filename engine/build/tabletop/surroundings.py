"""Environment maps, which light the object and are reflected in it: a sky, a room or a studio."""

import numpy as np

from . import texture
from .mesh import TAU
from .streams import Stream

HEIGHT, WIDTH = 96, 192  # pixels of the map, over the whole sphere


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of an image (h, w, 3) by `sigma` pixels, wrapping around."""
    if sigma <= 0:
        return image
    f0, f1 = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    gain = np.exp(-2 * (np.pi * sigma) ** 2 * (f0**2 + f1**2))
    spectrum = np.fft.rfft2(image, axes=(0, 1)) * gain[..., None]
    return np.maximum(np.fft.irfft2(spectrum, s=image.shape[:2], axes=(0, 1)), 0)


def tint(rng: Stream, spread: float = 0.25) -> np.ndarray:
    """Warm to cool light: linear RGB around 1."""
    warmth = rng.normal(0, spread)
    return np.array([np.exp(warmth), 1.0, np.exp(-warmth * 1.2)])


def environment(rng: Stream, paint: Stream, place: str) -> np.ndarray:
    """An environment map (96, 192, 3) float32. place: "outdoor", "indoor" or "studio"."""
    v, u = np.meshgrid((np.arange(HEIGHT) + 0.5) / HEIGHT, (np.arange(WIDTH) + 0.5) / WIDTH, indexing="ij")
    ring = np.sin(v * np.pi)
    points = np.stack([np.cos(u * TAU) * ring, np.sin(u * TAU) * ring, np.cos(v * np.pi)], -1).reshape(-1, 3)
    if place == "outdoor":
        return outdoor(rng, paint, u, v, points)
    return room(rng, paint, u, v, points, place == "indoor")


def outdoor(rng: Stream, paint: Stream, u: np.ndarray, v: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A sky with clouds and sometimes a sun, a tree line, and ground."""
    sky = texture.linear([0.35, 0.55, 0.9]) * rng.uniform(0.5, 1.2)
    horizon = texture.linear([0.85, 0.88, 0.95]) * rng.uniform(0.7, 1.3)
    if rng.random() < 0.35:  # overcast
        sky = horizon = np.array([1, 1, 1.03]) * rng.uniform(0.5, 1.0)
    if rng.random() < 0.2:  # evening
        horizon = texture.linear([1.0, 0.7, 0.4]) * 1.3
    height = np.clip(1 - v * 2, 0, 1)[..., None] ** rng.uniform(0.4, 1)
    image = horizon + (sky - horizon) * height
    clouds = texture.fbm(paint, 5, 0.6)(points * [2, 2, 5]).reshape(v.shape)
    clouds = np.clip(clouds * 2 + rng.uniform(-0.6, 0.5), 0, 1)[..., None]
    image = image * (1 - clouds) + clouds * rng.uniform(0.8, 1.3)
    trees = 0.504 - np.abs(texture.fbm(paint, 5, 0.65)(points * [5, 5, 0.01])).reshape(v.shape) * rng.uniform(0, 0.35)
    leaves = texture.mix(texture.colour(paint), texture.colour(paint), 0.5 + 1.5 * texture.fbm(paint, 5, 0.75)(points * 9))
    image = np.where((v > trees)[..., None], leaves.reshape(*v.shape, 3) * 0.6, image)
    ground = np.clip(texture.ground(paint, 0.5)(points * 3), 0, 1).reshape(*v.shape, 3) * 0.5
    image = np.where((v > 0.515)[..., None], ground, image)
    if rng.random() < 0.7:
        azimuth, elevation = rng.random(), rng.uniform(0.12, 0.42)
        away = np.hypot(((u - azimuth + 0.5) % 1 - 0.5) * 2 * np.sin(v * np.pi), v - elevation)
        sun = rng.uniform(30, 250) * np.exp(-((away / 0.018) ** 2))
        image = image + sun[..., None] * tint(rng, 0.15) * np.array([1.1, 1, 0.8])
    return blur(image, rng.uniform(0.3, 0.9)).astype(np.float32)


def room(rng: Stream, paint: Stream, u: np.ndarray, v: np.ndarray, points: np.ndarray, furnished: bool) -> np.ndarray:
    """A room with furniture and windows, or a studio with soft boxes only."""
    base = texture.colour(paint) * 0.5 + 0.15 if furnished else np.full(3, rng.uniform(0.02, 0.5))
    image = base * (rng.uniform(0.7, 1.6) * (1 - v) + rng.uniform(0.1, 0.6) * v)[..., None]
    image = image * (1 + 0.5 * texture.fbm(paint, 4)(points * 2).reshape(v.shape))[..., None]

    def rectangle(colour: np.ndarray, u0: float, v0: float, du: float, dv: float) -> None:
        image[(np.abs((u - u0 + 0.5) % 1 - 0.5) < du) & (np.abs(v - v0) < dv)] = colour

    if furnished:
        for _ in range(rng.integers(6, 40)):
            tall = rng.uniform(0.02, 0.2)
            colour = texture.colour(paint) * rng.uniform(0.2, 1.1)
            rectangle(colour, rng.random(), rng.uniform(0.35, 0.75), rng.uniform(0.008, 0.09), tall)
        image = image * (1 + 0.4 * texture.fbm(paint, 5, 0.7)(points * 6).reshape(v.shape))[..., None]
    for _ in range(rng.integers(1, 5)):  # windows and soft boxes
        u0, v0, du, dv = rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.07), rng.uniform(0.03, 0.12)
        light = rng.uniform(2, 12) * tint(rng) * (1 if furnished else 2)
        if furnished and rng.random() < 0.4:  # four panes
            for a in (-0.5, 0.5):
                for b in (-0.5, 0.5):
                    rectangle(light, u0 + a * du, v0 + b * dv, du * 0.42, dv * 0.42)
        else:
            rectangle(light, u0, v0, du, dv)
    return blur(image, rng.uniform(0.4, 2.0)).astype(np.float32)
