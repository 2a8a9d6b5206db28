"""The report of a race as one HTML document that loads no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.events import Event
from engine.export.report.drawing import MAX_INK, MAX_NAMED_CLASSES, NARROW, PAPER_INKS, WIDE, shades, svg
from engine.export.report.report import Report, compose, percent
from engine.export.templates import render_page
from engine.palette import palette_css
from engine.recording import Stamp
from engine.workspace import Workspace

TEMPLATE = Path(__file__).with_name("document.html")


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix: its count, and the percentage of the racer's ink that fills it."""

    count: int
    percent: int


@dataclass(frozen=True)
class HeatMap:
    """One racer's confusion matrix: rows of cells, or an image where there are many classes; empty if it did not finish."""

    racer: str
    name: str
    rows: tuple[tuple[Cell, ...], ...] = ()
    image: str = ""
    alt: str = ""


def html(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    workspace: Workspace,
    pictures: np.ndarray | None = None,
    language: str = "en",
    notes: str = "",
) -> str:
    """The report as an HTML document that loads nothing and prints on one A4 page.

    `pairs`: (seconds, event) as `replay` yields them. `pictures`: (n, side, side, 3) uint8, those of
    `RaceStarted.shown`, or None where they are unavailable. Without notes the page has a field to write some in.
    Raises DataError where the race ended before it began.
    """
    report = compose(stamp, pairs, workspace, language)
    return document(report, {"wide": svg(report, WIDE), "narrow": svg(report, NARROW)}, pictures, notes)


def document(report: Report, charts: Mapping[str, str], pictures: np.ndarray | None, notes: str) -> str:
    """The document of a report. `charts`: "wide" and "narrow" -> SVG markup."""
    return render_page(
        TEMPLATE,
        report=report,
        style=palette_css(PAPER_INKS) + TEMPLATE.with_suffix(".css").read_text(encoding="utf-8"),
        density="dense" if len(report.racers) > 3 or len(report.command) > 150 else "normal",  # so that it fits on one page
        charts=charts,
        row_classes=[f"racer racer-{racer}" for racer in report.racers],
        heat_maps=[_heat_map(report, racer) for racer in report.main_racers],
        pictures=None if pictures is None else [_webp(picture) for picture in pictures],
        percent=percent,
        notes=notes,
    )


def _heat_map(report: Report, racer: str) -> HeatMap:
    confusion, name = report.board.confusion(racer), report.racer(racer)
    if confusion is None:
        return HeatMap(racer, name)
    if len(report.classes) > MAX_NAMED_CLASSES:
        pixels = np.kron(shades(confusion, racer), np.ones((max(1, 480 // len(confusion)),) * 2 + (1,)))
        alt = report.text("confusion_alt", count=len(confusion), name=name)
        return HeatMap(racer, name, image=_webp((255 * pixels).astype(np.uint8)), alt=alt)
    rows = (tuple(Cell(count, round(100 * MAX_INK * count / max(1, sum(row)))) for count in row) for row in confusion)
    return HeatMap(racer, name, tuple(rows))


def _webp(picture: np.ndarray) -> str:
    """A picture, (H, W, 3) uint8, as a data URI."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
