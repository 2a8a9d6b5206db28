"""The report agrees with the scoreboard, in sentences and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import DataError
from engine.events import Reason
from engine.export.report.report import compose, most_common_mistakes
from engine.i18n.messages import translate
from engine.metrics import wilson_interval
from engine.plan import Plan
from engine.scoreboard import Scoreboard
from engine.workspace import Workspace
from tests.helpers.recorded import STAMP, board, race


def test_the_numbers_of_the_racers_are_those_of_the_scoreboard() -> None:
    report = compose(STAMP, race(), Workspace())
    for racer, row in zip(report.racers, report.result_rows, strict=True):
        curve = board(race()).curves[racer]
        end, best = curve.finished, curve.best
        assert end is not None
        assert best is not None
        low, high = wilson_interval(end.correct, end.total)
        times = [curve.time_to(target) for target in (0.5, 0.8, 0.9)]
        assert row == (
            translate(f"racer.{racer}"),
            f"{end.correct}/{end.total} = {100 * end.correct / end.total:.1f} %",
            f"{100 * low:.1f} – {100 * high:.1f} %",
            f"{100 * best.correct / best.total:.1f} %",
            *("–" if time is None else f"{time:.1f} s" for time in times),
            f"{end.seconds:.1f} s",
            f"{curve.parameters:,}",
            f"{curve.learning:,}",
        )


def test_the_headline_is_the_verdict_and_has_an_interval_and_a_p_value() -> None:
    report, end = compose(STAMP, race(), Workspace()), board(race()).verdict()
    assert end.outcome == "pretrained"
    assert report.headline == translate(
        "headline.wins.many", name=translate("racer.pretrained"), points=round(100 * end.gap)
    )
    for share in (end.gap, end.low, end.high):
        assert f"{100 * share:+.1f}" in report.uncertainty.replace("−", "-")
    assert f"p = {end.p_value:.3f}" in report.uncertainty


def test_the_most_common_mistakes_come_first() -> None:
    assert most_common_mistakes([[5, 1, 0], [4, 5, 2], [0, 0, 9]]) == [(1, 0, 4), (1, 2, 2), (0, 1, 1)]


@pytest.mark.parametrize(("reason", "key"), [("stopped", "headline.stopped"), ("diverged", "headline.none")])
def test_a_race_without_an_end_has_no_verdict(reason: Reason, key: str) -> None:
    report = compose(STAMP, race(reason=reason), Workspace())
    assert report.headline.startswith(translate(key, why=""))
    assert report.result_rows[0][1].endswith(
        f"{translate('report.at', epoch='2.0')} ({translate(f'report.reason.{reason}')})"
    )
    assert report.mistakes("scratch") == translate("report.no_confusion")


def test_an_interrupted_race_is_still_a_report() -> None:
    for length in (1, 2, 4, 12):
        report = compose(STAMP, race()[:length], Workspace())
        assert report.headline == translate("headline.unfinished")
        assert "–" in report.result_rows[0] if report.result_rows else length == 1


def test_a_race_that_never_began_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to report"):
        compose(STAMP, [], Workspace())


def test_the_name_of_a_private_set_is_nowhere_in_the_report() -> None:
    plan = Plan(task="own-AbC_secret", examples_per_class=4)
    assert "own-AbC_secret" not in repr(
        replace(compose(STAMP, race(plan=plan), Workspace()), plan=Plan(), board=Scoreboard())
    )
