"""The map of features: where both racers' networks put the held-out pictures, and which training pictures lie nearest.

Knows no network: features come from the engine, and `embedding.js` draws what is told here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from demo import look, part, words
from demo.hub import Hub
from engine import (
    Embedding,
    HeadStartError,
    Progressed,
    Trained,
    draw,
    map_methods,
    nearest,
    project,
    said,
    say,
    say_progress,
)

SCRIPT = Path(__file__).with_suffix(".js")
HELDOUT, TRAINING = 600, 1000  # pictures on the map, and those among which neighbours are sought, at most
NEAR = 5  # neighbours shown
# A class is told by its mark, and by its colour as well; the racers' inks and two more, so that both pages have contrast
INKS = (*look.LANES.values(), look.Ink("#4B5563", "#CBD5E1"), look.Ink("#00717F", "#5ADBE8"))
MARKS = dict(
    zip(("circle", "diamond", "square", "triangle-up", "x", "star", "triangle-down", "cross"), "●◆■▲✖★▼✚", strict=True)
)
ASK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WORK: dict[str, Any] = {**ASK, "concurrency_id": "map", "concurrency_limit": 1}
T = TypeVar("T")
Told = dict[str, Any]  # JSON


@dataclass(frozen=True)
class Few:
    """The pictures on a map and those sought among, by their row in the race."""

    heldout: list[int]
    training: list[int]


def build(hub: Hub, kept: gr.BrowserState) -> gr.HTML:
    """Draw it where the caller stands. `kept` names the visitor; the race of hers that ended last is drawn."""
    gr.Markdown(f"## {words.text('map.title')}\n\n{words.text('map.about')}")
    with gr.Row(equal_height=False, elem_id="hs-map-controls"):
        there = [(words.text(f"map.{name}"), name) for name in map_methods()]
        method = gr.Radio(
            there, value="pca", label=words.text("map.method"), visible=len(there) > 1, elem_id="hs-map-method"
        )
        button = gr.Button(words.text("map.draw"), variant="primary", elem_id="hs-map-draw", scale=0, min_width=220)
    shown = part.build("hs-map", SCRIPT, markup, known)

    def drawn(state: dict[str, str], method: str, request: gr.Request) -> Iterator[Told]:
        """What the script draws, after sentences on how far it has come."""
        language, visitor = words.language_of(request), state.get("visitor", "")
        races = hub.kept(visitor)
        trained = hub.trained(races[0][0], visitor) if races else None
        if trained is None:
            yield {"status": say("map.empty", language)}
            return
        try:
            yield from _work(trained, races[0][1], method, language)
        except HeadStartError as error:
            yield {"alert": error.said(language)}

    def failed(request: gr.Request) -> Told:
        """What is said where memory ran out, or the features are no numbers: the server's log says more."""
        return {"alert": say("map.failed", words.language_of(request))}

    button.click(drawn, [kept, method], shown, **WORK).failure(failed, None, shown, **ASK)
    return shown


def known(language: str) -> Told:
    """What the script is told: its sentences, the racers' names, the classes' colours and marks."""
    inks = [{"light": ink.light, "dark": ink.dark} for ink in INKS]
    page = {name: {"light": ink.light, "dark": ink.dark} for name, ink in {"text": look.TEXT, "grid": look.GRID}.items()}
    marks = [{"symbol": symbol, "text": text} for symbol, text in MARKS.items()]
    return {"words": said("map", language), "names": said("lane", language), "inks": inks, "marks": marks, "page": page}


def markup(language: str) -> str:
    """The empty frame in one language; the script fills it."""
    text = {key: escape(sentence) for key, sentence in said("map", language).items()}
    return f"""<div class="hs-map" lang="{language}">
<p class="hs-alert" role="alert"></p>
<p class="hs-map-status" role="status">{text["waiting"]}</p>
<div class="hs-map-full" hidden>
<h3 class="hs-map-title"></h3>
<p class="hs-map-count"></p>
<ul class="hs-map-key" aria-label="{text["classes"]}"></ul>
<div class="hs-map-lanes"></div>
<p>{text["axes"]}</p>
<div class="hs-map-pick" role="group" aria-label="{text["pick"]}">
<button type="button" data-step="-1">← {text["previous"]}</button>
<label>{text["picture"]} <input type="number" min="1" value="1" inputmode="numeric"></label>
<button type="button" data-step="1">{text["next"]} →</button>
</div>
<div class="hs-map-near" aria-live="polite"></div>
</div>
</div>"""


def facts(trained: Trained, pictures: Any, few: Few, found: Mapping[str, Embedding], method: str, title: str) -> Told:
    """Everything the script draws, as JSON: places and neighbours in each network's features, and whose picture is whose.

    `pictures` are those of the race (engine.draw); `found` is what Trained.embed returned for the few of them.
    """
    heldout, training = pictures.heldout_labels.tolist(), pictures.training_labels.tolist()
    return {
        "title": title,
        "method": method,
        "task": trained.plan.task,
        "plan": {name: getattr(trained.plan, name) for name in ("examples", "seed", "patches", "inverted")},
        "classes": list(trained.classes),
        "heldout": {"rows": few.heldout, "labels": [heldout[row] for row in few.heldout], "all": len(heldout)},
        "training": {"rows": few.training, "labels": [training[row] for row in few.training], "all": len(training)},
        "lanes": {lane: _placed(embedding, method) for lane, embedding in found.items()},
    }


def _placed(embedding: Embedding, method: str) -> Told:
    plane = project(embedding.heldout, method)
    near = [nearest(embedding, row, NEAR) for row in range(len(plane))]
    return {
        "x": [float(f"{x:.4g}") for x in plane[:, 0]],
        "y": [float(f"{y:.4g}") for y in plane[:, 1]],
        "near": [[k for k, _ in one] for one in near],
        "alike": [[round(share, 3) for _, share in one] for one in near],
    }


def _work(trained: Trained, title: str, method: str, language: str) -> Iterator[Told]:
    # With their own names: a race may have shuffled the labels
    pictures = yield from _telling(draw(replace(trained.plan, label_noise=0.0)), language)
    few = Few(_spread(len(pictures.heldout), HELDOUT), _spread(len(pictures.training), TRAINING))
    chosen = replace(pictures, heldout=pictures.heldout[few.heldout], training=pictures.training[few.training])
    found = yield from _telling(trained.embed(chosen), language)
    yield {"status": say(f"map.working.{method}", language)}
    yield facts(trained, pictures, few, found, method, title)


def _telling(work: Generator[Progressed, None, T], language: str) -> Generator[Told, None, T]:
    """Say how far this work has come, and return what it made."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            return end.value
        if event.work == "features":
            name = say(f"lane.{event.name}", language)
            text = say("map.working", language, name=name, done=event.done, total=event.total)
        else:
            text = say_progress(event, language)
        yield {"status": text}


def _spread(count: int, most: int) -> list[int]:
    """So many rows of `count`, evenly spread over them: pictures stand class by class."""
    return [row * count // min(count, most) for row in range(min(count, most))]
