"""The image tasks a race can be run on, and the pictures drawn for one race. Knows no network and no racer."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from engine import augment
from engine.errors import PlanError, UnavailableError

ASSETS = Path(__file__).parents[1] / "assets"
_ONE_AT_A_TIME = threading.Lock()
REMAKE = "python -m engine tabletop --out assets/tabletop"


@dataclass(frozen=True)
class Task:
    """What is known of a task before a picture is loaded."""

    name: str
    title: str
    classes: tuple[str, ...]
    training: int  # pictures a class
    heldout: int
    px: int
    licence: str
    about: str


@dataclass(frozen=True)
class Drawn:
    """The pictures of one race. `training` and `heldout`: (N, 3, H, W) uint8; labels: (N,) int64."""

    classes: tuple[str, ...]
    training: Tensor
    training_labels: Tensor
    heldout: Tensor
    heldout_labels: Tensor
    px: int  # side of what the network sees
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def to(self, device: str) -> Drawn:
        """The same pictures on another device."""
        return replace(
            self,
            training=self.training.to(device),
            training_labels=self.training_labels.to(device),
            heldout=self.heldout.to(device),
            heldout_labels=self.heldout_labels.to(device),
        )


def names() -> tuple[str, ...]:
    """The tasks there are."""
    return ("tabletop",)


@lru_cache(maxsize=4)
def find(name: str) -> Task:
    """What is known of the task. Raises PlanError for an unknown name, UnavailableError for a missing sheet list."""
    if name not in names():
        raise PlanError(f"task is {name!r}; there is {', '.join(names())}")
    card = _card(ASSETS / name / "tabletop.json")
    return Task(
        name=name,
        title="Tabletop",
        classes=tuple(card["classes"]),
        training=card["per_class"]["train"],
        heldout=card["per_class"]["heldout"],
        px=card["cell"],
        licence=card["licence"],
        about="Path-traced pictures of everyday objects, rendered for this project",
    )


def load(name: str) -> Mapping[str, Tensor]:
    """All pictures of a task by split: {"train": (classes, n, 3, H, W) uint8, "heldout": likewise}.

    Decoded once, also where many ask at the same time. Raises UnavailableError, naming the file and the command that
    remakes it, where a sheet is missing or damaged.
    """
    with _ONE_AT_A_TIME:
        return _load(name)


@lru_cache(maxsize=1)
def _load(name: str) -> Mapping[str, Tensor]:
    task, home = find(name), ASSETS / name
    card = _card(home / "tabletop.json")
    counts: Mapping[str, int] = card["per_class"]

    def read(sheet: tuple[str, str]) -> Tensor:
        kind, split = sheet
        return _read_sheet(home / f"{kind}-{split}.webp", card["sha256"], counts[split], card["cell"], card["columns"])

    with ThreadPoolExecutor(4) as pool:
        return {split: torch.stack(list(pool.map(read, [(kind, split) for kind in task.classes]))) for split in counts}


def draw(name: str, examples: int, seed: int) -> dict[str, Tensor]:
    """The pictures of one race: `examples` a class drawn with `seed`, and every held-out picture.

    The draw of 50 contains the draw of 20, so more examples are more of the same. Training pictures come class by
    class. Raises PlanError where there are not so many.
    """
    task = find(name)
    check_examples(task, examples)
    pictures = load(name)
    chosen = [pictures["train"][k][order(task, k, seed)[:examples]] for k in range(len(task.classes))]
    label = torch.arange(len(task.classes))
    return {
        "training": torch.cat(chosen),
        "training_labels": label.repeat_interleave(examples),
        "heldout": pictures["heldout"].flatten(0, 1),
        "heldout_labels": label.repeat_interleave(task.heldout),
    }


def check_examples(task: Task, examples: int) -> None:
    """Raise PlanError where the task has not so many training pictures a class."""
    if examples > task.training:
        raise PlanError(f"examples is {examples}; {task.name!r} has {task.training} training pictures a class")


def order(task: Task, kind: int, seed: int) -> Tensor:
    """The order in which a class's training pictures are drawn: (task.training,) int64."""
    return torch.randperm(task.training, generator=augment.generator(seed, 4, kind))


def strip(name: str, kind: int, examples: int, seed: int, count: int) -> np.ndarray:
    """The first `count` pictures drawn for one class, side by side: (H, count * W, 3) uint8, for a person to look at."""
    task = find(name)
    check_examples(task, examples)
    mine = load(name)["train"][kind][order(task, kind, seed)[: min(examples, count)]]
    return np.concatenate([picture.permute(1, 2, 0).numpy() for picture in mine], 1)


def _card(path: Path) -> dict:  # type: ignore[type-arg]  # JSON
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UnavailableError(f"{path} is missing; `{REMAKE}` makes it") from None
    except json.JSONDecodeError as error:
        raise UnavailableError(f"{path} is damaged ({error}); `{REMAKE}` makes it again") from None


def _read_sheet(path: Path, checksums: Mapping[str, str], count: int, cell: int, columns: int) -> Tensor:
    try:
        data = path.read_bytes()
    except OSError:
        raise UnavailableError(f"{path} is missing; `{REMAKE}` makes it") from None
    if hashlib.sha256(data).hexdigest() != checksums.get(path.name):
        raise UnavailableError(f"{path} is damaged (its checksum is not the one listed); `{REMAKE}` makes it again")
    try:
        with Image.open(path) as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UnavailableError(f"{path} is damaged ({error}); `{REMAKE}` makes it again") from None
    rows = pixels.shape[0] // cell
    cells = pixels.reshape(rows, cell, columns, cell, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, cell, cell)
    return torch.from_numpy(np.ascontiguousarray(cells[:count]))
