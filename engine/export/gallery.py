"""A folder of replays as one static page that lists them. Knows files and what a replay says of itself; runs no race.

The folder can be opened as it is, put on any web server, or pushed as a static Space.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from engine.errors import DataError, HeadStartError
from engine.events import RaceStarted
from engine.export.player import FORMAT, HERE, as_json, fill, page
from engine.plan import LANES, Plan
from engine.recording import replay
from engine.strings import LANGUAGES, said, say

INDEX, README = "index.html", "README.md"
GENERATOR = '<meta name="generator" content="Head Start gallery">'  # as gallery.html says it: only such a page is replaced
MADE = "<!-- Made by `python -m engine gallery`. Without this line it is left as it is. -->"
LARGEST = 5_000_000  # bytes of a replay; ours are a tenth of that
WIDTH, HEIGHT, EDGE = 320, 150, 6  # of the small picture of the curves
DASHES = {"scratch": "6 3", "random": "2 3", "frozen": "10 4", "top": "8 3 2 3", "all": "12 3 3 3"}  # as curves.js has them
# What a file that was not made by us, or is damaged, makes of reading it as one of ours
DAMAGED = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)
Pictures = Callable[[Plan, tuple[int, ...]], np.ndarray | None]  # rows of held-out pictures -> (n, side, side, 3) uint8


@dataclass(frozen=True)
class Gallery:
    """What became of a folder: its page, how many races are on it, and a sentence for each file that is not."""

    index: Path
    races: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """What a replay says of itself."""

    file: str
    date: str
    classes: int
    points: dict[str, list[tuple[float, float]]]  # a lane: epochs and share right, of its exact points
    texts: dict[str, dict[str, Any]]  # a language: title, verdict … as player.told writes them


def gallery(
    folder: Path,
    title: str | None = None,
    language: str | None = None,
    pictures: Pictures | None = None,
    licence: str = "cc0-1.0",
) -> Gallery:
    """Make `index.html` and a static Space's `README.md` in a folder of replays (.html) and recordings (.jsonl).

    A recording is made into a replay beside it, unless a newer one is there; `pictures` looks up the ones it shows.
    Files that cannot be read are left out, and said. Raises DataError where there is no such folder, or where it holds an
    `index.html` that is not a gallery's.
    """
    if not folder.is_dir():
        raise DataError("refusal.gallery.folder", folder=folder)
    index = folder / INDEX
    if index.exists() and GENERATOR not in index.read_text(encoding="utf-8", errors="replace"):
        raise DataError("refusal.gallery.index", index=index)
    notes: list[str] = []
    cards: list[Card] = []
    for path in sorted(folder.glob("*.jsonl")):
        with _leaving_out(path, notes):
            _bring(path, language, pictures)
    for path in sorted(folder.glob("*.html")):
        if path.name != INDEX:
            with _leaving_out(path, notes):
                cards.append(read(path))
    cards.sort(key=lambda card: card.file)
    cards.sort(key=lambda card: card.date, reverse=True)
    index.write_text(_index(cards, title, language), encoding="utf-8")
    readme = folder / README
    if not readme.exists() or MADE in readme.read_text(encoding="utf-8", errors="replace"):
        readme.write_text(_readme(title, language or "en", licence), encoding="utf-8")
    else:
        notes.append(f"{README} is somebody's own and is left as it is; a static Space needs `sdk: static` at its top")
    return Gallery(index, len(cards), tuple(notes))


@contextmanager
def _leaving_out(path: Path, notes: list[str]) -> Iterator[None]:
    """Go on where this file cannot be used, with a note why."""
    try:
        yield
    except HeadStartError as error:
        why = str(error)
    except OSError as error:
        why = say("refusal.gallery.unreadable", error=error.strerror or error)
    except DAMAGED:
        why = say("refusal.gallery.damaged")
    else:
        return
    notes.append(f"{path.name} is left out: {why}")


def _bring(path: Path, language: str | None, pictures: Pictures | None) -> None:
    """Make a recording into a replay beside it, unless a newer one is there."""
    made = path.with_suffix(".html")
    if made.exists():
        if made.name == INDEX:
            raise DataError("refusal.gallery.name", index=INDEX)
        read(made)  # whatever else has that name is not written over
        if made.stat().st_mtime >= path.stat().st_mtime:
            return
    stamp, pairs = replay(path)
    started = next((event for _, event in pairs if isinstance(event, RaceStarted)), None)
    shown = pictures(Plan.from_json(started.plan), started.shown) if pictures and started else None
    made.write_bytes(page(stamp, pairs, shown, language).encode())  # whole or not at all, where a text is none


def read(path: Path) -> Card:
    """What a replay says of itself. Raises DataError where it is none, or damaged."""
    if path.stat().st_size > LARGEST:
        raise DataError("refusal.gallery.large", most=LARGEST / 1e6)
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r'<script type="application/json" id="race">(.*?)</script>', text, re.DOTALL)
    if not found:
        raise DataError("refusal.gallery.other")
    try:
        facts = json.loads(found[1])
        if facts["headstart"] != FORMAT:
            raise DataError("refusal.gallery.format", given=repr(facts["headstart"]), format=FORMAT)
        return _card(path.name, facts)
    except DAMAGED:
        raise DataError("refusal.gallery.damaged") from None


def _card(file: str, facts: Any) -> Card:
    """The facts of a replay, each of the kind it must be. Raises ValueError, KeyError or TypeError where one is not."""
    fields = facts["fields"]["Evaluated"]
    points: dict[str, list[tuple[float, float]]] = {lane: [] for lane in facts["lanes"] if lane in LANES}
    for values in facts["rows"]["Evaluated"]:
        row = dict(zip(fields, values, strict=True))
        if row["is_exact"]:
            epoch, share = float(row["epoch"]), row["correct"] / row["total"]
            if not (math.isfinite(epoch) and epoch >= 0 and 0 <= share <= 1):
                raise ValueError("a point outside the chart")
            points[row["lane"]].append((epoch, share))
    texts = {name: facts["texts"][name] for name in LANGUAGES}
    for told in texts.values():
        parts = [told["title"], told["short"], told["verdict"], told["stamp"], *told["names"]]
        if len(told["names"]) != 2 or not all(isinstance(part, str) for part in parts):
            raise TypeError("a text that is none")
        "".join(parts).encode()  # UnicodeEncodeError, a ValueError, where a half of a character stands alone
    return Card(file, str(facts["stamp"]["date"]), max(1, len(facts["classes"])), points, texts)


def _index(cards: list[Card], title: str | None, language: str | None) -> str:
    languages = [language] if language else list(LANGUAGES)

    def each(text: Callable[[str], str]) -> str:
        """A text in every language; the style sheet shows the reader's."""
        return "".join(f'<span lang="{name}">{escape(text(name))}</span>' for name in languages)

    listed = [_item(card, each) for card in cards] or [f"<li><p>{each(lambda name: say('gallery.empty', name))}</p></li>"]
    return fill(
        "gallery.html",
        style="".join((HERE / name).read_text(encoding="utf-8") for name in ("curves.css", "player.css", "gallery.css")),
        script=(HERE / "gallery.js").read_text(encoding="utf-8"),
        language=language or "en",
        title=escape(title or say("gallery.title", language or "en")),
        heading=escape(title) if title else each(lambda name: say("gallery.title", name)),
        about=each(lambda name: say("gallery.about", name)),
        find=each(lambda name: say("gallery.filter", name)),
        cards="\n".join(listed),
        words=as_json({"forced": language, "said": {name: said("gallery", name) for name in LANGUAGES}}),
    )


