"""The chart component: a gr.HTML with a script, its markup, and what the script needs to know. Knows no race's progress."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import plotly

from demo import charts, look, stream, words
from engine import EXTRAS, RIVALS, TARGETS, Plan, Scoreboard

SCRIPT = Path(__file__).with_name("live.js")


def build() -> gr.HTML:
    """Two accuracy curves drawn as they come. Its value is `{"race": id, "visitor": token, "owner": bool}`."""
    return gr.HTML(
        None,
        html_template=markup(),
        js_on_load=SCRIPT.read_text(encoding="utf-8").replace("__KNOWN__", json.dumps(known())),
        apply_default_css=False,
        elem_id="hs-live",
    )


def known() -> dict[str, Any]:
    """What the script knows from the start: figures, colours and words, all made in Python."""
    empty = Scoreboard()
    return {
        "base": stream.BASE.lstrip("/"),
        "plotly": f"plotly.js?v={plotly.__version__}",
        "figures": {
            "accuracy": json.loads(charts.accuracy(empty).to_json()),
            "loss": json.loads(charts.loss(empty).to_json()),
        },
        "inks": {name: {"light": ink.light, "dark": ink.dark} for name, ink in look.LANES.items()},
        "page": {name: {"light": ink.light, "dark": ink.dark} for name, ink in
                 {"text": look.TEXT, "grid": look.GRID, "chance": look.CHANCE}.items()},
        "axes": words.AXES,
        "rivals": list(RIVALS),
        "plan": {"task": Plan().task, "backbone": Plan().backbone},
        "names": words.NAMES,
        "ghost": words.GHOST,
        "rolling": words.ROLLING,
        "words": words.SCRIPT,
    }  # fmt: skip


def markup() -> str:
    """The component's elements; the script fills them. No `${}` and nothing a visitor wrote ever stands here."""
    cards = "".join(_card(lane) for lane in reversed(RIVALS)) + "".join(_small_card(lane) for lane in EXTRAS)
    tabs = "".join(
        f'<button type="button" role="tab" id="hs-tab-{name}" data-tab="{name}" aria-controls="hs-panel-{name}" '
        f'aria-selected="{str(name == "accuracy").lower()}">{escape(text)}</button>'
        for name, text in words.TABS.items()
    )
    axes = "".join(
        f'<label><input type="radio" name="hs-axis" value="{name}"{" checked" * (name == "epoch")}>{escape(text)}</label>'
        for name, text in words.AXES.items()
    )
    panels = "".join(
        f'<div class="hs-panel" role="tabpanel" id="hs-panel-{name}" aria-labelledby="hs-tab-{name}"'
        f"{' hidden' * (name != 'accuracy')}>"
        f'<div class="hs-chart" data-chart="{name}" role="img" aria-label="{escape(text)}"></div></div>'
        for name, text in words.TABS.items()
    )
    return (
        f'<section class="hs-race" aria-label="{escape(words.TABS["accuracy"])}">'
        f'<div class="hs-top"><p class="hs-alert" role="alert"></p><p class="hs-stamp" hidden></p>'
        f'<h2 class="hs-headline" aria-live="off">{escape(words.SCRIPT["connecting"])}</h2>'
        f'<p class="hs-detail"></p><p class="hs-status" role="status"></p>'
        f'<div class="hs-progress"><progress max="1" value="0" aria-label="progress"></progress>'
        f'<span class="hs-left"></span></div>'
        f'</div><div class="hs-cards">{cards}</div>'
        f'<div class="hs-bar"><div class="hs-tabs" role="tablist">{tabs}</div>'
        f'<fieldset class="hs-axes"><legend>{escape(words.AXIS_LABEL)}</legend>{axes}</fieldset>'
        f'<button type="button" class="hs-clear" hidden>{escape(words.CLEAR)}</button></div>'
        f'{panels}<p class="hs-key"><span class="hs-dot">●</span> {escape(words.EXACT)} · '
        f'<span class="hs-thin">―</span> {escape(words.ROLLING)}</p>'
        f'<p class="hs-aloud" aria-live="polite"></p></section>'
    )


def _small_card(lane: str) -> str:
    return (
        f'<article class="hs-card hs-small hs-{lane}" hidden><h3>{escape(words.NAMES[lane])} '
        f'<small data-field="phase"></small></h3>'
        f'<p class="hs-number"><span data-field="accuracy">–</span> <small data-field="interval"></small></p></article>'
    )


def _card(lane: str) -> str:
    targets = "".join(
        f'<div><dt>to {words.percent(share)}</dt><dd data-field="target-{k}">–</dd></div>' for k, share in enumerate(TARGETS)
    )
    return (
        f'<article class="hs-card hs-{lane}"><h3>{escape(words.NAMES[lane])} <small data-field="phase"></small></h3>'
        f'<p class="hs-number"><span data-field="accuracy">–</span> <small data-field="interval"></small></p>'
        f'<dl>{targets}<div><dt>best</dt><dd data-field="best">–</dd></div>'
        f'<div><dt>compute</dt><dd data-field="seconds">–</dd></div></dl></article>'
    )
