"""Widgets show the plan's ranges, and what they show is the plan that is read."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from demo import controls
from engine import Plan, PlanError


def test_what_the_widgets_show_is_the_plan_that_is_read(tiny: Path) -> None:
    plan = Plan(examples=5, learning_stages=2, budget="seconds", seconds=12.0, seed=4, extra_lanes=("frozen",), patches=4)
    shown = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(plan)]
    assert controls.read_plan(shown) == plan


def test_a_number_of_patches_that_only_a_link_has_joins_the_choices(tiny: Path) -> None:
    at = controls.ORDER.index("patches")
    shown = controls.show_plan(Plan(patches=3))[at]
    assert (shown["value"], ("3 × 3", 3) in shown["choices"]) == (3, True)  # type: ignore[index]
    assert ("3 × 3", 3) not in controls.show_plan(Plan())[at]["choices"]  # type: ignore[index]


def test_the_sliders_end_where_the_task_and_the_network_do(tiny: Path) -> None:
    with gr.Blocks():
        panel = controls.build([("Tabletop", "tabletop")], [("ResNet-10", "resnet10")], lambda task: None)
    examples, learning = panel.widgets["examples"], panel.widgets["learning_stages"]
    assert (examples.minimum, examples.maximum) == (2, 8)  # type: ignore[attr-defined]
    assert (learning.minimum, learning.maximum) == (1, 6)  # type: ignore[attr-defined]
    assert len(panel.inputs) == len(controls.ORDER)


def test_whole_numbers_may_come_as_floats_and_halves_may_not(tiny: Path) -> None:
    values = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(Plan())]
    values[controls.ORDER.index("examples")] = 5.0
    assert controls.read_plan(values).examples == 5
    values[controls.ORDER.index("examples")] = 5.5
    with pytest.raises(PlanError, match="whole number"):
        controls.read_plan(values)


def test_an_empty_field_is_named_in_the_visitors_words(tiny: Path) -> None:
    values = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(Plan())]
    values[controls.ORDER.index("head_rate")] = None
    with pytest.raises(PlanError, match="Learning rate of the new head is empty") as refusal:
        controls.read_plan(values)
    assert "「新しいヘッドの学習率」が空です" in refusal.value.said("ja")


def test_a_preset_is_known_by_its_switches() -> None:
    assert controls.preset_of(Plan()) == "none"
    for name, settings in controls.PRESETS.items():
        assert controls.preset_of(Plan(**settings)) == name
        assert f"preset.{name}.why" in controls.preset_why(name)
    assert controls.preset_why(None) == ""
    assert controls.preset_of(Plan(patches=2)) is None


def test_the_sliders_follow_the_task_and_the_network(tiny: Path) -> None:
    ends = controls.limits(Plan(examples=20, learning_stages=3))
    assert (ends["examples"]["maximum"], ends["examples"]["value"]) == (8, 8)
    assert (ends["learning_stages"]["maximum"], ends["learning_stages"]["value"]) == (6, 3)
