"""The component's markup and what its script is told."""

from __future__ import annotations

import json
import re

import pytest

from demo import live
from engine import LANES, LANGUAGES, RIVALS, TARGETS, Plan, said


def test_every_trace_tells_the_script_what_it_draws() -> None:
    figures = live.known("en")["figures"]
    drawn = {tuple(trace["meta"]) for figure in figures.values() for trace in figure["data"]}
    assert drawn == {(lane, kind) for lane in LANES for kind in ("low", "high", "rolling", "exact", "loss", "rate")}


def test_the_script_is_whole() -> None:
    script = live.SCRIPT.read_text(encoding="utf-8")
    used = set(re.findall(r'word\("(\w+)"', script))
    assert used == set(said("script")) - {"connecting"}  # which the markup says
    known = live.known("ja")
    assert json.loads(json.dumps(known)) == known


def test_an_earlier_race_is_drawn_only_beside_one_on_the_same_pictures_and_network() -> None:
    assert live.known("en")["plan"] == {"task": Plan().task, "backbone": Plan().backbone}
    script = live.SCRIPT.read_text(encoding="utf-8")
    assert "ghosts.filter(isAlike)" in script


def test_the_script_tells_the_other_parts_what_it_reads() -> None:
    script = live.SCRIPT.read_text(encoding="utf-8")
    assert script.count("window.headstart.begin(") == 1
    assert script.count("window.headstart.tell(") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markup_has_a_field_for_every_figure_and_runs_no_template(language: str) -> None:
    markup = live.markup(language)
    for field in ("accuracy", "interval", "phase"):
        assert markup.count(f'data-field="{field}"') == len(LANES)
    for field in ("best", "seconds", *(f"target-{k}" for k in range(len(TARGETS)))):
        assert markup.count(f'data-field="{field}"') == len(RIVALS)
    assert "${" not in markup
    assert "{{" not in markup


def test_chart_and_markup_speak_the_visitors_language() -> None:
    assert "評価用画像の正解率" in json.dumps(live.known("ja")["figures"], ensure_ascii=False)
    assert live.known("ja")["phases"]["done"] == "終了"
    assert "正解率" in live.markup("ja")
