"""The place's markup and what its script is told. What it does is tested in a browser (test_page_views.py)."""

from __future__ import annotations

import re

import pytest

from demo import takeaway
from engine import FILES, LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_card_for_every_kind_of_file(language: str) -> None:
    assert re.findall(r'data-kind="(\w+)"', takeaway.markup(language)) == list(FILES)
    assert "${" not in takeaway.markup(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_script_has_a_word_for_everything_it_says(language: str) -> None:
    told = takeaway.known(language)
    script = takeaway.SCRIPT.read_text(encoding="utf-8")
    used = set(re.findall(r"known\.words\.(\w+)", script)) | set(re.findall(r'known\.words\["([\w.]+)"\]', script))
    assert used <= set(told["words"])
    assert set(told["files"]) == set(FILES)
