"""Try your own picture: predictions and class activation maps of the networks of finished races.

The picture is the visitor's or a held-out one. Predictions come from the engine (`Trained.answer`).
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from demo import markup
from demo.i18n import labels
from demo.markup import Template
from demo.server import zerogpu
from demo.server.race_queue import RaceQueue
from engine import Answer, HeadStartError, Plan, Trained, evaluation_previews, translate

TEMPLATE = Template(Path(__file__).with_suffix(".html"))
HELDOUT = Template(Path(__file__).with_name("heldout.html"))
TOP_CLASSES = 5  # shown, the most probable first
HELDOUT_COUNT = 12  # held-out pictures to choose from
NEWEST, ALL = "", "all"  # values of the list besides a race id: the newest race, and all races of this visit
EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
UNQUEUED: dict[str, Any] = {"queue": False, **EVENT}
QUEUED: dict[str, Any] = {**EVENT, "concurrency_id": "try", "concurrency_limit": 2, "trigger_mode": "always_last"}
# Colours from no to most influence: dark blue, teal, green, yellow; increasing lightness, so that it also works in grey
INKS = np.array([[38, 22, 92], [33, 102, 138], [58, 170, 118], [250, 228, 60]], np.float64)
ALPHA = (90, 165)  # of 255: opacity of the map where the influence is lowest and where it is highest
# A held-out picture is a button: its row is sent to Python, which returns the picture
ON_CLICK = """element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-row]");
  if (button) trigger("click", { row: Number(button.dataset.row) });
});"""


@dataclass(frozen=True)
class Widgets:
    """The widgets that the page uses. `refresh` updates `race` and `heldout` after a race has ended."""

    race: gr.Dropdown
    image: gr.Image
    heldout: gr.HTML
    refresh: dict[str, Any]  # keyword arguments of an event: fn, inputs, outputs, …


def build(queue: RaceQueue, browser_state: gr.BrowserState) -> Widgets:
    """Add the view to the current Gradio block. It uses only races of the visitor of `browser_state`."""
    with gr.Column(elem_classes="hs-try"):
        gr.Markdown(
            f"## {labels.text('try_picture.title')}"
        )  # in its own component, because Gradio translates one label per text
        gr.Markdown(labels.text("try_picture.about"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                race = gr.Dropdown(_choices([]), value=NEWEST, label=labels.text("try_picture.race"), elem_id="hs-try-race")
                image = gr.Image(
                    label=labels.text("try_picture.image"),
                    sources=["upload", "webcam", "clipboard"],
                    webcam_options=gr.WebcamOptions(mirror=False),  # as others see it: text stays readable
                    type="numpy",
                    format="png",  # lossless, unlike Gradio's default
                    height=260,
                    buttons=[],
                    elem_id="hs-try-image",
                )
                heldout = gr.HTML(
                    html_template="${value || ''}",
                    js_on_load=ON_CLICK,
                    apply_default_css=False,
                    padding=False,
                    elem_id="hs-try-heldout",
                )
                other = gr.Button(labels.text("try_picture.other"), size="sm", elem_id="hs-try-other")
            with gr.Column(scale=5, min_width=300):
                gr.Checkbox(
                    True, label=labels.text("try_picture.map"), container=False, interactive=True, elem_id="hs-try-map"
                )
                result = gr.HTML("", apply_default_css=False, padding=False, elem_id="hs-try-said")

    handlers = TryPicture(queue)
    predicting: dict[str, Any] = {"fn": handlers.answer, "inputs": [browser_state, race, image], "outputs": result, **QUEUED}
    refreshing: dict[str, Any] = {
        "fn": handlers.refresh,
        "inputs": [browser_state, race],
        "outputs": [race, heldout],
        **UNQUEUED,
    }
    gr.on([image.change, race.input], **predicting).failure(handlers.fail, None, result, **UNQUEUED)
    race.input(**refreshing)
    other.click(**refreshing)
    heldout.click(handlers.pick, [browser_state, race], image, **UNQUEUED)
    return Widgets(race, image, heldout, refreshing)


class TryPicture:
    """The event handlers of the view."""

    def __init__(self, races: RaceQueue) -> None:
        self._races = races

    def refresh(self, state: dict[str, str], selection: str, request: gr.Request) -> tuple[Any, str]:
        """The list of the visitor's races, and some held-out pictures, or a message if there is no race."""
        language, visitor = labels.language_of(request), state.get("visitor", "")
        races = self._races.kept(visitor)
        value = selection if selection in (ALL, *(race_id for race_id, _ in races)) else NEWEST
        selected = self._selected(visitor, value)
        pictures = self._heldout(selected[0][1], language) if selected else _note(translate("try_picture.empty", language))
        return gr.update(choices=_choices(races), value=value), pictures

    def pick(self, state: dict[str, str], selection: str, event: gr.EventData) -> Any:
        """The held-out picture whose button was clicked, without corruptions."""
        selected = self._selected(state.get("visitor", ""), selection)
        if not selected:
            return gr.skip()
        try:
            trained, row = selected[0][1], int(event.row)
            size = trained.preprocessing.image_size
            return evaluation_previews(_without_corruptions(trained.plan), self._races.workspace, "heldout", [row], size)[0]
        except HeadStartError:  # its pictures were deleted meanwhile
            return gr.skip()

    def answer(
        self, state: dict[str, str], selection: str, picture: np.ndarray | None, request: gr.Request
    ) -> Iterator[str]:
        """The predictions of all racers of the selected races, as markup; first a status message."""
        language = labels.language_of(request)
        selected = self._selected(state.get("visitor", ""), selection)
        if not selected or picture is None:
            yield _note(translate("try_picture.empty" if not selected else "try_picture.waiting", language))
            return
        yield _note(translate("try_picture.looking", language))
        try:
            races = [
                (title, trained.classes, zerogpu.call_with_gradients(trained.answer, picture)) for title, trained in selected
            ]
        except HeadStartError as error:
            yield markup.alert(translate("try_picture.unreadable", language, why=error.message))
            return
        yield show(races, any(trained.preprocessing.patch_order is not None for _, trained in selected), language)

    def fail(self, request: gr.Request) -> str:
        """The alert for a file that is not a picture."""
        return markup.alert(translate("try_picture.damaged", labels.language_of(request)))

    def _selected(self, visitor: str, selection: str) -> list[tuple[str, Trained]]:
        """(title, networks) of the selected races; races whose networks were deleted are left out."""
        races = self._races.kept(visitor)
        if selection == NEWEST:
            races = races[:1]
        elif selection != ALL:
            races = [race for race in races if race[0] == selection]
        networks = [(title, self._races.trained(race_id, visitor)) for race_id, title in races]
        return [(title, trained) for title, trained in networks if trained is not None]

    def _heldout(self, trained: Trained, language: str) -> str:
        """Buttons with randomly sampled held-out pictures; "" if the pictures were deleted."""
        try:
            count = self._races.workspace.tasks.find(trained.plan.task).heldout
            rows = sorted(random.sample(range(count), min(HELDOUT_COUNT, count)))
            pictures = evaluation_previews(_without_corruptions(trained.plan), self._races.workspace, "heldout", rows)
        except HeadStartError:
            return ""
        buttons = [(row, _data_uri(picture)) for row, picture in zip(rows, pictures, strict=True)]
        return HELDOUT.render(translate=partial(translate, language=language), pictures=buttons)


