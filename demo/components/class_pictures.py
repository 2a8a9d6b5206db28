"""One training picture of each class, with the corruptions of the plan, and the number of pictures sampled."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from demo.i18n import labels
from demo.markup import Template
from demo.server.http import BASE
from engine import Plan, Task, translate

TEMPLATE = Template(Path(__file__).with_suffix(".html"))
MAX_CLASSES = 20  # shown
SETTINGS = ("examples_per_class", "seed", "shuffle_grid", "invert_colors")  # fields of the Plan that a picture depends on


def draw(plan: Plan, task: Task, language: str) -> str:
    """A picture and the name of each class as markup; only the caption if the task is private."""
    return TEMPLATE.render(
        translate=partial(translate, language=language),
        caption=labels.pictures_caption(plan, task, language),
        is_open=task.is_open,
        names=task.classes[:MAX_CLASSES],
        more=len(task.classes) - MAX_CLASSES,
        address=f"{BASE.lstrip('/')}/pictures/{quote(plan.task, safe='')}",
        settings=urlencode({name: getattr(plan, name) for name in SETTINGS}),
    )
