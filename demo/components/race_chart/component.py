"""The live chart of a race: its markup, empty figures and texts. `component.js` adds the rows of the race."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import plotly

from demo import theme
from demo.components import base
from demo.components.race_chart import figures
from demo.i18n import labels
from demo.markup import Template
from demo.server.http import BASE
from engine import EXTRA_RACERS, MAIN_RACERS, TARGETS, Plan, Scoreboard, messages_under, translate

SCRIPT = Path(__file__).with_name("component.js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
TABS = ("accuracy", "loss")
AXES = ("epoch", "seconds", "pictures")


def build() -> gr.HTML:
    """Add the chart to the current Gradio block.

    Its value is `{"race": id, "me": token, "owner": bool}`. For the owner it also has `"task"` and `"classes"`, names that
    the race's log leaves out. `"alert"` is an error message to show.
    """
    return base.build("hs-live", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """The empty figures, the colours and the texts for the script."""
    empty = Scoreboard()
    return {
        "base": BASE.lstrip("/"),
        "plotly": f"plotly.js?v={plotly.__version__}",
        "figures": {
            "accuracy": json.loads(figures.accuracy(empty, "epoch", language).to_json()),
            "loss": json.loads(figures.loss(empty, "epoch", language).to_json()),
        },
        "inks": {name: {"light": ink.light, "dark": ink.dark} for name, ink in theme.RACERS.items()},
        "page": {name: {"light": ink.light, "dark": ink.dark} for name, ink in
                 {"text": theme.TEXT, "grid": theme.GRID, "chance": theme.CHANCE}.items()},
        "axes": {name: translate(f"axis.{name}", language) for name in AXES},
        "phases": messages_under("phase", language),
        "main_racers": list(MAIN_RACERS),
        "plan": {"task": Plan().task, "backbone": Plan().backbone},
        "words": messages_under("script", language),
    }  # fmt: skip


def markup(language: str) -> str:
    """The cards, tabs and axes as markup; the script fills them."""
    return TEMPLATE.render(
        translate=partial(translate, language=language),
        main_racers=MAIN_RACERS[::-1],
        extras=EXTRA_RACERS,
        targets=[labels.percent(share) for share in TARGETS],
        tabs=TABS,
        axes=AXES,
    )
