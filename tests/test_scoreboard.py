"""Curves, leader and verdict from facts alone."""

from __future__ import annotations

import pytest

from engine import Evaluated, Finished, Plan, RaceFinished, RaceStarted, Scoreboard, Stepped
from engine.metrics import compare, wilson


def started(plan: Plan) -> RaceStarted:
    return RaceStarted(plan.to_json(), ("a", "b"), (0, 1) * 10, (0, 1), 10, 20, 64, "net", "machine", "fp32", 1)


def point(lane: str, correct: int, seconds: float, is_exact: bool = True, total: int = 100) -> Evaluated:
    return Evaluated(lane, 1, seconds, 1, seconds, correct, total, *wilson(correct, total), is_exact, 0.0)


def board_of(*events: object, plan: Plan | None = None) -> Scoreboard:
    board = Scoreboard()
    board.add(started(plan or Plan()))
    for event in events:
        board.add(event)  # type: ignore[arg-type]
    return board


def ended(scratch: str, transfer: str) -> list:
    ends = [
        Finished(lane, "done", 1, 1, 1, 1, answers.count("1"), len(answers), answers, "")
        for lane, answers in (("scratch", scratch), ("transfer", transfer))
    ]
    p = compare(scratch, transfer)
    whole = RaceFinished(p.both_right, p.only_first, p.only_second, p.both_wrong, p.p_value, p.gap, p.low, p.high, 9.0)
    return [*ends, whole]


def test_the_gap_is_between_the_latest_points() -> None:
    board = board_of(point("scratch", 30, 1), point("transfer", 50, 1), point("transfer", 64, 2, is_exact=False))
    assert board.gap == pytest.approx(0.34)
    assert board_of(point("scratch", 30, 1)).gap is None


def test_time_to_a_target_lies_between_exact_points() -> None:
    curve = board_of(point("scratch", 55, 1.0, is_exact=False), point("scratch", 52, 2.5), point("scratch", 81, 4.0)).curves[
        "scratch"
    ]
    assert curve.time_to(0.5) == 2.5
    assert curve.time_to(0.8) == pytest.approx(2.5 + 1.5 * 28 / 29)  # on the line between 52 and 81
    assert curve.time_to(0.9) is None
    assert curve.best is not None
    assert curve.best.correct == 81


def test_a_clear_gap_is_called() -> None:
    verdict = board_of(*ended("1" * 100 + "0" * 100, "1" * 160 + "0" * 40)).verdict()
    assert verdict.outcome == "transfer"
    assert verdict.gap == pytest.approx(0.3)
    assert verdict.low < 0.3 < verdict.high


def test_transfer_may_lose() -> None:
    assert board_of(*ended("1" * 160 + "0" * 40, "1" * 100 + "0" * 100)).verdict().outcome == "scratch"


@pytest.mark.parametrize(("examples", "outcome"), [(5, "close"), (50, "transfer")])
def test_a_gap_that_another_draw_could_turn_is_too_close_to_call(examples: int, outcome: str) -> None:
    """Five points on the same 600 pictures, all in one direction: sure for these pictures, not for another five."""
    scratch, transfer = "1" * 300 + "0" * 300, "1" * 330 + "0" * 270
    verdict = board_of(*ended(scratch, transfer), plan=Plan(examples=examples)).verdict()
    assert verdict.outcome == outcome
    assert verdict.p_value < 0.001


def test_a_stopped_race_has_no_verdict() -> None:
    end = Finished("scratch", "stopped", 1, 1, 1, 1, 0, 0, "", "the race was stopped")
    other = Finished("transfer", "done", 1, 1, 1, 1, 5, 10, "1" * 5 + "0" * 5, "")
    assert board_of(end, other, ended("", "")[-1]).verdict().outcome == "unfinished"


def test_progress_is_the_slower_racers() -> None:
    step = Stepped("scratch", 5, 25.0, 100, 1.0, 2.0, 1e-3)
    fast = Stepped("transfer", 50, 50.0, 100, 1.0, 2.0, 1e-3)
    assert board_of(step, fast, plan=Plan(epochs=50)).progress == pytest.approx(0.5)
    timed = Plan(budget="seconds", seconds=4.0)
    assert board_of(step, fast, plan=timed).progress == pytest.approx(0.25)
    assert board_of().progress == 0.0
    assert board_of(*ended("1", "0")).progress == 1.0