def show(races: Sequence[tuple[str, Sequence[str], Mapping[str, Answer]]], is_shuffled: bool, language: str) -> str:
    """Predictions as markup: for each racer its input, its class activation map, and its most probable classes.

    races: (title, classes, racer -> answer) of each race. is_shuffled: whether any race shuffles patches.
    """
    return TEMPLATE.render(
        translate=partial(translate, language=language),
        language=language,
        percent=percent,
        inks=",".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in INKS),
        races=[
            (title, [_racer(racer, answer, classes) for racer, answer in answers.items()])
            for title, classes, answers in races
        ],
        is_shuffled=is_shuffled,
    )


def colour_map(influence: np.ndarray) -> np.ndarray:
    """A class activation map, (H, W) in 0..1, as an RGBA overlay, (H, W, 4) uint8; opacity grows with the influence."""
    steps = np.linspace(0, 1, len(INKS))
    inks = [np.interp(influence, steps, INKS[:, k]) for k in range(3)]
    return np.stack([*inks, np.interp(influence, [0, 1], ALPHA)], -1).round().astype(np.uint8)


def percent(share: float) -> str:
    """A share as whole percent; "< 1 %" for a small share above zero."""
    return "< 1 %" if 0 < share < 0.005 else labels.percent(share)


def _racer(racer: str, answer: Answer, classes: Sequence[str]) -> dict[str, object]:
    """The values of one racer for the template; no bars if its weights diverged."""
    most_probable = sorted(range(len(classes)), key=lambda k: -answer.probabilities[k])[:TOP_CLASSES]
    return {
        "racer": racer,
        "image_size": len(answer.seen),
        "seen": _data_uri(answer.seen),
        "map": _data_uri(colour_map(answer.map)),
        "has_map": answer.map.any(),
        "name": classes[answer.class_index],
        "share": answer.probabilities[answer.class_index],
        "bars": [(classes[k], answer.probabilities[k]) for k in most_probable] if any(answer.probabilities) else [],
    }


def _data_uri(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "webp", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _note(text: str) -> str:
    return markup.status(text, "hs-try-empty")


def _choices(races: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    several = [(labels.text("try_picture.all"), ALL)] if len(races) > 1 else []
    return [(labels.text("try_picture.newest"), NEWEST), *several, *((title, race_id) for race_id, title in races)]


def _without_corruptions(plan: Plan) -> Plan:
    """The plan without corruptions of pictures, because `Trained.answer` applies them."""
    return replace(plan, shuffle_grid=1, invert_colors=False)
