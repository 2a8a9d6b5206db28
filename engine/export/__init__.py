"""Files made from a finished race: script, networks, tables, report and replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from engine.analysis.trained import Trained
from engine.data.registry import anonymised
from engine.errors import HeadStartError, PlanError, UnavailableError
from engine.events import Event, RaceStarted
from engine.export import tables
from engine.export.replay import player
from engine.export.report import document, sheet
from engine.export.script.archive import archive
from engine.export.weights import bundle
from engine.plan import Plan
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.race.previews import evaluation_previews
from engine.recording import Stamp
from engine.workspace import Workspace


@dataclass(frozen=True)
class Record:
    """A finished race: machine and date, (seconds since the start, event) pairs, and its networks while they are kept."""

    stamp: Stamp
    pairs: Sequence[tuple[float, Event]]
    workspace: Workspace  # the registries of its pictures and backbone
    trained: Trained | None = None

    @property
    def started(self) -> RaceStarted:
        """The RaceStarted event. Raises UnavailableError where the race ended before it."""
        started = next((event for _, event in self.pairs if isinstance(event, RaceStarted)), None)
        if started is None:
            raise UnavailableError("refusal.export.early")
        return started

    @property
    def plan(self) -> Plan:
        """The settings of the race."""
        return Plan.from_json(self.started.plan)

    def networks(self) -> Trained:
        """The trained networks. Raises UnavailableError where they are no longer kept."""
        if self.trained is None:
            raise UnavailableError("refusal.export.gone")
        return self.trained

    def pictures(self) -> np.ndarray | None:
        """The pictures of `RaceStarted.shown`, (n, side, side, 3) uint8; None where they are unavailable."""
        return previews_or_none(self.plan, self.workspace, "heldout", self.started.shown)

    def public(self) -> Sequence[tuple[float, Event]]:
        """The pairs without the name of a visitor's private picture set, because that name gives access to the pictures."""
        started = replace(self.started, plan=anonymised(self.plan).to_json())
        return [(seconds, started if event is self.started else event) for seconds, event in self.pairs]


def previews_or_none(
    plan: Plan, workspace: Workspace, split: Literal["heldout", "training"], rows: Sequence[int]
) -> np.ndarray | None:
    """Pictures of a race by row, (n, side, side, 3) uint8; None where its dataset is not on this disk. Downloads nothing."""
    try:
        if workspace.tasks.find(plan.task).is_here:
            run_to_end(workspace.tasks.open(plan.task))
        return evaluation_previews(plan, workspace, split, rows)
    except HeadStartError:
        return None


def _script(record: Record) -> bytes:
    plan, workspace = record.plan, record.workspace
    return archive(plan, record.started, run_to_end(sample_inputs(plan, workspace)), workspace.tasks.find(plan.task).licence)


def _page_inputs(record: Record) -> tuple[Stamp, Sequence[tuple[float, Event]], Workspace, np.ndarray | None]:
    return record.stamp, record.pairs, record.workspace, record.pictures()


class ExportFile(NamedTuple):
    """A file format: the file's name, its media type, and the function of (record, language, notes) that makes it."""

    name: str
    media_type: str
    make: Callable[[Record, str, str], str | bytes]


ZIP, HTML, PNG, CSV = "application/zip", "text/html", "image/png", "text/csv"
EXPORT_FILES: Mapping[str, ExportFile] = {
    "script": ExportFile("headstart-race.zip", ZIP, lambda r, *_: _script(r)),
    "weights": ExportFile("headstart-networks.zip", ZIP, lambda r, language, _: bundle.weights(r.networks(), language)),
    "onnx": ExportFile("headstart-onnx.zip", ZIP, lambda r, language, _: bundle.onnx(r.networks(), language)),
    "report": ExportFile("headstart-report.html", HTML, lambda r, *options: document.html(*_page_inputs(r), *options)),
    "picture": ExportFile("headstart-report.png", PNG, lambda r, *options: sheet.png(*_page_inputs(r), *options)),
    "replay": ExportFile("headstart-replay.html", HTML, lambda r, *_: player.page(*_page_inputs(r))),
    "curves": ExportFile("headstart-curves.csv", CSV, lambda r, *_: tables.curves_csv(r.pairs)),
    "answers": ExportFile("headstart-answers.csv", CSV, lambda r, *_: tables.predictions_csv(r.pairs)),
    "events": ExportFile(
        "headstart-race.jsonl", "application/jsonl", lambda r, *_: tables.events_jsonl(r.stamp, r.public())
    ),
}


def can_export(record: Record) -> tuple[str, ...]:
    """The formats in which this race can be exported now."""
    availability = {"weights": record.trained is not None, "onnx": record.trained is not None and bundle.can_onnx()}
    return tuple(name for name in EXPORT_FILES if availability.get(name, True))


def export_file(file_format: str, record: Record, language: str = "en", notes: str = "") -> tuple[str, bytes]:
    """Export a race as one file; returns its name and its bytes.

    `file_format`: a key of `EXPORT_FILES`. Raises PlanError for an unknown format, UnavailableError or DataError where this
    race cannot be exported in it.
    """
    if file_format not in EXPORT_FILES:
        raise PlanError("refusal.export.kind", kind=repr(file_format), kinds=", ".join(EXPORT_FILES))
    name, media_type, make = EXPORT_FILES[file_format]
    content = make(record, language, notes)
    if isinstance(content, str):  # without a byte order mark Excel reads a CSV file as Latin-1
        content = content.encode("utf-8-sig" if media_type == CSV else "utf-8")
    return name, content
