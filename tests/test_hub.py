"""Races run one at a time; the log is append-only; only the owner stops a race, or her absence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from conftest import Clock
from visitors import texture

from demo.hub import Hub, QueueFullError
from demo.limits import Limits
from demo.log import Log, Scribe
from engine import (
    LANGUAGES,
    Album,
    Finished,
    Plan,
    PlanError,
    Progressed,
    RaceStarted,
    Stamp,
    UnavailableError,
    add_task,
    record,
    remove_task,
    run_race,
    say,
)

PRIVATE = {language: say("own.failure", language) for language in LANGUAGES}
LONG = Plan(examples=4, epochs=500, batch_size=6)
SHORT = Plan(examples=3, epochs=1, learning_stages=1)
BEGAN = RaceStarted(SHORT.to_json(), ("round",), (0,), (0,), 1, 1, 32, "a network", "a machine", "fp32", 1)


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    hub = Hub(grace=60)
    yield hub
    hub.close()
    until(lambda: hub.running is None)


@pytest.fixture
def strict(tiny: Path) -> Iterator[Hub]:
    """A hub that allows little."""
    hub = Hub(grace=60, limits=Limits(longest=60, races=3, queue=2))
    yield hub
    hub.close()
    until(lambda: hub.running is None)


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it, and fail if it does not come."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def rows(log: Log | None) -> list[dict]:
    assert log is not None
    return [json.loads(row) for row in log.rows]


def kinds(log: Log | None) -> list[str]:
    return [row["event"] for row in rows(log)]


def test_a_race_leaves_its_events_in_its_log(hub: Hub) -> None:
    race = hub.start(SHORT, "ann")
    log = hub.find(race)
    assert log is not None
    until(lambda: log.state == "ended")
    seen = kinds(log)
    assert seen[0] == "Queued"
    assert seen[1] == "RaceStarted"
    assert seen[-1] == "Ended"
    assert seen.count("Finished") == 2
    assert seen.index("RaceFinished") < seen.index("Ended")
    assert "Standing" in seen
    times = [row["t"] for row in rows(log) if "t" in row]
    assert times == sorted(times)


@pytest.mark.slow
def test_others_wait_in_order_and_are_told_their_place(hub: Hub) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    second, third = hub.start(SHORT, "bob"), hub.start(SHORT, "cat")
    assert [rows(hub.find(r))[-1]["place"] for r in (second, third)] == [1, 2]
    assert rows(hub.find(second))[-1]["watch"] == first
    hub.stop(first, "ann")
    for race in (second, third):
        log = hub.find(race)
        assert log is not None
        until(lambda log=log: log.state == "ended")
    assert rows(hub.find(third))[1]["place"] == 1
    assert kinds(hub.find(third))[-1] == "Ended"


def test_only_the_owner_can_stop_a_race(hub: Hub) -> None:
    race = hub.start(LONG, "ann")
    until(lambda: hub.running == race)
    hub.stop(race, "bob")
    time.sleep(0.1)
    assert hub.running == race
    hub.stop(race, "ann")
    until(lambda: hub.running is None)
    assert rows(hub.find(race))[-1] == {"event": "Ended", "reason": "stopped"}


def test_a_race_that_waits_can_be_stopped(hub: Hub) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    second = hub.start(SHORT, "bob")
    hub.stop(second, "bob")
    assert kinds(hub.find(second))[-1] == "Ended"
    hub.stop(first, "ann")


def test_starting_again_ends_the_owners_earlier_race(hub: Hub) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    second = hub.start(SHORT, "ann")
    log = hub.find(second)
    assert log is not None
    until(lambda: log.state == "ended")
    assert kinds(hub.find(first))[-1] == "Ended"


@pytest.mark.slow
def test_a_race_ends_when_its_owner_has_been_gone_for_the_grace_time(tiny: Path) -> None:
    hub = Hub(grace=0.3)
    race = hub.start(LONG, "ann")
    hub.arrive("ann")
    until(lambda: hub.running == race)
    time.sleep(1.0)
    assert hub.running == race
    hub.leave("ann")
    until(lambda: hub.running is None)
    hub.close()


@pytest.mark.slow
def test_a_second_page_of_the_owner_keeps_the_race_going(tiny: Path) -> None:
    hub = Hub(grace=0.3)
    race = hub.start(LONG, "ann")
    hub.arrive("ann")
    hub.arrive("ann")
    hub.leave("ann")
    until(lambda: hub.running == race)
    time.sleep(1.0)
    assert hub.running == race
    hub.close()


@pytest.mark.slow
def test_a_page_that_asks_without_a_stream_keeps_the_race_going_too(tiny: Path) -> None:
    hub = Hub(grace=0.5)
    race = hub.start(LONG, "ann")
    until(lambda: hub.running == race)
    for _ in range(8):
        time.sleep(0.2)
        hub.touch("ann")
    assert hub.running == race
    until(lambda: hub.running is None)
    hub.close()


@pytest.mark.slow
def test_old_logs_are_forgotten_but_never_the_recorded_race(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.hub.KEPT", 1)
    hub._logs["recorded"] = Log(Plan(), "", "ended")
    first = hub.start(SHORT, "ann")
    for owner in ("bob", "cat", "dan"):
        log = hub.find(hub.start(SHORT, owner))
        assert log is not None
        until(lambda log=log: log.state == "ended")
    hub.start(SHORT, "eve")
    assert hub.find(first) is None
    assert hub.find("recorded") is not None


def ended(hub: Hub, race: str, owner: str, has_begun: bool = True) -> None:
    """A race that is over stands in the hub."""
    log = Log(SHORT, owner, "ended", turn=owner)
    log.started = BEGAN if has_begun else None
    hub._logs[race] = log


def test_of_whoever_keeps_most_the_oldest_race_is_forgotten(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.hub.KEPT", 3)
    ended(hub, "recorded", "")
    for race, owner in (("bob 1", "bob"), ("ann 1", "ann"), ("ann 2", "ann"), ("ann 3", "ann")):
        ended(hub, race, owner)
    hub.start(SHORT, "cat")
    assert [race for race in ("recorded", "bob 1", "ann 1", "ann 2", "ann 3") if hub.find(race)] == [
        "recorded", "bob 1", "ann 2", "ann 3",
    ]  # fmt: skip


def test_who_starts_again_and_again_while_others_race_pushes_nobodys_race_out(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.hub.KEPT", 3)
    for race in ("bob 1", "bob 2"):
        ended(hub, race, "bob")
    on = hub.start(LONG, "cat")
    until(lambda: hub.running == on)
    for _ in range(6):  # each start ends the one before, which waited
        hub.start(SHORT, "ann")
    assert hub.find("bob 1")
    assert hub.find("bob 2")


def test_a_full_queue_leaves_a_running_race_alone(strict: Hub) -> None:
    first = strict.start(LONG, "ann")
    until(lambda: strict.running == first)
    for k in range(2):
        strict.start(SHORT, f"visitor {k}")
    with pytest.raises(QueueFullError):
        strict.start(SHORT, "ann")
    assert strict.running == first
    log = strict.find(first)
    assert log is not None
    assert not log.is_stopping


@pytest.mark.slow
def test_the_expected_time_follows_the_machine(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.hub.SURE", 0.0)
    plan = Plan(examples=4, epochs=50, learning_stages=1)
    before = hub.expected_seconds(plan)
    longer = hub.expected_seconds(replace(plan, epochs=500))
    assert before
    assert longer
    assert longer > before
    log = hub.find(hub.start(replace(plan, epochs=8), "ann"))
    assert log is not None
    until(lambda: log.state == "ended")
    assert hub.expected_seconds(plan) != before


def test_a_cost_that_needs_a_probe_is_not_known_without_one(hub: Hub) -> None:
    assert hub.expected_seconds(SHORT, may_probe=False) is None
    assert hub.fit(SHORT, 1.0) is None


def test_while_a_race_is_on_the_machine_is_not_probed(hub: Hub) -> None:
    hub.start(LONG, "ann")
    until(lambda: hub.running is not None)
    assert hub.expected_seconds(SHORT) is None
    assert hub.fit(SHORT, 1.0) is None


@pytest.mark.slow
def test_a_long_race_is_offered_in_a_form_that_fits(hub: Hub) -> None:
    plan = Plan(examples=8, epochs=500, learning_stages=1)
    expected = hub.expected_seconds(plan)
    assert expected
    quick = hub.fit(plan, expected / 3)
    assert quick
    assert (quick.budget, quick.epochs) != (plan.budget, plan.epochs)
    assert hub.fit(plan, expected * 3) is None


def test_what_cannot_be_raced_never_enters_the_queue(hub: Hub) -> None:
    with pytest.raises(PlanError, match="8 training pictures"):
        hub.start(Plan(examples=100), "ann")
    assert hub.running is None


def test_the_queue_has_an_end(strict: Hub) -> None:
    first = strict.start(LONG, "ann")
    until(lambda: strict.running == first)
    for k in range(2):
        strict.start(SHORT, f"visitor {k}")
    with pytest.raises(QueueFullError, match="2 races are waiting already"):
        strict.start(SHORT, "one more")


def test_who_starts_too_often_is_refused_and_her_race_goes_on(strict: Hub) -> None:
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
        (replace(LONG, epochs=20, px=64), "20 epochs at 64 px would fit"),
        (replace(LONG, budget="seconds", seconds=36), "36 s of compute for each racer would fit"),
        (None, "choose fewer epochs"),
    ],
)
def test_a_race_that_would_take_too_long_is_refused_with_what_would_fit(
    strict: Hub, monkeypatch: pytest.MonkeyPatch, fit: Plan | None, sentence: str
) -> None:
    monkeypatch.setattr(strict._prober, "estimate", lambda plan, may_probe: 120.0 if plan == LONG else 50.0)
    monkeypatch.setattr(strict._prober, "fit", lambda plan, seconds: fit)
    with pytest.raises(PlanError, match=sentence):
        strict.start(LONG, "ann")
    assert strict.running is None


@pytest.mark.slow
def test_a_race_that_nobody_could_foresee_is_stopped_when_it_takes_far_too_long(tiny: Path) -> None:
    hub = Hub(limits=Limits(longest=0.3))
    log = hub.find(hub.start(LONG, "ann"))
    until(lambda: log.state == "ended")  # type: ignore[union-attr]
    end = rows(log)[-1]
    assert end["reason"] == "stopped"
    assert set(end["message"]) == set(LANGUAGES)
    hub.close()


def test_whoever_just_raced_goes_behind_those_who_have_not(hub: Hub) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    bob = hub.start(LONG, "bob")
    again = hub.start(SHORT, "ann")  # ends her first race: it is bob's turn
    until(lambda: hub.running == bob)
    cat = hub.start(SHORT, "cat")
    places = {race: rows(hub.find(race))[-1]["place"] for race in (cat, again)}
    assert places == {cat: 1, again: 2}


def test_who_asks_under_many_names_takes_one_turn(hub: Hub) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    calls = [hub.start(SHORT, f"call {k}", turn="program") for k in range(3)]
    bob, cat = hub.start(SHORT, "bob"), hub.start(SHORT, "cat")
    assert [rows(hub.find(race))[-1]["place"] for race in (calls[0], bob, cat, *calls[1:])] == [1, 2, 3, 4, 5]
    hub.stop(calls[1], "call 0")  # a turn is shared, a race is not
    assert rows(hub.find(calls[1]))[-1]["event"] == "Queued"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 warns of every fork
def test_on_a_lent_gpus_cpu_a_race_is_stopped_when_it_was_said_to_be(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.zero.is_lending", lambda: True)
    clock = Clock()
    hub = Hub(now=clock, limits=Limits(longest=90))
    log = hub.find(hub.start(Plan(examples=4, budget="seconds", seconds=100), "ann"))
    assert log is not None
    until(lambda: log.started is not None)
    assert rows(log)[1]["text"]["en"].endswith("for 1.5 min at most")
    clock.time = 91.0
    until(lambda: log.state == "ended")
    end = rows(log)[-1]
    assert end["reason"] == "stopped"
    assert end["message"]["en"].endswith("may take 1.5 min at most on this server")
    hub.close()


def test_the_waiting_time_counts_down(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    hub = Hub(now=clock)
    monkeypatch.setattr(hub._prober, "estimate", lambda plan, may_probe: 100.0)
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    clock.time = 30.0
    second, third = hub.start(SHORT, "bob"), hub.start(SHORT, "cat")
    assert [rows(hub.find(race))[-1]["wait"] for race in (second, third)] == [70, 170]
    hub.close()
    until(lambda: hub.running is None)


def test_a_start_waits_for_no_probe_and_no_look_at_the_memory(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.hub

    looking, done = threading.Event(), threading.Event()

    def look(plan: Plan) -> None:
        if plan == LONG:
            looking.set()
            done.wait(10)

    monkeypatch.setattr(demo.hub, "check", look)
    slow = threading.Thread(target=hub.start, args=(LONG, "ann"))
    slow.start()
    looking.wait(10)
    log = hub.find(hub.start(SHORT, "bob"))
    until(lambda: log.state == "ended")  # type: ignore[union-attr]
    done.set()
    slow.join()


def test_of_many_starts_at_once_one_runs_and_the_rest_wait_or_are_refused(hub: Hub) -> None:
    told: list[str] = []

    def click(k: int) -> None:
        try:
            hub.start(LONG, f"visitor {k}")
            told.append("started")
        except QueueFullError as error:
            told.append(str(error))

    clicks = [threading.Thread(target=click, args=(k,)) for k in range(50)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(told) == 50
    assert told.count("started") in (20, 21)  # the first may have begun to run before the queue was full
    until(lambda: hub.running is not None)
    assert sum(log.state == "running" for log in hub._logs.values()) == 1


def test_ids_are_long_and_differ(hub: Hub) -> None:
    ids = {hub.start(SHORT, str(k)) for k in range(4)}
    assert len(ids) == 4
    assert all(len(race) >= 16 for race in ids)


def test_a_refusal_on_the_way_is_told_in_every_language(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.zero

    def fail(_plan: Plan) -> None:
        raise UnavailableError("refusal.task.closed", title="Ants")

    monkeypatch.setattr(demo.zero, "run_race", fail)
    log = hub.find(hub.start(SHORT, "ann"))
    assert log is not None
    until(lambda: log.state == "ended")
    told = {language: say("refusal.task.closed", language, title="Ants") for language in LANGUAGES}
    assert rows(log)[-1]["message"] == told


def test_a_failing_race_says_so_and_the_next_one_runs(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.zero

    def fail(_plan: Plan) -> None:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(demo.zero, "run_race", fail)
        log = hub.find(hub.start(SHORT, "ann"))
        assert log is not None
        until(lambda: log.state == "ended")
    assert rows(log)[-1] == {
        "event": "Ended",
        "reason": "failed",
        "message": dict.fromkeys(LANGUAGES, "the disk is on fire"),
    }
    again = hub.find(hub.start(SHORT, "bob"))
    assert again is not None
    until(lambda: again.state == "ended")
    assert rows(again)[-1]["reason"] == "done"


def test_a_recording_is_read_like_a_race_and_stamped(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    pairs = [(k * 0.1, e) for k, e in enumerate(run_race(SHORT))]
    list(record(iter(pairs), path, Stamp("a machine", "2026-11-21")))
    hub.add_recording("recorded", path)
    log = hub.find("recorded")
    assert log is not None
    assert log.state == "ended"
    assert rows(log)[0] == {"event": "Recorded", "machine": "a machine", "date": "2026-11-21"}
    assert [k for k in kinds(log) if k not in ("Standing", "Recorded")] == [type(e).__name__ for _, e in pairs]


@pytest.fixture
def secret(tiny: Path) -> Iterator[str]:
    """The name of one visitor's set of pictures."""
    readers = tuple(tuple(partial(texture, 10 * k + n) for n in range(4)) for k in range(2))
    yield add_task("own-secret", Album("unicorns", ("anna", "berta"), readers, readers, ()), is_private=True)
    remove_task("own-secret")


