"""The command that makes the Tabletop pictures: `python -m engine tabletop --out DIR`.

Every picture is saved as a PNG in a separate folder as soon as it is rendered, so that an interrupted run resumes. Classes
and splits advance together: an unfinished set is a smaller set of the same kind.
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
from .sheets import write_index, write_sheet
from .streams import Split

PINNED = ("mitsuba==3.9.1", "drjit==1.5.0")  # another release of the renderer makes other pixels
DIFFICULTY = 0.15  # of the pictures in assets/tabletop/

Job = tuple[str, str, Split, int, int, float]  # folder, class, split, index, seed, difficulty


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Folder for the sheets. (required)")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="Folder for single pictures. (default: in the temporary folder)"
    )
    parser.add_argument(
        "--per-class",
        type=int,
        default=300,
        metavar="PICTURES",
        help="Training pictures per class. (0 or more; default: 300)",
    )
    parser.add_argument(
        "--heldout", type=int, default=60, metavar="PICTURES", help="Held-out pictures per class. (0 or more; default: 60)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="SEED", help="Decides every scene. (0 or more; default: 1)")
    parser.add_argument(
        "--difficulty",
        type=_read_difficulty,
        default=DIFFICULTY,
        metavar="SHARE",
        help=f"Clutter, backgrounds, glass and light: 0 is plain. (0 to 1; default: {DIFFICULTY})",
    )
    parser.add_argument(
        "--procs", type=int, default=2, metavar="PROCESSES", help="Processes of one thread each. (1 or more; default: 2)"
    )


def _read_difficulty(text: str) -> float:
    try:
        knobs(float(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return float(text)


def run(options: argparse.Namespace) -> int:
    """Render the missing pictures, then write the sheets; returns the exit code."""
    if not all(importlib.util.find_spec(name.split("==")[0]) for name in PINNED):
        print(f"The renderer is not installed: pip install {' '.join(PINNED)}", file=sys.stderr)
        return 1
    counts = {"train": options.per_class, "heldout": options.heldout}
    recipe = {"seed": options.seed, "difficulty": options.difficulty, "generator": VERSION, "renderer": list(PINNED)}
    recipe_name = f"headstart-tabletop-{VERSION}-seed-{options.seed}-difficulty-{options.difficulty}"
    folder = options.pictures or Path(tempfile.gettempdir()) / recipe_name
    for directory in (folder, options.out):
        directory.mkdir(parents=True, exist_ok=True)

    jobs = [
        (str(folder), name, split, index, options.seed, options.difficulty)
        for name, split, index in order(counts)
        if not picture_path(folder, name, split, index).exists()
    ]
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.procs) as pool:
        for done, _ in enumerate(pool.imap_unordered(render_one, jobs), 1):
            if done % 50 == 0 or done == len(jobs):
                elapsed = time.monotonic() - started
                remaining = elapsed / done * (len(jobs) - done) / 60
                print(f"{done} of {len(jobs)} pictures, {elapsed / 60:.0f} minutes, {remaining:.0f} left", flush=True)
    write_all(options.out, folder, counts, recipe)
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
    """The file of one picture, kept until the sheets are written."""
    return folder / f"{name}-{split}-{index:04d}.png"


def render_one(job: Job) -> str:
    """Render one picture and save it; the PNG's text has the attempts, visible share, area and CPU seconds."""
    from .photo import photograph  # imported here because only the worker processes need Mitsuba

    folder, name, split, index, seed, difficulty = job
    started = time.process_time()
    photo = photograph(seed, name, split, index, difficulty)
    facts = PngImagePlugin.PngInfo()
    for key, value in {
        "attempt": photo.attempt,
        "visible": round(photo.visible, 3),
        "area": round(photo.area, 3),
        "cpu": round(time.process_time() - started, 3),
    }.items():
        facts.add_text(key, str(value))
    path = picture_path(Path(folder), name, split, index)
    unfinished = path.with_suffix(f".{os.getpid()}")
    Image.fromarray(photo.pixels).save(unfinished, "PNG", pnginfo=facts)
    unfinished.replace(path)  # atomic: never a part of a picture
    return path.name


def write_all(out: Path, folder: Path, counts: dict[str, int], recipe: dict) -> None:
    """Write every sheet and tabletop.json from the rendered pictures."""
    checksums = {}
    for name in CATALOGUE:
        for split, count in counts.items():
            pictures = np.stack([np.asarray(Image.open(picture_path(folder, name, split, i))) for i in range(count)])
            checksums[f"{name}-{split}.webp"] = write_sheet(pictures, out / f"{name}-{split}.webp")
    write_index(out, list(CATALOGUE), counts, recipe, checksums)
