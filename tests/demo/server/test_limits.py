"""Limits come from the environment or are refused in a sentence; rate limits report when the next start is allowed."""

from __future__ import annotations

import pytest

from demo.server.limits import HOUR, ON_A_SPACE, SHARED, Limits, RateLimiter, StartLimiter, in_minutes
from engine import PlanError
from tests.conftest import Clock


def test_an_empty_environment_means_the_defaults() -> None:
    assert Limits.from_environment({}) == Limits()


def test_the_environment_sets_each_limit() -> None:
    names = ("longest", "races", "queue", "rooms", "guests", "streams")
    environment = {f"HEADSTART_{name.upper()}": str(k) for k, name in enumerate(names, 1)}
    assert Limits.from_environment(environment) == Limits(1, 2, 3, 4, 5, 6)


def test_on_a_space_races_are_short_unless_the_environment_allows_more() -> None:
    assert Limits.from_environment({"SPACE_ID": "me/it"}).longest == ON_A_SPACE
    assert Limits.from_environment({"SPACE_ID": "me/it", "HEADSTART_LONGEST": "900"}).longest == 900


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "2.5", "٣", "9" * 30])
def test_an_invalid_limit_is_refused_by_name(text: str) -> None:
    with pytest.raises(PlanError, match=r"HEADSTART_QUEUE is '.*'; give a whole number"):
        Limits.from_environment({"HEADSTART_QUEUE": text})


def test_minutes_are_rounded_and_never_zero() -> None:
    assert [in_minutes(seconds) for seconds in (1800, 90, 12, 1)] == ["30", "1.5", "0.2", "0.1"]


def test_at_the_limit_a_key_waits_until_its_first_event_leaves_the_window() -> None:
    clock = Clock()
    limiter = RateLimiter(2, 10.0, clock)
    for clock.time in (0.0, 4.0):
        assert limiter.wait("ann") == 0.0
        limiter.count("ann")
    assert limiter.wait("ann") == 6.0
    assert limiter.wait("bob") == 0.0
    clock.time = 10.0
    assert limiter.wait("ann") == 0.0
    limiter.count("ann")
    assert limiter.wait("ann") == 4.0


def test_keys_without_events_in_the_window_are_dropped() -> None:
    clock = Clock()
    limiter = RateLimiter(2, 10.0, clock)
    for clock.time in range(100):  # type: ignore[assignment]
        limiter.count(f"visitor {clock.time}")
    assert len(limiter) == 10


def test_a_refused_start_names_the_time_of_the_next() -> None:
    clock = Clock()
    starts = StartLimiter(Limits(races=2), clock)
    starts.acquire("ann")
    starts.acquire("ann")
    clock.time = HOUR - 90
    with pytest.raises(PlanError, match="2 races an hour for each visitor; the next one is possible in 2 min"):
        starts.acquire("ann")
    starts.acquire("bob")
    clock.time = HOUR
    starts.acquire("ann")


def test_new_tokens_do_not_evade_the_limit_but_a_classroom_may_share_an_address() -> None:
    starts = StartLimiter(Limits(races=1), Clock())
    for k in range(SHARED):
        starts.acquire(f"name {k}", "10.0.0.1")
    with pytest.raises(PlanError, match="the next one is possible in 60 min"):
        starts.acquire("one more", "10.0.0.1")
    starts.acquire("one more", "10.0.0.2")
