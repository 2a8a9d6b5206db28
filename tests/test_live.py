"""The component's markup and what its script is told."""

from __future__ import annotations

import json
import re

from demo import live, words
from engine import LANES, RIVALS, TARGETS, Plan


def test_every_trace_tells_the_script_what_it_draws() -> None:
    figures = live.known()["figures"]
    drawn = {tuple(trace["meta"]) for figure in figures.values() for trace in figure["data"]}
    assert drawn == {(lane, kind) for lane in LANES for kind in ("low", "high", "rolling", "exact", "loss", "rate")}


def test_the_script_is_whole() -> None:
    script = live.SCRIPT.read_text(encoding="utf-8")
    assert script.count("__KNOWN__") == 1
    used = set(re.findall(r'word\("(\w+)"', script))
    assert used <= set(words.SCRIPT)
    assert json.loads(json.dumps(live.known())) == live.known()


def test_an_earlier_race_is_drawn_only_beside_one_on_the_same_pictures_and_network() -> None:
    assert live.known()["plan"] == {"task": Plan().task, "backbone": Plan().backbone}
    script = live.SCRIPT.read_text(encoding="utf-8")
    assert "ghosts.filter(isAlike)" in script
    assert "{ lanes, task, backbone," in script


def test_the_markup_has_a_field_for_every_figure_and_runs_no_template() -> None:
    markup = live.markup()
    for field in ("accuracy", "interval", "phase"):
        assert markup.count(f'data-field="{field}"') == len(LANES)
    for field in ("best", "seconds", *(f"target-{k}" for k in range(len(TARGETS)))):
        assert markup.count(f'data-field="{field}"') == len(RIVALS)
    assert "${" not in markup
    assert "{{" not in markup
