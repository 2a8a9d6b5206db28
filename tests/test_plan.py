"""A plan refuses in a sentence, and survives JSON and a link."""

from __future__ import annotations

import math

import pytest

from engine import RANGES, Plan, PlanError
from engine.plan import MOST_LANES, TOP_STAGES, Lane


def test_every_setting_survives_json_and_a_link() -> None:
    plan = Plan(
        examples=7, learning_stages=3, budget="seconds", epochs=9, seconds=12.5, scratch_optimizer="sgd",
        scratch_rate=0.05, head_rate=0.003, backbone_rate=2e-6, depth_factor=0.8,
        head_share=0.1, batch_size=64, augmented=False, seed=11,
    )  # fmt: skip
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_query(plan.to_query()) == plan


def test_a_link_names_only_what_differs() -> None:
    assert Plan().to_query() == ""
    assert Plan(examples=50, seed=3).to_query() == "examples=50&seed=3"


def test_a_link_leaves_the_settings_of_others_alone() -> None:
    assert Plan.from_query("__theme=dark&examples=5&race=abc") == Plan(examples=5)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_value_out_of_range_is_refused_with_the_range_and_the_reason(name: str) -> None:
    allowed = RANGES[name]
    kind = type(getattr(Plan(), name))
    for value in (allowed.low - 1, allowed.high + 1):
        with pytest.raises(PlanError) as refusal:
            Plan(**{name: kind(value)})
        sentence = str(refusal.value)
        assert name in sentence
        assert f"from {allowed.low:g} to {allowed.high:g}" in sentence
        assert allowed.why in sentence
    Plan(**{name: kind(allowed.low)})
    Plan(**{name: kind(allowed.high)})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(PlanError, match="scratch_rate"):
        Plan(scratch_rate=value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"examples": 2.5}, "examples is 2.5; it must be a whole number"),
        ({"examples": True}, "examples is True; it must be a whole number"),
        ({"augmented": 1}, "augmented is 1; it must be true or false"),
        ({"budget": "hours"}, "budget is 'hours'; it must be one of epochs, seconds"),
        ({"colour": 1}, "unknown setting 'colour'"),
    ],
)
def test_a_setting_of_another_kind_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(PlanError) as refusal:
        Plan.from_mapping(settings)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("text", ["", "[1]", "{", "3"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(text)


@pytest.mark.parametrize("query", ["examples=many", "augmented=perhaps", "seed=1.5", "examples="])
def test_a_broken_link_is_refused(query: str) -> None:
    name = query.split("=")[0]
    if query.endswith("="):  # an empty value is no value
        assert Plan.from_query(query) == Plan()
        return
    with pytest.raises(PlanError, match=name):
        Plan.from_query(query)


def test_one_racer_starts_from_nothing_and_learns_everything() -> None:
    scratch, transfer = Plan(learning_stages=2).lanes()
    assert (scratch.pretrained, scratch.learning_stages) == (False, 0)
    assert (transfer.pretrained, transfer.learning_stages) == (True, 2)


def test_ways_to_break_transfer_survive_json_and_a_link() -> None:
    plan = Plan(
        task="cats.zip", backbone="mobilenet_v2+mine", px=161, extra_lanes=("random", "all"), patches=4, inverted=True,
        label_noise=0.35, normalisation="symmetric",
    )  # fmt: skip
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_query(plan.to_query()) == plan


@pytest.mark.parametrize("chosen", [["frozen", "random"], ("random", "frozen"), ("frozen", "random", "frozen")])
def test_extra_lanes_are_a_set_in_one_order(chosen: list[str] | tuple[str, ...]) -> None:
    plan = Plan(extra_lanes=chosen)  # type: ignore[arg-type]
    assert plan.extra_lanes == ("random", "frozen")
    assert plan == Plan.from_json(plan.to_json()) == Plan.from_query(plan.to_query())
    assert hash(plan) == hash(Plan(extra_lanes=("random", "frozen")))


def test_a_link_names_its_extra_lanes_with_commas() -> None:
    assert Plan(extra_lanes=("frozen", "top")).to_query() == "extra_lanes=frozen%2Ctop"
    assert Plan.from_query("extra_lanes=top,frozen").extra_lanes == ("frozen", "top")
    assert Plan.from_query("extra_lanes=,").extra_lanes == ()


@pytest.mark.parametrize("chosen", ["frozen", ("scratch",), ("frozen", "sideways"), [["frozen"]], 3, None])
def test_a_lane_that_nobody_can_join_with_is_refused(chosen: object) -> None:
    with pytest.raises(PlanError, match=r"extra_lanes is .*; it must be a list of random, frozen, top, all"):
        Plan(extra_lanes=chosen)  # type: ignore[arg-type]


def test_no_more_lines_than_can_be_told_apart() -> None:
    assert len(Plan(extra_lanes=("random", "frozen", "all")).lanes()) == MOST_LANES
    with pytest.raises(PlanError, match="extra_lanes are 4; at most 3 can join"):
        Plan(extra_lanes=("random", "frozen", "top", "all"))
    with pytest.raises(PlanError, match="at most 3 can join"):
        Plan.from_query("extra_lanes=random,frozen,top,all")


def test_the_extra_lanes_differ_in_what_is_pretrained_and_what_learns() -> None:
    lanes = Plan(learning_stages=2, extra_lanes=("random", "frozen", "top")).lanes()[2:]
    assert lanes == (Lane("random", False, 1), Lane("frozen", True, 1), Lane("top", True, TOP_STAGES))
    assert Plan(extra_lanes=("all",)).lanes()[-1] == Lane("all", True, 0)


def test_an_unknown_normalisation_is_refused_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="normalisation is 'zero'; it must be one of own, imagenet, symmetric, raw"):
        Plan(normalisation="zero")  # type: ignore[arg-type]
