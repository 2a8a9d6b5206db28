"""Two racers at once: each as if alone, stopped together, failing apart."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Clock, checkpoint

from engine import Plan, PlanError, UnavailableError, backbones, device, embedded, race, run_race, tasks, zoo
from engine.events import Evaluated, Event, Finished, Prepared, Progressed, RaceFinished, RaceStarted, Stepped, finish
from engine.metrics import compare
from engine.strings import say

SHORT = Plan(examples=4, epochs=4, batch_size=6, learning_stages=3)


def curve(events: list[Event], lane: str) -> list[tuple]:
    """What a racer learnt, step by step, without its times."""
    return [
        (e.step, e.loss) if isinstance(e, Stepped) else (e.step, e.correct, e.total, e.is_exact)
        for e in events
        if isinstance(e, Stepped | Evaluated) and e.lane == lane
    ]


def test_two_racers_together_equal_each_alone_bit_for_bit(tiny: Path) -> None:
    together = list(run_race(SHORT))
    for lane in SHORT.lanes():
        alone = list(run_race(SHORT, lanes=(lane,)))
        assert curve(together, lane.name) == curve(alone, lane.name)
        assert len(curve(alone, lane.name)) > 8


@pytest.mark.slow
def test_the_extra_racers_among_five_equal_each_alone_bit_for_bit(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 2)  # a thread each, however many run: more would add in another order
    plan = replace(SHORT, epochs=1, batch_size=4, learning_stages=3, extra_lanes=("random", "frozen", "top"))
    together = list(run_race(plan))
    learning = {e.lane: e.learning / e.parameters for e in together if isinstance(e, Prepared)}
    assert (
        learning["random"] == learning["frozen"] < 0.01 < learning["top"] < learning["transfer"] < learning["scratch"] == 1
    )
    curves = [curve(together, lane.name) for lane in plan.lanes()]
    assert all(a != b for k, a in enumerate(curves) for b in curves[:k])
    for lane, mine in list(zip(plan.lanes(), curves, strict=True))[2:]:
        assert mine == curve(list(run_race(plan, lanes=(lane,))), lane.name)
        assert len(mine) >= 5


@pytest.mark.parametrize(
    "architecture",
    ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mobilenet_v2", "efficientnet_b0"))],
)
@pytest.mark.slow
def test_two_racers_with_dropout_together_equal_each_alone_bit_for_bit(
    tiny: Path, guests: None, tmp_path: Path, architecture: str
) -> None:
    plan = replace(SHORT, backbone=backbones.add(checkpoint(tmp_path, architecture), architecture, px=32))
    together = list(run_race(plan))
    for lane in plan.lanes():
        torch.manual_seed(len(lane.name))  # torch's own generator decides nothing
        assert curve(together, lane.name) == curve(list(run_race(plan, lanes=(lane,))), lane.name)


def test_the_frozen_racer_is_the_pretrained_one_whose_head_learns_alone(tiny: Path) -> None:
    frozen = replace(SHORT, epochs=2, extra_lanes=("frozen",))
    alone = list(run_race(frozen, lanes=frozen.lanes()[2:]))
    head_only = list(
        run_race(replace(frozen, learning_stages=1, extra_lanes=()), lanes=(replace(SHORT, learning_stages=1).lanes()[1],))
    )
    assert curve(alone, "frozen") == curve(head_only, "transfer")


def test_the_random_racers_backbone_does_not_move(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its filters are those of the racer from scratch before its first step; only the head learns."""
    made: list[torch.nn.Sequential] = []
    build = backbones.build
    monkeypatch.setattr(backbones, "build", lambda *a: made.append(build(*a)) or made[-1])
    plan = replace(SHORT, epochs=2, extra_lanes=("random",))
    list(run_race(plan, lanes=plan.lanes()[2:]))
    born = dict(build("resnet10", 3, plan.seed, False).named_parameters())
    filters = {name: value for name, value in made[0].named_parameters() if value.ndim == 4}
    assert filters
    assert all(torch.equal(value, born[name]) for name, value in filters.items())
    assert made[0][0].bn1.running_mean.any()  # type: ignore[union-attr]  # of the pictures: a fresh one has zeros
    assert made[0][-1].weight.any()  # type: ignore[union-attr]  # it began blank


@pytest.mark.slow
def test_the_same_seed_gives_the_same_race(tiny: Path) -> None:
    first, second = list(run_race(SHORT)), list(run_race(SHORT))
    for lane in ("scratch", "transfer"):
        assert curve(first, lane) == curve(second, lane)


