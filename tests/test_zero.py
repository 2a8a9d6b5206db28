"""On ZeroGPU both racers run in one call in a forked process, race after race alike; without quota they run on the CPU."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo import zero
from engine import Line, Plan, Race, UnavailableError, finish, prepare, say

HOME = Path(__file__).parents[1]
SHORT = Plan(examples=3, epochs=1, learning_stages=1)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of races in a process where GPUs are lent (tests/lent.py)."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    program = [sys.executable, "tests/lent.py", str(tmp_path_factory.mktemp("lent"))]
    done = subprocess.run(program, cwd=HOME, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ends(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How each racer ended."""
    rows = [json.loads(row) for rows in part["facts"].values() for row in rows]
    return {row["lane"]: row for row in rows if row["event"] == "Finished"}


def test_where_nothing_is_lent_a_race_is_the_engines_own(tiny: Path) -> None:
    assert not zero.is_lending()
    with zero.race(SHORT, pytest.fail, copy_context(), 300.0) as race:  # type: ignore[union-attr]
        assert isinstance(race, Race)
    assert zero.apart(max, 1, 2) == 2


@pytest.mark.slow
def test_the_second_race_in_a_process_equals_a_first_one(seen: dict[str, Any]) -> None:
    assert seen["lending"]
    assert len({report["pid"] for report in seen["reports"]}) == 1
    assert seen["other"]["facts"] != seen["first"]["facts"]
    assert seen["again"]["facts"] == seen["first"]["facts"] == seen["fresh"]["facts"]
    assert {row["reason"] for row in ends(seen["first"]).values()} == {"done"}


@pytest.mark.slow
def test_pictures_that_came_after_the_process_are_raced_on_too(seen: dict[str, Any]) -> None:
    started = json.loads(seen["own"]["facts"]["race"][0])
    assert started["classes"] == ["a", "b"]
    assert {row["reason"] for row in ends(seen["own"]).values()} == {"done"}


@pytest.mark.slow
def test_nothing_is_left_in_the_process_and_it_starts_no_other(seen: dict[str, Any]) -> None:
    assert len(seen["reports"]) == 7
    for report in seen["reports"]:
        assert (report["daemonic"], report["children"], report["threads"]) == (True, [], [])


@pytest.mark.slow
def test_the_gpu_is_asked_for_on_the_visitors_account_and_for_little(seen: dict[str, Any]) -> None:
    assert (seen["asked"], seen["visitors"]) == ([zero.FIRST], ["ann"])
    assert seen["first"]["said"] == ["zero.asking"]


@pytest.mark.slow
def test_the_networks_come_back_and_are_asked_apart(seen: dict[str, Any]) -> None:
    assert seen["first"]["lanes"] == ["scratch", "transfer"]
    assert seen["answers"] == {"scratch": [1.0, 1.0], "transfer": [1.0, 1.0]}
    assert seen["refused"].startswith("DataError: ")


@pytest.mark.slow
def test_a_race_is_stopped_at_the_next_message(seen: dict[str, Any]) -> None:
    assert seen["stop"]["seconds"] < 10
    assert sorted((lane, row["reason"]) for lane, row in ends(seen["stop"]).items()) == [
        ("scratch", "stopped"),
        ("transfer", "stopped"),
    ]
    assert json.loads(seen["stop"]["facts"]["race"][-1])["event"] == "RaceFinished"
    assert seen["close"]["seconds"] < 10
    assert seen["close"]["left"] == 0


@pytest.mark.slow
def test_where_the_gpu_is_taken_back_the_race_ends_with_a_sentence(seen: dict[str, Any]) -> None:
    told = {(row["reason"], row["message"]) for row in ends(seen["killed"]).values()}
    assert told == {("failed", say("zero.taken"))}


@pytest.mark.slow
@pytest.mark.parametrize("why", ["quota", "busy"])
def test_without_a_gpu_the_same_race_runs_on_the_cpu_and_says_so(seen: dict[str, Any], why: str) -> None:
    assert seen[why]["said"] == ["zero.asking", f"zero.{why}"]
    assert seen[why]["facts"] == seen["first"]["facts"]
    assert seen[why]["lanes"] == ["scratch", "transfer"]