def test_what_names_one_visitors_pictures_never_enters_the_log(hub: Hub, secret: str) -> None:
    log = hub.find(hub.start(replace(SHORT, task=secret), "ann"))
    assert log is not None
    until(lambda: log.state == "ended")
    started = next(row for row in rows(log) if row["event"] == "RaceStarted")
    assert json.loads(started["plan"]) == json.loads(replace(SHORT, task="own").to_json())
    assert started["classes"] == ["class 1", "class 2"]
    assert log.plan.task == secret  # her own page shows it again
    assert not [row for row in log.rows if any(word in row for word in (secret, "unicorns", "anna", "berta"))]


def test_a_race_on_pictures_given_away_meanwhile_names_them_no_more(hub: Hub, secret: str) -> None:
    first = hub.start(LONG, "ann")
    until(lambda: hub.running == first)
    log = hub.find(hub.start(replace(SHORT, task=secret), "bob"))
    assert log is not None
    remove_task(secret)
    third = hub.start(SHORT, "cat")  # the queue is told its places all the same
    assert rows(hub.find(third))[-1]["wait"] > 0
    hub.stop(first, "ann")
    until(lambda: log.state == "ended")
    assert rows(log)[-1] == {"event": "Ended", "reason": "failed", "message": PRIVATE}
    assert not [row for row in log.rows if secret in row]


