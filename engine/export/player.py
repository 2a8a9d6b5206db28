"""A recorded race as one HTML file that plays it again, without a network. Knows events and sentences, no page of ours.

What is drawn stands in the file as JSON: the facts of the race, thinned where a line would not show more of them, and every
sentence in every language. `curves.js` draws, `player.js` plays.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine import backbones, tasks
from engine.errors import DataError, HeadStartError
from engine.events import Answered, Evaluated, Event, Finished, Looked, PhaseStarted, RaceStarted, Stepped
from engine.export.settings import label, title, written
from engine.plan import RIVALS, Plan
from engine.recording import Stamp
from engine.scoreboard import Curve, Scoreboard
from engine.strings import LANGUAGES, say, strings
from engine.telling import detail, network, verdict

FORMAT = 1
HERE = Path(__file__).parent
MOST_POINTS = 150  # a lane of training losses and of rolling estimates each: more are less than a pixel apart
MOST_ANSWERS = 60  # a lane
MOST_NUMBERS, MOST_FILTERS = 4_800, 80_000  # numbers in one look at filters; characters of all looks together
TILE = 96  # the largest side of a shown picture, in pixels
SENTENCES = ("axis.", "card.", "chart.", "headline.", "lane.", "phase.", "replay.")  # what the script says by itself

# What is kept of an event, besides its time
KEPT: Mapping[type[Event], tuple[str, ...]] = {
    Evaluated: ("lane", "epoch", "seconds", "pictures", "correct", "total", "low", "high", "is_exact"),
    Stepped: ("lane", "epoch", "seconds", "pictures", "loss"),
    PhaseStarted: ("lane", "phase"),
    Answered: ("lane", "named", "confidence"),
    Looked: ("lane", "count", "side", "filters"),
    Finished: ("lane", "reason", "epoch", "seconds"),
}
DIGITS = {"low": 4, "high": 4, "loss": 4}  # after the point; 2 for everything else
ALWAYS = ("task", "examples", "seed")  # settings that are listed even where they are the defaults


def page(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    pictures: np.ndarray | None = None,  # (n, side, side, 3) uint8, the ones of RaceStarted.shown; None = not to be had
    language: str | None = None,
) -> str:
    """The race as an HTML file that plays it: nothing is fetched, and no script runs in it but its own.

    It speaks the language of the browser that opens it, or `language`. Raises DataError where no race began.
    """
    facts = told(stamp, pairs, pictures)
    words = {name: {k: t[name] for k, t in strings().items() if k.startswith(SENTENCES)} for name in LANGUAGES}
    return fill(
        "player.html",
        style="".join((HERE / name).read_text(encoding="utf-8") for name in ("curves.css", "player.css")),
        script="".join((HERE / name).read_text(encoding="utf-8") for name in ("curves.js", "player.js")),
        language=language or "en",
        title=escape(facts["texts"][language or "en"]["title"]),
        noscript="".join(
            f'<p lang="{name}">{escape(say("replay.noscript", name, verdict=facts["texts"][name]["verdict"]))}</p>'
            for name in LANGUAGES
        ),
        race=as_json(facts),
        words=as_json({"forced": language, "said": words}),
    )


def fill(template: str, style: str, script: str, **parts: str) -> str:
    """A template of this folder with its `__NAMES__` replaced, under a policy that lets only these work."""
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {**parts, "style": style, "script": script, "policy": policy}
    # In one pass: what was filled in is not looked through again
    text = (HERE / template).read_text(encoding="utf-8")
    return re.sub("__([A-Z]+)__", lambda found: parts[found[1].lower()], text)


def as_json(value: object) -> str:
    """JSON that may stand between script tags: no text in it can end them."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def told(stamp: Stamp, pairs: Sequence[tuple[float, Event]], pictures: np.ndarray | None = None) -> dict[str, Any]:
    """The facts that a replay holds. Raises DataError where no race began."""
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    started = board.started
    if started is None:
        raise DataError("refusal.take.recording")
    begin = next(t for t, event in pairs if isinstance(event, RaceStarted))
    plan = tasks.nameless(Plan.from_json(started.plan))  # others may play the file
    return {
        "headstart": FORMAT,
        "stamp": asdict(stamp),
        "seed": plan.seed,
        "epochs": plan.epochs if plan.budget == "epochs" else 0,  # how far the axis goes; 0 = as far as they came
        "classes": started.classes,
        "shown": [started.labels[row] for row in started.shown],
        "lanes": [lane.name for lane in plan.lanes()],
        "length": round(max(t for t, _ in pairs) - begin, 2),
        "fields": {kind.__name__: ["t", *names] for kind, names in KEPT.items()},
        "rows": {kind.__name__: _rows(kind, pairs, begin) for kind in KEPT},
        "pictures": None if pictures is None or not len(pictures) else _sprite(pictures),
        "texts": {name: _texts(board, started, plan, stamp, name) for name in LANGUAGES},
    }


