"""The queue of races: start, stop, and which runs next. One race at a time on this machine.

Every reader (the owner's page, a second tab, a late viewer) reads the same rows of a job's log by absolute index.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context
from pathlib import Path

from demo.server import zerogpu
from demo.server.fair_queue import FairQueue
from demo.server.gpu_time import GpuTimeEstimator
from demo.server.limits import Limits, StartLimiter
from demo.server.log_writer import LogWriter
from demo.server.presence import Presence
from demo.server.race_job import RaceJob, RunningRace, StartRace
from demo.server.remote_race import RemoteRace
from demo.server.retention import Retention
from demo.server.time_estimator import TimeEstimator
from engine import (
    CostEstimator,
    Machine,
    Message,
    Plan,
    PlanError,
    RaceStarted,
    Record,
    Trained,
    Workspace,
    replay,
    validate,
)

END = 30.0  # seconds that the end of the program waits for the running race
GRACE = 30.0  # seconds a race goes on after its owner's last page was closed
UNKNOWN = 60.0  # assumed seconds of a race without an estimate
OVERDUE = 2.0  # times `Limits.longest`, after which a race is stopped whatever its estimate was
WATCH_INTERVAL = 0.5  # seconds between two checks for absent owners and overdue races


class QueueFullError(PlanError):
    """The queue holds `Limits.queue` waiting races."""


class RaceQueue:
    """Runs one race at a time; the others wait and are served by fair queueing over their owners. Thread-safe."""

    def __init__(
        self,
        workspace: Workspace,
        machine: Machine,
        grace: float = GRACE,
        now: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        retention: Retention | None = None,
        estimator: TimeEstimator | None = None,
        start_race: StartRace | None = None,
    ):
        """machine: where races run. start_race: starts a plan; by default `zerogpu.start_race`."""
        self.workspace, self._machine = workspace, machine
        self._now, self.limits = now, limits or Limits()
        self._retention = retention or Retention()
        self.estimator = estimator or TimeEstimator(CostEstimator(workspace, machine), GpuTimeEstimator(workspace))
        self._start_race = start_race or self._start_anywhere
        self._starts, self._presence = StartLimiter(self.limits, now), Presence(grace, now)
        self._lock = threading.Condition()
        self._jobs: OrderedDict[str, RaceJob] = OrderedDict()
        self._waiting = FairQueue()
        self._running: str | None = None
        self._is_closed = False
        self._runner = threading.Thread(target=self._run_queue, name="race-queue", daemon=True)
        self._runner.start()
        threading.Thread(target=self._watch, name="race-watch", daemon=True).start()

    def start(self, plan: Plan, owner: str, address: str = "", party: str = "") -> str:
        """Add a race to the queue and return its id, which cannot be guessed. The owner's earlier race is stopped.

        address: the visitor's IP address, whose starts are limited too. party: key for fair queueing and the rate limit,
        where it is not the owner. Raises PlanError or UnavailableError where the plan cannot be raced here, would take too
        long or was started too soon, QueueFullError where too many races wait.
        """
        with self._lock:
            self._refuse_full(owner)  # first, so that many clicks at once are refused quickly
        validate(plan, self.workspace, self._machine)
        is_private = self.workspace.tasks.find(plan.task).is_private
        expected = self.estimator.refuse_long(plan, self.limits.longest)
        with self._lock:
            earlier = self._refuse_full(owner)
            party = party or owner
            self._starts.acquire(party, address)
            for race_id in earlier:
                self._stop(race_id)
            race_id = secrets.token_urlsafe(12)
            title = self._title(plan, 1 + sum(job.owner == owner for job in self._jobs.values()))
            self._jobs[race_id] = RaceJob(plan, owner, party, title, is_private, expected)
            self._waiting.add(race_id, party)
            self._presence.expect(owner)
            self._write_places()
            self._retention.forget_races(self._jobs)
            self._lock.notify_all()
        return race_id

    def stop(self, race_id: str, owner: str) -> None:
        """Stop a running or waiting race, if this is its owner."""
        with self._lock:
            job = self._jobs.get(race_id)
            if job and job.owner == owner:
                self._stop(race_id)

    def add(self, race_id: str, job: RaceJob) -> None:
        """Add a race that can be read and is not run."""
        with self._lock:
            self._jobs[race_id] = job

    def add_recording(self, race_id: str, path: Path) -> None:
        """Add a recorded race under this id. Raises DataError where the file is damaged."""
        stamp, pairs = replay(path)
        plans = [Plan.from_json(event.plan) for _, event in pairs if isinstance(event, RaceStarted)]
        job = RaceJob(plans[0] if plans else Plan(), owner="", stamp=stamp)
        job.log.append({"event": "Recorded", "machine": stamp.machine, "date": stamp.date})
        writer = LogWriter(job.log)
        for seconds, event in pairs:
            writer.write(seconds, event)
        job.log.close()
        self.add(race_id, job)

    def find(self, race_id: str) -> RaceJob | None:
        """The race of this id; None where it is not kept."""
        return self._jobs.get(race_id)

    def record(self, race_id: str, visitor: str) -> Record | None:
        """An ended race for export; None before its end, or where it is private to another visitor."""
        job = self._jobs.get(race_id)
        return job.record(visitor, self.workspace) if job else None

    def trained(self, race_id: str, visitor: str) -> Trained | None:
        """The networks of an ended race; None where they are not kept or private to another visitor."""
        job = self._jobs.get(race_id)
        return job.trained if job and job.is_open_to(visitor) else None

    def kept(self, visitor: str) -> list[tuple[str, str]]:
        """(race id, title) of this visitor's races with kept networks, the newest first."""
        with self._lock:
            races = [(race_id, job.title) for race_id, job in self._jobs.items() if job.owner == visitor and job.trained]
        return races[::-1] if visitor else []

    @property
    def jobs(self) -> dict[str, RaceJob]:
        """Race id -> job, of all kept races."""
        with self._lock:
            return dict(self._jobs)

    @property
    def running(self) -> str | None:
        """The id of the running race."""
        return self._running

    @property
    def waiting(self) -> list[str]:
        """The ids of the waiting races, the next one first."""
        with self._lock:
            return list(self._waiting)

    def arrive(self, owner: str) -> None:
        """A page of this owner opened a stream."""
        with self._lock:
            self._presence.arrive(owner)

    def touch(self, owner: str) -> None:
        """A page of this owner requested rows without a stream."""
        with self._lock:
            self._presence.touch(owner)

    def leave(self, owner: str) -> None:
        """A stream of this owner closed."""
        with self._lock:
            self._presence.leave(owner, is_racing=bool(self._unfinished(owner)))

    def is_here(self, owner: str) -> bool:
        """Whether this owner has an open stream."""
        with self._lock:
            return self._presence.is_here(owner)

    def close(self) -> None:
        """Stop all races and wait for the running one: a thread inside torch at interpreter exit crashes the program."""
        with self._lock:
            self._is_closed = True
            for race_id in list(self._jobs):
                self._stop(race_id)
            self._lock.notify_all()
        self._runner.join(END)

    def expected_seconds(self, plan: Plan, may_probe: bool = True) -> float | None:
        """Estimated seconds of a race here; None where it is unknown. May time the machine if it is idle.

        Raises PlanError for an unknown task or backbone.
        """
        return self.estimator.seconds(plan, lambda: may_probe and self._running is None)

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        """The plan shortened to end within `seconds`; None where it already does or its time is unknown. Never probes."""
        return self.estimator.fit(plan, seconds)

    def _start_anywhere(self, plan: Plan, announce: Callable[[Message], None], visitor: Context) -> RunningRace:
        return zerogpu.start_race(
            plan, self.workspace, self._machine, announce, visitor, self.estimator.gpu_time, self.limits.longest
        )

    def _unfinished(self, owner: str) -> list[str]:
        return [race_id for race_id, job in self._jobs.items() if job.owner == owner and job.state != "ended"]

    def _refuse_full(self, owner: str) -> list[str]:
        """Ids of this owner's unfinished races. Raises QueueFullError where too many others wait."""
        unfinished = self._unfinished(owner)
        if sum(race_id not in unfinished for race_id in self._waiting) >= self.limits.queue:
            raise QueueFullError("refusal.full", count=self.limits.queue)
        return unfinished

    def _stop(self, race_id: str) -> None:
        job = self._jobs[race_id]
        if job.state == "queued":
            self._waiting.remove(race_id)
            job.cancel()
            self._write_places()
        elif job.state == "running":
            job.stop()

    def _write_places(self) -> None:
        """Append its place and waiting time to the log of each waiting race."""
        ahead = self._seconds_left(self._jobs[self._running]) if self._running else 0.0
        for place, race_id in enumerate(self._waiting, 1):
            job = self._jobs[race_id]
            job.log.append({"event": "Queued", "place": place, "wait": round(ahead), "watch": self._running or ""})
            ahead += self._seconds_left(job)

    def _seconds_left(self, job: RaceJob) -> float:
        """Remaining seconds of a race, or its full time if it waits; at least 1."""
        if job.expected is None:
            try:
                job.expected = self.estimator.uncorrected(job.plan)
            except Exception:  # for example deleted pictures; the queue must go on
                return UNKNOWN
        elapsed = 0.0 if job.began is None else self._now() - job.began
        return max(1.0, (job.expected or UNKNOWN) - elapsed)

    def _run_queue(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: len(self._waiting) > 0 or self._is_closed)
                if self._is_closed:
                    return
                race_id = self._waiting.pop()
                job = self._jobs[race_id]
                self._running, job.began = race_id, self._now()
                self._write_places()
            seconds = job.run(self._start_race, self._now, self.limits.longest)
            if seconds is not None:
                self.estimator.update(job.plan, seconds)
            with self._lock:
                self._retention.forget_networks(self._jobs, job)
                self._running = None
                job.log.close()

    def _watch(self) -> None:
        while not self._is_closed:
            time.sleep(WATCH_INTERVAL)
            with self._lock:
                for race_id, job in list(self._jobs.items()):
                    if job.state != "ended" and self._presence.is_gone(job.owner):
                        self._stop(race_id)
                    if job.state == "running" and self._now() - (job.began or 0.0) > self._time_limit(job):
                        job.is_overdue = True
                        self._stop(race_id)

    def _time_limit(self, job: RaceJob) -> float:
        """Seconds after which a race is stopped. On ZeroGPU's CPU, where no estimate exists, the announced limit applies."""
        is_on_cpu = isinstance(job.race, RemoteRace) and job.race.is_on_cpu
        return self.limits.longest * (1.0 if is_on_cpu else OVERDUE)

    def _title(self, plan: Plan, number: int) -> str:
        """Title of a visitor's race in a list: "2. Tabletop, ResNet-10, 20 × 10"."""
        task, backbone = self.workspace.tasks.find(plan.task), self.workspace.backbones.find(plan.backbone)
        return f"{number}. {task.title}, {backbone.title}, {plan.examples_per_class} × {len(task.classes)}"