@pytest.mark.slow
def test_a_race_that_ended_well_is_kept_though_its_pictures_were_given_away(
    hub: Hub, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.hub.SURE", 0.0)
    log = hub.find(hub.start(replace(SHORT, task=secret, epochs=20), "ann"))
    assert log is not None
    until(lambda: log.started is not None)
    remove_task(secret)
    until(lambda: log.state == "ended")
    assert rows(log)[-1] == {"event": "Ended", "reason": "done"}
    assert log.trained


def test_a_race_that_waited_for_a_download_does_not_correct_what_is_expected() -> None:
    scribe = Scribe(Log(Plan(), "ann"))
    scribe.write(0.0, Progressed("decode", "cats", 1, 2, "pictures", 1.0, 1.0))
    scribe.write(1.0, Finished("scratch", "done", 1, 1.0, 1, 1.0, 1, 1, "1", ""))
    assert not scribe.is_complete


@pytest.mark.slow
def test_the_networks_of_a_race_are_kept_for_its_owner_until_there_is_no_room(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub()
    first = hub.start(SHORT, "ann")
    until(lambda: hub.find(first).state == "ended")  # type: ignore[union-attr]
    second = hub.start(SHORT, "ann")
    until(lambda: hub.find(second).state == "ended")  # type: ignore[union-attr]
    assert [race_id for race_id, _ in hub.kept("ann")] == [second, first]
    assert hub.kept("bob") == []
    assert hub.kept("ann")[0][1].startswith("2. ")
    monkeypatch.setattr("demo.hub.NETWORKS", 1)
    third = hub.start(SHORT, "ann")
    until(lambda: hub.find(third).state == "ended")  # type: ignore[union-attr]
    assert [race_id for race_id, _ in hub.kept("ann")] == [third]
    record = hub.record(first, "ann")
    assert record is not None
    assert (record.trained, record.plan) == (None, SHORT)
    hub.close()


def test_a_race_is_taken_away_as_it_happened(tiny: Path) -> None:
    hub = Hub()
    race = hub.start(SHORT, "ann")
    assert hub.record(race, "ann") is None  # it is still on
    until(lambda: hub.find(race).state == "ended")  # type: ignore[union-attr]
    record = hub.record(race, "ann")
    assert record is not None
    told = [row for row in map(json.loads, hub.find(race).rows) if row["event"] in ("Evaluated", "Judged")]  # type: ignore[union-attr]
    kept = [(t, event) for t, event in record.pairs if type(event).__name__ in ("Evaluated", "Judged")]
    assert [(row["t"], row["lane"]) for row in told] == [(t, event.lane) for t, event in kept]  # type: ignore[union-attr]
    hub.close()
