"""Limits on kept races: the number of ended ones, and the bytes of networks."""

from __future__ import annotations

from types import SimpleNamespace

from demo.server.race_job import RaceJob
from demo.server.retention import Retention
from tests.helpers.races import made_job


def ended(*names: str) -> dict[str, RaceJob]:
    """Ended races by names such as "ann 1", whose first word is the owner."""
    return {name: made_job("ended", owner=name.split()[0]) for name in names}


def test_the_oldest_race_of_the_owner_with_the_most_is_dropped() -> None:
    jobs = {"recorded": made_job("ended", owner=""), **ended("bob 1", "ann 1", "ann 2", "ann 3")}
    Retention(races=3).forget_races(jobs)
    assert list(jobs) == ["recorded", "bob 1", "ann 2", "ann 3"]


def test_a_race_that_never_began_is_dropped_first() -> None:
    jobs = {**ended("ann 1", "ann 2"), "bob 1": made_job("ended", owner="bob", has_begun=False)}
    Retention(races=2).forget_races(jobs)
    assert list(jobs) == ["ann 1", "ann 2"]


def test_running_and_waiting_races_are_not_dropped() -> None:
    jobs = {"one": made_job("running"), "two": made_job("queued")}
    Retention(races=0).forget_races(jobs)
    assert list(jobs) == ["one", "two"]


def test_the_oldest_networks_are_dropped_and_never_the_newest() -> None:
    jobs = ended("ann 1", "ann 2", "ann 3")
    for job in jobs.values():
        job.trained = SimpleNamespace(size=60)  # type: ignore[assignment]
    Retention(network_bytes=120).forget_networks(jobs, jobs["ann 3"])
    assert [bool(job.trained) for job in jobs.values()] == [False, True, True]
    Retention(network_bytes=10).forget_networks(jobs, jobs["ann 3"])
    assert [bool(job.trained) for job in jobs.values()] == [False, False, True]
