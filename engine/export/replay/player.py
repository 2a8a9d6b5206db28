"""A recorded race as one HTML file that plays it without a network connection.

The file holds the facts of the race and every sentence in every language as JSON. `player.js` plays the race,
`lib/curves.js` draws the charts.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.data.registry import anonymised
from engine.errors import DataError
from engine.events import Event, RaceStarted
from engine.export.modules import inline_modules
from engine.export.replay.rows import FIELDS, rows
from engine.export.replay.texts import texts
from engine.export.templates import render_inlined_page
from engine.i18n.messages import LANGUAGES, strings, translate
from engine.palette import PAGE_INKS, palette_css
from engine.plan import Plan
from engine.recording import Stamp
from engine.scoreboard import Scoreboard
from engine.workspace import Workspace

FORMAT = 2  # raised where the fields of an event change their names or meanings
HERE = Path(__file__).parent
CURVES = HERE.parent / "lib" / "curves.css"
TILE = 96  # maximum width and height of a shown picture, in pixels
SENTENCES = ("axis.", "card.", "chart.", "headline.", "racer.", "phase.", "replay.")  # messages that player.js uses


def page(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    workspace: Workspace,
    pictures: np.ndarray | None = None,  # (n, side, side, 3) uint8, those of RaceStarted.shown; None = unavailable
    language: str | None = None,
) -> str:
    """The race as an HTML file that plays it. It loads nothing, and its Content-Security-Policy allows only its own script.

    Its language is that of the browser, or `language`. Raises DataError where no race began.
    """
    facts = race_facts(stamp, pairs, workspace, pictures)
    messages = {name: {k: t[name] for k, t in strings().items() if k.startswith(SENTENCES)} for name in LANGUAGES}
    return render_inlined_page(
        HERE / "player.html",
        style=palette_css(PAGE_INKS) + "".join(path.read_text(encoding="utf-8") for path in (CURVES, HERE / "player.css")),
        script=inline_modules(HERE / "player.js"),
        more="img-src data:",
        language=language or "en",
        title=facts["texts"][language or "en"]["title"],
        noscript={name: translate("replay.noscript", name, verdict=facts["texts"][name]["verdict"]) for name in LANGUAGES},
        race=facts,
        words={"forced": language, "messages": messages},
    )


def race_facts(
    stamp: Stamp, pairs: Sequence[tuple[float, Event]], workspace: Workspace, pictures: np.ndarray | None = None
) -> dict[str, Any]:
    """The content of a replay, as a JSON object. Raises DataError where no race began."""
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    started = board.started
    if started is None:
        raise DataError("refusal.export.recording")
    begin = next(t for t, event in pairs if isinstance(event, RaceStarted))
    plan = anonymised(Plan.from_json(started.plan))  # the file may be shared
    return {
        "headstart": FORMAT,
        "stamp": asdict(stamp),
        "seed": plan.seed,
        "epochs": plan.epochs if plan.budget == "epochs" else 0,  # end of the axis; 0 = the last epoch of any racer
        "classes": started.classes,
        "shown": [started.labels[row] for row in started.shown],
        "racers": [racer.name for racer in plan.racers()],
        "length": round(max(t for t, _ in pairs) - begin, 2),
        "fields": {event_type.__name__: ["t", *names] for event_type, names in FIELDS.items()},
        "rows": {event_type.__name__: rows(event_type, pairs, begin) for event_type in FIELDS},
        "pictures": None if pictures is None or not len(pictures) else _sprite(pictures),
        "texts": {name: texts(board, started, plan, stamp, workspace, name) for name in LANGUAGES},
    }


def _sprite(pictures: np.ndarray) -> dict[str, object]:
    """The pictures side by side in one WebP: their count, and the image as a data URI."""
    side = min(TILE, pictures.shape[1])
    sheet = Image.new("RGB", (side * len(pictures), side))
    for k, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (k * side, 0))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=85)
    return {"count": len(pictures), "uri": "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")}
