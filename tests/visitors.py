"""Small sets of pictures as a visitor may bring them, as a folder or a zip, and what an album says of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import album, pictures
from engine.album import Album
from engine.errors import DataError

Files = Mapping[str, bytes]


def texture(seed: int, side: int = 48) -> Image.Image:
    """Coloured blotches, unlike those of any other seed."""
    blotches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(blotches).resize((side, side), Image.Resampling.BICUBIC)


def packed(picture: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
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


def look(path: Path, seed: int = 0) -> Album:
    """The album, once every picture is looked at."""
    steps = album.survey(path, "set.zip", seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def look_at(home: Path, files: Files, seed: int = 0) -> Album:
    return look(zipped(home, files), seed)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as refused:
        look(path)
    return str(refused.value)


def shown(readers: Iterable[pictures.Reader]) -> list[bytes]:
    """What the readers read, to compare."""
    return [np.asarray(read()).tobytes() for read in readers]


def pixels(files: Files) -> list[bytes]:
    return [np.asarray(pictures.read(data)).tobytes() for data in files.values()]
