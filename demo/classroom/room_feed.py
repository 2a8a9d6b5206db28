"""The feed of a room: what its phones are sent, rows of the race that is shown and states of the room."""

from __future__ import annotations

import json
import threading
from typing import Any

from demo.classroom.room import Room
from demo.server.race_job import RaceJob


class RoomFeed:
    """The entries that a room's phones are sent, as a `sse.Source`: an append-only list, so an index stays valid.

    A new race replaces the rows of the race before it, and a new state replaces the earlier state. A phone whose index is
    from before that gets all current entries.
    """

    def __init__(self, room: Room):
        self._room, self._lock = room, threading.Lock()
        self._first, self._entries = 0, list[str]()  # the index of the first kept entry, and the entries from there
        self._shown: tuple[str, RaceJob | None] = ("", None)  # the race whose rows are here
        self._rows = 0  # how many of its rows are here
        self._version, self._state = -1, 0  # version of the newest state, and its position in `_entries`

    def poll(self) -> tuple[int, bool]:
        """Take in new rows and states. Returns the number of entries, and whether the room is over."""
        with self._lock:
            if self._room.version != self._version:
                self._add_state(self._room.public_state())
            if job := self._shown[1]:
                rows = job.log.light[self._rows :]
                self._entries += rows
                self._rows += len(rows)
            return self._first + len(self._entries), self._room.is_over

    def message(self, first: int, count: int) -> bytes:
        """Entries as one server-sent message: a JSON list."""
        return f"id: {count}\ndata: [{self.texts(first, count)}]\n\n".encode()

    def texts(self, first: int, count: int) -> str:
        """Entries `first` to `count - 1`, joined by commas."""
        with self._lock:
            return ",".join(filter(None, self._entries[max(0, first - self._first) : max(0, count - self._first)]))

    def _add_state(self, state: dict[str, Any]) -> None:
        shown = self._room.shown
        if state["race"] != shown[0]:
            return  # another race began just now; the next poll reads both consistently
        if shown[0] != self._shown[0]:
            self._shown, self._rows = shown, 0
            self._first += len(self._entries)
            self._entries = [json.dumps({"event": "Race", "race": shown[0]})]
        elif self._entries:
            self._entries[self._state] = ""
        self._version, self._state = state["version"], len(self._entries)
        self._entries.append(json.dumps({"event": "Room", **state}, separators=(",", ":")))
