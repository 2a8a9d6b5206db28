"""Owners are served in turn, however many names each of them has waiting."""

from __future__ import annotations

from demo.server.fair_queue import FairQueue


def waiting(*names: str) -> FairQueue:
    """A queue of names such as "ann 1", whose first word is the turn."""
    queue = FairQueue()
    for name in names:
        queue.add(name, name.split()[0])
    return queue


def test_within_a_round_the_first_to_arrive_is_served_first() -> None:
    queue = waiting("ann 1", "bob 1", "cat 1")
    assert [queue.pop() for _ in range(3)] == ["ann 1", "bob 1", "cat 1"]
    assert len(queue) == 0


def test_a_second_request_waits_for_the_first_of_all_others() -> None:
    assert list(waiting("ann 1", "ann 2", "ann 3", "bob 1", "cat 1")) == ["ann 1", "bob 1", "cat 1", "ann 2", "ann 3"]


def test_an_owner_just_served_waits_behind_those_who_were_not() -> None:
    queue = waiting("ann 1", "bob 1")
    assert queue.pop() == "ann 1"
    queue.add("ann 2", "ann")
    queue.add("cat 1", "cat")
    assert list(queue) == ["bob 1", "cat 1", "ann 2"]


def test_an_owner_served_long_ago_waits_no_longer() -> None:
    queue = waiting("ann 1", "bob 1", "bob 2")
    for _ in range(3):
        queue.pop()
    queue.add("cat 1", "cat")
    queue.add("ann 2", "ann")
    assert list(queue) == ["cat 1", "ann 2"]


def test_a_removed_name_is_not_served() -> None:
    queue = waiting("ann 1", "bob 1")
    queue.remove("ann 1")
    queue.remove("nobody")
    assert list(queue) == ["bob 1"]
