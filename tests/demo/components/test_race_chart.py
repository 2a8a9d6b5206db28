"""The markup of the chart and the values for its script."""

from __future__ import annotations

import json
import re

import pytest

from demo.components.race_chart import component as race_chart
from engine import LANGUAGES, MAIN_RACERS, RACERS, TARGETS, Plan, messages_under


def test_every_trace_names_its_racer_and_series() -> None:
    figures = race_chart.known("en")["figures"]
    traces = {tuple(trace["meta"]) for figure in figures.values() for trace in figure["data"]}
    assert traces == {(racer, series) for racer in RACERS for series in ("subset", "exact", "loss", "rate")}


def test_every_text_of_the_script_exists_and_is_used() -> None:
    script = "".join(path.read_text(encoding="utf-8") for path in race_chart.SCRIPT.parent.glob("*.js"))
    used = {key for match in re.findall(r'\btranslate\("(\w+)"|\bwords\.(\w+)', script) for key in match if key}
    assert used == set(messages_under("script")) - {"connecting"}  # used in the markup
    known = race_chart.known("ja")
    assert json.loads(json.dumps(known)) == known


def test_an_earlier_race_is_drawn_only_with_the_same_pictures_and_network() -> None:
    assert race_chart.known("en")["plan"] == {"task": Plan().task, "backbone": Plan().backbone}
    script = race_chart.SCRIPT.read_text(encoding="utf-8")
    assert "ghost.backbone === plan.backbone && ghost.task === task" in script


def test_the_script_publishes_the_rows_to_the_other_components() -> None:
    script = race_chart.SCRIPT.read_text(encoding="utf-8")
    assert script.count("channel.begin(") == 1
    assert script.count("channel.publish(") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markup_has_a_field_for_every_number_and_no_template_syntax(language: str) -> None:
    markup = race_chart.markup(language)
    for field in ("accuracy", "interval", "phase"):
        assert markup.count(f'data-field="{field}"') == len(RACERS)
    for field in ("best", "seconds", *(f"target-{k}" for k in range(len(TARGETS)))):
        assert markup.count(f'data-field="{field}"') == len(MAIN_RACERS)
    assert "${" not in markup
    assert "{{" not in markup


def test_chart_and_markup_are_in_the_visitors_language() -> None:
    assert "評価用画像の正解率" in json.dumps(race_chart.known("ja")["figures"], ensure_ascii=False)
    assert race_chart.known("ja")["phases"]["done"] == "終了"
    assert "正解率" in race_chart.markup("ja")