def _item(card: Card, each: Callable[[Callable[[str], str]], str]) -> str:
    """One race on the page. Every text is escaped by `each`; the address cannot be anything but a file's."""

    def text(key: str) -> str:
        return each(lambda name: str(card.texts[name][key]))

    def end(lane: str, share: float) -> str:
        return f'<li class="lane-{lane}">{each(lambda name: say(f"lane.{lane}", name))} <b>{100 * share:.0f} %</b></li>'

    ends = "".join(end(lane, points[-1][1]) for lane, points in card.points.items() if points)
    names = each(lambda name: " · ".join(card.texts[name]["names"]))
    return (
        f'<li><a href="{quote(os.fsencode(card.file))}">{thumbnail(card)}<h2>{names}</h2>'
        f'<p>{text("short")}</p><p class="verdict">{text("verdict")}</p><ul class="ends">{ends}</ul>'
        f'<p class="stamp">{text("stamp")}</p></a></li>'
    )


def thumbnail(card: Card) -> str:
    """The accuracy curves as a small SVG: epochs to the right, 0 to 100 % up, a dotted line for guessing."""
    most = max((epoch for points in card.points.values() for epoch, _ in points), default=0) or 1

    def x(epoch: float) -> float:
        return EDGE + epoch / most * (WIDTH - 2 * EDGE)

    def y(share: float) -> float:
        return EDGE + (1 - share) * (HEIGHT - 2 * EDGE)

    def across(share: float, kind: str) -> str:
        return f'<line class="{kind}" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'

    lines = "".join(_line(lane, [f"{x(e):.1f},{y(s):.1f}" for e, s in points]) for lane, points in card.points.items())
    frame = "".join(across(share, "grid") for share in (0, 0.5, 1)) + across(1 / card.classes, "chance")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{frame}{lines}</svg>'


def _line(lane: str, points: list[str]) -> str:
    return f'<polyline class="exact lane-{lane}" stroke-dasharray="{DASHES.get(lane, "none")}" points="{" ".join(points)}"/>'


def _readme(title: str | None, language: str, licence: str) -> str:
    """The front matter of a static Space, and what the folder is."""
    front = {
        # a JSON string is a YAML string too
        "title": json.dumps(title or say("gallery.title", language), ensure_ascii=False),
        "emoji": "🏁",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "pinned": "false",
        "license": json.dumps(licence),
    }
    lines = "\n".join(f"{name}: {value}" for name, value in front.items())
    return f"---\n{lines}\n---\n\n{MADE}\n\n{say('gallery.about', language)}\n"
