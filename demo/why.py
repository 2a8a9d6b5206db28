"""Why one racer is ahead: what both answer, see and change while they race, and where they went wrong. Knows no numbers.

The markup is only the frame; `why.js` fills it from the rows of the race, `mistakes.js` from the final answers.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import part
from engine import RIVALS, said

SCRIPTS = (Path(__file__).with_suffix(".js"), Path(__file__).with_name("mistakes.js"))
VIEWS = ("confusion", "classes", "mistakes", "only")


def build() -> gr.HTML:
    """The component: a part for the time of the race, and one for afterwards."""
    return part.build("hs-why", SCRIPTS, markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script is told: its sentences, the racers' names, and which two are the rivals."""
    return {"words": said("why", language), "names": said("lane", language), "rivals": RIVALS}


def markup(language: str) -> str:
    """The empty frame in one language."""
    text = {key: escape(sentence) for key, sentence in said("why", language).items()}
    tabs = "".join(
        f'<button type="button" role="tab" id="hs-why-tab-{view}" aria-controls="hs-why-panel-{view}" data-view="{view}" '
        f'aria-selected="{"true" if view == VIEWS[0] else "false"}" tabindex="{0 if view == VIEWS[0] else -1}">'
        f"{text[view]}</button>"
        for view in VIEWS
    )
    panels = "".join(
        f'<div role="tabpanel" id="hs-why-panel-{view}" aria-labelledby="hs-why-tab-{view}"'
        f"{' hidden' * (view != VIEWS[0])}></div>"
        for view in VIEWS
    )
    return f"""<div class="hs-why" lang="{language}">
<section class="hs-why-live" aria-labelledby="hs-why-live">
<h2 id="hs-why-live">{text["live"]}</h2>
<p class="hs-why-empty">{text["waiting"]}</p>
<div class="hs-why-full" hidden>
<h3 id="hs-why-answers">{text["answers"]}</h3>
<p>{text["answers_about"]}</p>
<div class="hs-why-scroll"><div class="hs-why-strip" role="table" aria-labelledby="hs-why-answers"></div></div>
<div class="hs-why-looks">
<div><h3>{text["filters"]}</h3><p>{text["filters_about"]}</p><div class="hs-why-filters"></div></div>
<div><h3 id="hs-why-moved">{text["moved"]}</h3><p>{text["moved_about"]}</p>
<div class="hs-why-scroll"><table class="hs-why-bars hs-why-moved" aria-labelledby="hs-why-moved"></table></div>
<p>{text["key"]}</p></div>
</div>
</div>
</section>
<section class="hs-why-after" aria-labelledby="hs-why-after">
<h2 id="hs-why-after">{text["after"]}</h2>
<p class="hs-why-empty">{text["empty"]}</p>
<div class="hs-why-full" hidden>
<div class="hs-why-bar"><div class="hs-why-tabs" role="tablist" aria-label="{text["views"]}">{tabs}</div>
<div class="hs-why-legend"></div></div>
{panels}
</div>
</section>
</div>"""
