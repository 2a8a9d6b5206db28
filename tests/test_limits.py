"""Limits come from the environment or are refused in a sentence; who asks too often is told when to come again."""

from __future__ import annotations

import pytest
from conftest import Clock

from demo.limits import HOUR, ON_A_SPACE, SHARED, Limits, Pace, Turns, in_minutes
from engine import PlanError


def test_without_a_word_the_limits_are_the_safe_ones() -> None:
    assert Limits.from_environment({}) == Limits()


def test_the_environment_sets_each_limit() -> None:
    names = ("longest", "races", "queue", "rooms", "guests", "streams")
    told = {f"HEADSTART_{name.upper()}": str(k) for k, name in enumerate(names, 1)}
    assert Limits.from_environment(told) == Limits(1, 2, 3, 4, 5, 6)


def test_on_a_space_races_are_short_unless_it_is_said_otherwise() -> None:
    assert Limits.from_environment({"SPACE_ID": "me/it"}).longest == ON_A_SPACE
    assert Limits.from_environment({"SPACE_ID": "me/it", "HEADSTART_LONGEST": "900"}).longest == 900


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "2.5", "٣", "9" * 30])
def test_what_is_no_limit_is_refused_by_name(text: str) -> None:
    with pytest.raises(PlanError, match=r"HEADSTART_QUEUE is '.*'; give a whole number"):
        Limits.from_environment({"HEADSTART_QUEUE": text})


def test_minutes_are_round_and_never_none() -> None:
    assert [in_minutes(seconds) for seconds in (1800, 90, 12, 1)] == ["30", "1.5", "0.2", "0.1"]


def test_after_so_many_times_one_waits_until_the_first_is_long_ago() -> None:
    clock = Clock()
    pace = Pace(2, 10.0, clock)
    for clock.time in (0.0, 4.0):
        assert pace.wait("ann") == 0.0
        pace.count("ann")
    assert pace.wait("ann") == 6.0
    assert pace.wait("bob") == 0.0
    clock.time = 10.0
    assert pace.wait("ann") == 0.0
    pace.count("ann")
    assert pace.wait("ann") == 4.0


def test_of_those_who_stay_away_nothing_is_kept() -> None:
    clock = Clock()
    pace = Pace(2, 10.0, clock)
    for clock.time in range(100):  # type: ignore[assignment]
        pace.count(f"visitor {clock.time}")
    assert len(pace._times) == 10


def test_a_visitor_who_starts_too_often_is_told_when_she_may_again() -> None:
    clock = Clock()
    turns = Turns(Limits(races=2), clock)
    turns.take("ann")
    turns.take("ann")
    clock.time = HOUR - 90
    with pytest.raises(PlanError, match="2 races an hour for each visitor; the next one is possible in 2 min"):
        turns.take("ann")
    turns.take("bob")
    clock.time = HOUR
    turns.take("ann")


def test_a_new_name_does_not_make_a_new_visitor_but_a_classroom_may_share_an_address() -> None:
    turns = Turns(Limits(races=1), Clock())
    for k in range(SHARED):
        turns.take(f"name {k}", "10.0.0.1")
    with pytest.raises(PlanError, match="the next one is possible in 60 min"):
        turns.take("one more", "10.0.0.1")
    turns.take("one more", "10.0.0.2")
