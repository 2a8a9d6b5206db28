"""Samples the training and held-out pictures of one race, as tensors."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.image_cache import Key
from engine.data.registry import Task, TaskRegistry
from engine.errors import PlanError, UnavailableError
from engine.events import Progressed
from engine.progress import run_to_end
from engine.rng import generator

PREVIEW_SIZE = 84  # pixels: approximate side of previews on the page
MARGIN = 8 / 7  # photographs are kept this much larger than the network's input, like 256 for 224


@dataclass(frozen=True)
class RaceData:
    """The pictures of one race. `training` and `heldout`: (N, 3, H, W) uint8; labels: (N,) int64."""

    classes: tuple[str, ...]
    training: Tensor
    training_labels: Tensor
    heldout: Tensor
    heldout_labels: Tensor

    def to(self, device: str) -> RaceData:
        """The same pictures on another device."""
        return replace(
            self,
            training=self.training.to(device),
            training_labels=self.training_labels.to(device),
            heldout=self.heldout.to(device),
            heldout_labels=self.heldout_labels.to(device),
        )


def sample_data(
    tasks: TaskRegistry, name: str, examples_per_class: int, seed: int, image_size: int
) -> Generator[Progressed, None, RaceData]:
    """Sample `examples_per_class` training pictures with `seed`, and the held-out evaluation set.

    Pictures keep the native side of the set, or are a little larger than `image_size` where the set holds photographs. A
    sample of 50 contains the sample of 20; the evaluation set is the same in every race. Pictures are ordered by class.
    Raises PlanError where the set has too few pictures, UnavailableError where they cannot be fetched or exceed the memory.
    """
    dataset = yield from tasks.open(name)
    task = tasks.find(name)
    check_examples(task, examples_per_class)
    training_keys = _training_keys(dataset, examples_per_class, seed)
    heldout_keys = _evaluation_keys(dataset, tasks.max_heldout)
    images = yield from tasks.images.load(name, dataset, training_keys + heldout_keys, _side(task, image_size))
    return RaceData(
        classes=task.classes,
        training=torch.stack([images[key] for key in training_keys]),
        training_labels=torch.tensor([key[1] for key in training_keys]),
        heldout=torch.stack([images[key] for key in heldout_keys]),
        heldout_labels=torch.tensor([key[1] for key in heldout_keys]),
    )


def sample_rows(
    tasks: TaskRegistry,
    name: str,
    split: Literal["heldout", "training"],
    examples_per_class: int,
    seed: int,
    rows: Sequence[int],
    image_size: int = PREVIEW_SIZE,
) -> Tensor:
    """Return the pictures of some rows of `sample_data` for display: (n, 3, side, side) uint8.

    With the `image_size` of the race they equal the pictures that the racers see.
    Raises PlanError for a row out of range, UnavailableError where the set is not open.
    """
    task, dataset = _opened(tasks, name)
    check_examples(task, examples_per_class)
    if split == "training":
        keys = _training_keys(dataset, examples_per_class, seed)
    else:
        keys = _evaluation_keys(dataset, tasks.max_heldout)
    if any(not 0 <= row < len(keys) for row in rows):
        raise PlanError("refusal.task.rows", rows=", ".join(map(str, rows)), count=len(keys), split=split)
    selected = [keys[row] for row in rows]
    images = run_to_end(tasks.images.load(name, dataset, selected, _side(task, image_size)))
    return torch.stack([images[key] for key in selected])


def sample_class(tasks: TaskRegistry, name: str, class_index: int, examples_per_class: int, seed: int, count: int) -> Tensor:
    """Return the first `count` training pictures sampled for one class, for display: (n, 3, side, side) uint8.

    Raises PlanError where the task has fewer than `examples_per_class`, UnavailableError where the set is not open.
    """
    task, dataset = _opened(tasks, name)
    check_examples(task, examples_per_class)
    order = class_order(len(dataset.training[class_index]), class_index, seed)
    keys: list[Key] = [("training", class_index, i) for i in order[: min(examples_per_class, count)].tolist()]
    images = run_to_end(tasks.images.load(name, dataset, keys, _side(task, PREVIEW_SIZE)))
    return torch.stack([images[key] for key in keys])


def check_examples(task: Task, examples_per_class: int) -> None:
    """Raise PlanError where the task has fewer training pictures per class."""
    if examples_per_class > task.training:
        raise PlanError(
            "refusal.task.examples.smallest" if task.is_own else "refusal.task.examples.each",
            n=examples_per_class,
            task=repr(task.name),
            training=task.training,
        )


def class_order(count: int, class_index: int, seed: int) -> Tensor:
    """The order in which the `count` pictures of one class are sampled: (count,) int64."""
    return torch.randperm(count, generator=generator(seed, 4, class_index))


def _opened(tasks: TaskRegistry, name: str) -> tuple[Task, Dataset]:
    task = tasks.find(name)
    if not task.is_open:
        raise UnavailableError("refusal.task.closed", title=task.title)
    return task, run_to_end(tasks.open(name))


def _side(task: Task, image_size: int) -> int:
    """The side to decode at: native for small pictures (the race enlarges them), above `image_size` for photographs."""
    return task.image_size if 0 < task.image_size <= 2 * image_size else round(image_size * MARGIN)


def _training_keys(dataset: Dataset, examples_per_class: int, seed: int) -> list[Key]:
    """The training pictures of a race, ordered by class."""
    chosen = [(k, class_order(len(readers), k, seed)[:examples_per_class]) for k, readers in enumerate(dataset.training)]
    return [("training", k, i) for k, rows in chosen for i in rows.tolist()]


def _evaluation_keys(dataset: Dataset, max_heldout: int) -> list[Key]:
    """The held-out pictures for evaluation: all, or `max_heldout` spread evenly over the classes."""
    shuffled = [[(k, i) for i in class_order(len(readers), k, -1).tolist()] for k, readers in enumerate(dataset.heldout)]
    interleaved = [key for keys in zip_longest(*shuffled) for key in keys if key is not None]
    return [("heldout", k, i) for k, i in sorted(interleaved[:max_heldout])]
