"""Pictures of a race for display, corrupted as the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from engine.data import corruptions
from engine.data.sampling import PREVIEW_SIZE, sample_class, sample_rows
from engine.plan import Plan
from engine.workspace import Workspace


def class_preview(plan: Plan, workspace: Workspace, class_index: int, count: int) -> np.ndarray:
    """The first `count` pictures sampled for one class, side by side: (H, count * W, 3) uint8.

    Raises PlanError where the task has too few examples, UnavailableError where the set is not open.
    """
    images = sample_class(workspace.tasks, plan.task, class_index, plan.examples_per_class, plan.seed, count)
    return np.concatenate(list(corruptions.corrupt_for_display(plan, images).permute(0, 2, 3, 1).numpy()), 1)


def evaluation_previews(
    plan: Plan,
    workspace: Workspace,
    split: Literal["heldout", "training"],
    rows: Sequence[int],
    image_size: int = PREVIEW_SIZE,
) -> np.ndarray:
    """Pictures of this race by their row in its data, for display: (n, side, side, 3) uint8.

    With the `image_size` of the race they have the size that the racers get. Patches are shuffled and colours inverted as
    the plan says. Raises PlanError for a row out of range, UnavailableError where the set is not open.
    """
    images = sample_rows(workspace.tasks, plan.task, split, plan.examples_per_class, plan.seed, rows, image_size)
    return corruptions.corrupt_for_display(plan, images).permute(0, 2, 3, 1).numpy()
