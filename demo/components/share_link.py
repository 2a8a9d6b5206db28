"""Links that lock or hide controls for a lesson. Locks are a convenience for a class, not access control.

`?examples_per_class=5&lock=task,backbone&hide=more,racers&view=lesson`
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from demo import controls
from demo.components.tabs import component as tabs
from demo.i18n import labels
from engine import Plan, translate

# The clipboard needs https or localhost, so the address bar shows the link too
COPY = """async (query) => {
  const lang = new URLSearchParams(location.search).get("lang");
  const all = [query, lang && "lang=" + encodeURIComponent(lang)].filter(Boolean).join("&");
  const link = location.origin + location.pathname + (all ? "?" + all : "");
  history.replaceState(null, "", link);
  const button = document.querySelector("#hs-copy");
  const before = button.textContent;
  let message = COPIED;
  try { await navigator.clipboard.writeText(link); } catch { message = IN_BAR; }
  button.textContent = message[document.documentElement.lang];
  setTimeout(() => { button.textContent = before; }, 1500);
}"""


@dataclass(frozen=True)
class LinkOptions:
    """The widgets for what a link locks and hides, and the view it opens."""

    locked: gr.CheckboxGroup
    hidden: gr.CheckboxGroup
    view: gr.Dropdown


def build() -> LinkOptions:
    """Add the widgets to the current Gradio block."""
    widgets = [(labels.text(f"controls.{name}.label"), name) for name in controls.ORDER]
    boxes = [(labels.text(title), name) for name, title in controls.BOXES.items()]
    gr.Markdown(labels.text("lock.about"))
    locked = gr.CheckboxGroup(widgets, label=labels.text("lock.lock"), elem_id="hs-lock")
    hidden = gr.CheckboxGroup([*boxes, *widgets], label=labels.text("lock.hide"), elem_id="hs-hide")
    views = [(labels.text(f"view.{name}"), name) for name in tabs.NAMES]
    view = gr.Dropdown(views, value=tabs.NAMES[0], label=labels.text("lock.view"), filterable=False, elem_id="hs-link-view")
    return LinkOptions(locked, hidden, view)


def query(plan: Plan, locked: Iterable[str], hidden: Iterable[str], view: str) -> str:
    """The query string of a link to these settings, with the controls it locks and hides and the view it opens."""
    options = {"lock": ",".join(locked), "hide": ",".join(hidden), "view": "" if view == tabs.NAMES[0] else view}
    return "&".join(part for part in (plan.to_query(), urlencode({k: v for k, v in options.items() if v}, safe=",")) if part)


def read(link: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str], str]:
    """The controls that a link locks, those it hides, and the view it opens. Unknown names are ignored."""
    locked, hidden = (frozenset(link.get(name, "").split(",")) for name in ("lock", "hide"))
    view = link.get("view", "")
    return (
        locked & set(controls.ORDER),
        hidden & {*controls.ORDER, *controls.BOXES},
        view if view in tabs.NAMES else tabs.NAMES[0],
    )


def pinned(plan: Plan, locked: frozenset[str]) -> dict[str, Any]:
    """The locked settings with their values: name of the Plan field -> value. Other events keep these values."""
    return {name: getattr(plan, name) for name in controls.ORDER if name in locked}


def applied(shown: Iterable[object], locked: frozenset[str], hidden: frozenset[str]) -> list[object]:
    """The widgets' values or updates in the order of ORDER; locked ones become read-only, hidden ones invisible."""
    out = []
    for name, value in zip(controls.ORDER, shown, strict=True):
        if name in locked | hidden:
            update: dict[str, Any] = dict(value) if isinstance(value, dict) else gr.update(value=value)
            update |= {"interactive": False} if name in locked else {}
            value = update | ({"visible": False} if name in hidden else {})
        out.append(value)
    return out


def boxes(hidden: frozenset[str]) -> list[dict[str, Any]]:
    """Updates of the groups of widgets: those that the link hides become invisible."""
    return [gr.update(visible=name not in hidden) for name in controls.BOXES]


def copy_script() -> str:
    """The script that copies a link with a query and confirms it on the button, in every language."""
    script = COPY
    for name, key in (("COPIED", "page.copied"), ("IN_BAR", "page.in_bar")):
        script = script.replace(name, json.dumps(labels.everywhere(partial(translate, key)), ensure_ascii=False))
    return script
