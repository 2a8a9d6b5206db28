"""Fixtures of the server's tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from engine import Dataset
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.pictures import texture
from tests.helpers.races import run_to_end, until


@pytest.fixture
def queue(workspace: Workspace) -> Iterator[RaceQueue]:
    queue = RaceQueue(workspace, CPU, grace=60)
    yield queue
    queue.close()
    until(lambda: queue.running is None)


@pytest.fixture
def secret(workspace: Workspace) -> str:
    """The name of one visitor's set of pictures."""
    readers = tuple(tuple(partial(texture, 10 * k + n) for n in range(4)) for k in range(2))
    return workspace.tasks.add("own-secret", Dataset("unicorns", ("anna", "berta"), readers, readers, ()))


@pytest.fixture(scope="session")
def ended_races() -> list[RaceJob]:
    return []


@pytest.fixture
def ended(workspace: Workspace, ended_races: list[RaceJob]) -> RaceJob:
    """An ended race of ann's. It is run once for all tests, which only read it."""
    if not ended_races:
        queue = RaceQueue(workspace, CPU)
        ended_races.append(run_to_end(queue))
        queue.close()
    return ended_races[0]
