"""The layout of the page, and which event calls which method of `handlers.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from demo import controls
from demo.classroom import presenter
from demo.classroom.rooms import Rooms
from demo.components import header, share_link
from demo.components.comparison import component as comparison
from demo.components.downloads import component as downloads
from demo.components.explain import component as explain
from demo.components.feature_map import component as feature_map
from demo.components.lesson import component as lesson
from demo.components.predictions import component as predictions
from demo.components.race_chart import component as race_chart
from demo.components.tabs import component as tabs
from demo.components.try_picture import component as try_picture
from demo.handlers import PageHandlers
from demo.i18n import labels
from demo.server import api
from demo.server.race_queue import RaceQueue
from demo.uploads import form
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import Plan, translate

RECORDING = Path(__file__).parents[1] / "assets" / "races" / "default.jsonl"
UNQUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# For events that send all widgets: `read_plan` validates them, in the visitor's language. Gradio would preprocess each in a
# thread first, which was half the cost of a click when a whole class clicks at once
RAW_VALUES: dict[str, Any] = {**UNQUEUED, "preprocess": False}


@dataclass(frozen=True)
class Overview:
    """The view of what is raced: the network, sampled pictures, available sets and networks, and the method."""

    network: gr.HTML
    pictures: gr.HTML
    table: gr.HTML
    about: gr.Markdown


@dataclass(frozen=True)
class Layout:
    """The components that events read or change."""

    browser_state: gr.BrowserState  # the visitor's id and the id of their newest race
    query: gr.Textbox  # query string of the link that is being copied
    header: gr.HTML
    panel: controls.Controls
    lock: share_link.LinkOptions
    copy: gr.Button
    chart: gr.HTML
    tabs: gr.HTML
    overview: Overview
    try_picture: try_picture.Widgets
    lesson: gr.HTML


def build(queue: RaceQueue, availability: Availability, uploads: UploadStore, rooms: Rooms) -> gr.Blocks:
    """Build the whole page. It is rendered in English; its load event sets the texts in the visitor's language."""
    handlers = PageHandlers(queue, availability, uploads, rooms)
    # Gradio deletes after an hour the uploads that no handler deleted
    with gr.Blocks(
        title=translate("page.title"), analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)
    ) as page:
        layout = _draw(handlers, queue, availability, uploads, rooms)
        api.build(queue)
        connect(page, layout, handlers)
    return page


def _draw(
    handlers: PageHandlers, queue: RaceQueue, availability: Availability, uploads: UploadStore, rooms: Rooms
) -> Layout:
    browser_state = gr.BrowserState({}, storage_key="headstart", secret="not a secret: a race id and a random name")
    query = gr.Textbox(visible=False)
    title = gr.HTML(header.draw("en"), apply_default_css=False)
    with gr.Row(equal_height=False, elem_id="hs-main"):
        with gr.Column(scale=2, min_width=320, elem_id="hs-side"):
            panel = controls.build(
                controls.Choices(availability.tasks(), availability.backbones()),
                handlers.limits(Plan()),
                handlers.stages(Plan()),
                lambda task: form.build(uploads, availability, browser_state, task),
            )
            with gr.Accordion(labels.text("lock.title"), open=False, elem_id="hs-link-box"):
                lock = share_link.build()
                copy = gr.Button(labels.text("controls.copy"), size="sm", elem_id="hs-copy")
        with gr.Column(scale=5, min_width=320):
            chart = race_chart.build()
    row, views = tabs.build(
        {
            "why": explain.build,
            "network": lambda: _draw_overview(handlers, availability),
            "try": lambda: try_picture.build(queue, browser_state),
            "map": lambda: feature_map.build(queue, browser_state),
            "compare": lambda: comparison.build(availability.titles()),
            "take": downloads.build,
            "lesson": _draw_lesson,
            "class": lambda: presenter.build(rooms, uploads, availability, browser_state, panel.task),
        }
    )
    return Layout(
        browser_state, query, title, panel, lock, copy, chart, row, views["network"], views["try"], views["lesson"]
    )


