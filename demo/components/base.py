"""A gr.HTML in the visitor's language that a JavaScript module renders.

Gradio translates the labels of its own components in the browser (gr.I18n). The markup and texts of these components are
sent in every language, and `lib/part.js` selects the visitor's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo.server import scripts
from engine import LANGUAGES

PART = Path(__file__).parent / "lib" / "part.js"
# Gradio offers an event only if the script contains its name in quotes, here "submit"
MOUNT = """const at = (path) => import(new URL(path, document.baseURI).href);
const gradio = {{ element, props, watch, submit: () => trigger("submit") }};
const languages = {languages};
Promise.all([at({part}), at({module})])
  .then(([{{ createComponent }}, {{ mount }}]) => mount(createComponent(gradio, languages)));
"""


def build(
    elem_id: str,
    script: Path,
    markup: Callable[[str], str],
    known: Callable[[str], dict[str, Any]],
    value: Any = None,
) -> gr.HTML:
    """A component with the markup `markup(language)`, which the JavaScript module `script` fills.

    The module exports `mount(component)`, where `component` is the `Component` of `lib/part.js` and `component.config` is
    `known(language)`. The markup must not contain text written by visitors.
    """
    languages = {language: {"markup": markup(language), **known(language)} for language in LANGUAGES}
    part, module = (f"{scripts.BASE}/{scripts.path_of(path)}".lstrip("/") for path in (PART, script))
    return gr.HTML(
        value,
        html_template=_escape_literal(markup("en")),
        js_on_load=MOUNT.format(
            languages=json.dumps(languages, ensure_ascii=False), part=json.dumps(part), module=json.dumps(module)
        ),
        apply_default_css=False,
        elem_id=elem_id,
    )


def _escape_literal(markup: str) -> str:
    """The markup with ` $ \\ escaped, because Gradio evaluates it as a JavaScript template literal."""
    for character in "`$\\":
        markup = markup.replace(character, f"&#{ord(character)};")
    return markup
