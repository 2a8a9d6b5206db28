"""The place for pictures of one's own: a zip, or one class at a time from files or the camera. Starts no race."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import words
from demo.offer import Offer
from demo.shelf import CLASSES, EACH, Shelf
from engine import HeadStartError, Progressed, find_task, hub_is_installed

LEAST = 5  # pictures of a class
HUB_EXAMPLES = 50  # training pictures a class that are fetched of a set of the Hub
ASK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build(shelf: Shelf, offer: Offer, kept: gr.BrowserState, task: gr.Dropdown) -> None:
    """Draw it where the caller stands. A finished set is picked in `task`; `kept` names the visitor."""
    gr.Markdown(words.OWN_ABOUT.format(limit=EACH))
    ways = [way for way in words.OWN_WAYS.items() if way[0] != "hub" or hub_is_installed()]
    # Not tabs: on a phone Gradio hides all but the first behind three dots
    way = gr.Radio([(title, name) for name, title in ways], value="zip", label=words.OWN_WAY, elem_id="hs-way")
    with gr.Column(elem_classes="hs-way") as zip_way:
        zipped = gr.File(label=words.ZIP, file_types=[".zip"], elem_id="hs-zip", height=150)
        gr.Markdown(words.ZIP_HINT)
    with gr.Column(elem_classes="hs-way", visible=False) as class_way:
        label = words.CLASS_HINT.format(least=LEAST)
        kind = gr.Textbox(label=words.CLASS_NAME, info=label, max_length=60, elem_id="hs-class")
        files = gr.File(label=words.FILES, file_count="multiple", file_types=["image"], elem_id="hs-files", height=150)
        camera = gr.Image(label=words.CAMERA, sources=["webcam"], type="filepath", elem_id="hs-camera", height=240)
        with gr.Row():
            finish = gr.Button(words.FINISH, variant="primary", size="sm", elem_id="hs-finish")
            empty = gr.Button(words.EMPTY, size="sm")
    with gr.Column(elem_classes="hs-way", visible=False) as hub_way:
        hub_name = gr.Textbox(label=words.HUB, placeholder=words.HUB_HINT, max_length=200, elem_id="hs-hub")
        opened = gr.Button(words.HUB_OPEN, size="sm")
    status = gr.HTML("", apply_default_css=False, elem_id="hs-own")

    def take_zip(state: dict[str, str], path: str | None) -> Iterator[tuple[Any, ...]]:
        """Look through an uploaded zip and pick it as the task, or say what is wrong with it."""
        if path is None:
            return
        work = shelf.add_zip(state["visitor"], Path(path), Path(path).stem)
        yield from _follow(work, state)

    def put(state: dict[str, str], name: str, paths: list[str] | str | None) -> tuple[Any, ...]:
        """Add pictures to the class that is named."""
        if not paths:
            return gr.skip(), gr.skip()
        if not name.strip():
            return _alert(words.NAME_FIRST), None
        chosen = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]
        try:
            shelf.put(state["visitor"], name.strip(), [(path.name, path.read_bytes()) for path in chosen])
        except HeadStartError as error:
            return _alert(str(error)), None
        return _draft(shelf, state), None

    def race_on(state: dict[str, str]) -> Iterator[tuple[Any, ...]]:
        """Make the set that was put together the task."""
        yield from _follow(shelf.finish(state["visitor"], words.OWN), state)

    def start_over(state: dict[str, str]) -> str:
        shelf.clear(state["visitor"])
        return ""

    def _follow(work: Generator[Progressed, None, str], state: dict[str, str]) -> Iterator[tuple[Any, ...]]:
        try:
            while True:
                yield f'<p role="status">{escape(words.progress(next(work)))}</p>', gr.skip()
        except StopIteration as end:
            found = find_task(end.value)
            notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
            said = f'<p role="status"><b>{escape(words.ready(found))}</b></p><ul>{notes}</ul>'
            yield said, gr.update(choices=offer.tasks(shelf.of(state["visitor"])), value=end.value)
        except HeadStartError as error:
            yield _alert(str(error)), gr.skip()

    def open_hub(state: dict[str, str], name: str) -> Iterator[tuple[Any, ...]]:
        """Fetch a set of the Hugging Face Hub."""
        yield from _follow(shelf.add_hub(state["visitor"], name.strip(), HUB_EXAMPLES), state)

    def show(name: str) -> list[Any]:
        return [gr.update(visible=name == each) for each in words.OWN_WAYS]

    way.change(show, way, [zip_way, class_way, hub_way], queue=False, **ASK)
    opened.click(open_hub, [kept, hub_name], [status, task], **ASK)
    zipped.upload(take_zip, [kept, zipped], [status, task], **ASK)
    files.upload(put, [kept, kind, files], [status, files], **ASK)
    camera.input(put, [kept, kind, camera], [status, camera], **ASK)
    finish.click(race_on, kept, [status, task], **ASK)
    empty.click(start_over, kept, status, **ASK)


def _alert(text: str) -> str:
    return f'<p class="hs-alert" role="alert">{escape(text)}</p>'


def _draft(shelf: Shelf, state: dict[str, str]) -> str:
    groups = shelf.draft(state["visitor"]).groups
    lines = "".join(f"<li>{escape(words.added(len(pictures), name))}</li>" for name, pictures in groups.items())
    return f'<ul role="status" data-classes="{min(len(groups), CLASSES)}">{lines}</ul>'
