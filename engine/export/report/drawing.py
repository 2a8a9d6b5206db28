"""Drawings of a report: the accuracy chart, the colours of a heat map, and the inks and fonts they use.

matplotlib is imported inside the functions: the import takes a second, which would delay the start of the app.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.export.report.report import Report
from engine.i18n.display_names import plain
from engine.i18n.messages import translate
from engine.palette import PAGE_INKS, PALETTE, Ink
from engine.plan import MAIN_RACERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = (720, 205), (360, 340)  # size of the chart in HTML, in CSS pixels; narrow is for phones
MAX_NAMED_CLASSES = 12  # a heat map of more classes has neither class names nor counts
MAX_INK = 0.5  # fraction of a racer's ink in a full cell of a heat map: text on it keeps a contrast of 4.5

# Colours of everything but the racers, in light (and print) and dark mode
PAPER_INKS = {
    "ink": PAGE_INKS["ink"],
    "muted": Ink("#4B5563", "#B6BDC9"),
    "line": Ink("#D1D5DB", "#374151"),
    "paper": Ink("#FFFFFF", "#111827"),
}
INKS: Mapping[str, Ink] = {**PALETTE, **PAPER_INKS}
# Marker of palette.py -> matplotlib's name
MARKERS = {"circle": "o", "diamond": "D", "x": "X", "square": "s", "triangle-up": "^", "star": "*"}
# Fonts with Japanese that common systems come with
CJK = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic", "TakaoPGothic", "VL Gothic",
       "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic", "Source Han Sans JP")  # fmt: skip

_SVG_LOCK = threading.Lock()  # matplotlib's settings of SVG are global


def accuracy(report: Report, size: tuple[int, int], points: float = 12.5) -> Figure:
    """The chart of held-out accuracy: exact points with their 95 % interval, a line through the evaluations of a
    subset of the held-out pictures, and the chance level. `size` in points (1/72 inch).

    The exact points have their racer's name as their label, a line through the subset's "_subset".
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
    figure.get_layout_engine().set(w_pad=0, h_pad=0)  # type: ignore[union-attr, call-arg]
    axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    horizontal = "epoch" if report.plan.budget == "epochs" else "seconds"
    for racer in report.racers:
        _curve(axes, report, racer, horizontal)
    chance = 1 / len(report.classes)
    label = translate("chart.chance", report.language)
    axes.axhline(chance, color=INKS["muted"].light, linewidth=1.2, dashes=(2, 4), label=label)
    _frame(axes, report.language, horizontal, points)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2 if size == NARROW else 3, frameon=False,
        labelcolor=INKS["ink"].light, borderaxespad=0.2, handlelength=3.6, columnspacing=1.2,
        prop={"family": list(families()), "size": points},
    )  # fmt: skip
    return figure


def _curve(axes: Axes, report: Report, racer: str, horizontal: str) -> None:
    """One racer's line through the evaluations of the subset, and its exact points with their 95 % intervals."""
    ink, curve = PALETTE[racer], report.board.curves[racer]
    subset = [p for p in curve.points if not p.is_exact]
    xs = [getattr(p, horizontal) for p in curve.exact]
    lows, highs = [p.low for p in curve.exact], [p.high for p in curve.exact]
    axes.vlines(xs, lows, highs, color=ink.light, alpha=0.6, linewidth=1.2)
    axes.plot(
        [getattr(p, horizontal) for p in subset], [p.correct / p.total for p in subset],
        color=ink.light, linewidth=1.6 if racer in MAIN_RACERS else 1.1, dashes=ink.dash or (1, 0), label="_subset",
    )  # fmt: skip
    axes.plot(
        xs, [p.correct / p.total for p in curve.exact], color=ink.light, linestyle="none", marker=MARKERS[ink.marker],
        markersize=5, label=report.racer(racer), clip_on=False,
    )  # fmt: skip


def _frame(axes: Axes, language: str, horizontal: str, points: float) -> None:
    """Set the limits, ticks and titles of the axes, and the grid."""
    ink, line, family = INKS["ink"].light, INKS["line"].light, list(families())
    font: dict[str, Any] = {"fontfamily": family, "fontsize": points}
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"])
    axes.set_xlabel(translate(f"axis.{horizontal}", language), color=ink, **font)
    axes.set_ylabel(translate("chart.accuracy", language), color=ink, **font)
    axes.tick_params(colors=ink, labelsize=points, labelfontfamily=family, length=0)
    axes.grid(color=line, linewidth=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(line)


def svg(report: Report, size: tuple[int, int]) -> str:
    """The chart as SVG markup with selectable text, whose colours are the CSS variables of the page."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.text import Text

    figure, out = accuracy(report, size), io.StringIO()
    originals: dict[str, str] = {}  # placeholder -> text with characters that no font here has; put back in the markup
    for text in figure.findobj(Text):
        if isinstance(text, Text) and drawable(text.get_text()) != text.get_text():
            placeholder = f"{len(originals)}".ljust(len(text.get_text()), "m")
            originals[f">{placeholder}<"] = f">{escape(text.get_text())}<"
            text.set_text(placeholder)
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": f"head start {size}"}  # ids differ between two charts on a page
    with _SVG_LOCK, matplotlib.rc_context(settings):
        FigureCanvasSVG(figure).print_svg(out, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    markup = out.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r'<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?="[^"]*"', "", markup, flags=re.DOTALL)
    markup = re.sub(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*pt"', r"\1", markup)
    markup = re.sub(r'<g id="[^"]*"', "<g", markup)  # ids of groups, which would be the same in both charts
    for placeholder, original in originals.items():
        markup = markup.replace(placeholder, original)
    for name, ink in INKS.items():
        markup = re.sub(ink.light, f"var(--{name})", markup, flags=re.IGNORECASE)
    return markup


def shades(confusion: Sequence[Sequence[int]], racer: str) -> np.ndarray:
    """The colour of each cell, a mixture of white and the racer's ink by its share of its row: (n, n, 3), 0..1."""
    counts = np.asarray(confusion, float)
    share = MAX_INK * counts / np.maximum(1, counts.sum(1, keepdims=True))
    ink = np.array([int(INKS[racer].light[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    mixed: np.ndarray = 1 - share[..., None] * (1 - ink)
    return mixed


@cache
def families() -> tuple[str, ...]:
    """The fonts of a drawing: the one that comes with matplotlib, then one with Japanese where this machine has one."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in CJK if name in installed][:1])


@cache
def _glyphs() -> frozenset[int]:
    """The code points that these fonts can draw."""
    from matplotlib import font_manager

    glyphs: set[int] = set()
    for name in families():
        glyphs |= set(font_manager.get_font(font_manager.findfont(name, fallback_to_default=False)).get_charmap())
    return frozenset(glyphs)


def drawable(text: str) -> str:
    """The text as one line; a box replaces each character that no font can draw, as a browser does."""
    return "".join(c if ord(c) in _glyphs() else "□" for c in plain(text.replace("\n", " ")))
