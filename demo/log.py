"""The rows of one race, and what writes them. Rows are only ever appended; who may start a race is the hub's business."""

from __future__ import annotations

import datetime
import json
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from typing import Literal

from demo import words, zero
from engine import (
    TARGETS,
    Event,
    Finished,
    Line,
    Plan,
    Progressed,
    Race,
    RaceStarted,
    Scoreboard,
    Trained,
    say_detail,
    say_progress,
    to_row,
)

STANDING_EVERY = 0.2  # seconds between two rows that say who leads

# What a phone in a classroom draws, and the other kinds only the whole page
LIGHT = frozenset(
    {"RaceStarted", "PhaseStarted", "Evaluated", "Answered", "Finished", "RaceFinished", "Standing", "Preparing", "Ended"}
)

State = Literal["queued", "running", "ended"]


@dataclass(eq=False)  # two logs are never the same one
class Log:
    """The rows of one race, JSON texts; rows are only ever appended, so an index stays good for ever."""

    plan: Plan
    owner: str
    state: State = "queued"
    rows: list[str] = field(default_factory=list)
    light: list[str] = field(default_factory=list)  # those of the kinds in LIGHT, with indexes of their own
    expected: float | None = None  # seconds, as known when it was asked for
    began: float = 0.0  # by the hub's clock, once it runs
    turn: str = ""  # whose turn it takes: the owner's, or that of all programs at one address
    round: int = 0  # in which that turn comes
    race: Race | zero.Lent | None = None
    visitor: Context = field(default_factory=copy_context)  # whose request asked for it: on ZeroGPU the quota is hers
    is_stopping: bool = False
    is_overdue: bool = False  # stopped because it took far too long
    is_private: bool = False  # on one visitor's pictures; decided once, because she may give them away meanwhile
    title: str = ""  # the same in every language
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    started: RaceStarted | None = None  # as it was told, with what the rows do not name
    trained: Trained | None = None

    def append(self, row: dict[str, object]) -> None:
        """Add a row; `list.append` is atomic, so readers need no lock."""
        text = json.dumps(row, allow_nan=False, separators=(",", ":"))  # a browser's JSON.parse takes no NaN
        self.rows.append(text)
        if row["event"] in LIGHT:
            self.light.append(text)


class Scribe:
    """Writes a race's events into its log, and after them rows that say who leads, in words of every language."""

    def __init__(self, log: Log):
        self._log, self._board, self._last = log, Scoreboard(), -1.0

    @property
    def is_complete(self) -> bool:
        """Whether every racer reached its end, and nothing long came before the start."""
        if self._board.preparing:
            return False
        ends = [curve.finished for curve in self._board.curves.values()]
        return bool(ends) and all(end and end.reason == "done" for end in ends)

    def tell(self, line: Line) -> None:
        """What there is to say before the start."""
        self._log.append({"event": "Preparing", "text": words.everywhere(line.said), "progress": 0.0})

    def write(self, seconds: float, event: Event) -> None:
        """One event, `seconds` after the start of the race."""
        event = anonymous(event) if self._log.is_private else event
        self._board.add(event)
        if isinstance(event, Progressed):
            share = event.done / event.total if event.total else 0.0
            told = words.everywhere(lambda language: say_progress(event, language))
            row = {"t": round(seconds, 3), "event": "Preparing", "text": told, "progress": round(share, 4)}
            self._log.append(row)
            return
        kind = type(event).__name__
        self._log.append({"t": round(seconds, 3), **to_row(event)})
        is_late = seconds - self._last >= STANDING_EVERY
        if kind in ("Finished", "RaceFinished") or (kind in ("Evaluated", "Stepped") and is_late):
            self._last = seconds
            self._log.append({"t": round(seconds, 3), **standing(self._board, seconds)})


def anonymous(event: Event) -> Event:
    """The event without what names one visitor's pictures, or could: every visitor may read the log."""
    if isinstance(event, RaceStarted):
        plan = replace(Plan.from_json(event.plan), task="own")
        return replace(event, plan=plan.to_json(), classes=tuple(f"class {k + 1}" for k in range(len(event.classes))))
    if isinstance(event, Progressed) and event.work != "download":
        return replace(event, name="")
    if isinstance(event, Finished) and event.reason == "failed":
        return replace(event, message="")
    return event


def standing(board: Scoreboard, seconds: float) -> dict[str, object]:
    """Who leads and by how much, each racer's figures and the time left, as a row of the log."""
    progress = board.progress
    lanes: dict[str, object] = {}
    for name, curve in board.curves.items():
        point = curve.points[-1] if curve.points else None
        exact = curve.exact[-1] if curve.exact else None
        lanes[name] = {
            "accuracy": words.percent(point.correct / point.total) if point else "–",
            "is_exact": bool(point and point.is_exact),
            "interval": f"{words.percent(exact.low)} – {words.percent(exact.high)}" if exact else "–",
            "best": words.percent(curve.best.correct / curve.best.total) if curve.best else "–",
            "seconds": f"{curve.losses[-1].seconds:.1f} s" if curve.losses else "–",
            "phase": (curve.finished.reason if curve.finished else curve.phases[-1].phase) if curve.phases else "",
            "targets": [words.target_time(curve, target) for target in TARGETS],
        }
    return {
        "event": "Standing",
        "headline": words.everywhere(lambda language: words.headline(board, language)),
        "detail": words.everywhere(lambda language: say_detail(board, language)),
        "gap": board.gap,
        "lanes": lanes,
        "progress": round(progress, 4),
        "left": round(seconds * (1 - progress) / progress) if 0.02 < progress < 1 else None,
    }
