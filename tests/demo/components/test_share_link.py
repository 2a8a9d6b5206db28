"""A link with locked and hidden controls is read back; unknown names are ignored."""

from __future__ import annotations

from urllib.parse import parse_qsl

import gradio as gr
import pytest

from demo import controls
from demo.components import share_link
from engine import Plan


def test_locked_and_hidden_controls_are_read_back_from_the_link() -> None:
    plan = Plan(examples_per_class=5)
    link = dict(parse_qsl(share_link.query(plan, ["task", "backbone"], ["more", "examples_per_class"], "lesson")))
    assert share_link.read(link) == ({"task", "backbone"}, {"more", "examples_per_class"}, "lesson")
    assert Plan.from_mapping({"examples_per_class": int(link["examples_per_class"])}) == plan


def test_a_link_that_locks_nothing_is_the_query_of_the_plan() -> None:
    assert share_link.query(Plan(seed=3), [], [], "why") == "seed=3"
    assert share_link.query(Plan(), [], [], "why") == ""


@pytest.mark.parametrize("name", ["start", "<b>", "__class__", ""])
def test_unknown_names_are_ignored(name: str) -> None:
    assert share_link.read({"lock": name, "hide": name, "view": name}) == (frozenset(), frozenset(), "why")


def test_a_locked_widget_keeps_its_value_and_is_read_only() -> None:
    shown = [gr.update(value=k) if k % 2 else k for k in range(len(controls.ORDER))]
    out = share_link.applied(shown, frozenset({"task", "backbone"}), frozenset({"backbone", "examples_per_class"}))
    assert (out[0]["value"], out[0]["interactive"]) == (0, False)  # type: ignore[index,call-overload]
    assert (out[1]["value"], out[1]["interactive"], out[1]["visible"]) == (1, False, False)  # type: ignore[index,call-overload]
    assert out[2]["visible"] is False  # type: ignore[index,call-overload]
    assert out[3:] == shown[3:]


def test_a_hidden_group_is_invisible() -> None:
    shown = dict(zip(controls.BOXES, share_link.boxes(frozenset({"more"})), strict=True))
    assert [name for name, update in shown.items() if not update["visible"]] == ["more"]
