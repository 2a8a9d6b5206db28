"""The report of a race as one page of paper, a PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.events import Event
from engine.export.report.drawing import MAX_NAMED_CLASSES, accuracy, drawable, families, shades
from engine.export.report.paper import DPI, Paper, Weight
from engine.export.report.report import Report, compose, percent
from engine.plan import MAIN_RACERS
from engine.recording import Stamp
from engine.workspace import Workspace


def png(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    workspace: Workspace,
    pictures: np.ndarray | None = None,
    language: str = "en",
    notes: str = "",
) -> bytes:
    """The report as a PNG of 1240 × 1754 pixels, A4 at 150 dots per inch. Arguments and errors: see `document.html`.

    Japanese needs a font on this machine; without one the report is in English.
    """
    has_japanese = len(families()) > 1
    report = compose(stamp, pairs, workspace, language if language != "ja" or has_japanese else "en")
    sheet = Sheet(report)
    sheet.verdict()
    sheet.chart()
    sheet.racers()
    sheet.confusion_and_network()
    sheet.predictions(pictures)
    sheet.settings_and_notes(notes)
    return sheet.save(report.headline)


class Sheet(Paper):
    """The parts of the report, each drawn below the previous one."""

    def __init__(self, report: Report):
        super().__init__()
        self.report = report

    def verdict(self) -> None:
        """The headline and its uncertainty."""
        self.line(self.report.kicker, self.LEFT, self.y, 17, "muted")
        self.y += 32
        self.paragraph(self.report.headline, self.LEFT, 1096, 38, weight="bold", most=2)
        self.y += 6
        self.paragraph(self.report.uncertainty, self.LEFT, 1096, 19, most=3)
        self.y += 14

    def chart(self) -> None:
        """The accuracy chart of the HTML report, in a larger size."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        size = (self.RIGHT - self.LEFT, 350)
        figure = accuracy(self.report, (round(size[0] * 72 / DPI), round(size[1] * 72 / DPI)), points=8)
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self.picture(np.asarray(canvas.buffer_rgba()), self.LEFT, self.y, *size)
        self.y += size[1] + 6
        self.line(self.report.text("legend"), self.LEFT, self.y, 15, "muted")
        self.y += 32

    def racers(self) -> None:
        """The table of racers."""
        rows = [self.report.columns, *self.report.result_rows]
        shares = [max(self.width(cell, 16, "bold" if k < 2 else "normal") for cell in column)
                  for k, column in enumerate(zip(*rows, strict=True))]  # fmt: skip
        gap = (self.RIGHT - self.LEFT - sum(shares)) / (len(shares) - 1)
        size = 16.0 if gap >= 10 else 16 * (self.RIGHT - self.LEFT - 10 * (len(shares) - 1)) / sum(shares)
        widths = [share * size / 16 for share in shares]
        gap = (self.RIGHT - self.LEFT - sum(widths)) / (len(shares) - 1)
        for k, row in enumerate(rows):
            x = float(self.LEFT)
            for column, cell in enumerate(row):
                racer = self.report.racers[k - 1] if k and column == 0 else "muted" if k == 0 else "ink"
                at = x if column == 0 else x + widths[column]
                weight: Weight = "bold" if k and column < 2 and self.report.racers[k - 1] in MAIN_RACERS else "normal"
                self.line(cell, at, self.y, size, racer, weight=weight, align="left" if column == 0 else "right")
                x += widths[column] + gap
            self.y += 25
            self.rule(self.y - 3)
        self.y += 16

    def confusion_and_network(self) -> None:
        """Both confusion matrices and the network, side by side."""
        top, ends = self.y, [self.y]
        width = 352
        for k, racer in enumerate(self.report.main_racers):
            self.y = top
            self.heat_map(racer, self.LEFT + k * (width + 20), width)
            ends.append(self.y)
        self.y = top
        self.network(self.LEFT + 2 * (width + 20), width)
        self.y = max(*ends, self.y) + 16

    def heat_map(self, racer: str, x: float, width: float) -> None:
        """One racer's confusion matrix."""
        report, confusion = self.report, self.report.board.confusion(racer)
        self.line(f"{report.text('confusion')}: {report.racer(racer)}", x, self.y, 17, racer, weight="bold", fit=width)
        self.y += 28
        if confusion is not None:
            count, names = len(confusion), report.classes if len(report.classes) <= MAX_NAMED_CLASSES else ()
            label_width = min(90.0, max((self.width(name, 14) for name in names), default=0))
            square = min(width - label_width - 8, 226.0)
            left, top = x + label_width + 6, self.y + (label_width + 4 if names else 0)
            self.picture(shades(confusion, racer), left, top, square, square, frame=True)
            cell = square / count
            for k, name in enumerate(names):
                middle = (k + 0.5) * cell
                self.line(name, left - 5, top + middle, 14, align="right", across="center", fit=label_width)
                self.line(name, left + middle, top - 5, 14, align="center", across="bottom", fit=label_width, turn=90)
                for j, number in enumerate(confusion[k]):
                    if number:
                        at = left + (j + 0.5) * cell
                        self.line(str(number), at, top + middle, 14, align="center", across="center", fit=cell)
            self.y = top + square + 6
        self.paragraph(report.mistakes(racer), x, width, 14, "muted", most=3)

    def network(self, x: float, width: float) -> None:
        """The stages in a table."""
        report = self.report
        self.line(report.text("network"), x, self.y, 17, weight="bold")
        self.y += 28
        head = tuple(report.stage_columns())
        for row in (head, *report.stages) if report.stages else ():
            ink = "muted" if row is head else "ink"
            self.line(row[0], x, self.y, 14, ink, fit=60)
            self.line(row[1], x + 148, self.y, 14, ink, align="right", fit=84)
            self.line(row[2], x + 242, self.y, 14, ink, align="right", fit=90)
            self.line(row[3], x + width, self.y, 14, ink, align="right", fit=106)
            self.y += 24
            self.rule(self.y - 4, x, x + width)
        self.y += 4
        note = report.text("network_note") if report.stages else report.text("no_network")
        self.paragraph(note, x, width, 14, "muted", most=3)

    def predictions(self, pictures: np.ndarray | None) -> None:
        """The shown pictures and the predictions of both racers."""
        report = self.report
        self.line(report.text("pictures"), self.LEFT, self.y, 17, weight="bold")
        self.y += 28
        if not report.has_predictions():
            self.paragraph(report.text("no_answers"), self.LEFT, 1096, 15, "muted")
            self.y += 12
            return
        begin = self.LEFT + 116
        cell = min(98.0, (self.RIGHT - begin) / len(report.shown))
        tall = 0.0 if pictures is None else cell - 10
        for k, (name, predictions) in enumerate(report.shown):
            x = begin + k * cell
            if pictures is not None:
                self.picture(pictures[k], x, self.y, tall, tall)
            self.line(name, x, self.y + tall + 4, 14, weight="bold", fit=cell - 8)
            for j, racer in enumerate(report.main_racers):
                y, prediction = self.y + tall + 28 + 42 * j, predictions.get(racer)
                self.line(prediction.name if prediction else "–", x, y, 14, fit=cell - 8)
                if prediction:
                    mark = f"{'✓' if prediction.is_correct else '✗'} {percent(prediction.confidence, 0)}"
                    self.line(mark, x, y + 18, 14, weight="bold" if prediction.is_correct else "normal", fit=cell - 8)
        for j, racer in enumerate(report.main_racers):
            self.line(report.racer(racer), self.LEFT, self.y + tall + 28 + 42 * j, 15, racer, weight="bold", fit=110)
        self.y += tall + 28 + 42 * len(report.main_racers)
        if pictures is None:
            self.paragraph(report.text("no_pictures"), self.LEFT, 1096, 14, "muted")
        self.y += 12

    def settings_and_notes(self, notes: str) -> None:
        """The settings and the command of the race on the left; how it was measured and the notes on the right."""
        report, top, width = self.report, self.y, 530.0
        self.line(report.text("settings"), self.LEFT, self.y, 17, weight="bold")
        self.y += 27
        for name, value in report.settings:
            self.line(name, self.LEFT, self.y, 14, "muted", fit=182)
            self.paragraph(value, self.LEFT + 190, width - 190, 14, most=2)
            self.y += 1
        self.line(report.text("command"), self.LEFT, self.y, 14, "muted", fit=182)
        self.paragraph(report.command, self.LEFT + 190, width - 190, 13, most=6, mono=True)
        self.y, x = top, self.LEFT + width + 36
        self.line(report.text("measured"), x, self.y, 17, weight="bold")
        self.y += 27
        for text in report.measured:
            self.paragraph(text, x, width, 14, most=4)
        self.y += 10
        self.line(report.text("notes"), x, self.y, 17, weight="bold")
        self.y += 27
        if notes.strip():
            self.notes(notes, x, width)
        else:
            self.frame(x, self.y, width, max(60.0, self.BOTTOM - self.y))

    def notes(self, notes: str, x: float, width: float) -> None:
        """The notes in the largest type that fits; where even the smallest is too large they are truncated."""
        room = self.BOTTOM - self.y
        notes = notes.strip()[: round(room * width / 50)]  # an upper limit: at size 10 a letter takes 60 square pixels
        likely = [size for size in (16, 14, 12) if 0.5 * len(notes) * size * size < room * width]  # measuring is slow
        for size in (*likely, 10):
            lines = [line for text in notes.splitlines() for line in self.wrapped(drawable(text), width, size)]
            most = max(1, int(room / (1.35 * size)))
            if len(lines) <= most:
                break
        if len(lines) > most:
            lines = [*lines[: most - 1], drawable(self.report.text("notes_more"))]
        for line in lines:
            self.line(line, x, self.y, size)
            self.y += 1.35 * size
