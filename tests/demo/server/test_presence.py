"""A visitor with a race is gone some time after their last stream closed; visitors without a race are not stored."""

from __future__ import annotations

import pytest

from demo.server.presence import Presence
from tests.conftest import Clock


@pytest.fixture
def presence(clock: Clock) -> Presence:
    return Presence(10.0, clock)


def test_a_visitor_who_never_opens_a_stream_is_gone_after_the_grace_time(presence: Presence, clock: Clock) -> None:
    presence.expect("ann")
    clock.time = 10.0
    assert not presence.is_gone("ann")
    clock.time = 10.5
    assert presence.is_gone("ann")


def test_a_visitor_stays_until_their_last_page_closes(presence: Presence, clock: Clock) -> None:
    presence.arrive("ann")
    presence.arrive("ann")
    presence.leave("ann", is_racing=True)
    clock.time = 100.0
    assert presence.is_here("ann")
    assert not presence.is_gone("ann")
    presence.leave("ann", is_racing=True)
    clock.time = 111.0
    assert presence.is_gone("ann")


def test_a_visitor_who_returns_in_time_is_not_gone(presence: Presence, clock: Clock) -> None:
    presence.arrive("ann")
    presence.leave("ann", is_racing=True)
    clock.time = 9.0
    presence.arrive("ann")
    clock.time = 100.0
    assert not presence.is_gone("ann")


def test_a_visitor_who_polls_is_not_gone(presence: Presence, clock: Clock) -> None:
    presence.expect("ann")
    for clock.time in (8.0, 16.0, 24.0):
        presence.touch("ann")
    assert not presence.is_gone("ann")
    clock.time = 35.0
    assert presence.is_gone("ann")


def test_a_visitor_without_a_race_is_not_stored(presence: Presence) -> None:
    presence.arrive("ann")
    presence.leave("ann", is_racing=False)
    presence.touch("bob")
    assert not presence.is_here("ann")
    assert not presence.is_absent("ann")
    assert not presence.is_absent("bob")
