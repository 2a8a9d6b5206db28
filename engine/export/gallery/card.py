"""The gallery's card of a race, read from its replay. The file is untrusted: every value in it is validated."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from engine.errors import DataError
from engine.export.replay.player import FORMAT
from engine.i18n.messages import LANGUAGES
from engine.plan import RACERS

MAX_BYTES = 5_000_000  # of a replay; usual ones have a tenth of that
WIDTH, HEIGHT, EDGE = 320, 150, 6  # of the thumbnail, in pixels
# Errors that reading a foreign or damaged file raises
DAMAGED = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)


class Thumbnail(NamedTuple):
    """The small accuracy chart, in pixels."""

    width: int
    height: int
    edge: int
    levels: list[tuple[str, str]]  # (CSS class, y) of the horizontal lines
    lines: dict[str, str]  # racer -> `points` of its SVG polyline


@dataclass(frozen=True)
class Card:
    """The facts of a replay that the gallery shows."""

    file: str
    date: str
    classes: int  # number of classes
    lines: dict[str, list[tuple[float, float]]]  # racer -> (epoch, accuracy) on a subset of the held-out pictures
    results: dict[str, float]  # racer -> its last accuracy on all of them
    sentences: dict[str, dict[str, str]]  # language -> key (name, short, verdict, stamp) -> sentence

    @property
    def address(self) -> str:
        """The relative URL of the replay. Percent-encoded, so that it cannot have a scheme."""
        return quote(os.fsencode(self.file))

    def texts(self, key: str) -> dict[str, str]:
        """A sentence in every language."""
        return {language: sentences[key] for language, sentences in self.sentences.items()}

    def thumbnail(self) -> Thumbnail:
        """The accuracy curves: epochs to the right, 0 to 100 % up."""
        last_epoch = max((epoch for line in self.lines.values() for epoch, _ in line), default=0) or 1

        def x(epoch: float) -> str:
            return f"{EDGE + epoch / last_epoch * (WIDTH - 2 * EDGE):.1f}"

        def y(share: float) -> str:
            return f"{EDGE + (1 - share) * (HEIGHT - 2 * EDGE):.1f}"

        levels = [*(("grid", y(share)) for share in (0, 0.5, 1)), ("chance", y(1 / self.classes))]
        lines = {racer: " ".join(f"{x(epoch)},{y(share)}" for epoch, share in line) for racer, line in self.lines.items()}
        return Thumbnail(WIDTH, HEIGHT, EDGE, levels, lines)


def read(path: Path) -> Card:
    """Read the card of a replay. Raises DataError where the file is not a replay, or damaged."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError("refusal.gallery.large", most=MAX_BYTES / 1e6)
    text = path.read_text(encoding="utf-8", errors="replace")
    match = re.search(r'<script type="application/json" id="race">(.*?)</script>', text, re.DOTALL)
    if not match:
        raise DataError("refusal.gallery.other")
    try:
        facts = json.loads(match[1])
        if facts["headstart"] != FORMAT:
            raise DataError("refusal.gallery.format", given=repr(facts["headstart"]), format=FORMAT)
        return _card(path.name, facts)
    except DAMAGED:
        raise DataError("refusal.gallery.damaged") from None


def _card(file: str, facts: Any) -> Card:
    """Validate the facts of a replay. Raises one of DAMAGED where a value has the wrong type or range."""
    fields = facts["fields"]["Evaluated"]
    lines: dict[str, list[tuple[float, float]]] = {racer: [] for racer in facts["racers"] if racer in RACERS}
    results: dict[str, float] = {}
    for values in facts["rows"]["Evaluated"]:
        row = dict(zip(fields, values, strict=True))
        epoch, share = float(row["epoch"]), row["correct"] / row["total"]
        if not (math.isfinite(epoch) and epoch >= 0 and 0 <= share <= 1):
            raise ValueError("a point outside the chart")
        if row["is_exact"]:
            results[row["racer"]] = share
        else:
            lines[row["racer"]].append((epoch, share))
    sentences = {language: _sentences(facts["texts"][language]) for language in LANGUAGES}
    return Card(file, str(facts["stamp"]["date"]), max(1, len(facts["classes"])), lines, results, sentences)


def _sentences(texts: Any) -> dict[str, str]:
    """The sentences on the card in one language. Raises one of DAMAGED where a text is no string."""
    task, backbone = texts["names"]
    parts = [texts["title"], texts["short"], texts["verdict"], texts["stamp"], task, backbone]
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("a text that is no string")
    "".join(parts).encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    return {"name": f"{task} · {backbone}", **{key: texts[key] for key in ("short", "verdict", "stamp")}}
