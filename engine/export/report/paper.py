"""A page of paper to draw on: lines of text, paragraphs, pictures and rules.

matplotlib is imported inside the functions: the import takes a second, which would delay the start of the app.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from typing import Literal

import numpy as np

from engine.export.report.drawing import INKS, drawable, families

PAGE, DPI = (1240, 1754), 150  # A4 in pixels, and dots per inch

Weight = Literal["normal", "bold"]


class Paper:
    """A page drawn from top to bottom, in pixels from its upper left corner; `y` is where the next part begins."""

    LEFT, RIGHT, BOTTOM = 72, 1168, 1694  # of the area inside the margins

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.y = 56.0
        self.figure = Figure(figsize=(PAGE[0] / DPI, PAGE[1] / DPI), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)

    def width(self, text: str, size: float, weight: Weight = "normal", mono: bool = False) -> float:
        """The width of a text in pixels."""
        from matplotlib.font_manager import FontProperties

        family = ["DejaVu Sans Mono"] if mono else list(families())
        font = FontProperties(family=family, size=size * 72 / DPI, weight=weight)
        return float(self.canvas.get_renderer().get_text_width_height_descent(drawable(text), font, False)[0])

    def line(
        self, text: str, x: float, y: float, size: float, ink: str = "ink", weight: Weight = "normal",
        align: str = "left", across: str = "top", fit: float = 0, turn: float = 0, mono: bool = False,
    ) -> None:  # fmt: skip
        """A line of text, truncated to a width of `fit` pixels (0 = never)."""
        text = drawable(text)
        if fit and self.width(text, size, weight) > fit:
            keep = bisect_right(range(1, len(text)), fit, key=lambda n: self.width(text[:n] + "…", size, weight))
            text = text[:keep] + "…"
        self.figure.text(
            x / PAGE[0], 1 - y / PAGE[1], text, fontsize=size * 72 / DPI, color=INKS[ink].light, fontweight=weight,
            ha=align, va=across, rotation=turn, parse_math=False,
            fontfamily=["DejaVu Sans Mono"] if mono else list(families()),
        )  # fmt: skip

    def paragraph(
        self, text: str, x: float, width: float, size: float, ink: str = "ink", weight: Weight = "normal",
        most: int = 2, mono: bool = False,
    ) -> None:  # fmt: skip
        """Text in at most `most` lines; moves `y` below it."""
        lines = self.wrapped(drawable(text), width, size, weight, mono)
        if len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1] + " …"]
        for line in lines:
            self.line(line, x, self.y, size, ink, weight, mono=mono, fit=width)
            self.y += 1.35 * size

    def wrapped(self, text: str, width: float, size: float, weight: Weight = "normal", mono: bool = False) -> list[str]:
        """The text in lines of at most that width, broken at spaces and between any two Japanese characters."""
        lines, line = [], ""
        for part in re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]{1,40}\s*|\s+", text):
            if line and self.width((line + part).rstrip(), size, weight, mono) > width:
                lines.append(line.rstrip())
                line = ""
            line += part
        return [*lines, line.rstrip()] if line.strip() else lines

    def picture(self, picture: np.ndarray, x: float, y: float, width: float, height: float, frame: bool = False) -> None:
        """An image, stretched over that rectangle."""
        rectangle = (x / PAGE[0], 1 - (y + height) / PAGE[1], width / PAGE[0], height / PAGE[1])
        axes = self.figure.add_axes(rectangle)
        axes.imshow(picture, aspect="auto", interpolation="nearest" if frame else "antialiased", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(frame)
            spine.set_color(INKS["line"].light)

    def rule(self, y: float, left: float = LEFT, right: float = RIGHT) -> None:
        """A thin horizontal line."""
        self.frame(left, y, right - left, 0)

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """An empty box."""
        from matplotlib.patches import Rectangle

        corner = (x / PAGE[0], 1 - (y + height) / PAGE[1])
        box = Rectangle(corner, width / PAGE[0], height / PAGE[1], fill=False, edgecolor=INKS["line"].light, linewidth=0.7)
        self.figure.add_artist(box)

    def save(self, title: str) -> bytes:
        """The page as PNG, with that title in its metadata."""
        out = io.BytesIO()
        self.canvas.print_png(out, metadata={"Software": None, "Title": drawable(title)})
        return out.getvalue()
