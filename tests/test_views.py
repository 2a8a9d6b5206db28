"""One view at a time; the others wait in the page."""

from __future__ import annotations

import re

import gradio as gr

from demo import look, views
from engine import LANGUAGES


def test_every_view_stands_in_the_page_under_its_tab() -> None:
    drawn: list[str] = []
    with gr.Blocks() as page:
        views.build({name: lambda name=name: drawn.append(name) for name in views.NAMES})  # type: ignore[misc]
    assert tuple(drawn) == views.NAMES
    columns = {block.elem_id for block in page.blocks.values() if isinstance(block, gr.Column)}
    for language in LANGUAGES:
        assert {*re.findall(r'aria-controls="([\w-]+)"', views.markup(language))} == columns


def test_the_style_sheet_shows_each_view_and_the_first_until_one_is_chosen() -> None:
    shown = set(re.findall(r'html\[data-view="(\w+)"\] #hs-view-(\w+)', look.css()))
    assert shown == {(name, name) for name in views.NAMES}
    assert f"html:not([data-view]) #hs-view-{views.NAMES[0]}" in look.css()
