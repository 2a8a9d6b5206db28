"""What can be taken away from a finished race, each as a file: code, networks, numbers, report, replay. Knows no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from engine import race, tasks
from engine.errors import HeadStartError, PlanError, UnavailableError
from engine.events import Event, RaceStarted, finish
from engine.export import bundle, document, player, script, sheet, tables
from engine.plan import Plan
from engine.recording import Stamp
from engine.trained import Trained


@dataclass(frozen=True)
class Record:
    """A race that is over: where and when, (seconds since the start, event) pairs, and its networks while they are kept."""

    stamp: Stamp
    pairs: Sequence[tuple[float, Event]]
    trained: Trained | None = None

    @property
    def started(self) -> RaceStarted:
        """How it began. Raises UnavailableError where it ended before that."""
        found = next((event for _, event in self.pairs if isinstance(event, RaceStarted)), None)
        if found is None:
            raise UnavailableError("refusal.take.early")
        return found

    @property
    def plan(self) -> Plan:
        """What was raced."""
        return Plan.from_json(self.started.plan)

    def networks(self) -> Trained:
        """The trained networks. Raises UnavailableError where they are no longer here."""
        if self.trained is None:
            raise UnavailableError("refusal.take.gone")
        return self.trained

    def pictures(self) -> np.ndarray | None:
        """The held-out pictures that were shown during the race, (n, side, side, 3) uint8; None where they are not here."""
        return look_at(self.plan, "heldout", self.started.shown)

    def public(self) -> Sequence[tuple[float, Event]]:
        """The pairs without the name under which one visitor's own pictures are kept: who knows it can see them."""
        nameless = replace(self.started, plan=tasks.nameless(self.plan).to_json())
        return [(seconds, nameless if event is self.started else event) for seconds, event in self.pairs]


def look_at(plan: Plan, split: Literal["heldout", "training"], rows: Sequence[int]) -> np.ndarray | None:
    """Pictures of a race by their row, (n, side, side, 3) uint8; None where its set is not here. Fetches nothing."""
    try:
        if tasks.find(plan.task).is_here:
            finish(tasks.open_task(plan.task))
        return race.cells(plan, split, rows)
    except HeadStartError:
        return None


class Kind(NamedTuple):
    """A kind of file: its name, what it is for a browser, and how it is made of a record, a language and notes."""

    name: str
    media_type: str
    make: Callable[[Record, str, str], str | bytes]


ZIP, HTML, PNG, CSV = "application/zip", "text/html", "image/png", "text/csv"
KINDS: Mapping[str, Kind] = {
    "script": Kind("headstart-race.zip", ZIP, lambda r, *_: script.archive(r.plan, r.started, finish(race.draw(r.plan)))),
    "weights": Kind("headstart-networks.zip", ZIP, lambda r, language, _: bundle.weights(r.networks(), language)),
    "onnx": Kind("headstart-onnx.zip", ZIP, lambda r, language, _: bundle.onnx(r.networks(), language)),
    "report": Kind("headstart-report.html", HTML, lambda r, *said: document.html(r.stamp, r.pairs, r.pictures(), *said)),
    "picture": Kind("headstart-report.png", PNG, lambda r, *said: sheet.png(r.stamp, r.pairs, r.pictures(), *said)),
    "replay": Kind("headstart-replay.html", HTML, lambda r, *_: player.page(r.stamp, r.pairs, r.pictures())),
    "curves": Kind("headstart-curves.csv", CSV, lambda r, *_: tables.curves_csv(r.pairs)),
    "answers": Kind("headstart-answers.csv", CSV, lambda r, *_: tables.answers_csv(r.pairs)),
    "events": Kind("headstart-race.jsonl", "application/jsonl", lambda r, *_: tables.events_jsonl(r.stamp, r.public())),
}


def can_take(record: Record) -> tuple[str, ...]:
    """The kinds of file that can be made of this race here and now."""
    needs = {"weights": record.trained is not None, "onnx": record.trained is not None and bundle.can_onnx()}
    return tuple(kind for kind in KINDS if needs.get(kind, True))


def take(kind: str, record: Record, language: str = "en", notes: str = "") -> tuple[str, bytes]:
    """One file to take away from a race: its name and its bytes.

    Raises PlanError for an unknown kind, UnavailableError or DataError where it cannot be made of this race here.
    """
    if kind not in KINDS:
        raise PlanError("refusal.take.kind", kind=repr(kind), kinds=", ".join(KINDS))
    made = KINDS[kind].make(record, language, notes)
    if isinstance(made, str):  # Excel takes a table for Latin-1 unless its first bytes say otherwise
        made = made.encode("utf-8-sig" if KINDS[kind].media_type == CSV else "utf-8")
    return KINDS[kind].name, made