def test_a_race_begins_and_ends_with_the_whole(tiny: Path) -> None:
    events = list(run_race(SHORT))
    assert isinstance(events[0], RaceStarted)
    assert (events[0].training, events[0].heldout, events[0].px) == (12, 18, 32)
    assert isinstance(events[-1], RaceFinished)
    ends = {e.lane: e for e in events if isinstance(e, Finished)}
    paired = compare(ends["scratch"].answers, ends["transfer"].answers)
    assert events[-1].gap == paired.gap
    assert events[-1].p_value == paired.p_value


def test_closing_a_race_ends_both_jobs(tiny: Path) -> None:
    race = run_race(replace(SHORT, epochs=500))
    for event in race:
        if isinstance(event, Stepped) and event.step >= 2:
            break
    assert [t for t in threading.enumerate() if t.name.startswith("racer")]
    race.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("racer")]
    assert list(race) == []
    race.close()


@pytest.mark.slow
def test_a_stopped_race_says_how_far_it_came(tiny: Path) -> None:
    race = run_race(replace(SHORT, epochs=500))
    events = []
    for event in race:
        events.append(event)
        if isinstance(event, Stepped) and event.step >= 3:
            race.stop()
    ends = [e for e in events if isinstance(e, Finished)]
    assert {e.lane: e.reason for e in ends} == {"scratch": "stopped", "transfer": "stopped"}
    assert max(e.step for e in ends) >= 3
    assert isinstance(events[-1], RaceFinished)
    assert events[-1].p_value == 1.0


@pytest.mark.slow
def test_one_racer_may_diverge_and_the_other_goes_on(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = backbones.build

    def poisoned(name: str, classes: int, seed: int, pretrained: bool) -> torch.nn.Sequential:
        model = build(name, classes, seed, pretrained)
        if not pretrained:
            model[-1].bias.data[0] = float("nan")  # type: ignore[union-attr,operator]
        return model

    monkeypatch.setattr(backbones, "build", poisoned)
    events = list(run_race(SHORT))
    ends = {e.lane: e for e in events if isinstance(e, Finished)}
    assert ends["scratch"].reason == "diverged"
    assert ends["scratch"].step == 1
    assert ends["transfer"].reason == "done"
    assert isinstance(events[-1], RaceFinished)


@pytest.mark.slow
def test_one_racer_may_fail_and_the_other_goes_on(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnavailableError("refusal.take.unfinished")

    monkeypatch.setattr(backbones, "load_weights", fail)
    ends = {e.lane: e for e in run_race(SHORT) if isinstance(e, Finished)}
    assert ends["scratch"].reason == "done"
    assert ends["transfer"].reason == "failed"
    assert ends["transfer"].message == say("refusal.take.unfinished")


def test_missing_weights_are_refused_before_anything_starts(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(backbones.find("resnet10"), weights=tmp_path / "gone.safetensors")
    monkeypatch.setattr(backbones, "_known", lambda: {"resnet10": broken})
    with pytest.raises(UnavailableError, match=r"gone\.safetensors is missing; `python -m engine pretrain"):
        run_race(SHORT)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan(examples=9), "examples is 9; 'tabletop' has 8 training pictures a class"),
        (Plan(examples=4, learning_stages=7), "learning_stages is 7; ResNet-10 has 6 stages"),
        (Plan(examples=4, task="cats"), "task is 'cats'; there is tabletop, "),
        (Plan(examples=4, backbone="brain"), "backbone is 'brain'; there is resnet10"),
        (Plan(examples=4, px=16), "px is 16; ResNet-10 needs at least 32: 0 takes what"),
        (Plan(examples=4, learning_stages=1, extra_lanes=("frozen",)), "extra_lanes has 'frozen'; that is what the"),
        (Plan(examples=4, learning_stages=2, extra_lanes=("top",)), "extra_lanes has 'top'; that is what the"),
        (Plan(examples=4, learning_stages=6, extra_lanes=("all",)), "extra_lanes has 'all'; that is what the"),
    ],
)
def test_what_cannot_be_raced_here_is_refused_before_it_starts(tiny: Path, plan: Plan, sentence: str) -> None:
    with pytest.raises(PlanError) as refusal:
        run_race(plan)
    assert str(refusal.value).startswith(sentence)


