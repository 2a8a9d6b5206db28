"""The views below the race, and the row of tabs that shows one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from demo.components import base
from demo.markup import Template
from engine import translate

SCRIPT = Path(__file__).with_suffix(".js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
NAMES = (
    "why",
    "network",
    "try",
    "map",
    "compare",
    "take",
    "lesson",
    "class",
)  # the style sheet shows the first until one is chosen


def build(views: Mapping[str, Callable[[], Any]]) -> tuple[gr.HTML, dict[str, Any]]:
    """Add the row of tabs and all views to the current Gradio block.

    views: name -> function that draws the view. Returns the row and the functions' results by name. The row's value is the
    name of the view to show; its `submit` event fires when a visitor selects one. Not gr.Tabs, because Gradio hides all but
    the first behind three dots on a phone.
    """
    row = base.build("hs-nav", SCRIPT, lambda language: markup(language, tuple(views)), lambda language: {})
    results = {}
    for name, draw in views.items():
        with gr.Column(elem_id=f"hs-view-{name}", elem_classes="hs-view"):
            results[name] = draw()
    return row, results


def markup(language: str, names: tuple[str, ...] = NAMES) -> str:
    """The row of tabs as markup."""
    return TEMPLATE.render(translate=partial(translate, language=language), names=names)
