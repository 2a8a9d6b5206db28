"""On ZeroGPU all racers run in one call in a forked process, every race alike; without quota they run on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from demo.server import zerogpu
from demo.server.gpu_time import FIRST, GpuTimeEstimator
from demo.server.worker import BEAT
from engine import Message, Race, translate
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.races import SHORT

HOME = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of tests/helpers/zerogpu_worker.py."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    program = [sys.executable, "tests/helpers/zerogpu_worker.py", str(tmp_path_factory.mktemp("lent"))]
    done = subprocess.run(program, cwd=HOME, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ends(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Racer -> its Finished row."""
    rows = [json.loads(row) for rows in result["facts"].values() for row in rows]
    return {row["racer"]: row for row in rows if row["event"] == "Finished"}


def test_without_zerogpu_a_race_runs_in_this_process(workspace: Workspace) -> None:
    assert not zerogpu.is_lending()
    gpu_time = GpuTimeEstimator(workspace)
    with zerogpu.start_race(SHORT, workspace, CPU, pytest.fail, copy_context(), gpu_time, 300.0) as race:  # type: ignore[union-attr]
        assert isinstance(race, Race)
    assert zerogpu.call_with_gradients(max, 1, 2) == 2


@pytest.mark.slow
def test_the_second_race_in_a_process_equals_a_first_one(seen: dict[str, Any]) -> None:
    assert seen["lending"]
    assert len({report["pid"] for report in seen["reports"]}) == 1
    assert seen["other"]["facts"] != seen["first"]["facts"]
    assert seen["again"]["facts"] == seen["first"]["facts"] == seen["fresh"]["facts"]
    assert {row["reason"] for row in ends(seen["first"]).values()} == {"done"}


@pytest.mark.slow
def test_a_task_added_after_the_fork_can_be_raced_on(seen: dict[str, Any]) -> None:
    started = json.loads(seen["own"]["facts"]["race"][0])
    assert started["classes"] == ["a", "b"]
    assert {row["reason"] for row in ends(seen["own"]).values()} == {"done"}


@pytest.mark.slow
def test_nothing_is_left_in_the_process_and_it_starts_no_other(seen: dict[str, Any]) -> None:
    assert len(seen["reports"]) == 7
    for report in seen["reports"]:
        assert (report["daemonic"], report["children"], report["threads"]) == (True, [], [])


@pytest.mark.slow
def test_the_gpu_is_requested_for_the_visitor_and_for_seconds(seen: dict[str, Any]) -> None:
    assert (seen["requested"], seen["visitors"]) == ([FIRST], ["ann"])
    assert seen["first"]["messages"] == ["zerogpu.asking"]


@pytest.mark.slow
def test_the_networks_come_back_and_predict_in_another_process(seen: dict[str, Any]) -> None:
    assert seen["first"]["racers"] == ["scratch", "pretrained"]
    assert seen["predictions"] == {"scratch": [1.0, 1.0], "pretrained": [1.0, 1.0]}
    assert seen["refused"].startswith("DataError: ")


@pytest.mark.slow
def test_a_race_is_stopped_at_the_next_message(seen: dict[str, Any]) -> None:
    assert seen["stop"]["seconds"] < 10
    assert sorted((racer, row["reason"]) for racer, row in ends(seen["stop"]).items()) == [
        ("pretrained", "stopped"),
        ("scratch", "stopped"),
    ]
    assert json.loads(seen["stop"]["facts"]["race"][-1])["event"] == "RaceFinished"
    assert seen["close"]["seconds"] < 10
    assert seen["close"]["left"] == 0


@pytest.mark.slow
def test_a_race_that_loses_its_gpu_ends_with_a_sentence(seen: dict[str, Any]) -> None:
    reasons = {(row["reason"], row["message"]["text"]) for row in ends(seen["killed"]).values()}
    assert reasons == {("failed", translate("zerogpu.taken"))}


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["quota", "busy"])
def test_without_a_gpu_the_same_race_runs_on_the_cpu_with_a_message(seen: dict[str, Any], reason: str) -> None:
    assert seen[reason]["messages"] == ["zerogpu.asking", f"zerogpu.{reason}"]
    assert seen[reason]["facts"] == seen["first"]["facts"]
    assert seen[reason]["racers"] == ["scratch", "pretrained"]


@pytest.mark.slow
def test_a_race_too_long_for_a_gpu_requests_none(seen: dict[str, Any]) -> None:
    assert seen["long"] == {"messages": ["zerogpu.long"], "requested": 0}


@pytest.mark.slow
def test_messages_come_without_long_gaps(seen: dict[str, Any]) -> None:
    assert max(seen["gaps"]) < 3 * BEAT + 0.4  # the machine may be busy


def test_every_message_exists() -> None:
    for key in ("asking", "quota", "busy", "long", "taken", "stopped"):
        assert Message(f"zerogpu.{key}", seconds=30, most=60, minutes="5")
