"""Writes the events of a race into its log, and standings (who leads, time left) between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from demo.i18n import labels
from demo.server.row_log import Row, RowLog
from engine import (
    TARGETS,
    Curve,
    Evaluated,
    Event,
    Finished,
    Message,
    Plan,
    Progressed,
    RaceFinished,
    RaceStarted,
    Scoreboard,
    Stepped,
    detail_sentence,
    progress_sentence,
    to_row,
)

STANDINGS_EVERY = 0.2  # seconds between two standings


class LogWriter:
    """Writes a race's events and standings into its log, with sentences in every language.

    is_private: the race runs on a visitor's own pictures. Any visitor can read the log, so names of classes, sets and files
    are left out.
    """

    def __init__(self, log: RowLog, is_private: bool = False):
        self._log, self._is_private = log, is_private
        self._board, self._last = Scoreboard(), -1.0

    @property
    def is_complete(self) -> bool:
        """Whether every racer finished, and no long preparation came before the start."""
        if self._board.preparing:
            return False
        ends = [curve.finished for curve in self._board.curves.values()]
        return bool(ends) and all(end and end.reason == "done" for end in ends)

    def announce(self, message: Message) -> None:
        """Write a message about the preparation of the race."""
        self._log.append({"event": "Preparing", "text": labels.everywhere(message.translated), "progress": 0.0})

    def write(self, seconds: float, event: Event) -> None:
        """Write one event, `seconds` after the start of the race."""
        event = anonymous(event) if self._is_private else event
        self._board.add(event)
        time = round(seconds, 3)
        if isinstance(event, Progressed):
            text = labels.everywhere(lambda language: progress_sentence(event, language))
            progress = round(event.done / event.total, 4) if event.total else 0.0
            self._log.append({"t": time, "event": "Preparing", "text": text, "progress": progress})
            return
        self._log.append({"t": time, **to_row(event)}, event)
        is_due = seconds - self._last >= STANDINGS_EVERY
        if isinstance(event, Finished | RaceFinished) or (isinstance(event, Evaluated | Stepped) and is_due):
            self._last = seconds
            self._log.append({"t": time, **standings_row(self._board, seconds)})


def anonymous(event: Event) -> Event:
    """The event without names of a visitor's own classes, sets and files."""
    if isinstance(event, RaceStarted):
        plan = replace(Plan.from_json(event.plan), task="own")
        return replace(event, plan=plan.to_json(), classes=tuple(f"class {k + 1}" for k in range(len(event.classes))))
    if isinstance(event, Progressed) and event.work != "download":
        return replace(event, name="")
    if isinstance(event, Finished) and event.reason == "failed":
        return replace(event, message="")
    return event


def standings_row(board: Scoreboard, seconds: float) -> Row:
    """A row of the log: headline, gap, figures of each racer, progress (0 to 1) and seconds left."""
    progress = board.progress
    return {
        "event": "Standing",
        "headline": labels.everywhere(lambda language: labels.headline(board, language)),
        "detail": labels.everywhere(lambda language: detail_sentence(board, language)),
        "gap": board.gap,
        "racers": {name: _figures(curve) for name, curve in board.curves.items()},
        "progress": round(progress, 4),
        "left": round(seconds * (1 - progress) / progress) if 0.02 < progress < 1 else None,
    }


def _figures(curve: Curve) -> dict[str, Any]:
    point = curve.points[-1] if curve.points else None
    interval = f"{labels.percent(point.low)} – {labels.percent(point.high)}, n\u00a0=\u00a0{point.total}" if point else "–"
    return {
        "accuracy": labels.percent(point.correct / point.total) if point else "–",
        "interval": interval,
        "best": labels.percent(curve.best.correct / curve.best.total) if curve.best else "–",
        "seconds": f"{curve.losses[-1].seconds:.1f} s" if curve.losses else "–",
        "phase": (curve.finished.reason if curve.finished else curve.phases[-1].phase) if curve.phases else "",
        "targets": [labels.target_time(curve, target) for target in TARGETS],
    }
