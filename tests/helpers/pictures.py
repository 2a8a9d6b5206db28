"""Small sets of pictures like a visitor's, as a folder or a zip, and how `scan` reads them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data import dataset, image
from engine.data.dataset import Dataset
from engine.errors import DataError

Files = Mapping[str, bytes]


def texture(seed: int, size: int = 48) -> Image.Image:
    """Coloured blotches, different for every seed."""
    blotches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(blotches).resize((size, size), Image.Resampling.BICUBIC)


def packed(picture: Image.Image, file_format: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **settings)
    return file.getvalue()


def folder(name: str, seeds: Iterable[int]) -> dict[str, bytes]:
    """One good picture for each seed."""
    return {f"{name}/{seed:03}.png": packed(texture(seed)) for seed in seeds}


TWO = {**folder("cats", range(8)), **folder("dogs", range(100, 112))}


def zipped(home: Path, files: Files) -> Path:
    path = home / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, data)
    return path


def unpacked(home: Path, files: Files) -> Path:
    for name, data in files.items():
        path = home / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return home / "set"


def look(path: Path, seed: int = 0) -> Dataset:
    """The dataset of a folder or zip, once all its pictures are read."""
    steps = dataset.scan(path, "set.zip", seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def look_at(home: Path, files: Files, seed: int = 0) -> Dataset:
    return look(zipped(home, files), seed)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as refused:
        look(path)
    return str(refused.value)


def shown(readers: Iterable[image.Reader]) -> list[bytes]:
    """The pixels of the pictures, as bytes to compare."""
    return [np.asarray(read()).tobytes() for read in readers]


def pixels(files: Files) -> list[bytes]:
    return [np.asarray(image.read_image(data)).tobytes() for data in files.values()]
