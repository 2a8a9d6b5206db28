"""The download view: the files of a race. `component.js` downloads them from `server/downloads.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo.components import base
from demo.markup import Template
from demo.server import downloads
from demo.server.http import BASE
from engine import EXPORT_FILES, messages_under

SCRIPT = Path(__file__).with_name("component.js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))


def build() -> gr.HTML:
    """Add the view to the current Gradio block."""
    return base.build("hs-take", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """The texts and values for the script."""
    return {
        "words": messages_under("download", language),
        "base": BASE.lstrip("/"),
        "terminal": "{command} --export FOLDER",
        "api": 'curl -OJ "{address}"',
        "files": {name: file.name for name, file in EXPORT_FILES.items()},
    }


def markup(language: str) -> str:
    """The selection of a race, a card for each file, and the notes, as markup."""
    return TEMPLATE.render(text=messages_under("download", language), files=list(EXPORT_FILES), notes_limit=downloads.NOTES)
