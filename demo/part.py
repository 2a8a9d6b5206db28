"""A part of the page drawn by a script of ours: a gr.HTML in the visitor's language. Knows no race and no sentence.

Gradio translates the labels of its own components in the browser (gr.I18n); markup and scripts of ours come in every
language there is, and `part.js` picks the visitor's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from engine import LANGUAGES

COMMON = Path(__file__).with_name("part.js")


def build(
    elem_id: str,
    script: Path | tuple[Path, ...],
    markup: Callable[[str], str],
    known: Callable[[str], dict[str, Any]],
    value: Any = None,
) -> gr.HTML:
    """A component that shows `markup(language)` and runs `script`, which finds `known(language)` under the name `known`.

    Several scripts are one, in their order.

    The script also finds `element`, `props`, `watch` and `trigger` of gr.HTML, and what `part.js` defines. The markup holds
    nothing that a visitor wrote.
    """
    told = {language: {"markup": markup(language), **known(language)} for language in LANGUAGES}
    scripts = script if isinstance(script, tuple) else (script,)
    code = COMMON.read_text(encoding="utf-8").replace("__TOLD__", json.dumps(told, ensure_ascii=False))
    return gr.HTML(
        value,
        html_template=_inert(markup("en")),
        js_on_load=code + "".join(each.read_text(encoding="utf-8") for each in scripts),
        apply_default_css=False,
        elem_id=elem_id,
    )


def _inert(markup: str) -> str:
    """The same markup without what Gradio would run: it reads a template as a JavaScript template literal."""
    for sign in "`$\\":
        markup = markup.replace(sign, f"&#{ord(sign)};")
    return markup
