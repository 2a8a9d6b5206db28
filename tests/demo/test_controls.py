"""Widgets have the plan's ranges, and their values are read back as the same plan."""

from __future__ import annotations

import gradio as gr
import pytest

from demo import controls
from engine import Plan, PlanError, stages
from engine.workspace import Workspace

MAXIMA = controls.Limits(examples_per_class=8, trainable_stages=6)


def test_a_plan_survives_being_shown_and_read(workspace: Workspace) -> None:
    plan = Plan(
        examples_per_class=5,
        trainable_stages=2,
        budget="seconds",
        seconds=12.0,
        seed=4,
        extra_racers=("frozen",),
        shuffle_grid=4,
    )
    shown = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(plan, MAXIMA)]
    assert controls.read_plan(shown) == plan


def test_a_grid_size_from_a_link_is_added_to_the_choices(workspace: Workspace) -> None:
    index = controls.ORDER.index("shuffle_grid")
    shown = controls.show_plan(Plan(shuffle_grid=3), MAXIMA)[index]
    assert (shown["value"], ("3 × 3", 3) in shown["choices"]) == (3, True)  # type: ignore[index]
    assert ("3 × 3", 3) not in controls.show_plan(Plan(), MAXIMA)[index]["choices"]  # type: ignore[index]


def test_the_sliders_have_the_maxima_of_task_and_network(workspace: Workspace) -> None:
    with gr.Blocks():
        choices = controls.Choices([("Tabletop", "tabletop")], [("ResNet-10", "resnet10")])
        panel = controls.build(choices, MAXIMA, stages(workspace.backbones.find("resnet10"), 3), lambda task: None)
    examples_per_class, learning = panel.widgets["examples_per_class"], panel.widgets["trainable_stages"]
    assert (examples_per_class.minimum, examples_per_class.maximum) == (2, 8)  # type: ignore[attr-defined]
    assert (learning.minimum, learning.maximum) == (1, 6)  # type: ignore[attr-defined]
    assert len(panel.inputs) == len(controls.ORDER)


def test_whole_numbers_may_be_floats_and_fractions_are_rejected(workspace: Workspace) -> None:
    values = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(Plan(), MAXIMA)]
    values[controls.ORDER.index("examples_per_class")] = 5.0
    assert controls.read_plan(values).examples_per_class == 5
    values[controls.ORDER.index("examples_per_class")] = 5.5
    with pytest.raises(PlanError, match="whole number"):
        controls.read_plan(values)


def test_an_empty_field_is_named_in_the_visitors_language(workspace: Workspace) -> None:
    values = [v["value"] if isinstance(v, dict) else v for v in controls.show_plan(Plan(), MAXIMA)]
    values[controls.ORDER.index("head_lr")] = None
    with pytest.raises(PlanError, match="Learning rate of the new head is empty") as error:
        controls.read_plan(values)
    assert "「新しいヘッドの学習率」が空です" in error.value.translated("ja")


def test_a_preset_is_recognised_by_its_settings() -> None:
    assert controls.preset_of(Plan()) == "none"
    for name, settings in controls.PRESETS.items():
        assert controls.preset_of(Plan(**settings)) == name
        assert f"preset.{name}.why" in controls.explain_preset(name)
    assert controls.explain_preset(None) == ""
    assert controls.preset_of(Plan(shuffle_grid=2)) is None


def test_a_value_above_the_maximum_is_shown_at_the_maximum() -> None:
    updates = controls.slider_updates(Plan(examples_per_class=20, trainable_stages=7), MAXIMA)
    assert (updates["examples_per_class"]["maximum"], updates["examples_per_class"]["value"]) == (8, 8)
    assert (updates["trainable_stages"]["maximum"], updates["trainable_stages"]["value"]) == (6, 6)


def test_a_preset_keeps_locked_settings() -> None:
    pinned = {"examples_per_class": 5, "shuffle_grid": 1}
    assert controls.apply_preset("jigsaw", pinned) == ["none", controls.explain_preset("none"), 1, False, 0.0, "own"]
    negative = ["negative", controls.explain_preset("negative"), 1, True, 0.0, "own"]
    assert controls.apply_preset("negative", pinned) == negative
    assert controls.apply_preset("jigsaw", {})[0::2] == ["jigsaw", 4, 0.0]


def test_the_slider_of_the_selected_budget_is_shown() -> None:
    assert [update["visible"] for update in controls.show_budget("seconds")] == [False, True]
