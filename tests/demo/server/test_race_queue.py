"""Races run one at a time; the log is append-only; a race is stopped by its owner, or when they are gone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from demo.server.gpu_time import GpuTimeEstimator
from demo.server.limits import Limits
from demo.server.race_queue import QueueFullError, RaceQueue
from demo.server.retention import Retention
from demo.server.time_estimator import TimeEstimator
from engine import LANGUAGES, Plan, PlanError, Race, Stamp, UnavailableError, record, run_race, translate
from engine.race.cost import CostEstimator
from engine.workspace import Workspace
from tests.conftest import CPU, Clock
from tests.helpers.races import LONG, SHORT, event_names, is_over, job_of, made_job, run_to_end, until

PRIVATE = {language: translate("upload.failure", language) for language in LANGUAGES}


@dataclass
class FixedCosts:
    """A CostEstimator of fixed results: seconds of LONG and of any other plan, and the plan that `fit` returns."""

    long: float = 100.0
    other: float = 100.0
    fitting: Plan | None = None

    def estimate(self, plan: Plan, may_probe: object) -> float:
        return self.long if plan == LONG else self.other

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        return self.fitting


def estimator_of(costs: FixedCosts) -> TimeEstimator:
    return TimeEstimator(costs, GpuTimeEstimator(Workspace()))  # type: ignore[arg-type]


@pytest.fixture
def strict(workspace: Workspace) -> Iterator[RaceQueue]:
    """A queue with low limits."""
    queue = RaceQueue(workspace, CPU, grace=60, limits=Limits(longest=60, races=3, queue=2))
    yield queue
    queue.close()
    until(lambda: queue.running is None)


def test_a_race_leaves_its_events_in_its_log(queue: RaceQueue) -> None:
    race = queue.start(SHORT, "ann")
    job = job_of(queue, race)
    until(lambda: job.state == "ended")
    seen = event_names(job)
    assert seen[0] == "Queued"
    assert seen[1] == "RaceStarted"
    assert seen[-1] == "Ended"
    assert seen.count("Finished") == 2
    assert seen.index("RaceFinished") < seen.index("Ended")
    assert "Standing" in seen
    times = [row["t"] for row in job.log.rows if "t" in row]
    assert times == sorted(times)


@pytest.mark.slow
def test_waiting_races_are_in_order_and_their_logs_state_the_place(queue: RaceQueue) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    second, third = queue.start(SHORT, "bob"), queue.start(SHORT, "cat")
    assert [job_of(queue, r).log.rows[-1]["place"] for r in (second, third)] == [1, 2]
    assert job_of(queue, second).log.rows[-1]["watch"] == first
    queue.stop(first, "ann")
    for race in (second, third):
        job = job_of(queue, race)
        until(lambda job=job: job.state == "ended")
    assert job_of(queue, third).log.rows[1]["place"] == 1
    assert event_names(job_of(queue, third))[-1] == "Ended"


def test_only_the_owner_can_stop_a_race(queue: RaceQueue) -> None:
    race = queue.start(LONG, "ann")
    until(lambda: queue.running == race)
    queue.stop(race, "bob")
    time.sleep(0.1)
    assert queue.running == race
    queue.stop(race, "ann")
    until(lambda: queue.running is None)
    assert job_of(queue, race).log.rows[-1] == {"event": "Ended", "reason": "stopped"}


def test_a_race_that_waits_can_be_stopped(queue: RaceQueue) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    second = queue.start(SHORT, "bob")
    queue.stop(second, "bob")
    assert event_names(job_of(queue, second))[-1] == "Ended"
    queue.stop(first, "ann")


def test_starting_again_ends_the_owners_earlier_race(queue: RaceQueue) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    second = queue.start(SHORT, "ann")
    job = job_of(queue, second)
    until(lambda: job.state == "ended")
    assert event_names(job_of(queue, first))[-1] == "Ended"


@pytest.mark.slow
def test_a_race_ends_when_its_owner_has_been_gone_for_the_grace_time(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, grace=0.3)
    race = queue.start(LONG, "ann")
    queue.arrive("ann")
    until(lambda: queue.running == race)
    time.sleep(1.0)
    assert queue.running == race
    queue.leave("ann")
    until(lambda: queue.running is None)
    queue.close()


@pytest.mark.slow
def test_a_second_page_of_the_owner_keeps_the_race_going(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, grace=0.3)
    race = queue.start(LONG, "ann")
    queue.arrive("ann")
    queue.arrive("ann")
    queue.leave("ann")
    until(lambda: queue.running == race)
    time.sleep(1.0)
    assert queue.running == race
    queue.close()


@pytest.mark.slow
def test_a_page_that_polls_keeps_the_race_going(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, grace=0.5)
    race = queue.start(LONG, "ann")
    until(lambda: queue.running == race)
    for _ in range(8):
        time.sleep(0.2)
        queue.touch("ann")
    assert queue.running == race
    until(lambda: queue.running is None)
    queue.close()


@pytest.mark.slow
def test_old_races_are_dropped_but_never_the_recorded_one(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, retention=Retention(races=1))
    queue.add("recorded", made_job("ended", owner=""))
    first = queue.start(SHORT, "ann")
    for owner in ("bob", "cat", "dan"):
        run_to_end(queue, SHORT, owner)
    queue.start(SHORT, "eve")
    assert queue.find(first) is None
    assert queue.find("recorded") is not None
    queue.close()


def test_repeated_starts_of_one_owner_drop_no_races_of_others(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, retention=Retention(races=3))
    for race in ("bob 1", "bob 2"):
        queue.add(race, made_job("ended", owner="bob"))
    running = queue.start(LONG, "cat")
    until(lambda: queue.running == running)
    for _ in range(6):  # each start ends the one before, which waited
        queue.start(SHORT, "ann")
    assert queue.find("bob 1")
    assert queue.find("bob 2")
    queue.close()


def test_a_full_queue_leaves_a_running_race_alone(strict: RaceQueue) -> None:
    first = strict.start(LONG, "ann")
    until(lambda: strict.running == first)
    for k in range(2):
        strict.start(SHORT, f"visitor {k}")
    with pytest.raises(QueueFullError):
        strict.start(SHORT, "ann")
    assert strict.running == first
    job = job_of(strict, first)
    assert not job.is_stopping


@pytest.mark.slow
def test_the_expected_time_follows_the_machine(workspace: Workspace) -> None:
    queue = RaceQueue(
        workspace,
        CPU,
        estimator=TimeEstimator(CostEstimator(workspace, CPU), GpuTimeEstimator(workspace), least_seconds=0.0),
    )
    plan = Plan(examples_per_class=4, epochs=50, trainable_stages=1)
    before = queue.expected_seconds(plan)
    longer = queue.expected_seconds(replace(plan, epochs=500))
    assert before
    assert longer
    assert longer > before
    run_to_end(queue, replace(plan, epochs=8), "ann")
    assert queue.expected_seconds(plan) != before
    queue.close()


def test_a_cost_that_needs_a_probe_is_unknown_without_one(queue: RaceQueue) -> None:
    assert queue.expected_seconds(SHORT, may_probe=False) is None
    assert queue.fit(SHORT, 1.0) is None


def test_the_machine_is_not_probed_during_a_race(queue: RaceQueue) -> None:
    queue.start(LONG, "ann")
    until(lambda: queue.running is not None)
    assert queue.expected_seconds(SHORT) is None
    assert queue.fit(SHORT, 1.0) is None


@pytest.mark.slow
def test_a_long_plan_is_shortened_to_fit(queue: RaceQueue) -> None:
    plan = Plan(examples_per_class=8, epochs=500, trainable_stages=1)
    expected = queue.expected_seconds(plan)
    assert expected
    shorter = queue.fit(plan, expected / 3)
    assert shorter
    assert (shorter.budget, shorter.epochs) != (plan.budget, plan.epochs)
    assert queue.fit(plan, expected * 3) is None


def test_an_impossible_plan_never_enters_the_queue(queue: RaceQueue) -> None:
    with pytest.raises(PlanError, match="8 training pictures"):
        queue.start(Plan(examples_per_class=100), "ann")
    assert queue.running is None


def test_a_full_queue_refuses_a_race(strict: RaceQueue) -> None:
    first = strict.start(LONG, "ann")
    until(lambda: strict.running == first)
    for k in range(2):
        strict.start(SHORT, f"visitor {k}")
    with pytest.raises(QueueFullError, match="2 races are waiting already"):
        strict.start(SHORT, "one more")


def test_a_start_beyond_the_rate_limit_is_refused_and_the_running_race_goes_on(strict: RaceQueue) -> None:
    for _ in range(3):
        race = strict.start(LONG, "ann")
    with pytest.raises(PlanError, match="3 races an hour"):
        strict.start(LONG, "ann")
    until(lambda: strict.running == race)
    strict.start(SHORT, "bob")


@pytest.mark.parametrize(
    ("fit", "sentence"),
    [
        (replace(LONG, epochs=20), "about 2 min here, and 1 min is the most on this server; 20 epochs would fit"),
        (replace(LONG, epochs=20, image_size=64), "20 epochs at 64 px would fit"),
        (replace(LONG, budget="seconds", seconds=36), "36 s of compute for each racer would fit"),
        (None, "choose fewer epochs"),
    ],
)
def test_a_race_that_is_too_long_is_refused_with_a_plan_that_fits(
    workspace: Workspace, fit: Plan | None, sentence: str
) -> None:
    queue = RaceQueue(
        workspace, CPU, limits=Limits(longest=60), estimator=estimator_of(FixedCosts(long=120.0, other=50.0, fitting=fit))
    )
    with pytest.raises(PlanError, match=sentence):
        queue.start(LONG, "ann")
    assert queue.running is None
    queue.close()


@pytest.mark.slow
def test_a_race_without_an_estimate_is_stopped_when_it_is_overdue(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, limits=Limits(longest=0.3))
    job = run_to_end(queue, LONG, "ann")
    end = job.log.rows[-1]
    assert end["reason"] == "stopped"
    assert set(end["message"]) == set(LANGUAGES)
    queue.close()


def test_an_owner_who_just_raced_waits_behind_those_who_did_not(queue: RaceQueue) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    bob = queue.start(LONG, "bob")
    again = queue.start(SHORT, "ann")  # ends ann's first race, so bob's begins
    until(lambda: queue.running == bob)
    cat = queue.start(SHORT, "cat")
    places = {race: job_of(queue, race).log.rows[-1]["place"] for race in (cat, again)}
    assert places == {cat: 1, again: 2}


def test_many_owners_of_one_turn_alternate_with_others_as_one(queue: RaceQueue) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    calls = [queue.start(SHORT, f"call {k}", party="program") for k in range(3)]
    bob, cat = queue.start(SHORT, "bob"), queue.start(SHORT, "cat")
    assert [job_of(queue, race).log.rows[-1]["place"] for race in (calls[0], bob, cat, *calls[1:])] == [1, 2, 3, 4, 5]
    queue.stop(calls[1], "call 0")  # a turn is shared, a race is not
    assert job_of(queue, calls[1]).log.rows[-1]["event"] == "Queued"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 warns of every fork
def test_on_zerogpus_cpu_a_race_is_stopped_at_the_announced_limit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.server.zerogpu.is_lending", lambda: True)
    clock = Clock()
    queue = RaceQueue(workspace, CPU, now=clock, limits=Limits(longest=90))
    job = job_of(queue, queue.start(Plan(examples_per_class=4, budget="seconds", seconds=100), "ann"))
    until(lambda: job.started is not None)
    assert job.log.rows[1]["text"]["en"].endswith("for 1.5 min at most")
    clock.time = 91.0
    until(lambda: job.state == "ended")
    end = job.log.rows[-1]
    assert end["reason"] == "stopped"
    assert end["message"]["en"].endswith("may take 1.5 min at most on this server")
    queue.close()


def test_the_waiting_time_counts_down(workspace: Workspace) -> None:
    clock = Clock()
    queue = RaceQueue(workspace, CPU, now=clock, estimator=estimator_of(FixedCosts()))
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    clock.time = 30.0
    second, third = queue.start(SHORT, "bob"), queue.start(SHORT, "cat")
    assert [job_of(queue, race).log.rows[-1]["wait"] for race in (second, third)] == [70, 170]
    queue.close()
    until(lambda: queue.running is None)


def test_a_slow_validation_does_not_delay_other_starts(queue: RaceQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    validating, done = threading.Event(), threading.Event()

    def validate(plan: Plan, *_: object) -> None:
        if plan == LONG:
            validating.set()
            done.wait(10)

    monkeypatch.setattr("demo.server.race_queue.validate", validate)
    slow = threading.Thread(target=queue.start, args=(LONG, "ann"))
    slow.start()
    validating.wait(10)
    run_to_end(queue, SHORT, "bob")
    done.set()
    slow.join()


def test_of_many_starts_at_once_one_runs_and_the_rest_wait_or_are_refused(queue: RaceQueue) -> None:
    outcomes: list[str] = []

    def click(k: int) -> None:
        try:
            queue.start(LONG, f"visitor {k}")
            outcomes.append("started")
        except QueueFullError as error:
            outcomes.append(str(error))

    clicks = [threading.Thread(target=click, args=(k,)) for k in range(50)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(outcomes) == 50
    assert outcomes.count("started") in (20, 21)  # the first may have begun to run before the queue was full
    until(lambda: queue.running is not None)
    assert len(queue.waiting) == outcomes.count("started") - 1


def test_ids_are_long_and_differ(queue: RaceQueue) -> None:
    ids = {queue.start(SHORT, str(k)) for k in range(4)}
    assert len(ids) == 4
    assert all(len(race) >= 16 for race in ids)


def test_a_refusal_at_the_start_is_logged_in_every_language(workspace: Workspace) -> None:
    def fail(_plan: Plan, _announce: object, _visitor: Context) -> Race:
        raise UnavailableError("refusal.task.closed", title="Ants")

    queue = RaceQueue(workspace, CPU, start_race=fail)
    sentences = {language: translate("refusal.task.closed", language, title="Ants") for language in LANGUAGES}
    assert run_to_end(queue).log.rows[-1]["message"] == sentences
    queue.close()


def test_a_failed_race_logs_its_error_and_the_next_one_runs(workspace: Workspace) -> None:
    def start(plan: Plan, _announce: object, _visitor: Context) -> Race:
        if plan == SHORT:
            raise RuntimeError("the disk is on fire")
        return run_race(plan, workspace, CPU)

    queue = RaceQueue(workspace, CPU, start_race=start)
    assert run_to_end(queue).log.rows[-1] == {
        "event": "Ended",
        "reason": "failed",
        "message": dict.fromkeys(LANGUAGES, "the disk is on fire"),
    }
    assert run_to_end(queue, replace(SHORT, seed=1), "bob").log.rows[-1]["reason"] == "done"
    queue.close()


def test_a_recording_is_read_like_a_race_with_its_machine_and_date(queue: RaceQueue, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    pairs = [(k * 0.1, e) for k, e in enumerate(run_race(SHORT, queue.workspace, CPU))]
    list(record(iter(pairs), path, Stamp("a machine", "2026-11-21")))
    queue.add_recording("recorded", path)
    job = job_of(queue, "recorded")
    assert job.state == "ended"
    assert job.log.rows[0] == {"event": "Recorded", "machine": "a machine", "date": "2026-11-21"}
    assert [k for k in event_names(job) if k not in ("Standing", "Recorded")] == [type(e).__name__ for _, e in pairs]


def test_names_of_private_pictures_never_enter_the_log(queue: RaceQueue, secret: str) -> None:
    job = run_to_end(queue, replace(SHORT, task=secret), "ann")
    started = next(row for row in job.log.rows if row["event"] == "RaceStarted")
    assert json.loads(started["plan"]) == json.loads(replace(SHORT, task="own").to_json())
    assert started["classes"] == ("class 1", "class 2")
    assert job.plan.task == secret  # the owner's page shows it again
    assert not [text for text in job.log.texts if any(word in text for word in (secret, "unicorns", "anna", "berta"))]


def test_a_race_whose_private_task_was_deleted_fails_without_naming_it(queue: RaceQueue, secret: str) -> None:
    first = queue.start(LONG, "ann")
    until(lambda: queue.running == first)
    job = job_of(queue, queue.start(replace(SHORT, task=secret), "bob"))
    queue.workspace.tasks.remove(secret)
    third = queue.start(SHORT, "cat")  # places and waiting times are still written
    assert job_of(queue, third).log.rows[-1]["wait"] > 0
    queue.stop(first, "ann")
    until(lambda: job.state == "ended")
    assert job.log.rows[-1] == {"event": "Ended", "reason": "failed", "message": PRIVATE}
    assert not [text for text in job.log.texts if secret in text]


@pytest.mark.slow
def test_a_finished_race_is_kept_though_its_task_was_deleted(workspace: Workspace, secret: str) -> None:
    queue = RaceQueue(
        workspace,
        CPU,
        grace=600,
        estimator=TimeEstimator(CostEstimator(workspace, CPU), GpuTimeEstimator(workspace), least_seconds=0.0),
    )
    job = job_of(queue, queue.start(replace(SHORT, task=secret, epochs=20), "ann"))
    until(lambda: job.started is not None)
    queue.workspace.tasks.remove(secret)
    until(lambda: job.state == "ended")
    assert job.log.rows[-1] == {"event": "Ended", "reason": "done"}
    assert job.trained
    queue.close()


@pytest.mark.slow
def test_the_networks_of_a_race_are_kept_for_its_owner(queue: RaceQueue) -> None:
    first, second = (queue.start(SHORT, "ann"), queue.start(SHORT, "bob"))
    until(lambda: is_over(queue, first) and is_over(queue, second))
    third = queue.start(SHORT, "ann")
    until(lambda: is_over(queue, third))
    assert [race_id for race_id, _ in queue.kept("ann")] == [third, first]
    assert queue.kept("cat") == []
    assert queue.kept("ann")[0][1].startswith("2. ")


@pytest.mark.slow
def test_above_the_byte_limit_only_the_newest_networks_are_kept(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, retention=Retention(network_bytes=1))
    first = queue.start(SHORT, "ann")
    until(lambda: is_over(queue, first))
    second = queue.start(SHORT, "ann")
    until(lambda: is_over(queue, second))
    assert [race_id for race_id, _ in queue.kept("ann")] == [second]
    record = queue.record(first, "ann")
    assert record is not None
    assert (record.trained, record.plan) == (None, SHORT)
    queue.close()


def test_the_record_of_a_race_holds_its_events_and_times(queue: RaceQueue) -> None:
    race = queue.start(SHORT, "ann")
    assert queue.record(race, "ann") is None  # it has not ended
    until(lambda: is_over(queue, race))
    record = queue.record(race, "ann")
    assert record is not None
    rows = [row for row in job_of(queue, race).log.rows if row["event"] in ("Evaluated", "Predicted")]
    kept = [(t, event) for t, event in record.pairs if type(event).__name__ in ("Evaluated", "Predicted")]
    assert [(row["t"], row["racer"]) for row in rows] == [(t, event.racer) for t, event in kept]  # type: ignore[union-attr]
