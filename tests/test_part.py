"""A part of the page comes in every language there is, with its script whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demo import part
from engine import LANGUAGES, say


def markup(language: str) -> str:
    return f"<p>{say('script.live', language)}</p>"


def known(language: str) -> dict[str, Any]:
    return {"name": say("lane.scratch", language)}


def test_it_holds_markup_and_words_in_every_language_and_the_whole_script(tmp_path: Path) -> None:
    script = tmp_path / "small.js"
    script.write_text("console.log(known.name);\n", encoding="utf-8")
    built = part.build("hs-small", script, markup, known, value={"race": "x"})
    assert built.html_template == markup("en")
    code = built.js_on_load
    assert code is not None
    assert code.endswith("console.log(known.name);\n")
    line = next(line for line in code.splitlines() if line.startswith("const told = "))
    told = json.loads(line.removeprefix("const told = ").removesuffix(";"))
    assert told == {language: {"markup": markup(language), **known(language)} for language in LANGUAGES}


def test_what_is_common_has_one_place_for_what_a_part_is_told() -> None:
    common = part.COMMON.read_text(encoding="utf-8")
    assert common.count("__TOLD__") == 1
    for name in ("known", "language", "fill", "listen", "begin", "tell", "cells"):
        assert name in common
