"""The markup of the table and the values for its script. Its behaviour is tested in tests/browser/test_comparison.py."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from demo.components.comparison import component as comparison
from engine import LANGUAGES, Plan, translate


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sortable_column_has_a_button_and_a_sort_key(language: str) -> None:
    assert re.findall(r'data-sort="(\w+)"', comparison.markup(language)) == list(comparison.COLUMNS)
    script = comparison.SCRIPT.read_text(encoding="utf-8")
    ranks = script[script.index("const ranks") : script.index("};", script.index("const ranks"))]
    assert all(re.search(rf"\b{column}:", ranks) for column in comparison.COLUMNS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_script_exists(language: str) -> None:
    known = comparison.known({}, language)
    assert set(re.findall(r"\bwords\.(\w+)", comparison.SCRIPT.read_text(encoding="utf-8"))) <= set(known["words"])
    assert set(known["settings"]) == {field.name for field in fields(Plan)}
    assert json.loads(json.dumps(known))["defaults"] == json.loads(Plan().to_json())


def test_values_of_settings_have_titles() -> None:
    known = comparison.known({"task": {"tabletop": "Tabletop"}}, "en")
    assert known["values"]["task"] == {"tabletop": "Tabletop"}
    assert known["values"]["extra_racers"]["scratch"] == translate("racer.scratch")
