"""Rooms with pictures from phones, and races in a queue that does not run them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from demo.classroom.room import Room
from demo.server.limits import Limits
from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from demo.server.row_log import Row
from engine import Event, Finished, Plan
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.pictures import packed, texture
from tests.helpers.races import SHORT, made_job


@contextmanager
def small_school() -> Iterator[RaceQueue]:
    """A queue for at most three rooms of four phones."""
    queue = RaceQueue(Workspace(), CPU, limits=Limits(rooms=3, guests=4))
    yield queue
    queue.close()


def jpeg(seed: int, size: int = 96) -> bytes:
    return packed(texture(seed, size), "JPEG")


def add_race(
    queue: RaceQueue, race: str, state: str = "queued", *rows: Row | Event, plan: Plan = SHORT, owner: str = "ann"
) -> RaceJob:
    """Add a race in this state with these rows to the queue, which does not run it."""
    job = made_job(state, *rows, plan=plan, owner=owner)
    queue.add(race, job)
    return job


def ends(reason: Literal["done", "stopped"]) -> list[Finished]:
    """The last events of both racers."""
    return [
        Finished(
            racer=racer,
            reason=reason,
            step=1,
            epoch=1.0,
            pictures=1,
            seconds=1.0,
            correct=1,
            total=1,
            answers="",
            message="",
        )
        for racer in ("scratch", "pretrained")
    ]


DONE, STOPPED = ends("done"), ends("stopped")


def fill(room: Room, phones: int = 4, each: int = 3, classes: int = 2) -> None:
    """Every phone sends pictures of every class."""
    room.collect([f"thing {class_index}" for class_index in range(classes)])
    for phone in range(phones):
        for class_index in range(classes):
            for n in range(each):
                room.add_picture(f"phone{phone}", class_index, jpeg(1000 * phone + 100 * class_index + n))
