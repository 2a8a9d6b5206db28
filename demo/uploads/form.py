"""The upload form, with three methods: a zip, pictures class by class from files or the camera, a Hugging Face dataset."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from demo import markup
from demo.i18n import labels
from demo.markup import Template
from demo.uploads.availability import Availability
from demo.uploads.store import UploadLimits, UploadStore
from engine import HeadStartError, Plan, Progressed, datasets_is_installed, fact_sentence, progress_sentence, translate

TEMPLATE = Template(Path(__file__).with_suffix(".html"))
METHODS = ("zip", "classes", "hub")
MIN_PICTURES = 5  # per class, as the hint states
HUB_EXAMPLES = 50  # training pictures per class that are downloaded from the Hub
EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
QUEUED: dict[str, Any] = {**EVENT, "concurrency_id": "own", "concurrency_limit": 1}  # one set is read at a time
Update = dict[str, Any]  # what gr.update and gr.skip return


@dataclass(frozen=True)
class Widgets:
    """The widgets of the form."""

    method: gr.Radio
    panels: list[gr.Column]  # in the order of METHODS; one is shown
    zip_file: gr.File
    class_name: gr.Textbox
    files: gr.File
    camera: gr.Image
    finish: gr.Button
    empty: gr.Button
    hub_name: gr.Textbox
    hub_open: gr.Button
    status: gr.HTML
    forget: gr.Button


def build(uploads: UploadStore, availability: Availability, browser_state: gr.BrowserState, task: gr.Dropdown) -> None:
    """Add the form to the current Gradio block. A new set is selected in `task`; `browser_state` has the visitor's id."""
    connect(draw(), UploadForm(uploads, availability), browser_state, task)


def label_values(limits: UploadLimits) -> dict[str, dict[str, object]]:
    """The values of the placeholders in the form's labels, for `labels.translations`."""
    return {"upload.about": {"limit": limits.sets_each}, "upload.class.hint": {"least": MIN_PICTURES}}


def draw() -> Widgets:
    """Draw the three upload methods, one of them shown."""
    gr.Markdown(labels.text("upload.about"))
    choices = [(labels.text(f"upload.way.{name}"), name) for name in METHODS if name != "hub" or datasets_is_installed()]
    # Not tabs: on a phone Gradio hides all but the first behind three dots
    method = gr.Radio(choices, value="zip", label=labels.text("upload.way"), elem_id="hs-way")
    with gr.Column(elem_classes="hs-way") as zip_panel:
        zip_file = gr.File(label=labels.text("upload.zip"), file_types=[".zip"], elem_id="hs-zip", height=150)
        gr.Markdown(labels.text("upload.zip.hint"))
    with gr.Column(elem_classes="hs-way", visible=False) as class_panel:
        class_name, files, camera = _draw_class()
        with gr.Row():
            finish = gr.Button(labels.text("upload.finish"), variant="primary", size="sm", elem_id="hs-finish")
            empty = gr.Button(labels.text("upload.empty"), size="sm")
    with gr.Column(elem_classes="hs-way", visible=False) as hub_panel:
        label, hint = labels.text("upload.hub"), labels.text("upload.hub.hint")
        hub_name = gr.Textbox(label=label, placeholder=hint, max_length=200, elem_id="hs-hub")
        hub_open = gr.Button(labels.text("upload.hub.open"), size="sm")
    status = gr.HTML("", apply_default_css=False, elem_id="hs-own")
    forget = gr.Button(labels.text("upload.forget"), size="sm", elem_id="hs-forget")
    panels = [zip_panel, class_panel, hub_panel]
    return Widgets(method, panels, zip_file, class_name, files, camera, finish, empty, hub_name, hub_open, status, forget)


def _draw_class() -> tuple[gr.Textbox, gr.File, gr.Image]:
    """The text box for a class name, and the inputs for its pictures: files or the camera."""
    label, hint = labels.text("upload.class"), labels.text("upload.class.hint")
    name = gr.Textbox(label=label, info=hint, max_length=60, elem_id="hs-class")
    label = labels.text("upload.class.files")
    files = gr.File(label=label, file_count="multiple", file_types=["image"], elem_id="hs-files", height=150)
    camera = gr.Image(
        label=labels.text("upload.class.camera"),
        sources=["webcam"],
        webcam_options=gr.WebcamOptions(mirror=False),  # unmirrored, like pictures from files
        type="filepath",
        elem_id="hs-camera",
        height=240,
    )
    return name, files, camera


def connect(form: Widgets, handlers: UploadForm, browser_state: gr.BrowserState, task: gr.Dropdown) -> None:
    """Connect the events of the widgets with the handlers."""
    results = [form.status, task]
    form.method.change(handlers.show_method, form.method, form.panels, queue=False, **EVENT)
    form.hub_open.click(handlers.open_hub, [browser_state, form.hub_name], results, **QUEUED)
    # Handlers that only store the upload do not wait in the queue
    received = form.zip_file.upload(handlers.receive_zip, [browser_state, form.zip_file], None, queue=False, **EVENT)
    received.then(handlers.add_zip, browser_state, results, **QUEUED)
    for widget, event in ((form.files, form.files.upload), (form.camera, form.camera.input)):
        event(handlers.add, [browser_state, form.class_name, widget], [form.status, widget], queue=False, **EVENT)
    form.finish.click(handlers.finish, browser_state, results, **QUEUED)
    form.empty.click(handlers.start_over, browser_state, form.status, **EVENT)
    form.forget.click(handlers.forget, [browser_state, task], results, queue=False, **EVENT)


