"""Small races, jobs of a queue, and waiting for another thread."""

from __future__ import annotations

import time
from collections.abc import Callable

from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from demo.server.row_log import Row
from engine import Event, Plan, RaceStarted, to_row

LONG = Plan(examples_per_class=4, epochs=500, batch_size=6)
SHORT = Plan(examples_per_class=3, epochs=1, trainable_stages=1)
BEGAN = RaceStarted(
    plan=SHORT.to_json(),
    classes=("round",),
    labels=(0,),
    shown=(0,),
    training=1,
    heldout=1,
    image_size=32,
    network="a network",
    machine="a machine",
    precision="fp32",
    threads=1,
)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not true after {seconds} s"
        time.sleep(0.01)


def is_over(queue: RaceQueue, race: str) -> bool:
    return job_of(queue, race).state == "ended"


def job_of(queue: RaceQueue, race: str) -> RaceJob:
    """The job of a race that the queue has."""
    job = queue.find(race)
    assert job is not None
    return job


def run_to_end(queue: RaceQueue, plan: Plan = SHORT, owner: str = "ann") -> RaceJob:
    """Start a race and wait until it is over."""
    job = job_of(queue, queue.start(plan, owner))
    until(lambda: job.state == "ended")
    return job


def event_names(job: RaceJob) -> list[str]:
    return [row["event"] for row in job.log.rows]


def made_job(
    state: str = "queued", *rows: Row | Event, plan: Plan = SHORT, owner: str = "ann", has_begun: bool = True
) -> RaceJob:
    """A job in this state whose log has these rows, or the rows of these events; no queue runs it."""
    job = RaceJob(plan, owner, party=owner)
    for row in rows:
        job.log.append(row) if isinstance(row, dict) else job.log.append(to_row(row), row)
    if state != "queued":
        job.began, job.started = 0.0, BEGAN if has_begun else None
    if state == "ended":
        job.log.close()
    return job
