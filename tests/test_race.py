"""Two racers at once: each as if alone, stopped together, failing apart."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Clock

from engine import Plan, PlanError, UnavailableError, backbones, run_race, tasks
from engine.events import Evaluated, Event, Finished, RaceFinished, RaceStarted, Stepped
from engine.metrics import compare

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


def test_one_racer_may_fail_and_the_other_goes_on(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnavailableError("the disk has gone")

    monkeypatch.setattr(backbones, "load_weights", fail)
    ends = {e.lane: e for e in run_race(SHORT) if isinstance(e, Finished)}
    assert ends["scratch"].reason == "done"
    assert ends["transfer"].reason == "failed"
    assert ends["transfer"].message == "the disk has gone"


def test_missing_weights_are_refused_before_anything_starts(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(backbones.BACKBONES["resnet10"], weights=tmp_path / "gone.safetensors")
    monkeypatch.setattr(backbones, "BACKBONES", {"resnet10": broken})
    with pytest.raises(UnavailableError, match=r"gone\.safetensors is missing; `python -m engine pretrain"):
        run_race(SHORT)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan(examples=9), "examples is 9; 'tabletop' has 8 training pictures a class"),
        (Plan(examples=4, learning_stages=7), "learning_stages is 7; ResNet-10 has 6 stages"),
        (Plan(examples=4, task="cats"), "task is 'cats'; there is tabletop"),
        (Plan(examples=4, backbone="brain"), "backbone is 'brain'; there is resnet10"),
    ],
)
def test_what_cannot_be_raced_here_is_refused_before_it_starts(tiny: Path, plan: Plan, sentence: str) -> None:
    with pytest.raises(PlanError) as refusal:
        run_race(plan)
    assert str(refusal.value) == sentence


def test_missing_pictures_are_named(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ASSETS", tmp_path)
    tasks.find.cache_clear()
    with pytest.raises(UnavailableError, match=r"tabletop\.json is missing; `python -m engine tabletop"):
        run_race(SHORT)


def test_seconds_come_from_the_clock_that_is_passed_in(tiny: Path) -> None:
    clock = Clock(0.0)
    end = list(run_race(SHORT, now=clock))[-1]
    assert isinstance(end, RaceFinished)
    assert end.wall_seconds == 0.0
