"""The report of a race as one page of paper, a PNG. Knows no race going on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.events import Event
from engine.export.drawing import NAMED, accuracy, drawable, families, shades
from engine.export.paper import DPI, Paper, Weight
from engine.export.report import Report, compose, percent
from engine.plan import RIVALS
from engine.recording import Stamp


def png(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    pictures: np.ndarray | None = None,
    language: str = "en",
    notes: str = "",
) -> bytes:
    """The report as a PNG of 1240 × 1754 pixels, A4 at 150 dots an inch. Arguments and errors as `document.html` has them.

    In Japanese only where this machine has a font for it, else in English; class names stay as they are.
    """
    has_japanese = len(families()) > 1
    report = compose(stamp, pairs, language if language != "ja" or has_japanese else "en")
    sheet = Sheet(report)
    sheet.verdict()
    sheet.chart()
    sheet.racers()
    sheet.insides()
    sheet.strip(pictures)
    sheet.rest(notes)
    return sheet.save(report.headline)


class Sheet(Paper):
    """The parts of the report, each drawn below the last."""

    def __init__(self, report: Report):
        super().__init__()
        self.report = report

    def verdict(self) -> None:
        """The headline and how sure it is."""
        self.line(self.report.kicker, self.LEFT, self.y, 17, "muted")
        self.y += 32
        self.paragraph(self.report.headline, self.LEFT, 1096, 38, weight="bold", most=2)
        self.y += 6
        self.paragraph(self.report.sure, self.LEFT, 1096, 19, most=3)
        self.y += 14

    def chart(self) -> None:
        """The same chart as in the page, drawn large."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        size = (self.RIGHT - self.LEFT, 350)
        figure = accuracy(self.report, (round(size[0] * 72 / DPI), round(size[1] * 72 / DPI)), points=8)
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self.picture(np.asarray(canvas.buffer_rgba()), self.LEFT, self.y, *size)
        self.y += size[1] + 6
        self.line(self.report.say("legend"), self.LEFT, self.y, 15, "muted")
        self.y += 32

    def racers(self) -> None:
        """The table of racers."""
        rows = [self.report.columns, *self.report.racers]
        shares = [max(self.width(cell, 16, "bold" if k < 2 else "normal") for cell in column)
                  for k, column in enumerate(zip(*rows, strict=True))]  # fmt: skip
        gap = (self.RIGHT - self.LEFT - sum(shares)) / (len(shares) - 1)
        size = 16.0 if gap >= 10 else 16 * (self.RIGHT - self.LEFT - 10 * (len(shares) - 1)) / sum(shares)
        widths = [share * size / 16 for share in shares]
        gap = (self.RIGHT - self.LEFT - sum(widths)) / (len(shares) - 1)
        for k, row in enumerate(rows):
            x = float(self.LEFT)
            for column, cell in enumerate(row):
                lane = self.report.lanes[k - 1] if k and column == 0 else "muted" if k == 0 else "ink"
                at = x if column == 0 else x + widths[column]
                weight: Weight = "bold" if k and column < 2 and self.report.lanes[k - 1] in RIVALS else "normal"
                self.line(cell, at, self.y, size, lane, weight=weight, align="left" if column == 0 else "right")
                x += widths[column] + gap
            self.y += 25
            self.rule(self.y - 3)
        self.y += 16

    def insides(self) -> None:
        """Both confusions and the network, side by side."""
        top, ends = self.y, [self.y]
        width = 352
        for k, lane in enumerate(self.report.rivals):
            self.y = top
            self.heat(lane, self.LEFT + k * (width + 20), width)
            ends.append(self.y)
        self.y = top
        self.network(self.LEFT + 2 * (width + 20), width)
        self.y = max(*ends, self.y) + 16

    def heat(self, lane: str, x: float, width: float) -> None:
        """One racer's confusion."""
        report, confusion = self.report, self.report.board.confusion(lane)
        self.line(f"{report.say('confusion')}: {report.lane(lane)}", x, self.y, 17, lane, weight="bold", fit=width)
        self.y += 28
        if confusion is not None:
            count, names = len(confusion), report.classes if len(report.classes) <= NAMED else ()
            side = min(90.0, max((self.width(name, 14) for name in names), default=0))
            square = min(width - side - 8, 226.0)
            left, top = x + side + 6, self.y + (side + 4 if names else 0)
            self.picture(shades(confusion, lane), left, top, square, square, frame=True)
            cell = square / count
            for k, name in enumerate(names):
                middle = (k + 0.5) * cell
                self.line(name, left - 5, top + middle, 14, align="right", across="center", fit=side)
                self.line(name, left + middle, top - 5, 14, align="center", across="bottom", fit=side, turn=90)
                for j, number in enumerate(confusion[k]):
                    if number:
                        at = left + (j + 0.5) * cell
                        self.line(str(number), at, top + middle, 14, align="center", across="center", fit=cell)
            self.y = top + square + 6
        self.paragraph(report.mixed(lane), x, width, 14, "muted", most=3)

    def network(self, x: float, width: float) -> None:
        """The stages in a table."""
        report = self.report
        self.line(report.say("network"), x, self.y, 17, weight="bold")
        self.y += 28
        head = tuple(report.say(key) for key in ("stage", "output", "parameters", "pretrained"))
        for row in (head, *report.stages) if report.stages else ():
            ink = "muted" if row is head else "ink"
            self.line(row[0], x, self.y, 14, ink, fit=60)
            self.line(row[1], x + 148, self.y, 14, ink, align="right", fit=84)
            self.line(row[2], x + 242, self.y, 14, ink, align="right", fit=90)
            self.line(row[3], x + width, self.y, 14, ink, align="right", fit=106)
            self.y += 24
            self.rule(self.y - 4, x, x + width)
        self.y += 4
        note = report.say("network_note") if report.stages else report.say("no_network")
        self.paragraph(note, x, width, 14, "muted", most=3)

    def strip(self, pictures: np.ndarray | None) -> None:
        """The shown pictures and what both racers called them."""
        report = self.report
        self.line(report.say("pictures"), self.LEFT, self.y, 17, weight="bold")
        self.y += 28
        if not any(told for _, told in report.shown):
            self.paragraph(report.say("no_answers"), self.LEFT, 1096, 15, "muted")
            self.y += 12
            return
        begin = self.LEFT + 116
        cell = min(98.0, (self.RIGHT - begin) / len(report.shown))
        tall = 0.0 if pictures is None else cell - 10
        for k, (name, told) in enumerate(report.shown):
            x = begin + k * cell
            if pictures is not None:
                self.picture(pictures[k], x, self.y, tall, tall)
            self.line(name, x, self.y + tall + 4, 14, weight="bold", fit=cell - 8)
            for j, lane in enumerate(report.rivals):
                y, answer = self.y + tall + 28 + 42 * j, told.get(lane)
                self.line(answer.name if answer else "–", x, y, 14, fit=cell - 8)
                if answer:
                    mark = f"{'✓' if answer.is_right else '✗'} {percent(answer.confidence, 0)}"
                    self.line(mark, x, y + 18, 14, weight="bold" if answer.is_right else "normal", fit=cell - 8)
        for j, lane in enumerate(report.rivals):
            self.line(report.lane(lane), self.LEFT, self.y + tall + 28 + 42 * j, 15, lane, weight="bold", fit=110)
        self.y += tall + 28 + 42 * len(report.rivals)
        if pictures is None:
            self.paragraph(report.say("no_pictures"), self.LEFT, 1096, 14, "muted")
        self.y += 12

    def rest(self, notes: str) -> None:
        """Settings and how to repeat the race at the left; how it was measured and the notes at the right."""
        report, top, width = self.report, self.y, 530.0
        self.line(report.say("settings"), self.LEFT, self.y, 17, weight="bold")
        self.y += 27
        for name, value in report.settings:
            self.line(name, self.LEFT, self.y, 14, "muted", fit=182)
            self.paragraph(value, self.LEFT + 190, width - 190, 14, most=2)
            self.y += 1
        self.line(report.say("command"), self.LEFT, self.y, 14, "muted", fit=182)
        self.paragraph(report.command, self.LEFT + 190, width - 190, 13, most=6, mono=True)
        self.y, x = top, self.LEFT + width + 36
        self.line(report.say("measured"), x, self.y, 17, weight="bold")
        self.y += 27
        for text in report.measured:
            self.paragraph(text, x, width, 14, most=4)
        self.y += 10
        self.line(report.say("notes"), x, self.y, 17, weight="bold")
        self.y += 27
        if notes.strip():
            self.notes(notes, x, width)
        else:
            self.frame(x, self.y, width, max(60.0, self.BOTTOM - self.y))

    def notes(self, notes: str, x: float, width: float) -> None:
        """The notes in as large a type as there is room for; what does not fit is in the other report."""
        room = self.BOTTOM - self.y
        notes = notes.strip()[: round(room * width / 50)]  # more never fits: at size 10 a letter takes 60 square pixels
        likely = [size for size in (16, 14, 12) if 0.5 * len(notes) * size * size < room * width]  # measuring takes long
        for size in (*likely, 10):
            lines = [line for text in notes.splitlines() for line in self.wrapped(drawable(text), width, size)]
            most = max(1, int(room / (1.35 * size)))
            if len(lines) <= most:
                break
        if len(lines) > most:
            lines = [*lines[: most - 1], drawable(self.report.say("notes_more"))]
        for line in lines:
            self.line(line, x, self.y, size)
            self.y += 1.35 * size
