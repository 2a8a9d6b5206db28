"""The chart component: a gr.HTML with a script, its markup, and what the script needs to know. Knows no race's progress."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import plotly

from demo import charts, look, part, stream, words
from engine import EXTRAS, RIVALS, TARGETS, Plan, Scoreboard, said, say

SCRIPT = Path(__file__).with_name("live.js")
TABS = ("accuracy", "loss")
AXES = ("epoch", "seconds", "pictures")


def build() -> gr.HTML:
    """Two accuracy curves drawn as they come.

    Its value is `{"race": id, "me": token, "owner": bool}`, for an owner also `"task"` and `"classes"`, the names of
    the pictures that the log keeps to itself; `"alert"` is a sentence to show.
    """
    return part.build("hs-live", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script knows from the start: figures, colours and words, all made in Python."""
    empty = Scoreboard()
    return {
        "base": stream.BASE.lstrip("/"),
        "plotly": f"plotly.js?v={plotly.__version__}",
        "figures": {
            "accuracy": json.loads(charts.accuracy(empty, "epoch", language).to_json()),
            "loss": json.loads(charts.loss(empty, "epoch", language).to_json()),
        },
        "inks": {name: {"light": ink.light, "dark": ink.dark} for name, ink in look.LANES.items()},
        "page": {name: {"light": ink.light, "dark": ink.dark} for name, ink in
                 {"text": look.TEXT, "grid": look.GRID, "chance": look.CHANCE}.items()},
        "axes": {name: say(f"axis.{name}", language) for name in AXES},
        "phases": said("phase", language),
        "rivals": list(RIVALS),
        "plan": {"task": Plan().task, "backbone": Plan().backbone},
        "rolling": say("chart.rolling", language),
        "words": said("script", language),
    }  # fmt: skip


def markup(language: str) -> str:
    """The component's elements; the script fills them. No `${}` and nothing a visitor wrote ever stands here."""
    titles = {name: escape(say(f"tab.{name}", language)) for name in TABS}
    cards = "".join(_card(lane, language) for lane in reversed(RIVALS))
    cards += "".join(_small_card(lane, language) for lane in EXTRAS)
    tabs = "".join(
        f'<button type="button" role="tab" id="hs-tab-{name}" data-tab="{name}" aria-controls="hs-panel-{name}" '
        f'aria-selected="{str(name == "accuracy").lower()}">{text}</button>'
        for name, text in titles.items()
    )
    axes = "".join(
        f'<label><input type="radio" name="hs-axis" value="{name}"{" checked" * (name == "epoch")}>'
        f"{escape(say(f'axis.{name}', language))}</label>"
        for name in AXES
    )
    panels = "".join(
        f'<div class="hs-panel" role="tabpanel" id="hs-panel-{name}" aria-labelledby="hs-tab-{name}"'
        f"{' hidden' * (name != 'accuracy')}>"
        f'<div class="hs-chart" data-chart="{name}" role="img" aria-label="{text}"></div></div>'
        for name, text in titles.items()
    )
    return (
        f'<section class="hs-race" aria-label="{titles["accuracy"]}">'
        f'<div class="hs-top"><p class="hs-alert" role="alert"></p><p class="hs-stamp" hidden></p>'
        f'<h2 class="hs-headline" aria-live="off">{escape(say("script.connecting", language))}</h2>'
        f'<p class="hs-detail"></p><p class="hs-status" role="status"></p>'
        f'<div class="hs-progress"><progress max="1" value="0" aria-label="{escape(say("card.progress", language))}">'
        f"</progress>"
        f'<span class="hs-left"></span></div></div>'
        f'<div class="hs-cards">{cards}</div>'
        f'<div class="hs-bar"><div class="hs-tabs" role="tablist">{tabs}</div>'
        f'<fieldset class="hs-axes"><legend>{escape(say("axis.label", language))}</legend>{axes}</fieldset>'
        f'<button type="button" class="hs-clear" hidden>{escape(say("chart.clear", language))}</button></div>'
        f'{panels}<p class="hs-key"><span class="hs-dot">●</span> {escape(say("chart.exact", language))} · '
        f'<span class="hs-thin">―</span> {escape(say("chart.rolling", language))}</p>'
        f'<p class="hs-aloud" aria-live="polite"></p></section>'
    )


def _small_card(lane: str, language: str) -> str:
    return (
        f'<article class="hs-card hs-small hs-{lane}" hidden><h3>{escape(say(f"lane.{lane}", language))} '
        f'<small data-field="phase"></small></h3>'
        f'<p class="hs-number"><span data-field="accuracy">–</span> <small data-field="interval"></small></p></article>'
    )


def _card(lane: str, language: str) -> str:
    goals = [escape(say("card.target", language, share=words.percent(share))) for share in TARGETS]
    targets = "".join(f'<div><dt>{goal}</dt><dd data-field="target-{k}">–</dd></div>' for k, goal in enumerate(goals))
    return (
        f'<article class="hs-card hs-{lane}"><h3>{escape(say(f"lane.{lane}", language))} '
        f'<small data-field="phase"></small></h3>'
        f'<p class="hs-number"><span data-field="accuracy">–</span> <small data-field="interval"></small></p>'
        f'<dl>{targets}<div><dt>{escape(say("card.best", language))}</dt><dd data-field="best">–</dd></div>'
        f'<div><dt>{escape(say("card.compute", language))}</dt><dd data-field="seconds">–</dd></div></dl></article>'
    )
