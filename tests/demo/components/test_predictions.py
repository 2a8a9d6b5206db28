"""The bet explains its rules in every language, and its target is one that the scoreboard measures."""

from __future__ import annotations

import pytest
from markupsafe import escape

from demo.components.predictions import component as predictions
from engine import LANGUAGES, RANGES, messages_under


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_explains_the_bet_and_its_score(language: str) -> None:
    markup, text = predictions.markup(language), messages_under("bet", language)
    assert all(escape(text[key]) in markup for key in ("title", "gap_about", "crossing_about", "rule_gap", "rule_crossing"))
    assert "${" not in markup


def test_the_texts_state_the_target_accuracy() -> None:
    for language in LANGUAGES:
        assert f"{100 * predictions.known(language)['target']:g} %" in messages_under("bet", language)["crossing"]


def test_the_longest_race_can_be_bet() -> None:
    assert f'max="{RANGES["seconds"].high:g}"' in predictions.markup("en")