def _draw_overview(handlers: PageHandlers, availability: Availability) -> Overview:
    plan = Plan()
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320):
            network = gr.HTML(handlers.network(plan, "en"), apply_default_css=False, elem_id="hs-network-box")
        with gr.Column(scale=1, min_width=320):
            pictures = gr.HTML(handlers.pictures(plan, "en"), apply_default_css=False, elem_id="hs-pictures-box")
    table = gr.HTML(availability.table(), apply_default_css=False, elem_id="hs-offer-box")
    with gr.Accordion(labels.text("page.about.title"), open=False):
        about = gr.Markdown(handlers.about(plan, "en"))
    return Overview(network, pictures, table, about)


def _draw_lesson() -> gr.HTML:
    """Draw the bets, the steps and the challenge; returns the steps."""
    predictions.build()
    steps = lesson.build()
    lesson.challenge()
    return steps


def connect(page: gr.Blocks, layout: Layout, handlers: PageHandlers) -> None:
    """Connect the events of the components with the handlers."""
    panel, browser_state, chart, about = layout.panel, layout.browser_state, layout.chart, layout.overview.about
    settings, race = [panel.pinned, *panel.inputs], [browser_state, chart]
    costs = [panel.choice, panel.fit]
    previews = [*costs, layout.overview.network, layout.overview.pictures, panel.preset, panel.explanation]
    preview: dict[str, Any] = {"fn": handlers.preview, "inputs": settings, "outputs": previews, **RAW_VALUES}
    cost: dict[str, Any] = {
        "fn": handlers.cost, "inputs": settings, "outputs": costs, "trigger_mode": "always_last", **RAW_VALUES,
    }  # fmt: skip

    on_load = [*race, layout.header, about, layout.overview.table, *panel.inputs, *panel.boxes, layout.tabs, panel.pinned]
    opened = page.load(handlers.enter, browser_state, on_load, **UNQUEUED).then(**preview)
    opened.then(**cost)
    lists = [panel.widgets["task"], panel.widgets["backbone"]]
    opened.then(handlers.refresh, browser_state, [layout.overview.table, *lists], **UNQUEUED)

    panel.start.click(handlers.start, [browser_state, *panel.inputs], race, **RAW_VALUES)
    panel.stop.click(handlers.stop, browser_state, None, **UNQUEUED)
    reset = panel.reset.click(handlers.reset, [browser_state, panel.pinned], [*race, *panel.inputs], **UNQUEUED)
    fit = panel.fit.click(handlers.fit, [browser_state, *settings], panel.inputs, **RAW_VALUES)
    selections = [panel.widgets[name].change for name in ("task", "backbone")]  # type: ignore[attr-defined]
    limits = [panel.widgets["examples_per_class"], panel.widgets["trainable_stages"], about]
    selected = [event(handlers.select, settings, limits, **RAW_VALUES) for event in selections]
    for event in (reset, fit, *selected):
        event.then(**preview).then(**cost)
    gr.on(panel.changes, trigger_mode="always_last", **preview).then(**cost)

    link_inputs = [layout.lock.locked, layout.lock.hidden, layout.lock.view, *panel.inputs]
    copied = layout.copy.click(handlers.link, link_inputs, [layout.query, chart], **UNQUEUED)
    copied.then(None, layout.query, None, js=share_link.copy_script(), **UNQUEUED)
    for component in (layout.tabs, chart):
        component.submit(**layout.try_picture.refresh)
    step = [browser_state, panel.pinned, layout.lesson]
    lesson_set = layout.lesson.submit(handlers.set_lesson_race, step, panel.inputs, **UNQUEUED).then(**preview)
    lesson_set.then(handlers.start_lesson_race, [browser_state, layout.lesson, *panel.inputs], race, **UNQUEUED).then(**cost)
