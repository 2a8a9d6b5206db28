"""What a race costs is known before it starts, and a plan that would take too long is made to fit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU

from engine import Plan, PlanError, cost, device
from engine.cost import LEAST_EPOCHS, START_UP, TOGETHER, Prober, Speed
from engine.training import EVALUATION_SHARE

TINY = Plan(examples=4, epochs=4, batch_size=6, learning_stages=3)  # 12 pictures, 18 held out, 2 steps an epoch
SLOW = Plan(px=128, learning_stages=3)  # of the real pictures


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where two racers have a core each, whatever this one has."""
    monkeypatch.setattr(cost, "this_machine", lambda: CPU)
    monkeypatch.setattr(cost, "cores", lambda: 2)
    monkeypatch.setattr(device, "cores", lambda: 2)


def prober(px: int, learn: float = 3.0, name: str = "resnet10") -> Prober:
    """Knows the speeds of that side, and below it those that go by the area."""
    known = Prober()
    for side in (px, 160, 128, 96, 64):
        area = (side / px) ** 2
        for stages, share in ((1, 0.1), (3, 0.5), (6, 1.0)):
            known._speeds[name, side, stages, "adamw", 1] = Speed(area, learn * share * area, 2.0 * share)
    return known


def race_of(*lanes: float) -> float:
    """Seconds of a race whose racers work so many seconds each, on two cores."""
    return START_UP + TOGETHER * (1 + EVALUATION_SHARE) * max(*lanes, sum(lanes) / 2)


# By hand. A picture takes 1 s forward; learning from it 3 s with the whole network, 1.5 s with three stages, 0.3 s with the
# head; an optimizer step 2 s, 1 s and 0.2 s. 24 views and 18 held-out pictures, 12 steps of 4, 30 % of them for the head
SCRATCH = 12 * (4 * 3.0 + 2.0) + 2 * 18 * 1.0
FROZEN = (24 + 18) * 1.0 + 12 * (4 * 0.3 + 0.2) + 2 * 18 * 0.3 / 3
TUNED = (24 + 18) * 1.0 + 0.3 * 12 * (4 * 0.3 + 0.2) + 2 * 18 * 0.3 / 3
TUNED += (24 + 18) * 1.0 + 0.7 * 12 * (4 * 1.5 + 1.0) + 2 * 18 * 1.5 / 3


def test_an_estimate_is_the_sum_of_what_the_slower_racer_does(tiny: Path) -> None:
    assert prober(32).estimate(TINY) == pytest.approx(race_of(SCRATCH, TUNED))
    assert SCRATCH > TUNED


def test_more_racers_than_cores_share_them(tiny: Path) -> None:
    assert prober(32).estimate(replace(TINY, extra_lanes=("frozen",))) == pytest.approx(race_of(SCRATCH, TUNED, FROZEN))
    assert race_of(SCRATCH, TUNED, FROZEN) > race_of(SCRATCH, TUNED)


def test_pictures_that_are_not_mirrored_are_run_once(tiny: Path) -> None:
    frozen = replace(TINY, learning_stages=1)
    cheap = Prober()
    for stages in (1, 6):
        cheap._speeds["resnet10", 32, stages, "adamw", 1] = Speed(1.0 if stages == 1 else 0.0, 0.0, 0.0)
    seen = [(cheap.estimate(replace(frozen, augmented=mirrored)) - START_UP) for mirrored in (True, False)]
    assert seen[0] / seen[1] == pytest.approx((2 * 12 + 18) / (12 + 18))


def test_equal_seconds_cost_their_seconds_whatever_a_step_takes(tiny: Path) -> None:
    seconds = replace(TINY, budget="seconds", seconds=100.0)
    known = prober(32)
    longer = known.estimate(replace(seconds, seconds=200.0)) - known.estimate(seconds)
    assert longer == pytest.approx(100 * TOGETHER * (1 + EVALUATION_SHARE))
    assert known.estimate(replace(seconds, epochs=500)) == known.estimate(seconds)


def test_without_a_probe_nobody_knows(tiny: Path) -> None:
    assert Prober().estimate(TINY, may_probe=lambda: False) is None


