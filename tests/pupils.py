"""A class as a room has it: pictures from phones, and races as a hub has them. No tests of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from test_hub import SHORT
from visitors import packed, texture

from demo.hub import Hub
from demo.limits import Limits
from demo.log import Log
from demo.room import Room
from engine import Plan


@contextmanager
def small_school() -> Iterator[Hub]:
    """A hub for at most three rooms of four phones; of the races that are put into it none really waits."""
    hub = Hub(limits=Limits(rooms=3, guests=4))
    yield hub
    hub._logs.clear()
    hub.close()


def jpeg(seed: int, side: int = 96) -> bytes:
    return packed(texture(seed, side), "JPEG")


def log(hub: Hub, race: str, state: str = "queued", *rows: dict[str, object], plan: Plan = SHORT) -> Log:
    """A race as a hub has it."""
    made = hub._logs[race] = Log(plan, "ann", state=state)  # type: ignore[arg-type]
    for row in rows:
        made.append(row)
    if state != "queued":
        made.started = object()  # type: ignore[assignment]
    return made


DONE = [{"event": "Finished", "lane": lane, "reason": "done"} for lane in ("scratch", "transfer")]
STOPPED = [{"event": "Finished", "lane": lane, "reason": "stopped"} for lane in ("scratch", "transfer")]


def fill(room: Room, phones: int = 4, each: int = 3, kinds: int = 2) -> None:
    """Every phone sends pictures of every class."""
    room.collect([f"thing {kind}" for kind in range(kinds)])
    for phone in range(phones):
        for kind in range(kinds):
            for n in range(each):
                room.put(f"phone{phone}", kind, jpeg(1000 * phone + 100 * kind + n))
