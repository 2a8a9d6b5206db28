"""A race as tables to take away: its events as JSON lines, its curves and its answers as CSV. Sees only events."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from engine import recording
from engine.events import Evaluated, Event, Judged, RaceStarted
from engine.recording import Stamp

Pairs = Iterable[tuple[float, Event]]  # (seconds since the start, event)

CURVES = ("lane", "kind", "step", "epoch", "pictures", "seconds", "correct", "total", "accuracy", "low", "high")
DIGITS = 6  # after the dot: more than any of these numbers is sure of

# What a spreadsheet may take for a formula, in full width too; at the start of a cell, or after what another spreadsheet
# takes for the end of one (OWASP, "CSV injection")
_FORMULA = re.compile(r'(^|[;,|\t\r\n"])(?=\s*[=+\-@＝＋－＠])')


def events_jsonl(stamp: Stamp, pairs: Pairs) -> str:
    """Everything that was told of a race, one JSON line each: a recording, as `python -m engine replay` reads it."""
    return "".join([recording.header(stamp), *(recording.line(seconds, event) for seconds, event in pairs)])


def curves_csv(pairs: Pairs) -> str:
    """The accuracy curves, one row a point: how many held-out pictures were named right, and the 95 % interval.

    `kind` is exact (all held-out pictures at one step) or rolling (an estimate over the last few steps); `seconds` are the
    racer's own compute time; `accuracy`, `low` and `high` are shares. RFC 4180, with a header.
    """
    return _csv(CURVES, [_point(event) for _, event in pairs if isinstance(event, Evaluated)])


def answers_csv(pairs: Pairs) -> str:
    """What each racer that reached its end called each held-out picture: one row a picture, numbered from 0.

    For every lane: the class it named, its confidence (0..1), and 1 where that was right, else 0. RFC 4180, with a header.
    Class names are what somebody wrote: one that a spreadsheet could take for a formula begins with an apostrophe, and a
    file is best written as utf-8-sig, by which Excel knows other letters than English ones.
    """
    events = [event for _, event in pairs]
    started = next((event for event in events if isinstance(event, RaceStarted)), None)
    judged = [event for event in events if isinstance(event, Judged)]
    columns = ["row", "class", *(f"{j.lane}_{what}" for j in judged for what in ("named", "confidence", "right"))]
    if started is None:
        return _csv(columns, [])
    names = [_harmless(name) for name in started.classes]
    rows = []
    for row, label in enumerate(started.labels):
        told = [(names[j.named[row]], round(j.confidence[row], DIGITS), int(j.named[row] == label)) for j in judged]
        rows.append([row, names[label], *(cell for cells in told for cell in cells)])
    return _csv(columns, rows)


def _point(event: Evaluated) -> list[object]:
    shares = (event.correct / event.total, event.low, event.high)
    return [
        event.lane,
        "exact" if event.is_exact else "rolling",
        event.step,
        round(event.epoch, DIGITS),
        event.pictures,
        round(event.seconds, DIGITS),
        event.correct,
        event.total,
        *(round(share, DIGITS) for share in shares),
    ]


def _harmless(name: str) -> str:
    """The name as text in every spreadsheet."""
    return _FORMULA.sub(r"\1'", name)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