def test_a_real_probe_is_positive_and_made_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "PROBE", 0.0)
    known, plan = Prober(), replace(TINY, learning_stages=1)
    short = known.estimate(plan)
    monkeypatch.setattr(cost, "probe", lambda *_: pytest.fail("probed again"))
    assert START_UP < short < known.estimate(replace(plan, epochs=8))
    assert known.estimate(plan, may_probe=lambda: False) == short
    assert all(0 < value < 10 for speed in known._speeds.values() for value in (speed.forward, speed.learn, speed.update))


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_every_optimizer_can_be_probed_and_the_threads_are_given_back(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    monkeypatch.setattr(cost, "PROBE", 0.0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert cost.probe("resnet10", 32, 1, optimizer, 1).learn > 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_probe_does_not_disturb_a_race_that_is_being_built(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "PROBE", 0.0)
    before = torch.get_rng_state()
    cost.probe("resnet10", 32, 1, "adamw", 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_plan_that_fits_stays_as_it_is(tiny: Path) -> None:
    known = prober(32)
    assert known.fit(TINY, known.estimate(TINY)) is None


def test_fewer_epochs_come_first() -> None:
    known = prober(128)
    expected = known.estimate(SLOW)
    assert expected is not None
    fitted = known.fit(SLOW, expected / 2)
    assert fitted == replace(SLOW, epochs=math.floor(50 * (expected / 2 - START_UP) / expected))
    assert known.estimate(fitted) == pytest.approx(expected / 2, rel=0.1)


def test_then_a_smaller_input_as_large_as_possible() -> None:
    known = prober(128)
    expected = known.estimate(SLOW)
    assert expected is not None
    target = expected * 0.15  # 7 epochs at 128 px, 13 at 96
    fitted = known.fit(SLOW, target)
    assert fitted == replace(SLOW, px=96, epochs=math.floor(50 * (target - START_UP) / (expected * (96 / 128) ** 2)))
    assert fitted.epochs >= LEAST_EPOCHS
    assert known.estimate(fitted) == pytest.approx(target, rel=0.35)  # held-out pictures cost the same in few epochs


def test_a_plan_of_few_epochs_keeps_them_at_a_smaller_input() -> None:
    known, few = prober(128), replace(SLOW, epochs=LEAST_EPOCHS)
    fitted = known.fit(few, known.estimate(few) * 0.6)
    assert fitted == replace(few, px=96)


def test_equal_seconds_are_the_last_resort() -> None:
    known = prober(128)
    fitted = known.fit(SLOW, 60)
    assert fitted == replace(SLOW, budget="seconds", seconds=36.0)
    assert known.fit(SLOW, 3) == replace(SLOW, budget="seconds", seconds=2.0)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.21, 0.1, 0.05, 0.01])
def test_no_fitted_plan_has_too_few_epochs_to_learn(share: float) -> None:
    known = prober(128)
    fitted = known.fit(SLOW, known.estimate(SLOW) * share)
    assert fitted is not None
    assert fitted.budget == "seconds" or LEAST_EPOCHS <= fitted.epochs <= SLOW.epochs


def test_a_network_of_one_side_is_never_given_another() -> None:
    plan, known = Plan(backbone="vit_b_16"), prober(224, name="vit_b_16")
    expected = known.estimate(plan)
    assert known.fit(plan, expected / 2).px == 0
    assert known.fit(plan, expected / 20) == replace(plan, budget="seconds", seconds=round(expected / 20 * 0.6))


def test_a_plan_of_equal_seconds_gets_fewer() -> None:
    plan = replace(SLOW, budget="seconds", seconds=300.0)
    assert prober(128).fit(plan, 100) == replace(plan, seconds=60.0)


def test_a_fitted_plan_is_never_longer_than_the_one_that_was_asked_for() -> None:
    plan = replace(SLOW, budget="seconds", seconds=10.0)
    fitted = prober(128).fit(plan, 20)
    assert fitted is not None
    assert fitted.seconds <= 10


def test_a_target_beyond_the_longest_race_is_no_error() -> None:
    assert prober(128, learn=300).fit(SLOW, 3600).seconds <= 1800


def test_unknown_pictures_and_networks_are_refused() -> None:
    for plan in (Plan(task="cats"), Plan(backbone="brain")):
        with pytest.raises(PlanError):
            Prober().estimate(plan)
