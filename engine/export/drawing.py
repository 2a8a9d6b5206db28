"""What is drawn of a report: the chart of accuracy, the shades of a heat map; in which inks and fonts. Knows no page.

matplotlib is imported where it draws: that takes a second, which the start of a page has not got.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.export.report import Report
from engine.naming import plain
from engine.plan import RIVALS
from engine.strings import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE, NARROW = (720, 205), (360, 340)  # of the chart in HTML, in CSS pixels: for paper and desks, for telephones
NAMED = 12  # classes up to which a heat map has names at its sides and numbers in its cells
STRONGEST = 0.5  # share of a racer's ink in a full cell of a heat map: text on it keeps a contrast of 4.5

# Light and dark, as demo/look.py has them: the engine cannot see the page, and paper needs no theme
INKS = {
    "scratch": ("#C24E00", "#FF9A4D"),
    "transfer": ("#0067A5", "#5CB8F2"),
    "random": ("#7A6200", "#E3C34A"),
    "frozen": ("#00795C", "#4FD1AC"),
    "top": ("#7B4FB5", "#BFA2F0"),
    "all": ("#A0325A", "#F590B2"),
    "ink": ("#1F2937", "#E5E7EB"),
    "muted": ("#4B5563", "#B6BDC9"),
    "line": ("#D1D5DB", "#374151"),
    "paper": ("#FFFFFF", "#111827"),
}
DASHES = {"scratch": (6, 3), "random": (2, 3), "frozen": (10, 4), "top": (8, 3, 2, 3), "all": (12, 3, 3, 3)}  # in points
MARKERS = {"scratch": "D", "transfer": "o", "random": "X", "frozen": "s", "top": "^", "all": "*"}
# Fonts that have Japanese, as common systems bring them
CJK = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic", "TakaoPGothic", "VL Gothic",
       "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic", "Source Han Sans JP")  # fmt: skip

_ONE_AT_A_TIME = threading.Lock()  # matplotlib reads from one global setting how text in SVG is written


def accuracy(report: Report, size: tuple[int, int], points: float = 12.5) -> Figure:
    """The chart of held-out accuracy: exact points with their band, rolling estimates, the line of guessing.

    `size` in points, 72 an inch. A line of exact points has its racer's name as its label, one of estimates "_rolling".
    """
    from matplotlib.figure import Figure

    family = list(families())
    board, horizontal = report.board, "epoch" if report.plan.budget == "epochs" else "seconds"
    figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
    figure.get_layout_engine().set(w_pad=0, h_pad=0)  # type: ignore[union-attr, call-arg]
    axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    ink, muted, line = (INKS[name][0] for name in ("ink", "muted", "line"))
    for lane in report.lanes:
        colour, curve = INKS[lane][0], board.curves[lane]
        rolling = [p for p in curve.points if not p.is_exact]
        xs = [getattr(p, horizontal) for p in curve.exact]
        axes.fill_between(
            xs, [p.low for p in curve.exact], [p.high for p in curve.exact], color=colour, alpha=0.16, linewidth=0
        )
        axes.plot(
            [getattr(p, horizontal) for p in rolling], [p.correct / p.total for p in rolling],
            color=colour, linewidth=0.8, alpha=0.5, label="_rolling",
        )  # fmt: skip
        axes.plot(
            xs, [p.correct / p.total for p in curve.exact], color=colour, linewidth=2.2 if lane in RIVALS else 1.5,
            dashes=DASHES.get(lane, (1, 0)), marker=MARKERS[lane], markersize=4.5, label=report.lane(lane), clip_on=False,
        )  # fmt: skip
    chance = 1 / len(report.classes)
    axes.axhline(chance, color=muted, linewidth=1.2, dashes=(2, 4), label=say("chart.chance", report.language))
    font: dict[str, Any] = {"fontfamily": family, "fontsize": points}
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"])
    axes.set_xlabel(say(f"axis.{horizontal}", report.language), color=ink, **font)
    axes.set_ylabel(say("chart.accuracy", report.language), color=ink, **font)
    axes.tick_params(colors=ink, labelsize=points, labelfontfamily=family, length=0)
    axes.grid(color=line, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_color(line)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2 if size == NARROW else 3, frameon=False, labelcolor=ink,
        borderaxespad=0.2, handlelength=3.6, columnspacing=1.2, prop={"family": family, "size": points},
    )  # fmt: skip
    return figure


def svg(report: Report, size: tuple[int, int]) -> str:
    """The chart as markup whose colours follow the page's light and dark, and whose texts are texts."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.text import Text

    figure, out = accuracy(report, size), io.StringIO()
    later: dict[str, str] = {}  # what no font here has is measured by a stand-in of that many letters and put in afterwards
    for text in figure.findobj(Text):
        if isinstance(text, Text) and drawable(text.get_text()) != text.get_text():
            stand_in = f"{len(later)}".ljust(len(text.get_text()), "m")
            later[f">{stand_in}<"] = f">{escape(text.get_text())}<"
            text.set_text(stand_in)
    salt: Any = {"svg.fonttype": "none", "svg.hashsalt": f"head start {size}"}  # two charts on a page have their own ids
    with _ONE_AT_A_TIME, matplotlib.rc_context(salt):
        FigureCanvasSVG(figure).print_svg(out, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    markup = out.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r'<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?="[^"]*"', "", markup, flags=re.DOTALL)
    markup = re.sub(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*pt"', r"\1", markup)
    markup = re.sub(r'<g id="[^"]*"', "<g", markup)  # names for people that both charts would have
    for stand_in, real in later.items():
        markup = markup.replace(stand_in, real)
    for name, (light, _) in INKS.items():
        markup = re.sub(light, f"var(--{name})", markup, flags=re.IGNORECASE)
    return markup


def shades(confusion: Sequence[Sequence[int]], lane: str) -> np.ndarray:
    """Each cell's share of its row as a mixture of white and the racer's ink: (n, n, 3), 0..1."""
    counts = np.asarray(confusion, float)
    share = STRONGEST * counts / np.maximum(1, counts.sum(1, keepdims=True))
    ink = np.array([int(INKS[lane][0][k : k + 2], 16) / 255 for k in (1, 3, 5)])
    mixed: np.ndarray = 1 - share[..., None] * (1 - ink)
    return mixed


@cache
def families() -> tuple[str, ...]:
    """The fonts that a drawing is set in: the one matplotlib brings, then one with Japanese where this machine has it."""
    from matplotlib import font_manager

    here = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in CJK if name in here][:1])


@cache
def _glyphs() -> frozenset[int]:
    """The characters that those fonts can draw."""
    from matplotlib import font_manager

    found: set[int] = set()
    for name in families():
        found |= set(font_manager.get_font(font_manager.findfont(name, fallback_to_default=False)).get_charmap())
    return frozenset(found)


def drawable(text: str) -> str:
    """The text in one line of characters that can be drawn; a box stands for each of the others, as in a page."""
    return "".join(c if ord(c) in _glyphs() else "□" for c in plain(text.replace("\n", " ")))
