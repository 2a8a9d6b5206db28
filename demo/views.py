"""The views below the race and the row of tabs that shows one of them. Knows not what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import part
from engine import say

SCRIPT = Path(__file__).with_suffix(".js")
NAMES = (
    "why",
    "network",
    "try",
    "map",
    "compare",
    "take",
    "lesson",
    "class",
)  # views.css shows the first until one is chosen


def build(drawn: Mapping[str, Callable[[], Any]]) -> tuple[gr.HTML, dict[str, Any]]:
    """Draw the row of tabs and every view where the caller stands.

    Returns the row and what each view's function returned. The row's value is the name of a view to show; it tells `submit`
    when a visitor chose one. Our own tabs: on a phone Gradio hides its all but the first behind three dots.
    """
    row = part.build("hs-nav", SCRIPT, lambda language: markup(language, tuple(drawn)), lambda language: {})
    made = {}
    for name, draw in drawn.items():
        with gr.Column(elem_id=f"hs-view-{name}", elem_classes="hs-view"):
            made[name] = draw()
    return row, made


def markup(language: str, names: tuple[str, ...] = NAMES) -> str:
    """The row of tabs in one language."""
    tabs = "".join(
        f'<button type="button" role="tab" id="hs-nav-{name}" data-view="{name}" aria-controls="hs-view-{name}" '
        f'aria-selected="{str(name == names[0]).lower()}" tabindex="{0 if name == names[0] else -1}">'
        f"{escape(say(f'view.{name}', language))}</button>"
        for name in names
    )
    return f'<div class="hs-views" role="tablist" aria-label="{escape(say("view.label", language))}">{tabs}</div>'
