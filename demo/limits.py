"""How much one visitor, one room and all of them together may ask of this machine. Knows no race and no page."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from engine import PlanError

HOUR = 3600.0
ON_A_SPACE = 300.0  # seconds a race may take where strangers share the machine
SHARED = 30  # visitors that may come from one address: a classroom has one for all


@dataclass(frozen=True)
class Limits:
    """What is allowed here. Each is set by an environment variable, HEADSTART_ and its name in capitals."""

    longest: float = 1800.0  # seconds a race may be expected to take
    races: int = 60  # that a visitor may start within an hour
    queue: int = 20  # races that may wait
    rooms: int = 50  # open at once
    guests: int = 300  # of one room
    streams: int = 400  # open at once

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """What the environment sets; the rest as it stands above, and shorter races on a Hugging Face Space.

        Raises PlanError for what is no whole number from 1 on.
        """
        values = {"longest": ON_A_SPACE} if environment.get("SPACE_ID") else {}
        for name in (field.name for field in fields(cls)):
            variable = f"HEADSTART_{name.upper()}"
            text = environment.get(variable, "").strip()
            if not text:
                continue
            if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
                raise PlanError("refusal.limit", variable=variable, value=repr(text))
            values[name] = int(text)
        return cls(**values)  # type: ignore[arg-type]  # a whole number is good for every field


def in_minutes(seconds: float) -> str:
    """Seconds as minutes, to be read: 30, 1.5, 0.2."""
    return f"{max(0.1, round(seconds / 60, 1)):g}"


class Pace:
    """How often each of many may do something: `most` times within any `per` seconds. Safe from several threads."""

    def __init__(self, most: int, per: float = HOUR, now: Callable[[], float] = time.monotonic):
        self._most, self._per, self._now = most, per, now
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()  # the one who did it last comes last

    def wait(self, who: str) -> float:
        """Seconds until this one may again; 0 where it may now."""
        with self._lock:
            self._forget()
            times = self._times.get(who)
            return max(0.0, times[0] + self._per - self._now()) if times and len(times) == self._most else 0.0

    def count(self, who: str) -> None:
        """This one did it."""
        with self._lock:
            self._forget()
            self._times.setdefault(who, deque(maxlen=self._most)).append(self._now())
            self._times.move_to_end(who)

    def _forget(self) -> None:
        """Whoever last did it long ago counts no more, so that the list does not grow."""
        since = self._now() - self._per
        while self._times and next(iter(self._times.values()))[-1] <= since:
            self._times.popitem(last=False)


class Turns:
    """How often each visitor may start a race, by her name; and all that share an address, as names can be dropped."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic):
        self._races = limits.races
        self._visitors, self._addresses = Pace(limits.races, HOUR, now), Pace(SHARED * limits.races, HOUR, now)
        self._lock = threading.Lock()

    def take(self, owner: str, address: str = "") -> None:
        """Count a start. Raises PlanError, which says when the next is possible, where there were too many."""
        with self._lock:
            wait = max(self._visitors.wait(owner), self._addresses.wait(address) if address else 0.0)
            if wait:
                raise PlanError("refusal.often", races=self._races, minutes=max(1, math.ceil(wait / 60)))
            self._visitors.count(owner)
            if address:
                self._addresses.count(address)
