"""From a noisy linear render to an 8-bit picture like a camera's: denoising, exposure, tone curve, sharpening and noise."""

import numpy as np

from .difficulty import Knobs
from .streams import Stream
from .surroundings import blur

LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709


def clean(image: np.ndarray, least: float) -> np.ndarray:
    """Replace NaN and infinite samples, which a path tracer sometimes returns, by 0; clip the others to `least`..1e4."""
    return np.clip(np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0), least, 1e4)


def despeckle(image: np.ndarray) -> np.ndarray:
    """Clamp single-pixel fireflies to the second largest of their 8 neighbours."""
    h, w = image.shape[:2]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    largest = second = None
    for i, j in [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]:
        neighbour = padded[i : i + h, j : j + w]
        if largest is None:
            largest, second = neighbour, np.full_like(neighbour, -np.inf)
        else:
            second = np.maximum(second, np.minimum(largest, neighbour))
            largest = np.maximum(largest, neighbour)
    return np.minimum(image, second * 1.15 + 1e-4)


def denoise(image: np.ndarray, guide: np.ndarray, radius: int = 2) -> np.ndarray:
    """Cross-bilateral filter of the illumination (colour / albedo); `guide` (h, w, 6) is albedo and normal."""
    albedo, normal = np.maximum(guide[..., :3], 0), guide[..., 3:6]
    light = np.minimum(image, 20.0) / (albedo + 0.02)
    h, w = image.shape[:2]

    def pad(x: np.ndarray) -> np.ndarray:
        return np.pad(x, ((radius, radius), (radius, radius), (0, 0)), mode="edge")

    def shifted(x: np.ndarray, i: int, j: int) -> np.ndarray:
        return x[radius + i : radius + i + h, radius + j : radius + j + w]

    mean = light.mean(-1, keepdims=True)
    brightness = pad(np.log(mean + 0.01 * mean.mean() + 1e-9))
    brightness = sum(shifted(brightness, i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    # one stack of features, each divided by its tolerance: a neighbour has weight where all of them agree
    features = np.concatenate([normal / 0.25, albedo / 0.08, brightness / 0.5], -1).astype(np.float32)
    around, source = pad(features), pad(light.astype(np.float32))
    total, weights = np.zeros_like(image, np.float32), np.zeros((h, w, 1), np.float32)
    for i in range(-radius, radius + 1):
        for j in range(-radius, radius + 1):
            difference = shifted(around, i, j) - features
            weight = np.exp(-((i * i + j * j) / 5.12 + np.einsum("hwc,hwc->hw", difference, difference) / 2))[..., None]
            total += weight * shifted(source, i, j)
            weights += weight
    return (total / weights * (albedo + 0.02)).astype(np.float64)


def develop(rng: Stream, image: np.ndarray, size: int, knobs: Knobs) -> np.ndarray:
    """Exposure, white balance, tone curve, sharpening and noise: linear (k*size, k*size, 3) -> uint8 (size, size, 3)."""
    k = image.shape[0] // size
    luma = image @ LUMA
    average = 0.5 * np.exp(np.mean(np.log(luma + 1e-3 * luma.mean() + 1e-6))) + 0.5 * luma.mean()
    x = image * (0.2 * np.exp(rng.normal(0, 0.3 * knobs.dim)) / average)
    x = x * np.exp(rng.normal(0, 0.06, 3))
    down, across = np.mgrid[-1 : 1 : 1j * x.shape[0], -1 : 1 : 1j * x.shape[1]]
    x = x * (1 - rng.uniform(0, 0.25) * (across**2 + down**2) / 2)[..., None]  # vignette
    x = np.minimum(x, 6.0).reshape(size, k, size, k, 3).mean((1, 3))
    x = np.maximum(x - rng.uniform(0.2, 0.9) * np.quantile(x.mean(-1), 0.01), 0)  # black point
    x = x * (1 + 0.25 * x) / (1 + 0.75 * x) if rng.random() < 0.6 else np.minimum(x, 1.0)  # highlight roll-off
    top = np.quantile(x.max(-1), 0.98)
    stretch = rng.uniform(0.2, 1.0)
    x = x * (1 + stretch * (0.8 / max(top, 0.2) - 1)) if top < 0.8 else x
    grey = (x @ LUMA)[..., None]
    x = np.clip(grey + (x - grey) * rng.uniform(0.7, 1.08), 0, 1)
    x = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)  # sRGB
    x = x + rng.uniform(0.0, 0.7) * (x - 0.5) * x * (1 - x) * 2  # contrast
    soft = blur(np.pad(x, ((8, 8), (8, 8), (0, 0)), mode="edge"), 0.8)[8:-8, 8:-8]
    x = x + rng.uniform(-0.3, 0.5) * (x - soft)  # in-camera sharpening, sometimes softness
    x = x + rng.normal(0, 1, x.shape) * rng.choice([0.003, 0.006, 0.012]) * knobs.grain
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def is_readable(picture: np.ndarray, mask: np.ndarray, knobs: Knobs) -> bool:
    """Whether the object (`mask`, at any resolution) contrasts with its background and the picture has enough contrast."""
    pixels = picture.astype(float)
    rows = np.arange(picture.shape[0]) * mask.shape[0] // picture.shape[0]
    inside = mask[np.ix_(rows, rows)]
    step = np.maximum(np.abs(np.diff(pixels, axis=0)).max(-1)[:, :-1], np.abs(np.diff(pixels, axis=1)).max(-1)[:-1])
    edge = np.zeros_like(inside)
    edge[:-1] |= inside[:-1] != inside[1:]
    edge[:, :-1] |= inside[:, :-1] != inside[:, 1:]
    wide = edge.copy()
    wide[1:] |= edge[:-1]
    wide[:-1] |= edge[1:]
    outline = step[wide[:-1, :-1]]
    return bool(outline.size > 0 and outline.mean() > knobs.least_contrast and pixels.std() > 22)