@pytest.mark.slow
def test_a_race_too_long_for_a_gpu_asks_for_none(seen: dict[str, Any]) -> None:
    assert seen["long"] == {"said": ["zero.long"], "asked": 0}


@pytest.mark.slow
def test_messages_come_all_the_time(seen: dict[str, Any]) -> None:
    assert max(seen["gaps"]) < 3 * zero.BEAT + 0.4  # the machine may be busy


def test_a_race_that_has_nothing_to_tell_beats(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Quiet(SimpleNamespace):
        trained = None

        def __iter__(self) -> Iterator[Any]:
            time.sleep(0.35)
            return iter([])

        def close(self) -> None:
            pass

    monkeypatch.setattr(zero, "run_race", lambda plan, pictures: Quiet())
    monkeypatch.setattr(zero, "BEAT", zero.BEAT / 2)
    messages = [pickle.loads(message) for message in zero._both(SHORT, pickle.dumps(None), 0)]
    assert messages == [[]] * len(messages)
    assert len(messages) >= 3


def test_events_are_gathered_and_the_networks_come_last(tiny: Path) -> None:
    parcel = pickle.dumps(finish(prepare(SHORT)))
    messages = [pickle.loads(message) for message in zero._both(SHORT, parcel, 0)]
    told = [type(each).__name__ for message in messages for each in message]
    assert told[0] == "RaceStarted"
    assert told[-2:] == ["RaceFinished", "Trained"]
    assert len(messages) < len(told)


def test_a_race_is_ended_before_its_time_is_up(tiny: Path) -> None:
    long = Plan(examples=4, epochs=500, batch_size=4)
    parcel = pickle.dumps(finish(prepare(long)))
    began = time.monotonic()
    told = [each for message in zero._both(long, parcel, int(zero.ROOM)) for each in pickle.loads(message)]
    assert time.monotonic() - began < 5
    assert {each.reason for each in told if type(each).__name__ == "Finished"} == {"stopped"}


def test_what_a_race_took_says_what_the_next_one_asks_for(tiny: Path) -> None:
    gauge = zero.Gauge()
    plan = Plan(examples=8, epochs=100)
    assert gauge.seconds(plan) == zero.FIRST
    gauge.learn(plan, seen=4800, seconds=2.0)
    assert gauge.seconds(plan) == 12
    assert gauge.seconds(Plan(examples=8, epochs=10)) == zero.LEAST
    assert gauge.seconds(Plan(examples=8, epochs=500)) == 22
    gauge.learn(plan, seen=48, seconds=2.0)
    assert gauge.seconds(plan) is None
    assert gauge.seconds(Plan(examples=8, budget="seconds", seconds=20.0)) == 33
    assert gauge.seconds(Plan(examples=8, budget="seconds", seconds=100.0)) is None


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 warns of every fork
def test_a_process_that_dies_is_noticed() -> None:
    def work() -> Iterator[bytes]:
        yield b"here"
        os._exit(1)

    messages = zero._in_a_process(work)
    assert next(messages) == b"here"
    with pytest.raises(UnavailableError, match="ended before"):
        next(messages)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "asked"])
def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, is_closed: bool) -> None:
    monkeypatch.setattr(zero, "SILENCE", 0.2)

    def work() -> Iterator[bytes]:
        yield str(os.getpid()).encode()
        time.sleep(600)

    messages = zero._in_a_process(work)
    process = int(next(messages))
    if is_closed:
        messages.close()
    else:
        with pytest.raises(UnavailableError, match="ended before"):
            next(messages)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_how_long_a_race_may_take_on_the_cpu_is_said_before_it_starts() -> None:
    quick, long = Plan(budget="seconds", seconds=20.0), Plan(budget="seconds", seconds=100.0)
    for language, limit in (("en", "for 4.5 min at most"), ("ja", "最長 4.5 分")):
        assert limit in zero.cost(quick, language, 270)
        assert limit in zero.cost(long, language, 270)
        for key in ("quota", "busy", "long"):
            assert limit in say(f"zero.{key}", language, most=60, minutes="4.5")


def test_every_sentence_is_a_line() -> None:
    for key in ("asking", "quota", "busy", "long", "taken", "stopped"):
        assert Line(f"zero.{key}", seconds=30, most=60, minutes="5")
