"""The place where a race is taken away, file by file. Pure: markup and words; `takeaway.js` asks `files.py` for each."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import files, part, stream
from engine import FILES, said, say

SCRIPT = Path(__file__).with_name("takeaway.js")


def build() -> gr.HTML:
    """The place, where the caller stands."""
    return part.build("hs-take", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script knows from the start."""
    return {
        "words": said("take", language),
        "base": stream.BASE.lstrip("/"),
        "terminal": "{command} --take FOLDER",
        "api": 'curl -OJ "{address}"',
        "files": {kind: FILES[kind].name for kind in FILES},
    }


def markup(language: str) -> str:
    """The choice of a race, a card for each kind of file, and the notes."""

    def words(key: str) -> str:
        return escape(say(f"take.{key}", language))

    cards = "".join(
        f'<li data-kind="{kind}"><h3>{words(f"{kind}.title")}</h3><p>{words(f"{kind}.about")}</p>'
        f'<p class="hs-take-why" hidden></p>'
        f'<button type="button" disabled aria-label="{words("download")}: {words(f"{kind}.title")}">{words("download")}'
        f"</button></li>"
        for kind in FILES
    )
    return (
        f'<section class="hs-take"><h2>{words("title")}</h2><p>{words("about")}</p>'
        f"<p><label>{words('race')} <select></select></label></p>"
        f'<p class="hs-take-status" role="status">{words("waiting")}</p><ul class="hs-take-cards">{cards}</ul>'
        f'<p><label class="hs-take-notes">{words("notes")} <small>{words("notes.hint")}</small>'
        f'<textarea rows="3" maxlength="{files.NOTES}"></textarea></label></p>'
        f"<details><summary>{words('terminal')}</summary><p>{words('terminal.about')}</p>"
        f'<pre tabindex="0"><code data-say="terminal"></code></pre><p>{words("api.about")}</p>'
        f'<pre tabindex="0"><code data-say="api"></code></pre></details></section>'
    )
