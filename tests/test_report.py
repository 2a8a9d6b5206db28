"""The report says what the scoreboard says, in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told import STAMP, board, race

from engine.errors import DataError
from engine.events import Reason
from engine.export.report import compose, mixups
from engine.metrics import wilson
from engine.plan import Plan
from engine.scoreboard import Scoreboard
from engine.strings import say


def test_every_number_of_the_racers_is_the_scoreboards() -> None:
    told = compose(STAMP, race())
    for lane, row in zip(told.lanes, told.racers, strict=True):
        curve = board(race()).curves[lane]
        end, best = curve.finished, curve.best
        assert end is not None
        assert best is not None
        low, high = wilson(end.correct, end.total)
        times = [curve.time_to(target) for target in (0.5, 0.8, 0.9)]
        assert row == (
            say(f"lane.{lane}"),
            f"{end.correct}/{end.total} = {100 * end.correct / end.total:.1f} %",
            f"{100 * low:.1f} – {100 * high:.1f} %",
            f"{100 * best.correct / best.total:.1f} %",
            *("–" if time is None else f"{time:.1f} s" for time in times),
            f"{end.seconds:.1f} s",
            f"{curve.parameters:,}",
            f"{curve.learning:,}",
        )


def test_the_headline_is_the_verdict_and_how_sure_it_is() -> None:
    told, end = compose(STAMP, race()), board(race()).verdict()
    assert end.outcome == "transfer"
    assert told.headline == say("headline.wins.many", name=say("lane.transfer"), points=round(100 * end.gap))
    for share in (end.gap, end.low, end.high):
        assert f"{100 * share:+.1f}" in told.sure.replace("−", "-")
    assert f"p = {end.p_value:.3f}" in told.sure


def test_the_commonest_mistakes_are_told_first() -> None:
    assert mixups([[5, 1, 0], [4, 5, 2], [0, 0, 9]]) == [(1, 0, 4), (1, 2, 2), (0, 1, 1)]


@pytest.mark.parametrize(("reason", "key"), [("stopped", "headline.stopped"), ("diverged", "headline.none")])
def test_a_race_without_an_end_has_no_verdict(reason: Reason, key: str) -> None:
    told = compose(STAMP, race(reason=reason))
    assert told.headline.startswith(say(key, why=""))
    assert told.racers[0][1].endswith(f"{say('report.at', epoch='2.0')} ({say(f'report.reason.{reason}')})")
    assert told.mixed("scratch") == say("report.no_confusion")


def test_a_race_cut_short_is_still_a_report() -> None:
    for length in (1, 2, 4, 12):
        told = compose(STAMP, race()[:length])
        assert told.headline == say("headline.unfinished")
        assert "–" in told.racers[0] if told.racers else length == 1


def test_a_race_that_never_began_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to report"):
        compose(STAMP, [])


def test_the_name_of_a_private_set_is_told_nowhere() -> None:
    plan = Plan(task="own-AbC_secret", examples=4)
    assert "own-AbC_secret" not in repr(replace(compose(STAMP, race(plan=plan)), plan=Plan(), board=Scoreboard()))
