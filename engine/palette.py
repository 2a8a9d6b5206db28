"""The colour, dash and marker of each racer, for every chart and document; the colours of pages without a theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Marker = Literal["circle", "diamond", "x", "square", "triangle-up", "star"]  # as Plotly names them


@dataclass(frozen=True)
class Ink:
    """A colour on a light and on a dark page."""

    light: str
    dark: str


@dataclass(frozen=True)
class RacerInk(Ink):
    """The colour, dash and marker of a racer's curve."""

    dash: tuple[int, ...]  # lengths of strokes and gaps, in pixels; () = solid
    marker: Marker


# Okabe & Ito 2008: distinguishable with every common form of colour blindness; in grey, by dash and marker
PALETTE: Mapping[str, RacerInk] = {
    "scratch": RacerInk("#C24E00", "#FF9A4D", (6, 3), "diamond"),
    "pretrained": RacerInk("#0067A5", "#5CB8F2", (), "circle"),
    "random": RacerInk("#7A6200", "#E3C34A", (2, 3), "x"),
    "frozen": RacerInk("#00795C", "#4FD1AC", (10, 4), "square"),
    "top": RacerInk("#7B4FB5", "#BFA2F0", (8, 3, 2, 3), "triangle-up"),
    "all": RacerInk("#A0325A", "#F590B2", (12, 3, 3, 3), "star"),
}

# What belongs to no racer, on pages without a theme of their own: phones, replays, the gallery. Text keeps a contrast of 4.5
PAGE_INKS: Mapping[str, Ink] = {
    "paper": Ink("#FFFFFF", "#0F1623"),
    "card": Ink("#F8FAFC", "#172033"),
    "ink": Ink("#1F2937", "#E5E7EB"),
    "soft": Ink("#4B5563", "#B3BCC9"),
    "grid": Ink("#E5E7EB", "#2C374A"),
    "edge": Ink("#6B7280", "#8492A6"),
    "correct": Ink("#15703A", "#6EE7A0"),
    "incorrect": Ink("#B42318", "#FDA29B"),
}


def palette_css(further: Mapping[str, Ink] | None = None) -> str:
    """A style sheet: `--NAME` is a racer's colour; inside a `.racer-NAME`, `--racer` is its colour and `--dash` its dash.

    `further` colours become variables too. On paper the colours are the light ones.
    """
    inks = {**PALETTE, **(further or {})}
    light, dark = ("".join(f"--{name}:{getattr(ink, theme)};" for name, ink in inks.items()) for theme in ("light", "dark"))
    racers = "".join(
        f".racer-{name}{{--racer:var(--{name});--dash:{' '.join(map(str, ink.dash)) or 'none'}}}\n"
        for name, ink in PALETTE.items()
    )
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{racers}"
