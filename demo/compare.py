"""The table of a visitor's finished races, kept in the browser. Pure: markup and words; `compare.js` fills it."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import part
from engine import Plan, backbone_names, find_backbone, find_task, said, say, task_names

SCRIPT = Path(__file__).with_name("compare.js")
COLUMNS = ("race", "settings", "scratch", "transfer", "best", "gap", "time")  # that can be ranked by


def build() -> gr.HTML:
    """The table, where the caller stands."""
    return part.build("hs-compare", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script knows from the start."""
    settings = {name: say(f"controls.{name}.label", language) for name in asdict(Plan())}
    tasks = {name: find_task(name).title for name in task_names() if not find_task(name).is_private}
    networks = {name: find_backbone(name).title for name in backbone_names()}
    return {
        "words": said("compare", language),
        "settings": settings,
        "values": {"task": tasks, "backbone": networks, "extra_lanes": said("lane", language)},
        "defaults": asdict(Plan()),
        "columns": COLUMNS,
    }


def markup(language: str) -> str:
    """The empty table; the script adds a row for each race."""

    def words(key: str) -> str:
        return escape(say(f"compare.{key}", language))

    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button" data-sort="{name}">{words(name)}</button></th>'
        for name in COLUMNS
    )
    return (
        f'<section class="hs-compare"><h2>{words("title")}</h2><p>{words("about")}</p>'
        f'<p class="hs-compare-empty">{words("empty")}</p>'
        f'<div class="hs-compare-scroll" tabindex="0" role="region" aria-label="{words("title")}" hidden><table><thead><tr>'
        f'<th scope="col">{words("ghost")}</th>{heads}<th scope="col">{words("actions")}</th></tr></thead><tbody></tbody>'
        f'</table></div><div class="hs-compare-bar" hidden><button type="button" data-do="csv">{words("csv")}</button>'
        f'<button type="button" data-do="clear">{words("clear")}</button></div>'
        f'<p class="hs-aloud" aria-live="polite"></p></section>'
    )
