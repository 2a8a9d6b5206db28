"""Curves, leader and verdict from facts alone."""

from __future__ import annotations

import pytest

from engine import Evaluated, Finished, Message, Plan, RaceFinished, RaceStarted, Scoreboard, Stepped
from engine.metrics import compare_paired, wilson_interval


def started(plan: Plan) -> RaceStarted:
    return RaceStarted(
        plan=plan.to_json(),
        classes=("a", "b"),
        labels=(0, 1) * 10,
        shown=(0, 1),
        training=10,
        heldout=20,
        image_size=64,
        network="net",
        machine="machine",
        precision="fp32",
        threads=1,
    )


def point(racer: str, correct: int, seconds: float, is_exact: bool = True, total: int = 100) -> Evaluated:
    low, high = wilson_interval(correct, total)
    return Evaluated(
        racer=racer,
        step=1,
        epoch=seconds,
        pictures=1,
        seconds=seconds,
        correct=correct,
        total=total,
        low=low,
        high=high,
        is_exact=is_exact,
        evaluation_seconds=0.0,
    )


def board_of(*events: object, plan: Plan | None = None) -> Scoreboard:
    board = Scoreboard()
    board.add(started(plan or Plan()))
    for event in events:
        board.add(event)  # type: ignore[arg-type]
    return board


def ended(scratch: str, transfer: str) -> list:
    ends = [
        Finished(
            racer=racer,
            reason="done",
            step=1,
            epoch=1,
            pictures=1,
            seconds=1,
            correct=answers.count("1"),
            total=len(answers),
            answers=answers,
            message="",
        )
        for racer, answers in (("scratch", scratch), ("pretrained", transfer))
    ]
    p = compare_paired(scratch, transfer)
    whole = RaceFinished(
        both_correct=p.both_correct,
        only_scratch=p.only_first,
        only_pretrained=p.only_second,
        both_incorrect=p.both_incorrect,
        p_value=p.p_value,
        gap=p.gap,
        gap_low=p.low,
        gap_high=p.high,
        wall_seconds=9.0,
    )
    return [*ends, whole]


def test_the_gap_is_between_the_latest_points() -> None:
    board = board_of(point("scratch", 30, 1), point("pretrained", 50, 1), point("pretrained", 64, 2, is_exact=False))
    assert board.gap == pytest.approx(0.34)
    assert board_of(point("scratch", 30, 1)).gap is None


def test_time_to_a_target_is_that_of_the_first_exact_point_there() -> None:
    curve = board_of(point("scratch", 55, 1.0, is_exact=False), point("scratch", 52, 2.5), point("scratch", 81, 4.0)).curves[
        "scratch"
    ]
    assert curve.time_to(0.5) == 2.5
    assert curve.time_to(0.8) == 4.0
    assert curve.time_to(0.9) is None
    assert curve.best is not None
    assert curve.best.correct == 81


def test_a_clear_gap_is_called() -> None:
    verdict = board_of(*ended("1" * 100 + "0" * 100, "1" * 160 + "0" * 40)).verdict()
    assert verdict.outcome == "pretrained"
    assert verdict.gap == pytest.approx(0.3)
    assert verdict.low < 0.3 < verdict.high


def test_transfer_may_lose() -> None:
    assert board_of(*ended("1" * 160 + "0" * 40, "1" * 100 + "0" * 100)).verdict().outcome == "scratch"


@pytest.mark.parametrize("examples_per_class", [5, 50])
def test_the_verdict_is_about_these_two_networks(examples_per_class: int) -> None:
    """Five points on the same 600 pictures, all in one direction: other training pictures are another race."""
    scratch, transfer = "1" * 300 + "0" * 300, "1" * 330 + "0" * 270
    verdict = board_of(*ended(scratch, transfer), plan=Plan(examples_per_class=examples_per_class)).verdict()
    assert verdict.outcome == "pretrained"
    assert 0 < verdict.low < 0.05 < verdict.high


def test_a_gap_whose_interval_contains_zero_is_too_close_to_call() -> None:
    verdict = board_of(*ended("1" * 300 + "0" * 300, "0" * 295 + "1" * 305)).verdict()
    assert verdict.outcome == "close"
    assert verdict.low < 0 < verdict.high


def test_a_stopped_race_has_no_verdict() -> None:
    end = Finished(
        racer="scratch",
        reason="stopped",
        step=1,
        epoch=1,
        pictures=1,
        seconds=1,
        correct=0,
        total=0,
        answers="",
        message=Message("end.stopped"),
    )
    other = Finished(
        racer="pretrained",
        reason="done",
        step=1,
        epoch=1,
        pictures=1,
        seconds=1,
        correct=5,
        total=10,
        answers="1" * 5 + "0" * 5,
        message="",
    )
    assert board_of(end, other, ended("", "")[-1]).verdict().outcome == "unfinished"


def test_progress_is_the_slower_racers() -> None:
    step = Stepped(racer="scratch", step=5, epoch=25.0, pictures=100, seconds=1.0, loss=2.0, rate=1e-3)
    fast = Stepped(racer="pretrained", step=50, epoch=50.0, pictures=100, seconds=1.0, loss=2.0, rate=1e-3)
    assert board_of(step, fast, plan=Plan(epochs=50)).progress == pytest.approx(0.5)
    timed = Plan(budget="seconds", seconds=4.0)
    assert board_of(step, fast, plan=timed).progress == pytest.approx(0.25)
    assert board_of().progress == 0.0
    assert board_of(*ended("1", "0")).progress == 1.0
