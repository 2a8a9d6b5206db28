"""The command that makes the Tabletop pictures: `python -m engine tabletop --out DIR`.

Every picture is kept as a PNG in a folder of its own as soon as it is rendered, so a second start goes on where
the first one stopped. Classes and splits advance together: a set half done is a smaller set of the same kind.
"""

import argparse
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from . import VERSION
from .catalogue import CATALOGUE
from .difficulty import knobs
from .draw import Split
from .sheets import write_index, write_sheet

PINNED = ("mitsuba==3.9.1", "drjit==1.5.0")  # another release of the renderer makes other pixels
DIFFICULTY = 0.15  # of the pictures in assets/tabletop/

Job = tuple[str, str, Split, int, int, float]  # folder, class, split, index, seed, difficulty


def main(argv: list[str] | None = None) -> int:
    """Render what is missing, then write the sheets."""
    parser = argparse.ArgumentParser(prog="python -m engine tabletop", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--pictures", type=Path, help="folder for single pictures (default: in the temporary folder)")
    parser.add_argument("--per-class", type=int, default=300, help="training pictures a class")
    parser.add_argument("--heldout", type=int, default=60, help="held-out pictures a class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY, help="0 (plain) to 1 (the pilot)")
    parser.add_argument("--procs", type=int, default=2, help="processes, one thread each")
    asked = parser.parse_args(argv)
    try:
        knobs(asked.difficulty)
    except ValueError as error:
        parser.error(str(error))
    if not all(importlib.util.find_spec(name.split("==")[0]) for name in PINNED):
        print(f"The renderer is not installed: pip install {' '.join(PINNED)}", file=sys.stderr)
        return 1
    counts = {"train": asked.per_class, "heldout": asked.heldout}
    recipe = {"seed": asked.seed, "difficulty": asked.difficulty, "generator": VERSION, "renderer": list(PINNED)}
    recipe_name = f"headstart-tabletop-{VERSION}-seed-{asked.seed}-difficulty-{asked.difficulty}"
    folder = asked.pictures or Path(tempfile.gettempdir()) / recipe_name
    for needed in (folder, asked.out):
        needed.mkdir(parents=True, exist_ok=True)

    jobs = [
        (str(folder), name, split, index, asked.seed, asked.difficulty)
        for name, split, index in order(counts)
        if not picture_path(folder, name, split, index).exists()
    ]
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(asked.procs) as pool:
        for done, _ in enumerate(pool.imap_unordered(render_one, jobs), 1):
            if done % 50 == 0 or done == len(jobs):
                spent = time.monotonic() - started
                left = spent / done * (len(jobs) - done) / 60
                print(f"{done} of {len(jobs)} pictures, {spent / 60:.0f} minutes, {left:.0f} left", flush=True)
    write_all(asked.out, folder, counts, recipe)
    return 0


def order(counts: dict[str, int]) -> Iterator[tuple[str, Split, int]]:
    """Every (class, split, index), all classes advancing together, three training pictures to one held-out."""
    for index in range(max(counts["train"], 3 * counts["heldout"])):
        for name in CATALOGUE:
            if index < counts["train"]:
                yield name, "train", index
            if index % 3 == 0 and index // 3 < counts["heldout"]:
                yield name, "heldout", index // 3


def picture_path(folder: Path, name: str, split: Split, index: int) -> Path:
    """Where one picture is kept until the sheets are written."""
    return folder / f"{name}-{split}-{index:04d}.png"


def render_one(job: Job) -> str:
    """Render one picture and keep it with its history: attempts, visible share, area, CPU seconds."""
    from .photo import photograph  # here, because only the worker processes need Mitsuba

    folder, name, split, index, seed, difficulty = job
    started = time.process_time()
    photo = photograph(seed, name, split, index, difficulty)
    history = PngImagePlugin.PngInfo()
    for key, value in {
        "attempt": photo.attempt,
        "visible": round(photo.visible, 3),
        "area": round(photo.area, 3),
        "cpu": round(time.process_time() - started, 3),
    }.items():
        history.add_text(key, str(value))
    path = picture_path(Path(folder), name, split, index)
    unfinished = path.with_suffix(f".{os.getpid()}")
    Image.fromarray(photo.pixels).save(unfinished, "PNG", pnginfo=history)
    unfinished.replace(path)  # a picture is there whole or not at all
    return path.name


def write_all(out: Path, folder: Path, counts: dict[str, int], recipe: dict) -> None:
    """Write every sheet and tabletop.json from the rendered pictures."""
    checksums = {}
    for name in CATALOGUE:
        for split, count in counts.items():
            pictures = np.stack([np.asarray(Image.open(picture_path(folder, name, split, i))) for i in range(count)])
            checksums[f"{name}-{split}.webp"] = write_sheet(pictures, out / f"{name}-{split}.webp")
    write_index(out, list(CATALOGUE), counts, recipe, checksums)


if __name__ == "__main__":
    sys.exit(main())
