"""The embedded pictures: one sheet a class and split, with a list of checksums. Knows no other task and no race."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.album import Album
from engine.errors import UnavailableError
from engine.strings import Line

ASSETS = Path(__file__).parents[1] / "assets"
REMAKE = "python -m engine tabletop --out assets/tabletop"
_ONE_AT_A_TIME = threading.Lock()


def card() -> dict:  # type: ignore[type-arg]  # JSON
    """What the list of the sheets says: classes, pictures a class by split, side, licence, checksums.

    Raises UnavailableError, naming the file and the command that remakes it, where it is missing or damaged.
    """
    return _card(ASSETS / "tabletop" / "tabletop.json")


@lru_cache(maxsize=2)
def album(home: Path) -> Album:
    """The embedded task in the folder `home`; its pictures are decoded when the first one is asked for."""
    facts = _card(home / "tabletop.json")
    counts: Mapping[str, int] = facts["per_class"]
    classes = tuple(facts["classes"])

    def readers(split: str) -> tuple[tuple[Callable[[], np.ndarray], ...], ...]:
        return tuple(tuple(partial(_cell, home, split, k, i) for i in range(counts[split])) for k in range(len(classes)))

    return Album("Tabletop", classes, readers("train"), readers("heldout"), ())


def sheets() -> Mapping[str, np.ndarray]:
    """All embedded pictures by split, {"train": (classes, n, H, W, 3) uint8, "heldout": likewise}, decoded once.

    Raises UnavailableError, naming the file and the command that remakes it, where a sheet is missing or damaged.
    """
    with _ONE_AT_A_TIME:  # also where many ask at the same time
        return _sheets(ASSETS / "tabletop")


def forget() -> None:
    """Drop what was decoded."""
    album.cache_clear()
    _card.cache_clear()
    _sheets.cache_clear()


def _cell(home: Path, split: str, kind: int, index: int) -> np.ndarray:
    with _ONE_AT_A_TIME:
        return _sheets(home)[split][kind, index]


@lru_cache(maxsize=1)
def _sheets(home: Path) -> Mapping[str, np.ndarray]:
    facts = _card(home / "tabletop.json")
    counts: Mapping[str, int] = facts["per_class"]

    def read(sheet: tuple[str, str]) -> np.ndarray:
        kind, split = sheet
        return _read_sheet(home / f"{kind}-{split}.webp", facts["sha256"], counts[split], facts["cell"], facts["columns"])

    with ThreadPoolExecutor(4) as pool:
        return {split: np.stack(list(pool.map(read, [(kind, split) for kind in facts["classes"]]))) for split in counts}


@lru_cache(maxsize=2)
def _card(path: Path) -> dict:  # type: ignore[type-arg]  # JSON
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UnavailableError("refusal.embedded.missing", path=path, command=REMAKE) from None
    except json.JSONDecodeError as error:
        raise UnavailableError("refusal.embedded.damaged", path=path, error=error, command=REMAKE) from None


def _read_sheet(path: Path, checksums: Mapping[str, str], count: int, cell: int, columns: int) -> np.ndarray:
    try:
        data = path.read_bytes()
    except OSError:
        raise UnavailableError("refusal.embedded.missing", path=path, command=REMAKE) from None
    if hashlib.sha256(data).hexdigest() != checksums.get(path.name):
        why = Line("refusal.embedded.checksum")
        raise UnavailableError("refusal.embedded.damaged", path=path, error=why, command=REMAKE)
    try:
        with Image.open(path) as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UnavailableError("refusal.embedded.damaged", path=path, error=error, command=REMAKE) from None
    rows = pixels.shape[0] // cell
    cells = pixels.reshape(rows, cell, columns, cell, 3).transpose(0, 2, 1, 3, 4).reshape(-1, cell, cell, 3)
    return np.ascontiguousarray(cells[:count])
