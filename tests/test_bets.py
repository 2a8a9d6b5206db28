"""The bet box says how it scores, in both languages, and what is bet on is what the scoreboard counts."""

from __future__ import annotations

from html import escape

import pytest

from demo import bets
from engine import LANGUAGES, RANGES, said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_box_says_what_is_bet_and_how_it_is_scored(language: str) -> None:
    markup, text = bets.markup(language), said("bet", language)
    assert all(escape(text[key]) in markup for key in ("title", "gap_about", "crossing_about", "rule_gap", "rule_crossing"))
    assert "${" not in markup


def test_the_share_to_cross_is_the_one_that_the_sentences_name() -> None:
    assert all(f"{100 * bets.known(language)['target']:g} %" in said("bet", language)["crossing"] for language in LANGUAGES)


def test_every_time_that_a_race_can_take_can_be_bet() -> None:
    assert f'max="{RANGES["seconds"].high:g}"' in bets.markup("en")