def test_missing_pictures_are_named(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ASSETS", tmp_path)
    tasks.forget()
    with pytest.raises(UnavailableError, match=r"tabletop\.json is missing; `python -m engine tabletop"):
        run_race(SHORT)


@pytest.mark.slow
def test_seconds_come_from_the_clock_that_is_passed_in(tiny: Path) -> None:
    clock = Clock(0.0)
    end = list(run_race(SHORT, now=clock))[-1]
    assert isinstance(end, RaceFinished)
    assert end.wall_seconds == 0.0


def test_a_network_of_one_side_takes_no_other(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "_known", lambda: {"vit_b_16": backbones._published(zoo.ARCHITECTURES["vit_b_16"])})
    plan = Plan(examples=4, backbone="vit_b_16")
    race.check(plan)
    race.check(replace(plan, px=224))
    with pytest.raises(PlanError, match="px is 128; ViT-B/16 sees pictures of 224 px only: 0 takes that"):
        race.check(replace(plan, px=128))


@pytest.mark.parametrize("lanes", [("random",), ("frozen", "all"), ("random", "frozen", "top")])
def test_lanes_that_differ_from_the_pretrained_racer_may_join(tiny: Path, lanes: tuple) -> None:
    race.check(replace(SHORT, learning_stages=3, extra_lanes=lanes))


def test_preparing_that_takes_long_says_how_far_it_is(tiny: Path) -> None:
    with run_race(SHORT, now=Clock(1.0)) as running:
        before = []
        for event in running:
            if isinstance(event, RaceStarted):
                break
            before.append(event)
    assert {type(event) for event in before} == {Progressed}
    assert (before[0].work, before[0].done, before[0].total) == ("decode", 0, 12 + 18)
    assert (before[-1].done, before[-1].total) == (30, 30)


def test_preparing_that_takes_no_time_says_nothing(tiny: Path) -> None:
    with run_race(SHORT, now=Clock(0.0)) as running:
        assert isinstance(next(running), RaceStarted)


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_race_that_is_stopped_while_it_prepares_never_starts(tiny: Path, how: str) -> None:
    running = run_race(SHORT, now=Clock(1.0))
    assert isinstance(next(running), Progressed)
    getattr(running, how)()
    assert not [event for event in running if not isinstance(event, Progressed)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("racer")]


def test_weights_that_are_not_to_be_had_end_a_race_with_a_sentence(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (("HEADSTART_HOME", "home"), ("TORCH_HOME", "torch"), ("HEADSTART_OFFLINE", "1")):
        monkeypatch.setenv(variable, value if value == "1" else str(tmp_path / value))
    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    known = backbones._published(zoo.ARCHITECTURES["squeezenet1_1"])
    monkeypatch.setattr(backbones, "_known", lambda: {"squeezenet1_1": known})
    running = run_race(replace(SHORT, backbone="squeezenet1_1", px=32))
    with pytest.raises(UnavailableError, match=r"squeezenet1_1-b8a52dc0\.pth is not to be had here"):
        list(running)


def test_shuffled_labels_are_those_of_the_training_pictures_alone(tiny: Path) -> None:
    plain, noisy = (finish(race.draw(replace(SHORT, label_noise=noise))) for noise in (0.0, 1.0))
    assert not torch.equal(noisy.training_labels, plain.training_labels)
    assert torch.equal(noisy.training_labels.sort().values, plain.training_labels)
    assert torch.equal(noisy.heldout_labels, plain.heldout_labels)
    assert torch.equal(noisy.training, plain.training)


@pytest.mark.parametrize(
    ("normalisation", "mean", "std"),
    [("raw", (0.0,) * 3, (1 / 255,) * 3), ("symmetric", (0.5,) * 3, (0.5,) * 3), ("own", (0.1, 0.2, 0.3), (0.4,) * 3)],
)
def test_the_plans_normalisation_reaches_the_pictures(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, normalisation: str, mean: tuple, std: tuple
) -> None:
    odd = replace(backbones.find("resnet10"), mean=(0.1, 0.2, 0.3), std=(0.4,) * 3)
    monkeypatch.setattr(backbones, "_known", lambda: {"resnet10": odd})
    drawn = finish(race.draw(replace(SHORT, normalisation=normalisation)))
    assert (drawn.mean, drawn.std) == (mean, std)


def test_a_larger_input_is_what_the_networks_see(tiny: Path) -> None:
    assert finish(race.draw(SHORT)).px == 32
    assert finish(race.draw(replace(SHORT, px=48))).px == 48
