"""The feature map: the held-out pictures in each racer's feature space, in two dimensions, with their nearest neighbours.

Features and projection come from the engine; `component.js` draws them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from demo import theme
from demo.components import base
from demo.i18n import labels
from demo.markup import Template
from demo.server.race_queue import RaceQueue
from engine import (
    Embedding,
    HeadStartError,
    Ink,
    Progressed,
    Trained,
    messages_under,
    nearest,
    progress_sentence,
    project,
    sample_inputs,
    translate,
)

SCRIPT = Path(__file__).with_suffix(".js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
MAX_HELDOUT, MAX_TRAINING = 600, 1000  # pictures on the map, and candidates for neighbours
NEIGHBOURS = 5  # shown for each picture
# A class has a mark and a colour: the racers' colours and two more with enough contrast on light and dark pages
INKS = (*theme.RACERS.values(), Ink("#4B5563", "#CBD5E1"), Ink("#00717F", "#5ADBE8"))
MARKS = dict(
    zip(("circle", "diamond", "square", "triangle-up", "x", "star", "triangle-down", "cross"), "●◆■▲✖★▼✚", strict=True)
)
EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
QUEUED: dict[str, Any] = {**EVENT, "concurrency_id": "map", "concurrency_limit": 1}
T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True)
class SampledRows:
    """Rows of the pictures that are embedded, in the race's held-out and training pictures."""

    heldout: list[int]
    training: list[int]


def build(queue: RaceQueue, browser_state: gr.BrowserState) -> gr.HTML:
    """Add the map to the current Gradio block. It shows the newest race of the visitor of `browser_state`."""
    handlers = FeatureMap(queue)
    gr.Markdown(f"## {labels.text('map.title')}")  # in its own component, because Gradio translates one label per text
    gr.Markdown(labels.text("map.about"))
    with gr.Row(equal_height=False, elem_id="hs-map-controls"):
        button = gr.Button(labels.text("map.draw"), variant="primary", elem_id="hs-map-draw", scale=0, min_width=220)
    component = base.build("hs-map", SCRIPT, markup, known)
    button.click(handlers.draw, browser_state, component, **QUEUED).failure(handlers.fail, None, component, **EVENT)
    return component


class FeatureMap:
    """The event handlers of the map."""

    def __init__(self, races: RaceQueue) -> None:
        self._races = races

    def draw(self, state: dict[str, str], request: gr.Request) -> Iterator[Json]:
        """Status messages, then the data of the map of the visitor's newest race."""
        language, visitor = labels.language_of(request), state.get("visitor", "")
        races = self._races.kept(visitor)
        trained = self._races.trained(races[0][0], visitor) if races else None
        if trained is None:
            yield {"status": translate("map.empty", language)}
            return
        try:
            yield from self._embed(trained, races[0][1], language)
        except HeadStartError as error:
            yield {"alert": error.translated(language)}

    def fail(self, request: gr.Request) -> Json:
        """The alert for an unexpected error, such as too little memory or features that are not finite."""
        return {"alert": translate("map.failed", labels.language_of(request))}

    def _embed(self, trained: Trained, title: str, language: str) -> Iterator[Json]:
        # With the true labels: the race may have label noise
        plan = replace(trained.plan, label_noise=0.0)
        inputs = yield from _with_status(sample_inputs(plan, self._races.workspace), language)
        pictures = inputs.data
        rows = SampledRows(
            evenly_spaced(len(pictures.heldout), MAX_HELDOUT), evenly_spaced(len(pictures.training), MAX_TRAINING)
        )
        sample = replace(pictures, heldout=pictures.heldout[rows.heldout], training=pictures.training[rows.training])
        embeddings = yield from _with_status(trained.embed(sample), language)
        yield {"status": translate("map.drawing", language)}
        yield map_data(trained, pictures, rows, embeddings, title)


def known(language: str) -> Json:
    """The texts for the script, the racers' names, and the colours and marks of the classes."""
    inks = [{"light": ink.light, "dark": ink.dark} for ink in INKS]
    page = {name: {"light": ink.light, "dark": ink.dark} for name, ink in {"text": theme.TEXT, "grid": theme.GRID}.items()}
    marks = [{"symbol": symbol, "text": text} for symbol, text in MARKS.items()]
    return {
        "words": messages_under("map", language),
        "names": messages_under("racer", language),
        "inks": inks,
        "marks": marks,
        "page": page,
    }


def markup(language: str) -> str:
    """The empty markup; the script fills it."""
    return TEMPLATE.render(language=language, text=messages_under("map", language))


def map_data(trained: Trained, pictures: Any, rows: SampledRows, embeddings: Mapping[str, Embedding], title: str) -> Json:
    """The data of the map as JSON: coordinates and neighbours for each racer, and the labels of the pictures.

    pictures: all of the race, with true labels. embeddings: racer -> features of the pictures in `rows`.
    """
    heldout, training = pictures.heldout_labels.tolist(), pictures.training_labels.tolist()
    return {
        "title": title,
        "task": trained.plan.task,
        "plan": {
            name: getattr(trained.plan, name) for name in ("examples_per_class", "seed", "shuffle_grid", "invert_colors")
        },
        "classes": list(trained.classes),
        "heldout": {"rows": rows.heldout, "labels": [heldout[row] for row in rows.heldout], "all": len(heldout)},
        "training": {"rows": rows.training, "labels": [training[row] for row in rows.training], "all": len(training)},
        "racers": {racer: _coordinates(embedding) for racer, embedding in embeddings.items()},
    }


def _coordinates(embedding: Embedding) -> Json:
    plane = project(embedding.heldout)
    neighbours = [nearest(embedding, row, NEIGHBOURS) for row in range(len(plane))]
    return {
        "x": [float(f"{x:.4g}") for x in plane[:, 0]],
        "y": [float(f"{y:.4g}") for y in plane[:, 1]],
        "near": [[k for k, _ in nearby] for nearby in neighbours],
        "alike": [[round(similarity, 3) for _, similarity in nearby] for nearby in neighbours],
    }


def _with_status(progress: Generator[Progressed, None, T], language: str) -> Generator[Json, None, T]:
    """Turn the progress of some work into status messages; returns the result of the work."""
    while True:
        try:
            event = next(progress)
        except StopIteration as end:
            return end.value
        if event.work == "features":
            name = translate(f"racer.{event.name}", language)
            text = translate("map.working", language, name=name, done=event.done, total=event.total)
        else:
            text = progress_sentence(event, language)
        yield {"status": text}


def evenly_spaced(count: int, maximum: int) -> list[int]:
    """At most `maximum` of `count` rows, evenly spaced, so that every class is included: rows are sorted by class."""
    return [row * count // min(count, maximum) for row in range(min(count, maximum))]
