"""The markup of the "why" view is well formed in every language, and every text of its script exists."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demo.components.explain import component as explain
from engine import LANGUAGES, RACERS

VOID = {"br", "img", "input", "hr"}


class Tree(HTMLParser):
    """Parses markup: the tags left open, the closing tags that do not match, and all attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_markup_is_well_formed(language: str) -> None:
    tree = Tree(explain.markup(language))
    assert tree.open == []
    assert tree.mismatched == []
    assert "${" not in explain.markup(language)


def test_ids_are_unique_and_references_exist(language: str) -> None:
    tree = Tree(explain.markup(language))
    ids = [value for name, value in tree.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in tree.attributes if name in ("aria-labelledby", "aria-controls")} <= set(ids)


def scripts() -> str:
    """The source of the modules that render the component."""
    return "".join(script.read_text(encoding="utf-8") for script in explain.SCRIPT.parent.glob("*.js"))


def test_every_text_of_the_script_exists(language: str) -> None:
    script = scripts().replace("translate(key, values) {", "")  # the definition is not a call
    calls = re.findall(r'\btranslate\((?:[^()"]*\? )?"(\w+)"(?: : "(\w+)")?', script)
    keys = {key for call in calls for key in call if key}
    assert len(re.findall(r"\btranslate\(", script)) == len(calls)
    assert len(keys) > 30
    assert keys <= set(explain.known(language)["words"])
    assert set(explain.known(language)["names"]) >= set(RACERS)


def test_every_text_is_used() -> None:
    component = Path(explain.__file__)
    used = scripts() + "".join(path.read_text(encoding="utf-8") for path in (component, component.with_suffix(".html")))
    assert [key for key in explain.known("en")["words"] if f'"{key}"' not in used] == []


def test_languages_differ_only_in_their_texts() -> None:
    english, japanese = (Tree(explain.markup(language)).attributes for language in ("en", "ja"))
    assert [name for name, _ in english] == [name for name, _ in japanese]
    assert explain.markup("en") != explain.markup("ja")


def test_the_component_has_the_markup_in_every_language() -> None:
    component = explain.build()
    assert component.elem_id == "hs-why"
    for language in LANGUAGES:
        assert json.dumps(explain.markup(language), ensure_ascii=False) in component.js_on_load
