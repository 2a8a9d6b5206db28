"""Picture sheets: one WebP file per class and split, with a checksum each.

A sheet has cells of 96 x 96 pixels, 20 in a row, picture 0 first; tabletop.json has their number.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

CELL = 96  # pixels a side
COLUMNS = 20
QUALITY = 90  # of WebP: about 2.3 kB a picture
LICENCE = "CC0-1.0"


def write_sheet(pictures: np.ndarray, path: Path) -> str:
    """Write pictures (n, 96, 96, 3) uint8 as one sheet and return the file's SHA-256."""
    rows = -(-len(pictures) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * CELL, rows * CELL))
    for number, picture in enumerate(pictures):
        canvas.paste(Image.fromarray(picture), (number % COLUMNS * CELL, number // COLUMNS * CELL))
    canvas.save(path, "WEBP", quality=QUALITY, method=6)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_sheet(path: Path, count: int) -> np.ndarray:
    """The first `count` pictures of a sheet, (count, 96, 96, 3) uint8."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    pictures = pixels.reshape(rows, CELL, columns, CELL, 3).swapaxes(1, 2).reshape(-1, CELL, CELL, 3)
    return pictures[:count]


def write_index(out: Path, classes: list[str], counts: dict[str, int], recipe: dict, checksums: dict[str, str]) -> None:
    """Write tabletop.json: what is needed to read the sheets, and the settings that they were made with."""
    index = {
        "classes": classes,
        "per_class": counts,
        "cell": CELL,
        "columns": COLUMNS,
        **recipe,
        "licence": LICENCE,
        "sha256": checksums,
    }
    (out / "tabletop.json").write_text(json.dumps(index, indent=2) + "\n")
