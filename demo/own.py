"""The place for pictures of one's own: a zip, or one class at a time from files or the camera. Starts no race."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from demo import words
from demo.offer import Offer
from demo.shelf import CLASSES, EACH, Shelf
from engine import HeadStartError, Plan, Progressed, find_task, hub_is_installed, say, say_fact, say_progress

WAYS = ("zip", "classes", "hub")
LEAST = 5  # pictures of a class
HUB_EXAMPLES = 50  # training pictures a class that are fetched of a set of the Hub
ASK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WORK: dict[str, Any] = {**ASK, "concurrency_id": "own", "concurrency_limit": 1}  # one set is looked through at a time


def build(shelf: Shelf, offer: Offer, kept: gr.BrowserState, task: gr.Dropdown) -> None:
    """Draw it where the caller stands. A finished set is picked in `task`; `kept` names the visitor."""
    gr.Markdown(words.text("own.about", limit=EACH))
    ways = [(words.text(f"own.way.{name}"), name) for name in WAYS if name != "hub" or hub_is_installed()]
    # Not tabs: on a phone Gradio hides all but the first behind three dots
    way = gr.Radio(ways, value="zip", label=words.text("own.way"), elem_id="hs-way")
    with gr.Column(elem_classes="hs-way") as zip_way:
        zipped = gr.File(label=words.text("own.zip"), file_types=[".zip"], elem_id="hs-zip", height=150)
        gr.Markdown(words.text("own.zip.hint"))
    with gr.Column(elem_classes="hs-way", visible=False) as class_way:
        label, hint = words.text("own.class"), words.text("own.class.hint", least=LEAST)
        kind = gr.Textbox(label=label, info=hint, max_length=60, elem_id="hs-class")
        label = words.text("own.class.files")
        files = gr.File(label=label, file_count="multiple", file_types=["image"], elem_id="hs-files", height=150)
        label = words.text("own.class.camera")
        camera = gr.Image(label=label, sources=["webcam"], type="filepath", elem_id="hs-camera", height=240)
        with gr.Row():
            finish = gr.Button(words.text("own.finish"), variant="primary", size="sm", elem_id="hs-finish")
            empty = gr.Button(words.text("own.empty"), size="sm")
    with gr.Column(elem_classes="hs-way", visible=False) as hub_way:
        label, hint = words.text("own.hub"), words.text("own.hub.hint")
        hub_name = gr.Textbox(label=label, placeholder=hint, max_length=200, elem_id="hs-hub")
        opened = gr.Button(words.text("own.hub.open"), size="sm")
    status = gr.HTML("", apply_default_css=False, elem_id="hs-own")
    forget = gr.Button(words.text("own.forget"), size="sm", elem_id="hs-forget")

    def bring(state: dict[str, str], path: str | None) -> None:
        """Move an uploaded zip away from Gradio, which would keep it for an hour."""
        if path is not None and (visitor := state.get("visitor")):
            shelf.bring(visitor, Path(path))
        elif path is not None:
            _unlink([Path(path)])

    def take_zip(state: dict[str, str], request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Look through an uploaded zip and pick it as the task, or say what is wrong with it."""
        yield from _follow(state, request, shelf.add_zip)

    def put(state: dict[str, str], request: gr.Request, name: str, paths: list[str] | str | None) -> tuple[Any, ...]:
        """Add pictures to the class that is named."""
        if not paths:
            return gr.skip(), gr.skip()
        chosen, visitor = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)], state.get("visitor")
        language = words.language_of(request)
        try:
            if not visitor:
                return _alert(say("own.unconnected", language)), None
            if not name.strip():
                return _alert(say("own.class.unnamed", language)), None
            shelf.put(visitor, name.strip(), chosen)
        except HeadStartError as error:
            return _alert(error.said(language)), None
        finally:
            _unlink(chosen)
        return _draft(shelf, visitor, language), None

    def race_on(state: dict[str, str], request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Make the set that was put together the task."""
        language = words.language_of(request)
        yield from _follow(state, request, lambda visitor: shelf.finish(visitor, _title(shelf, visitor, language)))

    def start_over(state: dict[str, str]) -> str:
        shelf.clear(state.get("visitor", ""))
        return ""

    def forget_all(state: dict[str, str], request: gr.Request, picked: str) -> tuple[Any, ...]:
        """Delete everything this visitor brought; a set of hers that is picked gives way to the default."""
        visitor = state.get("visitor", "")
        is_hers = picked in shelf.of(visitor)
        shelf.forget(visitor)
        language = words.language_of(request)
        choices, value = offer.tasks(language=language), Plan().task if is_hers else picked
        return _status(say("own.forgotten", language)), gr.update(choices=choices, value=value)

    def _follow(
        state: dict[str, str], request: gr.Request, begin: Callable[[str], Generator[Progressed, None, str]]
    ) -> Iterator[tuple[Any, ...]]:
        visitor, language = state.get("visitor"), words.language_of(request)
        if not visitor:
            yield _alert(say("own.unconnected", language)), gr.skip()
            return
        try:
            work = begin(visitor)
            while True:
                yield _status(say_progress(next(work), language)), gr.skip()
        except StopIteration as end:
            found = find_task(end.value)
            notes = "".join(f"<li>{escape(say_fact(note, language))}</li>" for note in found.notes)
            told = f'<p role="status"><b>{escape(words.ready(found, language))}</b></p><ul>{notes}</ul>'
            yield told, gr.update(choices=offer.tasks(shelf.of(visitor), language), value=end.value)
        except HeadStartError as error:
            yield _alert(error.said(language)), gr.skip()

    def open_hub(state: dict[str, str], request: gr.Request, name: str) -> Iterator[tuple[Any, ...]]:
        """Fetch a set of the Hugging Face Hub."""
        yield from _follow(state, request, lambda visitor: shelf.add_hub(visitor, name.strip(), HUB_EXAMPLES))

    def show(name: str) -> list[Any]:
        return [gr.update(visible=name == each) for each in WAYS]

    way.change(show, way, [zip_way, class_way, hub_way], queue=False, **ASK)
    opened.click(open_hub, [kept, hub_name], [status, task], **WORK)
    # What only takes the upload does not wait in the queue
    zipped.upload(bring, [kept, zipped], None, queue=False, **ASK).then(take_zip, kept, [status, task], **WORK)
    files.upload(put, [kept, kind, files], [status, files], queue=False, **ASK)
    camera.input(put, [kept, kind, camera], [status, camera], queue=False, **ASK)
    finish.click(race_on, kept, [status, task], **WORK)
    empty.click(start_over, kept, status, **ASK)
    forget.click(forget_all, [kept, task], [status, task], queue=False, **ASK)


def _alert(text: str) -> str:
    return f'<p class="hs-alert" role="alert">{escape(text)}</p>'


def _status(text: str) -> str:
    return f'<p role="status">{escape(text)}</p>'


def _unlink(paths: list[Path]) -> None:
    """Delete uploads that were read; Gradio deletes what stays, later."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _title(shelf: Shelf, visitor: str, language: str) -> str:
    """What the next set put together on the page is called: "Your own pictures 2"."""
    taken = {find_task(name).title for name in shelf.of(visitor)}
    first = say("own.title", language)
    return next(title for k in count(1) if (title := f"{first} {k}" if k > 1 else first) not in taken)


def _draft(shelf: Shelf, visitor: str, language: str) -> str:
    groups = shelf.draft(visitor).groups
    lines = "".join(f"<li>{escape(words.added(len(pictures), name, language))}</li>" for name, pictures in groups.items())
    return f'<ul role="status" data-classes="{min(len(groups), CLASSES)}">{lines}</ul>'
