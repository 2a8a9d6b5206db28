"""The bet box: a visitor says how a race will end before it begins. Knows no score; `bets.js` keeps and scores a bet.

It stands alone and hears the race's rows like every part, so it may be put anywhere on the page.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import part
from engine import RANGES, TARGETS, said

SCRIPT, SCORE = Path(__file__).with_suffix(".js"), Path(__file__).with_name("score.js")
TARGET = TARGETS[1]  # the share whose crossing is bet on: the 80 % that stands on the racer's card
GAP = (-20, 80, 30)  # points: the slider's ends and where it begins


def build() -> gr.HTML:
    """The component."""
    return part.build("hs-bets", (SCORE, SCRIPT), markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script is told: its sentences, and the share that is to be crossed."""
    return {"words": said("bet", language), "target": TARGET}


def markup(language: str) -> str:
    """The box in one language; the script fills in the bet and the score."""
    text = {key: escape(sentence) for key, sentence in said("bet", language).items()}
    low, high, first = GAP
    return f"""<section class="hs-bets" lang="{language}" aria-labelledby="hs-bet-title">
<h2 id="hs-bet-title">{text["title"]}</h2>
<p>{text["about"]}</p>
<form class="hs-bet-form" novalidate><fieldset>
<div class="hs-bet-field"><label for="hs-bet-gap">{text["gap"]}</label>
<div class="hs-bet-slider"><input type="range" id="hs-bet-gap" min="{low}" max="{high}" step="1" value="{first}"
 aria-describedby="hs-bet-gap-about"><output for="hs-bet-gap"></output></div>
<p id="hs-bet-gap-about">{text["gap_about"]}</p></div>
<div class="hs-bet-field"><label for="hs-bet-seconds">{text["crossing"]}</label>
<div class="hs-bet-slider"><input type="number" id="hs-bet-seconds" min="0.1" max="{RANGES["seconds"].high:g}" step="0.1"
 value="5" inputmode="decimal" aria-describedby="hs-bet-crossing-about">
<label><input type="checkbox" id="hs-bet-never">{text["never"]}</label></div>
<p id="hs-bet-crossing-about">{text["crossing_about"]}</p></div>
<button type="submit" class="hs-lesson-main">{text["place"]}</button>
</fieldset></form>
<p class="hs-bet-status" role="status"></p>
<div class="hs-bet-score" aria-live="polite"></div>
<details class="hs-bet-rules"><summary>{text["rules"]}</summary>
<p>{text["rule_gap"]}</p><p>{text["rule_crossing"]}</p></details>
<details class="hs-bet-best"><summary>{text["best"]}</summary><ol></ol><p class="hs-bet-none">{text["none"]}</p>
<button type="button" class="hs-bet-forget" hidden>{text["forget"]}</button></details>
</section>"""
