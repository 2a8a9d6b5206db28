"""Colours and line styles of the racers, the Gradio theme, and the style sheet of the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from engine import PAGE_INKS, PALETTE, Ink

HERE = Path(__file__).parent
PHONE = "phone"  # style sheet of the phone page, which the main page does not use
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class LineInk(Ink):
    """A colour of a line, and its dash as Plotly names it."""

    dash: str = "solid"


RACERS = {
    name: LineInk(ink.light, ink.dark, ",".join(f"{length}px" for length in ink.dash) or "solid")
    for name, ink in PALETTE.items()
}
SYMBOLS = {name: ink.marker for name, ink in PALETTE.items()}
LEARNING = Ink("#B4236B", "#F48FB1")  # a trainable stage; unlike the racers' colours, because it can belong to either racer
CHANCE = LineInk("#6B7280", "#9CA3AF", "2px,4px")
TEXT = PAGE_INKS["ink"]
GRID = Ink("#E5E7EB", "#374151")


def theme() -> gr.themes.Base:
    """Gradio's default theme with system fonts, so that nothing is downloaded from other sites."""
    return gr.themes.Default(
        primary_hue="blue",
        neutral_hue="gray",
        text_size=gr.themes.sizes.text_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(  # Gradio's greys have a contrast of 2.5:1 on white; small text needs 4.5:1 (WCAG 2.2, 1.4.3)
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
    """All style sheets of the page, with the colours above as CSS variables."""
    inks: dict[str, Ink] = {**RACERS, "chance": CHANCE, "learning": LEARNING, "grid": GRID, "ink": TEXT}
    inks |= {"muted": PAGE_INKS["soft"], **{name: PAGE_INKS[name] for name in ("edge", "correct", "incorrect")}}
    light = "".join(f"--hs-{name}:{ink.light};" for name, ink in inks.items())
    dark = "".join(f"--hs-{name}:{ink.dark};" for name, ink in inks.items())
    light += f"--hs-action:{RACERS['pretrained'].light};"  # of buttons; white text on it is readable in both modes
    light += "--hs-action-hover:#00527F;"
    sheets = [
        path.read_text(encoding="utf-8")
        for path in [*HERE.glob("*.css"), *sorted(HERE.glob("*/**/*.css"))]
        if path.stem != PHONE
    ]
    return f":root{{{light}}}.dark{{{dark}}}\n" + "\n".join(sheets)