def _texts(board: Scoreboard, started: RaceStarted, plan: Plan, stamp: Stamp, language: str) -> dict[str, Any]:
    """What is said of this one race, in one language."""
    pretrained = board.curves.get(RIVALS[1], Curve())
    is_all = 0 < pretrained.parameters == pretrained.learning
    extent = "all" if is_all else "head" if plan.learning_stages == 1 else "top"
    learns, short = (say(f"replay.{key}.{extent}", language, count=plan.learning_stages) for key in ("learns", "learning"))
    task = title(plan, language)
    return {
        "title": say("replay.title", language, task=task, examples=plan.examples),
        "names": [task, _backbone(plan)],
        "about": say("replay.about", language, network=network(started.network, language), learns=learns),
        "short": say("gallery.settings", language, examples=plan.examples, learning=short),
        "stamp": say("replay.recorded", language, machine=stamp.machine, seed=plan.seed, date=stamp.date),
        "verdict": verdict(board, language),
        "detail": detail(board, language),
        "settings": _settings(started, plan, short, language),
    }


def _backbone(plan: Plan) -> str:
    """What the network is called."""
    try:
        return backbones.find(plan.backbone).title
    except HeadStartError:
        return plan.backbone


def _settings(started: RaceStarted, plan: Plan, learning: str, language: str) -> list[tuple[str, str]]:
    """What a reader needs to know of the settings: what was raced, and whatever is not the default."""

    def facts(*names: tuple[str, str]) -> list[tuple[str, str]]:
        return [(say(f"replay.settings.{name}", language), value) for name, value in names]

    default = asdict(Plan())
    changed = [
        (label(field.name, language), written(plan, field.name, language))
        for field in fields(Plan)
        if field.name in ALWAYS or getattr(plan, field.name) != default[field.name]
        if field.name not in ("backbone", "learning_stages", "px")  # said below
    ]
    return [
        *facts(("network", network(started.network, language)), ("learning", learning)),
        *changed,
        *facts(
            ("classes", f"{len(started.classes)}"),
            ("training", f"{started.training:,}"),
            ("heldout", f"{started.heldout:,}"),
            ("size", f"{started.px} px"),
            ("machine", f"{started.machine}, {started.precision}"),
        ),
    ]


def _rows(kind: type[Event], pairs: Iterable[tuple[float, Event]], begin: float) -> list[list[object]]:
    """The events of a kind as rows in the order of KEPT, time first; lines are thinned, points are not."""
    lanes: dict[tuple[str, bool], list[tuple[float, Any]]] = {}
    for t, event in pairs:
        if isinstance(event, kind) and not (isinstance(event, Looked) and not event.filters):
            line = isinstance(event, Stepped) or (isinstance(event, Evaluated) and not event.is_exact)
            kept = _first_filters(event) if isinstance(event, Looked) else event
            lanes.setdefault((event.lane, line), []).append((t - begin, kept))  # type: ignore[union-attr]
    if kind is Looked and lanes:
        longest = max(len(event.filters) for found in lanes.values() for _, event in found)
        most = max(2, MOST_FILTERS // (longest * len(lanes)))
        lanes = {key: _thinned(found, most) for key, found in lanes.items()}
    if kind is Answered:
        lanes = {key: _thinned(found, MOST_ANSWERS) for key, found in lanes.items()}
    told = [p for (_, line), found in lanes.items() for p in (_thinned(found, MOST_POINTS) if line else found)]
    told.sort(key=lambda pair: pair[0])
    return [[round(t, 2), *(_short(getattr(event, name), DIGITS.get(name, 2)) for name in KEPT[kind])] for t, event in told]


def _first_filters(event: Looked) -> Looked:
    """This look with fewer filters, where they are large."""
    size = 3 * event.side**2
    count = min(event.count, max(1, MOST_NUMBERS // size))
    if count == event.count:
        return event
    first = base64.b64decode(event.filters)[: count * size]
    return replace(event, count=count, filters=base64.b64encode(first).decode("ascii"))


def _thinned(found: list[Any], most: int) -> list[Any]:
    """At most so many of them, evenly spread; the first and the last stay."""
    if len(found) <= most:
        return found
    return [found[round(k * (len(found) - 1) / (most - 1))] for k in range(most)]


def _short(value: Any, digits: int) -> object:
    """A value as JSON can hold it, with so many digits after the point; what is no number is None."""
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    if isinstance(value, tuple):
        return [_short(part, digits) for part in value]
    return int(value) if isinstance(value, bool) else value


def _sprite(pictures: np.ndarray) -> dict[str, object]:
    """Pictures side by side in one WebP: how many, and the address that holds it."""
    side = min(TILE, pictures.shape[1])
    sheet = Image.new("RGB", (side * len(pictures), side))
    for k, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (k * side, 0))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=85)
    return {"count": len(pictures), "uri": "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")}


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
