"""A page of paper being drawn: lines of text, paragraphs, pictures, rules. Knows no race.

matplotlib draws; it is imported where it does, because that takes a second that the start of a page has not got.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from typing import Literal

import numpy as np

from engine.export.drawing import INKS, drawable, families

PAGE, DPI = (1240, 1754), 150  # A4 in pixels, and dots an inch

Weight = Literal["normal", "bold"]


class Paper:
    """A page being drawn from the top down, in pixels from its upper left corner; `y` is how far it has come."""

    LEFT, RIGHT, BOTTOM = 72, 1168, 1694  # where its margins begin

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.y = 56.0
        self.figure = Figure(figsize=(PAGE[0] / DPI, PAGE[1] / DPI), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)

    def width(self, text: str, size: float, weight: Weight = "normal", mono: bool = False) -> float:
        """How wide a text is, in pixels."""
        from matplotlib.font_manager import FontProperties

        family = ["DejaVu Sans Mono"] if mono else list(families())
        font = FontProperties(family=family, size=size * 72 / DPI, weight=weight)
        return float(self.canvas.get_renderer().get_text_width_height_descent(drawable(text), font, False)[0])

    def line(
        self, text: str, x: float, y: float, size: float, ink: str = "ink", weight: Weight = "normal",
        align: str = "left", across: str = "top", fit: float = 0, turn: float = 0, mono: bool = False,
    ) -> None:  # fmt: skip
        """A line of text, cut where it is wider than `fit`."""
        text = drawable(text)
        if fit and self.width(text, size, weight) > fit:
            keep = bisect_right(range(1, len(text)), fit, key=lambda n: self.width(text[:n] + "…", size, weight))
            text = text[:keep] + "…"
        self.figure.text(
            x / PAGE[0], 1 - y / PAGE[1], text, fontsize=size * 72 / DPI, color=INKS[ink][0], fontweight=weight,
            ha=align, va=across, rotation=turn, parse_math=False,
            fontfamily=["DejaVu Sans Mono"] if mono else list(families()),
        )  # fmt: skip

    def paragraph(
        self, text: str, x: float, width: float, size: float, ink: str = "ink", weight: Weight = "normal",
        most: int = 2, mono: bool = False,
    ) -> None:  # fmt: skip
        """Text in at most so many lines; moves `y` below it."""
        lines = self.wrapped(drawable(text), width, size, weight, mono)
        if len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1] + " …"]
        for line in lines:
            self.line(line, x, self.y, size, ink, weight, mono=mono, fit=width)
            self.y += 1.35 * size

    def wrapped(self, text: str, width: float, size: float, weight: Weight = "normal", mono: bool = False) -> list[str]:
        """The text in lines of that width, broken at spaces, and between any two characters of Japanese."""
        lines, line = [], ""
        for part in re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]{1,40}\s*|\s+", text):
            if line and self.width((line + part).rstrip(), size, weight, mono) > width:
                lines.append(line.rstrip())
                line = ""
            line += part
        return [*lines, line.rstrip()] if line.strip() else lines

    def picture(self, picture: np.ndarray, x: float, y: float, width: float, height: float, frame: bool = False) -> None:
        """Pixels, filling that place."""
        place = (x / PAGE[0], 1 - (y + height) / PAGE[1], width / PAGE[0], height / PAGE[1])
        axes = self.figure.add_axes(place)
        axes.imshow(picture, aspect="auto", interpolation="nearest" if frame else "antialiased", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_visible(frame)
            side.set_color(INKS["line"][0])

    def rule(self, y: float, left: float = LEFT, right: float = RIGHT) -> None:
        """A thin line across."""
        self.frame(left, y, right - left, 0)

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """An empty box."""
        from matplotlib.patches import Rectangle

        corner = (x / PAGE[0], 1 - (y + height) / PAGE[1])
        box = Rectangle(corner, width / PAGE[0], height / PAGE[1], fill=False, edgecolor=INKS["line"][0], linewidth=0.7)
        self.figure.add_artist(box)

    def save(self, title: str) -> bytes:
        """The page as PNG, under that title."""
        out = io.BytesIO()
        self.canvas.print_png(out, metadata={"Software": None, "Title": drawable(title)})
        return out.getvalue()