class UploadForm:
    """The event handlers of the form: they add uploads as a task of the visitor, or return an error message."""

    def __init__(self, uploads: UploadStore, availability: Availability) -> None:
        self._uploads, self._availability = uploads, availability

    def show_method(self, name: str) -> list[Update]:
        """Show the inputs of one upload method and hide the others."""
        return [gr.update(visible=name == method) for method in METHODS]

    def receive_zip(self, state: dict[str, str], path: str | None) -> None:
        """Move an uploaded zip out of Gradio's folder, where it would stay for an hour."""
        if path is not None and (visitor := state.get("visitor")):
            self._uploads.receive_zip(visitor, Path(path))
        elif path is not None:
            _unlink([Path(path)])

    def add_zip(self, state: dict[str, str], request: gr.Request) -> Iterator[tuple[str, Update]]:
        """Read the uploaded zip and select it as the task."""
        yield from self._add_set(state, request, self._uploads.add_zip)

    def open_hub(self, state: dict[str, str], request: gr.Request, name: str) -> Iterator[tuple[str, Update]]:
        """Download a dataset of the Hugging Face Hub and select it as the task."""
        begin = partial(self._uploads.add_hub, name=name.strip(), examples_per_class=HUB_EXAMPLES)
        yield from self._add_set(state, request, begin)

    def add(
        self, state: dict[str, str], request: gr.Request, name: str, paths: list[str] | str | None
    ) -> tuple[str | Update, Update | None]:
        """Add pictures to a class of the draft. Returns the draft as markup, and None to empty the input widget."""
        if not paths:
            return gr.skip(), gr.skip()
        uploaded, visitor = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)], state.get("visitor")
        language = labels.language_of(request)
        try:
            if not visitor:
                return markup.alert(translate("upload.unconnected", language)), None
            if not name.strip():
                return markup.alert(translate("upload.class.unnamed", language)), None
            self._uploads.add_pictures(visitor, name.strip(), uploaded)
        except HeadStartError as error:
            return markup.alert(error.translated(language)), None
        finally:
            _unlink(uploaded)
        return self.draft(visitor, language), None

    def finish(self, state: dict[str, str], request: gr.Request) -> Iterator[tuple[str, Update]]:
        """Add the visitor's draft as a task and select it."""
        language = labels.language_of(request)
        yield from self._add_set(
            state, request, lambda visitor: self._uploads.add_draft(visitor, self._title(visitor, language))
        )

    def start_over(self, state: dict[str, str]) -> str:
        """Delete the visitor's draft."""
        self._uploads.delete_draft(state.get("visitor", ""))
        return ""

    def forget(self, state: dict[str, str], request: gr.Request, task: str) -> tuple[str, Update]:
        """Delete all uploads of this visitor. If one of their sets was selected, the default task is selected instead."""
        visitor = state.get("visitor", "")
        is_own = task in self._uploads.of(visitor)
        self._uploads.forget(visitor)
        language = labels.language_of(request)
        choices, value = self._availability.tasks(language=language), Plan().task if is_own else task
        return markup.status(translate("upload.forgotten", language)), gr.update(choices=choices, value=value)

    def draft(self, visitor: str, language: str) -> str:
        """How many pictures each class of the draft has, as markup."""
        groups = self._uploads.draft(visitor).groups
        lines = [labels.added(len(pictures), name, language) for name, pictures in groups.items()]
        return TEMPLATE.render(is_ready=False, title="", lines=lines)

    def _add_set(
        self, state: dict[str, str], request: gr.Request, begin: Callable[[str], Generator[Progressed, None, str]]
    ) -> Iterator[tuple[str, Update]]:
        """Show the progress of adding a set, then select it as the task, or show why it failed."""
        visitor, language = state.get("visitor"), labels.language_of(request)
        if not visitor:
            yield markup.alert(translate("upload.unconnected", language)), gr.skip()
            return
        try:
            progress = begin(visitor)
            while True:
                yield markup.status(progress_sentence(next(progress), language)), gr.skip()
        except StopIteration as end:
            task = self._uploads.workspace.tasks.find(end.value)
            notes = [fact_sentence(note, language) for note in task.notes]
            ready = TEMPLATE.render(is_ready=True, title=labels.ready(task, language), lines=notes)
            choices = self._availability.tasks(self._uploads.of(visitor), language)
            yield ready, gr.update(choices=choices, value=end.value)
        except HeadStartError as error:
            yield markup.alert(error.translated(language)), gr.skip()

    def _title(self, visitor: str, language: str) -> str:
        """An unused title for the next set made on the page: "Your own pictures 2"."""
        titles = {self._uploads.workspace.tasks.find(name).title for name in self._uploads.of(visitor)}
        first = translate("upload.title", language)
        return next(title for k in count(1) if (title := f"{first} {k}" if k > 1 else first) not in titles)


def _unlink(paths: list[Path]) -> None:
    """Delete uploaded files. Gradio deletes later those that could not be deleted here."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
