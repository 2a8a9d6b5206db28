"""What a race costs is known before it starts, and a plan that would take too long is made to fit."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from engine import Plan, PlanError
from engine.device import Machine
from engine.models.pretrained import Backbone
from engine.race.cost import CONTENTION, LEAST_EPOCHS, START_UP, CostEstimator, Speed, probe
from engine.training.evaluator import SUBSET_SHARE
from engine.workspace import Workspace
from tests.conftest import CPU

TINY = Plan(examples_per_class=4, epochs=4, batch_size=6, trainable_stages=3)  # 12 pictures, 18 held out, 2 steps an epoch
SLOW = Plan(image_size=128, trainable_stages=3)  # of the real pictures


TWO_CORES = replace(CPU, cores=2)  # a core for each of two racers
STAGE_SHARE = {1: 0.1, 3: 0.5}  # of a whole network's work, by the number of trainable stages
quick_probe = partial(probe, seconds=0.0)


def cost_estimator(image_size: int, workspace: Workspace, learn: float = 3.0) -> CostEstimator:
    """An estimator with given speeds: 1 s forward per picture at this input size, in proportion to the area at others."""

    def measure(_backbone: Backbone, size: int, trainable_stages: int, _machine: Machine) -> Speed:
        area, share = (size / image_size) ** 2, STAGE_SHARE.get(trainable_stages, 1.0)
        return Speed(area, learn * share * area, 2.0 * share)

    return CostEstimator(workspace, TWO_CORES, measure)


def race_of(*racers: float) -> float:
    """Seconds of a race whose racers work so many seconds each, on two cores."""
    return START_UP + CONTENTION * (1 + SUBSET_SHARE) * max(*racers, sum(racers) / 2)


# By hand. A picture takes 1 s forward; learning from it 3 s with the whole network, 1.5 s with three stages, 0.3 s with the
# head; an optimizer step 2 s, 1 s and 0.2 s. 24 views and 18 held-out pictures, 12 steps of 4, 30 % of them for the head;
# all held-out pictures are evaluated twice a phase, and twice more where it is not the head's, since 4 epochs double twice
SCRATCH = 12 * (4 * 3.0 + 2.0) + (2 + 2) * 18 * 1.0
FROZEN = (24 + 18) * 1.0 + 12 * (4 * 0.3 + 0.2) + 2 * 18 * 0.3 / 4
TUNED = (24 + 18) * 1.0 + 0.3 * 12 * (4 * 0.3 + 0.2) + 2 * 18 * 0.3 / 4
TUNED += (24 + 18) * 1.0 + 0.7 * 12 * (4 * 1.5 + 1.0) + (2 + 2) * 18 * 1.5 / 4


def test_an_estimate_is_the_sum_of_what_the_slower_racer_does(workspace: Workspace) -> None:
    assert cost_estimator(32, workspace).estimate(TINY) == pytest.approx(race_of(SCRATCH, TUNED))
    assert SCRATCH > TUNED


def test_more_racers_than_cores_share_them(workspace: Workspace) -> None:
    assert cost_estimator(32, workspace).estimate(replace(TINY, extra_racers=("frozen", "random"))) == pytest.approx(
        race_of(SCRATCH, TUNED, FROZEN, FROZEN)
    )
    assert race_of(SCRATCH, TUNED, FROZEN, FROZEN) > race_of(SCRATCH, TUNED)


def test_pictures_that_are_not_mirrored_are_run_once(workspace: Workspace) -> None:
    frozen = replace(TINY, trainable_stages=1)
    cheap = CostEstimator(workspace, TWO_CORES, lambda _b, _s, stages, _m: Speed(1.0 if stages == 1 else 0.0, 0.0, 0.0))
    seen = [(cheap.estimate(replace(frozen, augment=mirrored)) - START_UP) for mirrored in (True, False)]
    assert seen[0] / seen[1] == pytest.approx((2 * 12 + 18) / (12 + 18))


def test_equal_seconds_cost_their_seconds_whatever_a_step_takes(workspace: Workspace) -> None:
    seconds = replace(TINY, budget="seconds", seconds=100.0)
    known = cost_estimator(32, workspace)
    longer = known.estimate(replace(seconds, seconds=200.0)) - known.estimate(seconds)
    assert longer == pytest.approx(100 * CONTENTION * (1 + SUBSET_SHARE))
    assert known.estimate(replace(seconds, epochs=500)) == known.estimate(seconds)


def test_without_a_probe_nobody_knows(workspace: Workspace) -> None:
    assert CostEstimator(workspace, CPU).estimate(TINY, may_probe=lambda: False) is None


def test_a_real_probe_is_positive_and_made_once(workspace: Workspace) -> None:
    speeds: list[Speed] = []

    def measure(backbone: Backbone, image_size: int, trainable_stages: int, machine: Machine) -> Speed:
        speeds.append(quick_probe(backbone, image_size, trainable_stages, machine))
        return speeds[-1]

    known, plan = CostEstimator(workspace, TWO_CORES, measure), replace(TINY, trainable_stages=1)
    short = known.estimate(plan)
    assert START_UP < short < known.estimate(replace(plan, epochs=8))
    assert known.estimate(plan, may_probe=lambda: False) == short
    assert len(speeds) == 2  # of the whole network and of the head, once each
    assert all(0 < value < 10 for speed in speeds for value in (speed.forward, speed.learn, speed.update))


def test_a_probe_gives_the_threads_back(workspace: Workspace) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert quick_probe(workspace.backbones.find("resnet10"), 32, 1, CPU).learn > 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_probe_does_not_disturb_a_race_that_is_being_built(workspace: Workspace) -> None:
    before = torch.get_rng_state()
    quick_probe(workspace.backbones.find("resnet10"), 32, 1, CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_plan_that_fits_stays_as_it_is(workspace: Workspace) -> None:
    known = cost_estimator(32, workspace)
    assert known.fit(TINY, known.estimate(TINY)) is None


def test_fewer_epochs_come_first() -> None:
    known = cost_estimator(128, Workspace())
    expected = known.estimate(SLOW)
    assert expected is not None
    fitted = known.fit(SLOW, expected / 2)
    assert fitted == replace(SLOW, epochs=math.floor(50 * (expected / 2 - START_UP) / expected))
    assert known.estimate(fitted) == pytest.approx(expected / 2, rel=0.1)


def test_then_a_smaller_input_as_large_as_possible() -> None:
    known = cost_estimator(128, Workspace())
    expected = known.estimate(SLOW)
    assert expected is not None
    target = expected * 0.15  # 7 epochs at 128 px, 13 at 96
    fitted = known.fit(SLOW, target)
    assert fitted == replace(SLOW, image_size=96, epochs=math.floor(50 * (target - START_UP) / (expected * (96 / 128) ** 2)))
    assert fitted.epochs >= LEAST_EPOCHS
    assert known.estimate(fitted) == pytest.approx(target, rel=0.35)  # held-out pictures cost the same in few epochs


def test_a_plan_of_few_epochs_keeps_them_at_a_smaller_input() -> None:
    known, few = cost_estimator(128, Workspace()), replace(SLOW, epochs=LEAST_EPOCHS)
    fitted = known.fit(few, known.estimate(few) * 0.6)
    assert fitted == replace(few, image_size=96)


def test_equal_seconds_are_the_last_resort() -> None:
    known = cost_estimator(128, Workspace())
    fitted = known.fit(SLOW, 60)
    assert fitted == replace(SLOW, budget="seconds", seconds=36.0)
    assert known.fit(SLOW, 3) == replace(SLOW, budget="seconds", seconds=2.0)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.21, 0.1, 0.05, 0.01])
def test_no_fitted_plan_has_too_few_epochs_to_learn(share: float) -> None:
    known = cost_estimator(128, Workspace())
    fitted = known.fit(SLOW, known.estimate(SLOW) * share)
    assert fitted is not None
    assert fitted.budget == "seconds" or LEAST_EPOCHS <= fitted.epochs <= SLOW.epochs


def test_a_network_of_one_side_is_never_given_another() -> None:
    plan, known = Plan(backbone="vit_b_16"), cost_estimator(224, Workspace())
    expected = known.estimate(plan)
    assert known.fit(plan, expected / 2).image_size == 0
    assert known.fit(plan, expected / 20) == replace(plan, budget="seconds", seconds=round(expected / 20 * 0.6))


def test_a_plan_of_equal_seconds_gets_fewer() -> None:
    plan = replace(SLOW, budget="seconds", seconds=300.0)
    assert cost_estimator(128, Workspace()).fit(plan, 100) == replace(plan, seconds=60.0)


def test_a_fitted_plan_is_never_longer_than_the_one_that_was_asked_for() -> None:
    plan = replace(SLOW, budget="seconds", seconds=10.0)
    fitted = cost_estimator(128, Workspace()).fit(plan, 20)
    assert fitted is not None
    assert fitted.seconds <= 10


def test_a_target_beyond_the_longest_race_is_no_error() -> None:
    assert cost_estimator(128, Workspace(), learn=300).fit(SLOW, 3600).seconds <= 1800


def test_unknown_pictures_and_networks_are_refused() -> None:
    for plan in (Plan(task="cats"), Plan(backbone="brain")):
        with pytest.raises(PlanError):
            CostEstimator(Workspace(), CPU).estimate(plan)
