"""A race as tables: its events as JSON lines, its accuracy curves and final predictions as CSV."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence

from engine import recording
from engine.events import Evaluated, Event, Predicted, RaceStarted
from engine.recording import Stamp

Pairs = Iterable[tuple[float, Event]]  # (seconds since the start, event)

CURVES = ("racer", "kind", "step", "epoch", "pictures", "seconds", "correct", "total", "accuracy", "low", "high")
DIGITS = 6  # decimal places

# Characters that start a formula in a spreadsheet, full-width ones included: at the start of a cell, or after a character
# that may separate cells (OWASP, "CSV injection")
_FORMULA = re.compile(r'(^|[;,|\t\r\n"])(?=\s*[=+\-@＝＋－＠])')


def events_jsonl(stamp: Stamp, pairs: Pairs) -> str:
    """All events of a race, one JSON line each: a recording, as `python -m engine replay` reads it."""
    return "".join([recording.header(stamp), *(recording.line(seconds, event) for seconds, event in pairs)])


def curves_csv(pairs: Pairs) -> str:
    """The accuracy curves, one row for each point: correct predictions for held-out pictures, with the 95 % interval.

    `kind` is "exact" (all held-out pictures) or "subset" (a part of them, the same during the whole race); `seconds` is
    the racer's compute time; `accuracy`, `low` and `high` are fractions. RFC 4180, with a header.
    """
    return _csv(CURVES, [_point(event) for _, event in pairs if isinstance(event, Evaluated)])


def predictions_csv(pairs: Pairs) -> str:
    """The final predictions of every racer that finished: one row for each held-out picture, numbered from 0.

    Columns of a racer: the predicted class, its confidence (0..1), and 1 where it is correct, else 0. RFC 4180, with a
    header. An apostrophe is put before a class name that a spreadsheet could read as a formula. Write the file as
    utf-8-sig, so that Excel shows letters that are not ASCII.
    """
    events = [event for _, event in pairs]
    started = next((event for event in events if isinstance(event, RaceStarted)), None)
    racers = [event for event in events if isinstance(event, Predicted)]
    columns = ["row", "class", *(f"{r.racer}_{field}" for r in racers for field in ("predicted", "confidence", "right"))]
    if started is None:
        return _csv(columns, [])
    names = [_without_formula(name) for name in started.classes]
    rows = []
    for row, label in enumerate(started.labels):
        predictions = [
            (names[r.predicted[row]], round(r.confidence[row], DIGITS), int(r.predicted[row] == label)) for r in racers
        ]
        rows.append([row, names[label], *itertools.chain.from_iterable(predictions)])
    return _csv(columns, rows)


def _point(event: Evaluated) -> list[object]:
    shares = (event.correct / event.total, event.low, event.high)
    return [
        event.racer,
        "exact" if event.is_exact else "subset",
        event.step,
        round(event.epoch, DIGITS),
        event.pictures,
        round(event.seconds, DIGITS),
        event.correct,
        event.total,
        *(round(share, DIGITS) for share in shares),
    ]


def _without_formula(name: str) -> str:
    """The name with an apostrophe before each part that a spreadsheet could read as a formula."""
    return _FORMULA.sub(r"\1'", name)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
