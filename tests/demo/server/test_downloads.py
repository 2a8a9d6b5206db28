"""Files of a race over HTTP: every format; private files only for their owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.server import downloads
from demo.server.http import BASE
from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from engine import EXPORT_FILES, Plan
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.races import made_job

Served = tuple[TestClient, RaceQueue]


@pytest.fixture
def served(ended: RaceJob, workspace: Workspace) -> Iterator[Served]:
    """A client and a queue with one ended race, ann's."""
    queue = RaceQueue(workspace, CPU)
    queue.add("race", ended)
    yield TestClient(Starlette(routes=downloads.routes(queue))), queue
    queue.close()


def test_every_listed_format_is_served_under_its_file_name(served: Served, ended: RaceJob) -> None:
    client, _ = served
    formats = client.get(f"{BASE}/races/race/export").json()["kinds"]
    assert set(formats) | {"onnx"} == set(EXPORT_FILES)
    answer = client.get(f"{BASE}/races/race/export/curves")
    assert answer.headers["content-type"].startswith("text/csv")
    assert EXPORT_FILES["curves"].name in answer.headers["content-disposition"]
    exact = [row for row in ended.log.rows if row["event"] == "Evaluated"]
    assert len(answer.text.splitlines()) == 1 + len(exact)


@pytest.mark.parametrize("path", ["none/export", "none/export/curves", "race/export/nothing"])
def test_a_file_that_cannot_be_made_is_a_404_with_a_sentence(served: Served, path: str) -> None:
    answer = served[0].get(f"{BASE}/races/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["export", "export/script", "export/report"])
def test_a_race_that_ended_before_it_began_has_no_files(served: Served, path: str) -> None:
    client, queue = served
    queue.add("early", made_job("ended", {"event": "Ended", "reason": "stopped"}, plan=Plan(), has_begun=False))
    answer = client.get(f"{BASE}/races/early/{path}?lang=ja")
    assert answer.status_code == 404
    assert "終わったため" in answer.json()["error"]


def test_files_of_a_private_race_are_served_to_its_owner_alone(served: Served, ended: RaceJob, secret: str) -> None:
    client, queue = served
    queue.add("private", RaceJob(Plan(task=secret), "ann", is_private=True, log=ended.log))
    assert client.get(f"{BASE}/races/private/export").status_code == 404
    assert client.get(f"{BASE}/races/private/export/curves?visitor=bob").status_code == 404
    assert client.get(f"{BASE}/races/private/export/curves?visitor=ann").status_code == 200
    assert queue.trained("private", "bob") is None
