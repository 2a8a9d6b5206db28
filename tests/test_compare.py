"""The table's markup and what its script is told. What it does is tested in a browser (test_page_views.py)."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from demo import compare
from engine import LANGUAGES, Plan


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_column_that_can_be_ranked_has_a_button_and_a_rank(language: str) -> None:
    assert re.findall(r'data-sort="(\w+)"', compare.markup(language)) == list(compare.COLUMNS)
    script = compare.SCRIPT.read_text(encoding="utf-8")
    ranks = script[script.index("const ranks") : script.index("};", script.index("const ranks"))]
    assert all(re.search(rf"\b{column}:", ranks) for column in compare.COLUMNS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_script_has_a_word_for_everything_it_says(language: str) -> None:
    told = compare.known(language)
    assert set(re.findall(r"known\.words\.(\w+)", compare.SCRIPT.read_text(encoding="utf-8"))) <= set(told["words"])
    assert set(told["settings"]) == {field.name for field in fields(Plan)}
    assert json.loads(json.dumps(told))["defaults"] == json.loads(Plan().to_json())


def test_a_visitors_own_names_are_not_told_to_others() -> None:
    assert not any(name.startswith("own-") for name in compare.known("en")["values"]["task"])
