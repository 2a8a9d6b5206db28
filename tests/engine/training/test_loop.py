"""One racer: what it counts, what its clock counts, and how it ends."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.events import Evaluated, Finished, PhaseStarted, Prepared, Stepped
from engine.models import dropout, freezing, pretrained
from engine.plan import Racer
from engine.race.inputs import RaceInputs
from engine.training import optimizers
from engine.training.features import FreshInputs
from engine.training.loop import FEATURE_SUM, shuffled_batches, train, training_step
from engine.workspace import Workspace
from tests.conftest import CPU, HELDOUT, Clock, checkpoint
from tests.helpers.training import SCRATCH, SHORT, TRANSFER, of, run, run_to_network


def test_a_training_step_goes_down_the_gradient_and_returns_the_loss_before_it() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3))
    images, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
    before = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = training_step(model, optimizer, images, labels, CPU, 0.1)
    wanted = torch.nn.functional.cross_entropy(before(images), labels, label_smoothing=0.1)
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item())
    torch.testing.assert_close(model[0].weight, before[0].weight - 0.1 * before[0].weight.grad)  # type: ignore[operator,arg-type]


def test_an_epoch_has_every_picture_once_in_batches_of_nearly_equal_size() -> None:
    batches = shuffled_batches(23, 5, 0, 1)
    assert sorted(torch.cat(batches).tolist()) == list(range(23))
    assert {len(batch) for batch in batches} == {4, 5}
    assert not torch.equal(torch.cat(batches), torch.cat(shuffled_batches(23, 5, 0, 2)))


@pytest.mark.parametrize("racer", [SCRATCH, TRANSFER], ids=["scratch", "pretrained"])
def test_a_racer_sees_every_picture_once_an_epoch(racer: Racer, drawn: RaceInputs) -> None:
    events = run(racer, SHORT, drawn)
    steps = of(events, Stepped)
    assert len(steps) == of(events, Prepared)[0].steps == 3 * 3  # 12 pictures in batches of at most 5
    assert steps[-1].pictures == 3 * 12
    assert steps[-1].epoch == 3
    assert [s.step for s in steps] == list(range(1, 10))
    assert of(events, Finished)[0].reason == "done"


def test_the_final_count_is_that_of_the_trained_network(drawn: RaceInputs) -> None:
    events, model = run_to_network(SCRATCH, SHORT, drawn)
    end = of(events, Finished)[0]
    inputs = FreshInputs(model[:0], drawn.data, drawn.preprocessing, False, 0, CPU)
    with torch.no_grad():
        right = model.eval()(inputs.heldout(slice(None))).argmax(1) == drawn.data.heldout_labels
    assert end.answers == "".join("1" if r else "0" for r in right)
    assert (end.correct, end.total) == (int(right.sum()), len(right))


def test_filling_the_cache_is_counted(drawn: RaceInputs) -> None:
    events = run(TRANSFER, SHORT, drawn, Clock(1.0))
    assert of(events, Stepped)[0].seconds > 2  # two views in a chunk each, then the first step


def test_time_that_is_used_up_before_the_first_step_is_a_failure(drawn: RaceInputs) -> None:
    plan = replace(SHORT, budget="seconds", seconds=2.0, trainable_stages=1)
    end = of(run(TRANSFER, plan, drawn, Clock(5.0)), Finished)[0]
    assert (end.reason, end.step, end.answers) == ("failed", 0, "")
    assert "give it more seconds" in end.message


@pytest.mark.slow
def test_the_head_goes_first_then_the_top_stages_at_falling_rates(drawn: RaceInputs) -> None:
    plan = replace(SHORT, trainable_stages=3, epochs=10)
    events = run(plan.racers()[1], plan, drawn)
    phases = of(events, PhaseStarted)
    assert [p.phase for p in phases] == ["caching", "head", "caching", "fine-tuning"]
    assert phases[-1].trainable_stages == 3
    assert 2 <= phases[-1].epoch <= 5
    assert len(of(events, Stepped)) == of(events, Prepared)[0].steps


@pytest.mark.slow
@pytest.mark.parametrize("trainable_stages", range(1, 7))
def test_every_freeze_mode_trains_to_its_end(drawn: RaceInputs, trainable_stages: int) -> None:
    plan = replace(SHORT, trainable_stages=trainable_stages)
    events = run(plan.racers()[1], plan, drawn)
    assert of(events, Finished)[0].reason == "done"
    prepared = of(events, Prepared)[0]
    assert (prepared.learning == prepared.parameters) == (trainable_stages == 6)


@pytest.mark.slow
def test_a_seed_has_one_curve(drawn: RaceInputs) -> None:
    losses = [[s.loss for s in of(run(SCRATCH, SHORT, drawn), Stepped)] for _ in range(2)]
    assert losses[0] == losses[1]
    other = [s.loss for s in of(run(SCRATCH, replace(SHORT, seed=1), drawn), Stepped)]
    assert other != losses[0]


def test_a_loss_that_is_not_finite_ends_the_racer_and_says_so(drawn: RaceInputs) -> None:
    plan = replace(SHORT, scratch_lr=1.0, epochs=200)
    poisoned = replace(drawn, preprocessing=replace(drawn.preprocessing, mean=(float("nan"), 0.0, 0.0)))
    end = of(run(SCRATCH, plan, poisoned), Finished)[0]
    assert end.reason == "diverged"
    assert "learning rate" in end.message
    assert (end.correct, end.total, end.answers) == (0, 0, "")


@pytest.mark.slow
def test_equal_seconds_end_by_the_racers_own_clock(drawn: RaceInputs) -> None:
    plan = replace(SHORT, budget="seconds", seconds=20.0)
    end = of(run(SCRATCH, plan, drawn, Clock(1.0)), Finished)[0]
    assert end.seconds == pytest.approx(20, abs=1)
    assert end.step == pytest.approx(20, abs=1)


@pytest.mark.slow
def test_held_out_pictures_never_reach_the_loss(drawn: RaceInputs) -> None:
    other = replace(drawn, data=replace(drawn.data, heldout=255 - drawn.data.heldout))
    a, b = (of(run(SCRATCH, SHORT, pictures), Stepped) for pictures in (drawn, other))
    assert [s.loss for s in a] == [s.loss for s in b]


@pytest.mark.parametrize("name", ["pretrained", "frozen", "random", "all"])
def test_a_new_head_answers_all_alike_before_its_first_step(drawn: RaceInputs, name: str) -> None:
    plan = replace(SHORT, trainable_stages=3, extra_racers=("random", "frozen", "all"))
    racer = next(racer for racer in plan.racers() if racer.name == name)
    work = train(racer, plan, drawn.backbone, drawn.data, drawn.preprocessing, CPU, Clock(0.001))
    first = next(e for e in work if isinstance(e, Evaluated))
    assert (first.step, first.correct, first.total) == (0, HELDOUT, 3 * HELDOUT)  # all of one class


def test_the_rate_of_a_lone_head_goes_by_the_size_of_its_features(drawn: RaceInputs) -> None:
    frozen, _ = freezing.split(pretrained.build(drawn.backbone, 3, SHORT.seed, pretrained=True), 1)
    freezing.freeze(frozen)
    with torch.no_grad():
        features = FreshInputs(frozen, drawn.data, drawn.preprocessing, True, SHORT.seed, CPU).batch(torch.arange(12), 0)
    full = SHORT.head_lr * FEATURE_SUM / float(features.abs().sum(1).mean())
    rates = [step.rate for step in of(run(TRANSFER, SHORT, drawn), Stepped)]
    assert rates == pytest.approx([full * optimizers.schedule(k / 9) for k in range(9)], rel=1e-4)


def test_a_racers_dropout_is_its_own(drawn: RaceInputs, workspace: Workspace, tmp_path: Path) -> None:
    name = workspace.backbones.add(checkpoint(tmp_path), "squeezenet1_1", image_size=32)
    drawn, plan = replace(drawn, backbone=workspace.backbones.find(name)), replace(SHORT, backbone=name, epochs=1)
    before = torch.get_rng_state()
    _, model = run_to_network(SCRATCH, plan, drawn)
    assert [type(m) for m in model.modules() if "ropout" in type(m).__name__] == [dropout.Dropout]
    assert torch.equal(torch.get_rng_state(), before)
