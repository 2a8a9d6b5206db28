"""A link for a lesson: what it locks and hides comes back out of it, and nothing else does."""

from __future__ import annotations

from urllib.parse import parse_qsl

import gradio as gr
import pytest

from demo import controls, locks
from engine import Plan


def test_what_a_link_locks_and_hides_is_read_from_it_again() -> None:
    plan = Plan(examples=5)
    link = dict(parse_qsl(locks.query(plan, ["task", "backbone"], ["more", "examples"], "lesson")))
    assert locks.read(link) == ({"task", "backbone"}, {"more", "examples"}, "lesson")
    assert Plan.from_mapping({"examples": int(link["examples"])}) == plan


def test_a_link_that_locks_nothing_is_the_plans_own() -> None:
    assert locks.query(Plan(seed=3), [], [], "why") == "seed=3"
    assert locks.query(Plan(), [], [], "why") == ""


@pytest.mark.parametrize("odd", ["start", "<b>", "__class__", ""])
def test_names_that_are_none_are_passed_over(odd: str) -> None:
    assert locks.read({"lock": odd, "hide": odd, "view": odd}) == (frozenset(), frozenset(), "why")


def test_a_locked_widget_keeps_its_value_and_cannot_be_moved() -> None:
    shown = [gr.update(value=k) if k % 2 else k for k in range(len(controls.ORDER))]
    out = locks.applied(shown, frozenset({"task", "backbone"}), frozenset({"backbone", "examples"}))
    assert (out[0]["value"], out[0]["interactive"]) == (0, False)  # type: ignore[index,call-overload]
    assert (out[1]["value"], out[1]["interactive"], out[1]["visible"]) == (1, False, False)  # type: ignore[index,call-overload]
    assert out[2]["visible"] is False  # type: ignore[index,call-overload]
    assert out[3:] == shown[3:]


def test_a_hidden_group_is_not_shown() -> None:
    shown = dict(zip(controls.BOXES, locks.boxes(frozenset({"more"})), strict=True))
    assert [name for name, update in shown.items() if not update["visible"]] == ["more"]
