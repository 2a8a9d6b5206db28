"""Races being run or replayed: start, stop, who may start next, and what is kept of them. The only crossing outwards.

Knows no HTTP and no widget. Every reader (the owner's page, a second tab, a late viewer) reads the same rows from an
absolute index; the log is the only place where a running race is kept.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextvars import Context
from pathlib import Path

from demo import words, zero
from demo.limits import Limits, Turns, in_minutes
from demo.log import Log, Scribe
from engine import (
    EVENTS,
    HeadStartError,
    Plan,
    PlanError,
    Prober,
    RaceFinished,
    RaceStarted,
    Record,
    Stamp,
    Trained,
    check,
    find_backbone,
    find_task,
    from_row,
    replay,
    say,
)

KEPT = 40  # logs of ended races that can still be read
NETWORKS = 1_500_000_000  # bytes of trained networks kept, of all visitors together; the oldest go first
END = 30.0  # seconds that the end of the program waits for a race to end
GRACE = 30.0  # seconds a race goes on after its owner's last page is gone
UNKNOWN = 60.0  # seconds that a waiting visitor is told where nobody knows
SURE = 5.0  # seconds a race must have taken to correct what the probe expects
OVERDUE = 2.0  # times the longest race that is allowed, after which one is stopped whatever was expected


class QueueFullError(PlanError):
    """More races are waiting than anybody would wait for."""


class Hub:
    """One race at a time on this machine. The others wait, their owners served in turn: start-time fair queueing.

    A race's round is the one now served, or the one after its owner's last; within a round they are run in the order in
    which they came. Goyal, Vin and Cheng 1996, with every race of weight one. Programs at one address share one turn.
    """

    def __init__(self, grace: float = GRACE, now: Callable[[], float] = time.monotonic, limits: Limits | None = None):
        self._grace, self._now, self.limits = grace, now, limits or Limits()
        self._turns = Turns(self.limits, now)
        self._round, self._served = 0, dict[str, int]()  # the round now served; whose turn -> the one of her last race
        self._lock = threading.Condition()
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._queue: deque[str] = deque()
        self._running: str | None = None
        self._prober = Prober()
        # backbone and number of lanes -> what the last such race took, as a share of what was expected
        self._corrections: dict[tuple[str, int], float] = {}
        self._present: dict[str, int] = {}  # owner -> open streams
        self._absent_since: dict[str, float] = {}
        self._is_closed = False
        self._runner, watcher = (
            threading.Thread(target=work, name=work.__name__, daemon=True) for work in (self._run_queue, self._watch_owners)
        )
        self._runner.start()
        watcher.start()

    def start(self, plan: Plan, owner: str, address: str = "", turn: str = "") -> str:
        """Put a race in the queue and return its id, which cannot be guessed. An owner's earlier race is stopped.

        address: where the visitor is, so that a new name does not make her a new visitor. turn: whose turn in the queue it
        takes, and whose starts are counted, where that is not the owner's alone. Raises PlanError or UnavailableError where
        it cannot be raced here, would take too long or comes too soon, QueueFullError where too many wait.
        """
        with self._lock:
            self._refuse_full(owner)  # first of all: a class that clicks at once is answered quickly
        check(plan)
        is_private = find_task(plan.task).is_private
        expected = self._refuse_long(plan)
        with self._lock:
            mine = self._refuse_full(owner)
            turn = turn or owner
            self._turns.take(turn, address)
            for race_id in mine:
                self._stop(race_id)
            race_id = secrets.token_urlsafe(12)
            number = 1 + sum(log.owner == owner for log in self._logs.values())
            title = _title(plan, number)
            log = Log(plan, owner, turn=turn, is_private=is_private, title=title, expected=expected)
            waiting = [self._logs[other].round for other in self._queue if self._logs[other].turn == turn]
            log.round = max(self._round, max([self._served.get(turn, -1), *waiting]) + 1)
            self._logs[race_id] = log
            place = sum(self._logs[other].round <= log.round for other in self._queue)
            self._queue.insert(place, race_id)
            if owner not in self._present:
                self._absent_since[owner] = self._now()
            self._tell_places()
            self._forget()
            self._lock.notify_all()
        return race_id

    def _forget(self) -> None:
        """Keep so many ended races: first goes one that never began, then the oldest of whoever has most of them."""
        kept = {race_id: log for race_id, log in self._logs.items() if log.state == "ended" and log.owner}
        while len(kept) > KEPT:
            counts = Counter(log.turn for log in kept.values())
            gone = max(kept, key=lambda race_id: (kept[race_id].started is None, counts[kept[race_id].turn]))
            del kept[gone], self._logs[gone]

    def _refuse_full(self, owner: str) -> list[str]:
        """This owner's races that are on or waiting. Raises QueueFullError where too many others wait."""
        mine = [race_id for race_id, log in self._logs.items() if log.owner == owner and log.state != "ended"]
        if len([race_id for race_id in self._queue if race_id not in mine]) >= self.limits.queue:
            raise QueueFullError("refusal.full", count=self.limits.queue)
        return mine

    def stop(self, race_id: str, owner: str) -> None:
        """Stop a race, running or waiting; only its owner's word counts."""
        with self._lock:
            log = self._logs.get(race_id)
            if log and log.owner == owner:
                self._stop(race_id)

    def find(self, race_id: str) -> Log | None:
        """The log of that race, while it is kept."""
        return self._logs.get(race_id)

    def add_recording(self, race_id: str, path: Path) -> None:
        """Make a recorded race readable under a name of its own. Raises DataError where the file is damaged."""
        stamp, pairs = replay(path)
        plans = [Plan.from_json(event.plan) for _, event in pairs if isinstance(event, RaceStarted)]
        log = Log(plans[0] if plans else Plan(), "")
        scribe = Scribe(log)
        log.append({"event": "Recorded", "machine": stamp.machine, "date": stamp.date})
        for seconds, event in pairs:
            scribe.write(seconds, event)
        log.state = "ended"
        self._logs[race_id] = log
        self._logs.move_to_end(race_id, last=False)

    def record(self, race_id: str, visitor: str) -> Record | None:
        """A race that is over, as it can be taken away; None while it is on, or where this visitor may not have it."""
        log = self._logs.get(race_id)
        if log is None or log.state != "ended" or (log.is_private and log.owner != visitor):
            return None
        rows = [json.loads(row) for row in log.rows]
        head = rows[0] if rows and rows[0]["event"] == "Recorded" else {}
        pairs = [(row["t"], from_row(row)) for row in rows if row["event"] in EVENTS]
        if log.started:  # the owner's own names, which the rows do not hold
            pairs = [(t, log.started if isinstance(event, RaceStarted) else event) for t, event in pairs]
        started = next((event for _, event in pairs if isinstance(event, RaceStarted)), None)
        machine = head.get("machine") or (started.machine if started else "")
        return Record(Stamp(machine, head.get("date") or log.date), pairs, log.trained)

    def trained(self, race_id: str, visitor: str) -> Trained | None:
        """The networks of a race that is over, while they are kept and where this visitor may ask them."""
        log = self._logs.get(race_id)
        return log.trained if log and (log.owner == visitor or not log.is_private) else None

    def kept(self, visitor: str) -> list[tuple[str, str]]:
        """(race id, title) of this visitor's races whose networks are kept, the newest first."""
        with self._lock:
            mine = [(race_id, log.title) for race_id, log in self._logs.items() if log.owner == visitor and log.trained]
        return mine[::-1] if visitor else []

    @property
    def running(self) -> str | None:
        """The id of the race that is on."""
        return self._running

    def arrive(self, owner: str) -> None:
        """A page of this owner opened a stream."""
        with self._lock:
            self._present[owner] = self._present.get(owner, 0) + 1
            self._absent_since.pop(owner, None)

    def touch(self, owner: str) -> None:
        """A page of this owner that has no stream asked for rows."""
        with self._lock:
            if owner in self._absent_since:
                self._absent_since[owner] = self._now()

    def leave(self, owner: str) -> None:
        """A stream of this owner closed."""
        with self._lock:
            self._present[owner] = self._present.get(owner, 1) - 1
            if self._present[owner] <= 0:
                self._present.pop(owner)
                if any(log.owner == owner and log.state != "ended" for log in self._logs.values()):
                    self._absent_since[owner] = self._now()

    def close(self) -> None:
        """Stop everything and wait for it: a thread that is in torch when the program ends takes it down with an error."""
        with self._lock:
            self._is_closed = True
            for race_id, log in self._logs.items():
                if log.state != "ended":
                    self._stop(race_id)
            self._lock.notify_all()
        self._runner.join(END)

    def expected_seconds(self, plan: Plan, may_probe: bool = True) -> float | None:
        """About how long a race takes here; probes the machine where that may be and it is free. None where nobody knows.

        Raises PlanError for an unknown task or backbone.
        """
        if zero.is_lending():  # nothing may be probed there
            return zero.gauge.seconds(plan)
        expected = self._prober.estimate(plan, may_probe=lambda: may_probe and self._running is None)
        return None if expected is None else expected * self._corrections.get(_kind(plan), 1.0)

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        """This plan made to end within so many seconds; None where it does, or where nobody knows. Probes nothing."""
        if zero.is_lending() or self.expected_seconds(plan, may_probe=False) is None:
            return None
        return self._prober.fit(plan, seconds / self._corrections.get(_kind(plan), 1.0))

    def _refuse_long(self, plan: Plan) -> float | None:
        """What is expected of this plan, as far as is known. Raises PlanError where it is too long, with what would fit."""
        longest, expected = self.limits.longest, self.expected_seconds(plan, may_probe=False)
        if expected is None or expected <= longest:
            return expected
        facts = {"minutes": in_minutes(expected), "most": in_minutes(longest)}
        quick = self.fit(plan, longest)
        if quick is None or (self.expected_seconds(quick, may_probe=False) or 0) > longest:
            raise PlanError("refusal.long", **facts)
        if quick.budget != plan.budget or quick.budget == "seconds":
            raise PlanError("refusal.long.seconds", **facts, seconds=round(quick.seconds))
        size = "size" if quick.px != plan.px else "epochs"
        raise PlanError(f"refusal.long.{size}", **facts, epochs=quick.epochs, px=quick.px)

    def _wait(self, log: Log) -> float:
        """Seconds until this race will be over, once its turn has come."""
        if log.expected is None:
            try:
                log.expected = self._prober.estimate(log.plan, may_probe=lambda: False)
            except Exception:  # its pictures were given away meanwhile, say; the queue goes on whatever it is
                return UNKNOWN
        gone = self._now() - log.began if log.state == "running" else 0.0
        return max(1.0, (log.expected or UNKNOWN) - gone)

    def _stop(self, race_id: str) -> None:
        log = self._logs[race_id]
        if log.state == "queued":
            self._queue.remove(race_id)
            log.append({"event": "Ended", "reason": "stopped"})
            log.state = "ended"
            self._tell_places()
        elif log.state == "running":
            log.is_stopping = True
            if log.race:
                log.race.stop()

    def _tell_places(self) -> None:
        ahead = 0.0
        if self._running:
            ahead = self._wait(self._logs[self._running])
        for place, race_id in enumerate(self._queue, 1):
            log = self._logs[race_id]
            log.append({"event": "Queued", "place": place, "wait": round(ahead), "watch": self._running or ""})
            ahead += self._wait(log)

    def _run_queue(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._queue or self._is_closed)
                if self._is_closed:
                    return
                race_id = self._queue.popleft()
                log = self._logs[race_id]
                self._running, log.state, log.began = race_id, "running", self._now()
                self._round = self._served[log.turn] = log.round
                self._served = {turn: last for turn, last in self._served.items() if last >= self._round}
                self._tell_places()
            self._run(log)
            with self._lock:
                self._running, log.state = None, "ended"

    def _run(self, log: Log) -> None:
        try:
            scribe = Scribe(log)
            began = self._now()
            log.race = zero.race(log.plan, scribe.tell, log.visitor, self.limits.longest)
            if log.is_stopping:
                log.race.stop()
            for event in log.race:
                if isinstance(event, RaceStarted):
                    log.started = event
                scribe.write(self._now() - began, event)
                if isinstance(event, RaceFinished) and scribe.is_complete and event.wall_seconds > SURE:
                    self._correct(log.plan, event.wall_seconds)
            self._keep(log, log.race.trained)
            ended: dict[str, object] = {"event": "Ended", "reason": "stopped" if log.is_stopping else "done"}
            if log.is_overdue:
                most = in_minutes(self.limits.longest)
                ended["message"] = words.everywhere(lambda language: say("refusal.overdue", language, most=most))
            log.append(ended)
        except Exception as error:  # the next race must be able to start, and the page must hear of it
            log.append({"event": "Ended", "reason": "failed", "message": _failure(error, log.is_private)})
        finally:
            if log.race:
                log.race.close()
            log.race, log.visitor = None, Context()

    def _correct(self, plan: Plan, seconds: float) -> None:
        """A race took so long: the next of its kind is expected to."""
        with contextlib.suppress(HeadStartError):  # its pictures were given away meanwhile
            expected = self._prober.estimate(plan, may_probe=lambda: False) or seconds
            self._corrections[_kind(plan)] = min(3.0, max(0.3, seconds / expected))

    def _keep(self, log: Log, trained: Trained | None) -> None:
        with self._lock:
            log.trained = trained
            room = NETWORKS
            for other in reversed(self._logs.values()):
                room -= other.trained.size if other.trained else 0
                if room < 0 and other is not log:
                    other.trained = None

    def _watch_owners(self) -> None:
        while not self._is_closed:
            time.sleep(0.5)
            with self._lock:
                for race_id, log in list(self._logs.items()):
                    since = self._absent_since.get(log.owner)
                    if log.state != "ended" and since is not None and self._now() - since > self._grace:
                        self._stop(race_id)
                    if log.state == "running" and self._now() - log.began > self._most(log):
                        log.is_overdue = True
                        self._stop(race_id)

    def _most(self, log: Log) -> float:
        """Seconds after which a race is stopped. On ZeroGPU's CPU nothing could be expected: what was said is kept there."""
        is_on_cpu = isinstance(log.race, zero.Lent) and log.race.is_on_cpu
        return self.limits.longest * (1.0 if is_on_cpu else OVERDUE)


def _failure(error: Exception, is_private: bool) -> dict[str, str]:
    """Why a race broke off, in every language; not of a visitor's own pictures, which it could name."""
    if is_private:
        return words.everywhere(lambda language: say("own.failure", language))
    if isinstance(error, HeadStartError):
        return words.everywhere(error.said)
    return words.everywhere(lambda language: str(error) or type(error).__name__)


def _title(plan: Plan, number: int) -> str:
    """What a visitor's race is called in a list: "2. Tabletop, ResNet-10, 20 × 10"."""
    task, backbone = find_task(plan.task), find_backbone(plan.backbone)
    return f"{number}. {task.title}, {backbone.title}, {plan.examples} × {len(task.classes)}"


def _kind(plan: Plan) -> tuple[str, int]:
    """What races are alike in, where one corrects what is expected of the next."""
    return plan.backbone, len(plan.lanes())
