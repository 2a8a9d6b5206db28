"""Why one racer is ahead: predictions, filters and weight changes during the race, and the errors after it.

`component.js` fills the markup from the rows of the race, `mistakes.js` from the final predictions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo.components import base
from demo.markup import Template
from engine import MAIN_RACERS, messages_under

SCRIPT = Path(__file__).with_suffix(".js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
VIEWS = ("confusion", "classes", "mistakes", "only")


def build() -> gr.HTML:
    """Add the component to the current Gradio block."""
    return base.build("hs-why", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """The texts for the script, the racers' names, and the two main racers."""
    return {
        "words": messages_under("explain", language),
        "names": messages_under("racer", language),
        "main_racers": MAIN_RACERS,
    }


def markup(language: str) -> str:
    """The empty markup: a section for the race and one for afterwards."""
    return TEMPLATE.render(language=language, text=messages_under("explain", language), views=VIEWS)
