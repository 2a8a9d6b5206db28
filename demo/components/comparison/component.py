"""The table of a visitor's finished races, stored in the browser. `component.js` fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from demo.components import base
from demo.markup import Template
from engine import Plan, messages_under, translate

SCRIPT = Path(__file__).with_name("component.js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
COLUMNS = ("race", "settings", "scratch", "pretrained", "best", "gap", "time")  # sortable
Titles = Mapping[str, Mapping[str, str]]


def build(titles: Titles) -> gr.HTML:
    """Add the table to the current Gradio block. titles: name of the Plan field -> value -> title."""
    return base.build("hs-compare", SCRIPT, markup, partial(known, titles))


def known(titles: Titles, language: str) -> dict[str, Any]:
    """The texts and values for the script."""
    settings = {name: translate(f"controls.{name}.label", language) for name in asdict(Plan())}
    return {
        "words": messages_under("compare", language),
        "settings": settings,
        "values": {**titles, "extra_racers": messages_under("racer", language)},
        "defaults": asdict(Plan()),
        "columns": COLUMNS,
    }


def markup(language: str) -> str:
    """The empty table as markup; the script adds a row for each race."""
    return TEMPLATE.render(text=messages_under("compare", language), columns=COLUMNS)
