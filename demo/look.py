"""One colour and one dash per racer, the theme, and the page's style sheet. Knows no words and no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

VIEWER = "viewer"  # the phones' page, which has its style to itself
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class Ink:
    """What a thing is drawn with, on a light and on a dark page."""

    light: str
    dark: str
    dash: str = "solid"


# Okabe & Ito 2008: told apart with every common kind of colour blindness; the dash tells them apart in grey
LANES = {
    "scratch": Ink("#C24E00", "#FF9A4D", "6px,3px"),
    "transfer": Ink("#0067A5", "#5CB8F2", "solid"),
    "random": Ink("#7A6200", "#E3C34A", "2px,3px"),
    "frozen": Ink("#00795C", "#4FD1AC", "10px,4px"),
    "top": Ink("#7B4FB5", "#BFA2F0", "8px,3px,2px,3px"),
    "all": Ink("#A0325A", "#F590B2", "12px,3px,3px,3px"),
}
SYMBOLS = {
    "scratch": "diamond",
    "transfer": "circle",
    "random": "x",
    "frozen": "square",
    "top": "triangle-up",
    "all": "star",
}
LEARNING = Ink("#B4236B", "#F48FB1")  # a stage that may change; no racer's colour, because either may learn
CHANCE = Ink("#6B7280", "#9CA3AF", "2px,4px")
TEXT = Ink("#1F2937", "#E5E7EB")
GRID = Ink("#E5E7EB", "#374151")


def theme() -> gr.themes.Base:
    """Gradio's plain theme in the fonts of the machine: nothing is fetched from elsewhere."""
    return gr.themes.Default(
        primary_hue="blue",
        neutral_hue="gray",
        text_size=gr.themes.sizes.text_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(  # Gradio's own greys have 2.5:1 on white; 4.5:1 is what small text needs (WCAG 2.2, 1.4.3)
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        block_title_text_color="*body_text_color",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
    )


def css() -> str:
    """All style sheets of the page, with the colours above as variables."""
    inks = {**LANES, "chance": CHANCE, "learning": LEARNING, "grid": GRID, "ink": TEXT}
    light = "".join(f"--hs-{name}:{ink.light};" for name, ink in inks.items())
    dark = "".join(f"--hs-{name}:{ink.dark};" for name, ink in inks.items())
    sheets = [
        path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.css")) if path.stem != VIEWER
    ]
    return f":root{{{light}}}.dark{{{dark}}}\n" + "\n".join(sheets)
