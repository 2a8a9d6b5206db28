"""Limits for visitors and rooms: their values and the rate limiters that apply them."""

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
SHARED = 30  # visitors that may share one address, as in a classroom


@dataclass(frozen=True)
class Limits:
    """Limits of this server. The environment variable of each is HEADSTART_ and its name in capitals."""

    longest: float = 1800.0  # expected seconds of a race
    races: int = 60  # started by one visitor within an hour
    queue: int = 20  # waiting races
    rooms: int = 50  # open rooms
    guests: int = 300  # phones in one room
    streams: int = 400  # open event streams of races, and as many of phones

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """Limits set by environment variables, else the defaults, with shorter races on a Hugging Face Space.

        Raises PlanError for a value that is not a positive integer.
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
        return cls(**values)  # type: ignore[arg-type]  # an int is valid for every field


def in_minutes(seconds: float) -> str:
    """Seconds as minutes for display: 30, 1.5, 0.2 (at least 0.1)."""
    return f"{max(0.1, round(seconds / 60, 1)):g}"


class RateLimiter:
    """Sliding-window rate limit by key: at most `most` events within any `per` seconds. Thread-safe."""

    def __init__(self, most: int, per: float = HOUR, now: Callable[[], float] = time.monotonic):
        self._most, self._per, self._now = most, per, now
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()  # key -> times; the most recently used last

    def __len__(self) -> int:
        """Number of stored keys."""
        return len(self._times)

    def wait(self, key: str) -> float:
        """Seconds until the next event of this key is allowed; 0 where it is allowed now."""
        with self._lock:
            self._forget()
            times = self._times.get(key)
            return max(0.0, times[0] + self._per - self._now()) if times and len(times) == self._most else 0.0

    def count(self, key: str) -> None:
        """Record an event of this key."""
        with self._lock:
            self._forget()
            self._times.setdefault(key, deque(maxlen=self._most)).append(self._now())
            self._times.move_to_end(key)

    def _forget(self) -> None:
        """Drop keys without an event in the window, so that the dictionary does not grow."""
        since = self._now() - self._per
        while self._times and next(iter(self._times.values()))[-1] <= since:
            self._times.popitem(last=False)


class StartLimiter:
    """Rate limit of race starts by visitor token, and by address, because a visitor can drop their token."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic):
        self._races = limits.races
        self._visitors = RateLimiter(limits.races, HOUR, now)
        self._addresses = RateLimiter(SHARED * limits.races, HOUR, now)
        self._lock = threading.Lock()

    def acquire(self, owner: str, address: str = "") -> None:
        """Count a start. Raises PlanError, with the time until the next one is allowed, where there were too many."""
        with self._lock:
            wait = max(self._visitors.wait(owner), self._addresses.wait(address) if address else 0.0)
            if wait:
                raise PlanError("refusal.often", races=self._races, minutes=max(1, math.ceil(wait / 60)))
            self._visitors.count(owner)
            if address:
                self._addresses.count(address)
