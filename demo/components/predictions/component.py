"""The bet: before a race, a visitor predicts how it will end. `component.js` stores and scores the bet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo.components import base
from demo.markup import Template
from engine import RANGES, TARGETS, messages_under

SCRIPT = Path(__file__).with_suffix(".js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
TARGET = TARGETS[1]  # accuracy whose time is bet on: 80 %, as on the racer's card
GAP = (-20, 80, 30)  # percentage points: minimum, maximum and initial value of the slider


def build() -> gr.HTML:
    """Add the component to the current Gradio block."""
    return base.build("hs-bets", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """The texts for the script, and the target accuracy."""
    return {"words": messages_under("bet", language), "target": TARGET}


def markup(language: str) -> str:
    """The form as markup; the script fills in the bet and the score."""
    longest = f"{RANGES['seconds'].high:g}"
    return TEMPLATE.render(language=language, text=messages_under("bet", language), gap=GAP, longest=longest)
