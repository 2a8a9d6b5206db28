"""Every view has a tab; the style sheet shows one view at a time."""

from __future__ import annotations

import re

import gradio as gr

from demo import theme
from demo.components.tabs import component as tabs
from engine import LANGUAGES


def test_every_tab_controls_a_view_of_the_page() -> None:
    built: list[str] = []
    with gr.Blocks() as page:
        tabs.build({name: lambda name=name: built.append(name) for name in tabs.NAMES})  # type: ignore[misc]
    assert tuple(built) == tabs.NAMES
    columns = {block.elem_id for block in page.blocks.values() if isinstance(block, gr.Column)}
    for language in LANGUAGES:
        assert {*re.findall(r'aria-controls="([\w-]+)"', tabs.markup(language))} == columns


def test_the_style_sheet_shows_the_selected_view_and_the_first_by_default() -> None:
    shown = set(re.findall(r'html\[data-view="(\w+)"\] #hs-view-(\w+)', theme.css()))
    assert shown == {(name, name) for name in tabs.NAMES}
    assert f"html:not([data-view]) #hs-view-{tabs.NAMES[0]}" in theme.css()
