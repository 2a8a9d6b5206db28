"""A plan refuses in a sentence, and survives JSON and a link."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from engine import LANGUAGES, RANGES, Plan, PlanError
from engine.plan import MAX_RACERS, TOP_STAGES, Racer


def test_every_setting_survives_json_and_a_link() -> None:
    plan = Plan(
        examples_per_class=7, trainable_stages=3, budget="seconds", epochs=9, seconds=12.5,
        scratch_lr=0.05, head_lr=0.003, backbone_lr=2e-6, layer_decay=0.8,
        head_only_fraction=0.1, batch_size=64, augment=False, seed=11,
    )  # fmt: skip
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_query(plan.to_query()) == plan


def test_a_link_names_only_what_differs() -> None:
    assert Plan().to_query() == ""
    assert Plan(examples_per_class=50, seed=3).to_query() == "examples_per_class=50&seed=3"


def test_a_link_leaves_the_settings_of_others_alone() -> None:
    assert Plan.from_query("__theme=dark&examples_per_class=5&race=abc") == Plan(examples_per_class=5)


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
        assert allowed.reason in sentence
    Plan(**{name: kind(allowed.low)})
    Plan(**{name: kind(allowed.high)})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(PlanError, match="scratch_lr"):
        Plan(scratch_lr=value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"examples_per_class": 2.5}, "examples_per_class is 2.5; it must be a whole number"),
        ({"examples_per_class": True}, "examples_per_class is True; it must be a whole number"),
        ({"augment": 1}, "augment is 1; it must be true or false"),
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


def refused(refusal: pytest.ExceptionInfo[PlanError]) -> str:
    """The sentence of a refusal, which a page can show: in both languages, and not as long as what was refused."""
    assert all(0 < len(refusal.value.translated(language)) < 600 for language in LANGUAGES)
    return str(refusal.value)


def test_every_setting_with_a_fraction_has_a_range() -> None:
    assert {field.name for field in fields(Plan) if type(field.default) is float} <= set(RANGES)


@pytest.mark.parametrize(
    "digits", ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e999", "-1e999", "nan"],
    ids=["400 digits", "negative", "5000 digits", "1e999", "-1e999", "nan"],
)  # fmt: skip
@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_number_in_a_link_that_no_machine_holds_is_refused(name: str, digits: str) -> None:
    with pytest.raises(PlanError, match=f"^{name} is ") as refusal:
        Plan.from_query(f"{name}={digits}")
    refused(refusal)


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000], ids=["400 digits", "negative", "5000 digits"])
@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_whole_number_larger_than_any_float_is_refused_with_its_power_of_ten(name: str, value: int) -> None:
    with pytest.raises(PlanError, match=rf"^{name} is -?1e\+\d{{3,4}}; it must be from") as refusal:
        Plan.from_mapping({name: value})
    refused(refusal)


@pytest.mark.parametrize("name", sorted(field.name for field in fields(Plan)))
@pytest.mark.parametrize(
    "value",
    ["9" * 400, "9" * 5000, "1e999", "[" * 900 + "]" * 900, "[" * 100_000 + "]" * 100_000, '"' + "9" * 5000 + '"', "NaN"],
    ids=["400 digits", "5000 digits", "1e999", "nested", "nested deeper", "text", "NaN"],
)
def test_odd_json_is_refused_in_a_sentence(name: str, value: str) -> None:
    if value.startswith('"') and name in ("task", "backbone"):  # names are looked up later
        return
    with pytest.raises(PlanError) as refusal:
        Plan.from_json(f'{{"{name}": {value}}}')
    refused(refusal)


@pytest.mark.parametrize(
    ("text", "reason"), [("[" * 100_000, "too deep"), ('{"seed": ' + "9" * 5000 + "}", "thousands of digits")],
    ids=["deep", "digits"],
)  # fmt: skip
def test_json_that_python_cannot_hold_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(PlanError, match=f"not a plan: .*{reason}") as refusal:
        Plan.from_json(text)
    assert "計画ではありません: " in refusal.value.translated("ja")
    assert reason not in refusal.value.translated("ja")


def test_a_long_name_that_no_setting_has_is_cut_short() -> None:
    with pytest.raises(PlanError, match="unknown setting 'xxx") as refusal:
        Plan.from_mapping({"x" * 5000: 1})
    assert len(refused(refusal)) < 600


@pytest.mark.parametrize("query", ["examples_per_class=many", "augment=perhaps", "seed=1.5", "examples_per_class="])
def test_a_broken_link_is_refused(query: str) -> None:
    name = query.split("=")[0]
    if query.endswith("="):  # an empty value is no value
        assert Plan.from_query(query) == Plan()
        return
    with pytest.raises(PlanError, match=name):
        Plan.from_query(query)


def test_one_racer_starts_from_nothing_and_learns_everything() -> None:
    scratch, transfer = Plan(trainable_stages=2).racers()
    assert (scratch.pretrained, scratch.trainable_stages) == (False, 0)
    assert (transfer.pretrained, transfer.trainable_stages) == (True, 2)


def test_ways_to_break_transfer_survive_json_and_a_link() -> None:
    plan = Plan(
        task="cats.zip", backbone="mobilenet_v2+mine", image_size=161, extra_racers=("random", "all"), shuffle_grid=4,
        invert_colors=True,
        label_noise=0.35, normalisation="symmetric",
    )  # fmt: skip
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_query(plan.to_query()) == plan


@pytest.mark.parametrize("chosen", [["frozen", "random"], ("random", "frozen"), ("frozen", "random", "frozen")])
def test_extra_lanes_are_a_set_in_one_order(chosen: list[str] | tuple[str, ...]) -> None:
    plan = Plan(extra_racers=chosen)  # type: ignore[arg-type]
    assert plan.extra_racers == ("random", "frozen")
    assert plan == Plan.from_json(plan.to_json()) == Plan.from_query(plan.to_query())
    assert hash(plan) == hash(Plan(extra_racers=("random", "frozen")))


def test_a_link_names_its_extra_lanes_with_commas() -> None:
    assert Plan(extra_racers=("frozen", "top")).to_query() == "extra_racers=frozen%2Ctop"
    assert Plan.from_query("extra_racers=top,frozen").extra_racers == ("frozen", "top")
    assert Plan.from_query("extra_racers=,").extra_racers == ()


@pytest.mark.parametrize("chosen", ["frozen", ("scratch",), ("frozen", "sideways"), [["frozen"]], 3, None])
def test_a_lane_that_nobody_can_join_with_is_refused(chosen: object) -> None:
    with pytest.raises(PlanError, match=r"extra_racers is .*; it must be a list of random, frozen, top, all"):
        Plan(extra_racers=chosen)  # type: ignore[arg-type]


def test_no_more_lines_than_can_be_told_apart() -> None:
    assert len(Plan(extra_racers=("random", "frozen", "all")).racers()) == MAX_RACERS
    with pytest.raises(PlanError, match="extra_racers are 4; at most 3 can join"):
        Plan(extra_racers=("random", "frozen", "top", "all"))
    with pytest.raises(PlanError, match="at most 3 can join"):
        Plan.from_query("extra_racers=random,frozen,top,all")


def test_the_extra_lanes_differ_in_what_is_pretrained_and_what_learns() -> None:
    racers = Plan(trainable_stages=2, extra_racers=("random", "frozen", "top")).racers()[2:]
    assert racers == (Racer("random", False, 1), Racer("frozen", True, 1), Racer("top", True, TOP_STAGES))
    assert Plan(extra_racers=("all",)).racers()[-1] == Racer("all", True, 0)


def test_an_unknown_normalisation_is_refused_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="normalisation is 'zero'; it must be one of own, imagenet, symmetric, raw"):
        Plan(normalisation="zero")  # type: ignore[arg-type]
