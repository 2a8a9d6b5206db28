"""Which visitors have a page open, and since when the owners of races have none."""

from __future__ import annotations

import time
from collections.abc import Callable


class Presence:
    """Open streams by visitor. The owner of a race is gone `grace` seconds after their last stream closed.

    Not thread-safe: the queue calls it under its lock.
    """

    def __init__(self, grace: float, now: Callable[[], float] = time.monotonic):
        self._grace, self._now = grace, now
        self._streams: dict[str, int] = {}
        self._absent_since: dict[str, float] = {}

    def expect(self, visitor: str) -> None:
        """This visitor started a race; without an open stream they are absent from now on."""
        if visitor not in self._streams:
            self._absent_since[visitor] = self._now()

    def arrive(self, visitor: str) -> None:
        """A page of this visitor opened a stream."""
        self._streams[visitor] = self._streams.get(visitor, 0) + 1
        self._absent_since.pop(visitor, None)

    def touch(self, visitor: str) -> None:
        """A page of this visitor requested rows without a stream."""
        if visitor in self._absent_since:
            self._absent_since[visitor] = self._now()

    def leave(self, visitor: str, is_racing: bool) -> None:
        """A stream of this visitor closed. Visitors without a race are not stored."""
        self._streams[visitor] = self._streams.get(visitor, 1) - 1
        if self._streams[visitor] <= 0:
            del self._streams[visitor]
            if is_racing:
                self._absent_since[visitor] = self._now()

    def is_here(self, visitor: str) -> bool:
        """Whether a stream of this visitor is open."""
        return visitor in self._streams

    def is_absent(self, visitor: str) -> bool:
        """Whether this visitor has a race and no stream."""
        return visitor in self._absent_since

    def is_gone(self, visitor: str) -> bool:
        """Whether this visitor has been absent for longer than the grace time."""
        since = self._absent_since.get(visitor)
        return since is not None and self._now() - since > self._grace
