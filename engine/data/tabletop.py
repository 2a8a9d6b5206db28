"""Reads the embedded Tabletop pictures: one sheet per class and split, with a list of checksums."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.data.dataset import Dataset
from engine.errors import UnavailableError
from engine.i18n.messages import Message

HOME = Path(__file__).parents[2] / "assets" / "tabletop"
REBUILD_COMMAND = "python -m engine tabletop --out assets/tabletop"


class Tabletop:
    """The embedded pictures in one folder; each sheet is read once, when its first picture is needed."""

    def __init__(self, home: Path = HOME):
        self._home = home
        self._lock = threading.Lock()  # several threads may need the sheets at once

    @cached_property
    def card(self) -> dict:  # type: ignore[type-arg]  # JSON
        """The contents of tabletop.json: classes, pictures per class by split, side, licence, checksums.

        Raises UnavailableError, naming the file and the command that rebuilds it, where it is missing or damaged.
        """
        path = self._home / "tabletop.json"
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            raise UnavailableError("refusal.embedded.missing", path=path, command=REBUILD_COMMAND) from None
        except json.JSONDecodeError as error:
            raise UnavailableError("refusal.embedded.damaged", path=path, error=error, command=REBUILD_COMMAND) from None

    @cached_property
    def dataset(self) -> Dataset:
        """The embedded pictures; the sheets are decoded when the first picture is read."""
        counts: Mapping[str, int] = self.card["per_class"]
        classes = tuple(self.card["classes"])

        def readers(split: str) -> tuple[tuple[Callable[[], np.ndarray], ...], ...]:
            return tuple(tuple(partial(self._cell, split, k, i) for i in range(counts[split])) for k in range(len(classes)))

        return Dataset("Tabletop", classes, readers("train"), readers("heldout"), ())

    def sheets(self) -> Mapping[str, np.ndarray]:
        """All embedded pictures by split, {"train": (classes, n, H, W, 3) uint8, "heldout": likewise}, decoded once.

        Raises UnavailableError, naming the file and the command that rebuilds it, where a sheet is missing or damaged.
        """
        with self._lock:
            return self._sheets

    def _cell(self, split: str, k: int, index: int) -> np.ndarray:
        return self.sheets()[split][k, index]

    @cached_property
    def _sheets(self) -> Mapping[str, np.ndarray]:
        card, counts = self.card, self.card["per_class"]

        def read(sheet: tuple[str, str]) -> np.ndarray:
            name, split = sheet
            path = self._home / f"{name}-{split}.webp"
            return _read_sheet(path, card["sha256"], counts[split], card["cell"], card["columns"])

        with ThreadPoolExecutor(4) as pool:
            return {split: np.stack(list(pool.map(read, [(name, split) for name in card["classes"]]))) for split in counts}


def _read_sheet(path: Path, checksums: Mapping[str, str], count: int, cell: int, columns: int) -> np.ndarray:
    try:
        data = path.read_bytes()
    except OSError:
        raise UnavailableError("refusal.embedded.missing", path=path, command=REBUILD_COMMAND) from None
    if hashlib.sha256(data).hexdigest() != checksums.get(path.name):
        why = Message("refusal.embedded.checksum")
        raise UnavailableError("refusal.embedded.damaged", path=path, error=why, command=REBUILD_COMMAND)
    try:
        with Image.open(path) as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UnavailableError("refusal.embedded.damaged", path=path, error=error, command=REBUILD_COMMAND) from None
    rows = pixels.shape[0] // cell
    cells = pixels.reshape(rows, cell, columns, cell, 3).transpose(0, 2, 1, 3, 4).reshape(-1, cell, cell, 3)
    return np.ascontiguousarray(cells[:count])
