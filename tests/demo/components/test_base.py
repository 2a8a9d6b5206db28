"""A component contains its markup and texts in every language, and mounts its module."""

from __future__ import annotations

import json
from typing import Any

from demo.components import base
from engine import LANGUAGES, translate


def markup(language: str) -> str:
    return f"<p>{translate('script.live', language)}</p>"


def known(language: str) -> dict[str, Any]:
    return {"name": translate("racer.scratch", language)}


def test_a_component_has_every_language_and_mounts_its_module() -> None:
    script = base.PART.parents[1] / "tabs" / "component.js"
    built = base.build("hs-small", script, markup, known, value={"race": "x"})
    assert built.html_template == markup("en")
    code = built.js_on_load
    assert code is not None
    assert '"gradio_api/headstart/js/demo/components/tabs/component.js"' in code
    line = next(line for line in code.splitlines() if line.startswith("const languages = "))
    languages = json.loads(line.removeprefix("const languages = ").removesuffix(";"))
    assert languages == {language: {"markup": markup(language), **known(language)} for language in LANGUAGES}


def test_a_component_has_the_submit_event() -> None:
    built = base.build("hs-small", base.PART, markup, known)
    assert callable(built.submit)  # Gradio offers an event only if the script contains its name in quotes
