"""The frame of "why" is well formed in every language, and its script is told every sentence it says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demo import why
from engine import LANES, LANGUAGES

VOID = {"br", "img", "input", "hr"}


class Tree(HTMLParser):
    """Notes what stands open, what is closed wrongly, and every attribute."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_frame_is_well_formed(language: str) -> None:
    tree = Tree(why.markup(language))
    assert tree.open == []
    assert tree.wrong == []
    assert "${" not in why.markup(language)


def test_what_is_referred_to_is_there_once(language: str) -> None:
    tree = Tree(why.markup(language))
    ids = [value for name, value in tree.found if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in tree.found if name in ("aria-labelledby", "aria-controls")} <= set(ids)


def spoken() -> str:
    """The scripts, which are one."""
    return "".join(script.read_text(encoding="utf-8") for script in why.SCRIPTS)


def test_the_script_is_told_every_sentence_it_says(language: str) -> None:
    script = spoken()
    calls = re.findall(r'\bsay\((?:[^()"]*\? )?"(\w+)"(?: : "(\w+)")?', script)
    said = {key for call in calls for key in call if key}
    assert len(re.findall(r"\bsay\(", script)) == len(calls)
    assert len(said) > 30
    assert said <= set(why.known(language)["words"])
    assert set(why.known(language)["names"]) >= set(LANES)


def test_no_sentence_is_left_over() -> None:
    used = spoken() + Path(why.__file__).read_text(encoding="utf-8")
    assert [key for key in why.known("en")["words"] if f'"{key}"' not in used] == []


def test_languages_differ_and_hold_the_same_frame() -> None:
    english, japanese = (Tree(why.markup(language)).found for language in ("en", "ja"))
    assert [name for name, _ in english] == [name for name, _ in japanese]
    assert why.markup("en") != why.markup("ja")


def test_the_component_carries_every_language() -> None:
    component = why.build()
    assert component.elem_id == "hs-why"
    for language in LANGUAGES:
        assert json.dumps(why.markup(language), ensure_ascii=False) in component.js_on_load
