"""One racer: what it counts, what its clock sees, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU, HELDOUT, Clock, checkpoint

from engine import Plan, backbones, chance, freezing, optimizers, zoo
from engine.events import Answered, Evaluated, Event, Finished, Judged, Looked, PhaseStarted, Prepared, Stepped
from engine.metrics import wilson
from engine.plan import Lane
from engine.tasks import Drawn
from engine.training import EVALUATION_SHARE, FEATURES, LOOKS, SHOWN, phases, show, train

SHORT = Plan(examples=4, epochs=3, batch_size=5, learning_stages=1)
SCRATCH, TRANSFER = SHORT.lanes()


def run(lane: Lane, plan: Plan, pictures: Drawn, clock: Clock | None = None, cached: bool = True) -> list[Event]:
    return [e for e in train(lane, plan, pictures, CPU, clock or Clock(0.001), cached) if e is not None]


def of(events: list[Event], kind: type) -> list:
    return [e for e in events if isinstance(e, kind)]


@pytest.mark.parametrize("lane", [SCRATCH, TRANSFER], ids=["scratch", "transfer"])
def test_a_racer_sees_every_picture_once_an_epoch(lane: Lane, drawn: Drawn) -> None:
    events = run(lane, SHORT, drawn)
    steps = of(events, Stepped)
    assert len(steps) == of(events, Prepared)[0].steps == 3 * 3  # 12 pictures in batches of at most 5
    assert steps[-1].pictures == 3 * 12
    assert steps[-1].epoch == 3
    assert [s.step for s in steps] == list(range(1, 10))
    assert of(events, Finished)[0].reason == "done"


@pytest.mark.parametrize("lane", [SCRATCH, TRANSFER], ids=["scratch", "transfer"])
def test_an_exact_point_counts_the_whole_held_out_set(lane: Lane, drawn: Drawn) -> None:
    exact = [e for e in of(run(lane, SHORT, drawn), Evaluated) if e.is_exact]
    assert exact[0].step == 0
    assert exact[-1].step == 9
    for point in exact:
        assert point.total == len(drawn.heldout)
        assert (point.low, point.high) == wilson(point.correct, point.total)


def test_the_final_count_is_that_of_the_trained_network(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[torch.nn.Sequential] = []
    build = backbones.build
    monkeypatch.setattr(backbones, "build", lambda *a: made.append(build(*a)) or made[-1])
    end = of(run(SCRATCH, SHORT, drawn), Finished)[0]
    model = made[0].eval()
    inputs = freezing.FreshInputs(model[:0], drawn, False, 0, CPU)
    with torch.no_grad():
        right = model(inputs.heldout(slice(None))).argmax(1) == drawn.heldout_labels
    assert end.answers == "".join("1" if r else "0" for r in right)
    assert (end.correct, end.total) == (int(right.sum()), len(right))


@pytest.mark.parametrize("lane", [SCRATCH, TRANSFER], ids=["scratch", "transfer"])
def test_the_shown_pictures_are_answered_at_every_exact_point(lane: Lane, drawn: Drawn) -> None:
    events = run(lane, SHORT, drawn)
    exact, answered, judged = [e for e in of(events, Evaluated) if e.is_exact], of(events, Answered), of(events, Judged)[0]
    assert [a.step for a in answered] == [e.step for e in exact]
    rows = show(drawn.heldout_labels, SHORT.seed)
    assert answered[-1].named == tuple(judged.named[row] for row in rows)
    assert answered[-1].confidence == tuple(judged.confidence[row] for row in rows)
    assert answered[0].confidence == (round(1 / 3, 3),) * len(rows) or lane is SCRATCH  # a head at zero knows nothing


def test_the_last_judgement_is_the_softmax_of_the_trained_network(drawn: Drawn) -> None:
    work = train(SCRATCH, SHORT, drawn, CPU, Clock(0.001))
    events: list[Event | None] = []
    try:
        while True:
            events.append(next(work))
    except StopIteration as end:
        model = end.value.eval()
    told = [event for event in events if event is not None]
    judged, finished = of(told, Judged)[0], of(told, Finished)[0]
    inputs = freezing.FreshInputs(model[:0], drawn, False, 0, CPU)
    with torch.no_grad():
        sure, named = model(inputs.heldout(slice(None))).double().softmax(1).max(1)
    assert judged.named == tuple(named.tolist())
    assert judged.confidence == pytest.approx(sure.tolist(), abs=6e-4)
    right = "".join("1" if n == y else "0" for n, y in zip(judged.named, drawn.heldout_labels.tolist(), strict=True))
    assert finished.answers == right


def test_a_frozen_stage_is_seen_to_stand_still_and_its_filters_are_told_once(drawn: Drawn) -> None:
    looks = of(run(TRANSFER, SHORT, drawn), Looked)
    assert looks[-1].step == 9
    assert all(look.moved[:-1] == (0.0,) * 5 for look in looks)
    assert (looks[0].moved[-1], looks[-1].moved[-1]) == (0.0, 1.0)
    assert [bool(look.filters) for look in looks] == [True] + [False] * (len(looks) - 1)
    assert len(looks) <= LOOKS + 2


def test_the_shown_pictures_are_dealt_over_the_classes() -> None:
    labels = torch.arange(600) // 60
    rows = show(labels, 0)
    assert len(rows) == SHOWN
    assert labels[list(rows)].tolist() == list(range(10))
    assert show(labels, 1) != rows
    assert len(show(torch.arange(3), 0)) == 3


@pytest.mark.slow
def test_rolling_estimates_are_marked_and_never_the_last_word(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.ROLLING_LEAST", 10)
    points = of(run(SCRATCH, replace(SHORT, epochs=10), drawn), Evaluated)
    assert [p for p in points if not p.is_exact]
    assert points[-1].is_exact


def test_the_clock_stands_still_during_evaluation(drawn: Drawn) -> None:
    """Every look at the clock takes a second, so the racer's seconds count its own looks: one to find nothing to
    prepare, then one a step."""
    events = run(SCRATCH, SHORT, drawn, Clock(1.0))
    assert [s.seconds for s in of(events, Stepped)] == list(range(2, 11))
    assert of(events, Evaluated)[-1].evaluating > 0


def test_filling_the_cache_is_counted(drawn: Drawn) -> None:
    events = run(TRANSFER, SHORT, drawn, Clock(1.0))
    assert of(events, Stepped)[0].seconds > 2  # two views in a chunk each, then the first step


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [4, 12])
def test_evaluation_stays_within_its_share_of_forward_passes(drawn: Drawn, batch_size: int) -> None:
    """A training step is three forward passes; the first and the last exact point are owed whatever was earned.

    The first few rolling answers are asked but not yet told, so less is counted here than was asked.
    """
    plan = replace(SHORT, epochs=24, batch_size=batch_size)
    points = of(run(SCRATCH, plan, drawn), Evaluated)
    exact = [p for p in points if p.is_exact]
    asked = len(drawn.heldout) * (len(exact) - 2) + 10 * (len(points) - len(exact))
    share = EVALUATION_SHARE / (1 - EVALUATION_SHARE)
    assert 0.4 * share * 3 * points[-1].pictures < asked <= share * 3 * points[-1].pictures


@pytest.mark.slow
def test_a_long_race_tells_no_more_than_can_be_drawn(drawn: Drawn) -> None:
    plan = replace(SHORT, budget="seconds", seconds=900.0, learning_stages=1)
    events = run(TRANSFER, plan, drawn, Clock(1.0))
    assert len(of(events, Stepped)) <= 602
    assert len(of(events, Evaluated)) <= 602
    assert of(events, Evaluated)[-1].step == of(events, Stepped)[-1].step == of(events, Finished)[0].step


def test_time_that_is_used_up_before_the_first_step_is_a_failure(drawn: Drawn) -> None:
    plan = replace(SHORT, budget="seconds", seconds=2.0, learning_stages=1)
    end = of(run(TRANSFER, plan, drawn, Clock(5.0)), Finished)[0]
    assert (end.reason, end.step, end.answers) == ("failed", 0, "")
    assert "give it more seconds" in end.message


@pytest.mark.slow
def test_the_head_goes_first_then_the_top_stages_at_falling_rates(drawn: Drawn) -> None:
    plan = replace(SHORT, learning_stages=3, epochs=10)
    events = run(plan.lanes()[1], plan, drawn)
    phases = of(events, PhaseStarted)
    assert [p.phase for p in phases] == ["caching", "head", "caching", "fine-tuning"]
    assert phases[-1].learning_stages == 3
    assert 2 <= phases[-1].epoch <= 5
    assert len(of(events, Stepped)) == of(events, Prepared)[0].steps


@pytest.mark.slow
@pytest.mark.parametrize("learning_stages", range(1, 7))
def test_every_freeze_mode_trains_to_its_end(drawn: Drawn, learning_stages: int) -> None:
    plan = replace(SHORT, learning_stages=learning_stages)
    events = run(plan.lanes()[1], plan, drawn)
    assert of(events, Finished)[0].reason == "done"
    prepared = of(events, Prepared)[0]
    assert (prepared.learning == prepared.parameters) == (learning_stages == 6)


@pytest.mark.slow
@pytest.mark.parametrize("learning_stages", [1, 3])
def test_a_cache_changes_the_curve_by_rounding_only(drawn: Drawn, learning_stages: int) -> None:
    plan = replace(SHORT, learning_stages=learning_stages)
    lane = plan.lanes()[1]
    quick, plain = run(lane, plan, drawn), run(lane, plan, drawn, cached=False)
    for a, b in zip(of(quick, Stepped), of(plain, Stepped), strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-4)


@pytest.mark.slow
def test_a_seed_has_one_curve(drawn: Drawn) -> None:
    losses = [[s.loss for s in of(run(SCRATCH, SHORT, drawn), Stepped)] for _ in range(2)]
    assert losses[0] == losses[1]
    other = [s.loss for s in of(run(SCRATCH, replace(SHORT, seed=1), drawn), Stepped)]
    assert other != losses[0]


def test_a_loss_that_is_not_finite_ends_the_racer_and_says_so(drawn: Drawn) -> None:
    plan = replace(SHORT, scratch_rate=1.0, scratch_optimizer="sgd", epochs=200)
    poisoned = replace(drawn, mean=(float("nan"), 0.0, 0.0))
    end = of(run(SCRATCH, plan, poisoned), Finished)[0]
    assert end.reason == "diverged"
    assert "learning rate" in end.message
    assert (end.correct, end.total, end.answers) == (0, 0, "")


@pytest.mark.slow
def test_equal_seconds_end_by_the_racers_own_clock(drawn: Drawn) -> None:
    plan = replace(SHORT, budget="seconds", seconds=20.0)
    end = of(run(SCRATCH, plan, drawn, Clock(1.0)), Finished)[0]
    assert end.seconds == pytest.approx(20, abs=1)
    assert end.step == pytest.approx(20, abs=1)


@pytest.mark.slow
def test_held_out_pictures_never_reach_the_loss(drawn: Drawn) -> None:
    other = replace(drawn, heldout=255 - drawn.heldout)
    a, b = (of(run(SCRATCH, SHORT, pictures), Stepped) for pictures in (drawn, other))
    assert [s.loss for s in a] == [s.loss for s in b]


@pytest.mark.parametrize("name", ["transfer", "frozen", "random", "all"])
def test_a_new_head_answers_all_alike_before_its_first_step(drawn: Drawn, name: str) -> None:
    plan = replace(SHORT, learning_stages=3, extra_lanes=("random", "frozen", "all"))
    lane = next(lane for lane in plan.lanes() if lane.name == name)
    first = next(e for e in train(lane, plan, drawn, CPU, Clock(0.001)) if isinstance(e, Evaluated))
    assert (first.step, first.correct, first.total) == (0, HELDOUT, 3 * HELDOUT)  # all of one class


def test_the_rate_of_a_lone_head_goes_by_the_size_of_its_features(drawn: Drawn) -> None:
    frozen, _ = freezing.split(backbones.build("resnet10", 3, SHORT.seed, pretrained=True), 1)
    freezing.freeze(frozen)
    with torch.no_grad():
        features = freezing.FreshInputs(frozen, drawn, True, SHORT.seed, CPU).batch(torch.arange(12), 0)
    full = SHORT.head_rate * FEATURES / float(features.abs().sum(1).mean())
    rates = [step.rate for step in of(run(TRANSFER, SHORT, drawn), Stepped)]
    assert rates == pytest.approx([full * optimizers.schedule(k / 9) for k in range(9)], rel=1e-4)


def test_other_rates_are_those_of_the_plan_or_of_the_network() -> None:
    kind, plan = zoo.ARCHITECTURES["swin_t"], Plan(learning_stages=3, depth_factor=0.5)
    scratch, transfer = plan.lanes()
    assert phases(scratch, plan, kind, 6)[0].rates == (kind.scratch_rate,) * 6 == (5e-4,) * 6
    assert phases(transfer, plan, kind, 6)[-1].rates == (5e-5, 1e-4, 1e-4)  # the head's is the highest below it
    told = replace(plan, scratch_rate=0.02, backbone_rate=0.4)
    assert phases(scratch, told, kind, 6)[0].rates == (0.02,) * 6
    assert phases(transfer, told, kind, 6)[-1].rates == (0.2, 0.4, 0.4)


@pytest.mark.parametrize("learning_stages", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_features_that_do_not_fit_into_memory_are_computed_anew_with_the_same_result(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch, learning_stages: int
) -> None:
    plan = replace(SHORT, learning_stages=learning_stages)
    kept = run(plan.lanes()[1], plan, drawn)
    monkeypatch.setattr(freezing, "CACHE_SHARE", 0.0)
    anew = run(plan.lanes()[1], plan, drawn)
    assert "caching" in [p.phase for p in of(kept, PhaseStarted)]
    assert "caching" not in [p.phase for p in of(anew, PhaseStarted)]
    for a, b in zip(of(kept, Stepped), of(anew, Stepped), strict=True):
        assert (a.loss, a.rate) == (pytest.approx(b.loss, abs=1e-4), pytest.approx(b.rate, rel=1e-4))
    ends = [of(events, Finished)[0] for events in (kept, anew)]
    assert ends[0].answers == ends[1].answers


@pytest.mark.parametrize(
    "architecture",
    ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mobilenet_v2", "densenet121", "swin_t"))],
)
def test_a_cache_changes_the_curve_of_other_networks_by_rounding_only(
    drawn: Drawn, guests: None, tmp_path: Path, architecture: str
) -> None:
    """Dropout included: its masks come in the same order."""
    name = backbones.add(checkpoint(tmp_path, architecture), architecture, px=32)
    plan = replace(SHORT, backbone=name, learning_stages=2, epochs=2)
    lane = plan.lanes()[1]
    quick, plain = run(lane, plan, drawn), run(lane, plan, drawn, cached=False)
    for a, b in zip(of(quick, Stepped), of(plain, Stepped), strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-3)


def test_a_racers_dropout_is_its_own(drawn: Drawn, guests: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[torch.nn.Sequential] = []
    build = backbones.build
    monkeypatch.setattr(backbones, "build", lambda *a: made.append(build(*a)) or made[-1])
    plan = replace(SHORT, backbone=backbones.add(checkpoint(tmp_path), "squeezenet1_1", px=32), epochs=1)
    before = torch.get_rng_state()
    run(SCRATCH, plan, drawn)
    assert [type(m) for m in made[0].modules() if "ropout" in type(m).__name__] == [chance.Dropout]
    assert torch.equal(torch.get_rng_state(), before)
