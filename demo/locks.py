"""Links that lock or hide controls for a lesson. They keep a class together and are no protection. Knows no race.

`?examples=5&lock=task,backbone&hide=more,lanes&view=lesson`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from demo import controls, views, words
from engine import Plan


@dataclass(frozen=True)
class Locks:
    """Where a teacher says what her link locks and hides, and the view it opens at."""

    locked: gr.CheckboxGroup
    hidden: gr.CheckboxGroup
    view: gr.Dropdown


def build() -> Locks:
    """Draw it where the caller stands."""
    widgets = [(words.text(f"controls.{name}.label"), name) for name in controls.ORDER]
    boxes = [(words.text(title), name) for name, title in controls.BOXES.items()]
    gr.Markdown(words.text("lock.about"))
    locked = gr.CheckboxGroup(widgets, label=words.text("lock.lock"), elem_id="hs-lock")
    hidden = gr.CheckboxGroup([*boxes, *widgets], label=words.text("lock.hide"), elem_id="hs-hide")
    places = [(words.text(f"view.{name}"), name) for name in views.NAMES]
    view = gr.Dropdown(places, value=views.NAMES[0], label=words.text("lock.view"), filterable=False, elem_id="hs-link-view")
    return Locks(locked, hidden, view)


def query(plan: Plan, locked: Iterable[str], hidden: Iterable[str], view: str) -> str:
    """The query of a link to these settings that locks and hides these controls."""
    told = {"lock": ",".join(locked), "hide": ",".join(hidden), "view": "" if view == views.NAMES[0] else view}
    return "&".join(part for part in (plan.to_query(), urlencode({k: v for k, v in told.items() if v}, safe=",")) if part)


def read(link: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str], str]:
    """What a link locks, what it hides, and the view it opens at; names that are none are passed over."""
    locked, hidden = (frozenset(link.get(name, "").split(",")) for name in ("lock", "hide"))
    view = link.get("view", "")
    return (
        locked & set(controls.ORDER),
        hidden & {*controls.ORDER, *controls.BOXES},
        view if view in views.NAMES else views.NAMES[0],
    )


def pinned(plan: Plan, locked: frozenset[str]) -> dict[str, Any]:
    """What a link to this plan locks, by the plan's names, with its values: these stay whatever else is set."""
    return {name: getattr(plan, name) for name in controls.ORDER if name in locked}


def applied(shown: Iterable[object], locked: frozenset[str], hidden: frozenset[str]) -> list[object]:
    """The widgets' values or updates, in their order, with the locked and the hidden ones so."""
    out = []
    for name, value in zip(controls.ORDER, shown, strict=True):
        if name in locked | hidden:
            update: dict[str, Any] = dict(value) if isinstance(value, dict) else gr.update(value=value)
            update |= {"interactive": False} if name in locked else {}
            value = update | ({"visible": False} if name in hidden else {})
        out.append(value)
    return out


def boxes(hidden: frozenset[str]) -> list[dict[str, Any]]:
    """The groups of widgets, those that the link hides not shown."""
    return [gr.update(visible=name not in hidden) for name in controls.BOXES]
