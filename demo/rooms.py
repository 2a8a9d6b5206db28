"""The classrooms of this server by their codes: opened, found, ended; they end by themselves. Knows no HTTP, no widget."""

from __future__ import annotations

import math
import secrets
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable

from demo.hub import Hub
from demo.limits import HOUR, Pace
from demo.photos import RoomError
from demo.room import OverError, Room, UnknownError
from engine import remove_task

ALPHABET = "CDFHJKLMNPRTVWXY3479"  # none that looks like another, and no vowel that would make words
LENGTH = 6  # characters of a code: 64 million codes
IDLE, OLDEST = 2 * HOUR, 8 * HOUR  # seconds without anything happening, and in all, after which a room ends
SWEEP = 30.0  # seconds between two looks for rooms that are over
WRONG, WINDOW = (
    1000,
    600.0,
)  # wrong codes from an address in so many seconds: a school has one, and they find 1 in 1,000 rooms
OPENED = 20  # rooms that may be opened from an address in an hour
KEPT = 400_000_000  # bytes of pictures that all rooms keep together
ENDED = 500  # codes of rooms that are over, so that phones that still ask are no guessers


class Rooms:
    """All rooms of this server, by their codes; one a host."""

    def __init__(
        self,
        hub: Hub,
        forget: Callable[[str, str], None] = lambda _host, task: remove_task(task),
        now: Callable[[], float] = time.monotonic,
    ):
        """`forget(host, task)` is called when a room ends whose pictures were made a task."""
        self._hub, self._forget, self._now = hub, forget, now
        self._lock, self._closing = threading.RLock(), threading.Event()
        self._rooms: dict[str, Room] = {}  # host -> room
        self._ended: deque[str] = deque(maxlen=ENDED)
        self._wrong, self._opened = Pace(WRONG, WINDOW, now), Pace(OPENED, HOUR, now)
        threading.Thread(target=self._watch, name="rooms", daemon=True).start()

    def open(self, host: str, race: str = "", address: str = "") -> Room:
        """This host's room: the one that is open, or a new one, which shows her `race` where that is on.

        Raises RoomError where there are too many rooms, or too many were opened from this address.
        """
        with self._lock:
            self.sweep()
            if room := self.of(host):
                return room
            if len(self._rooms) >= (most := self._hub.limits.rooms):
                raise RoomError("refusal.room.rooms", most=most)
            if address and self._opened.wait(address):
                raise RoomError("refusal.room.opened", most=OPENED)
            self._opened.count(address)
            taken = {room.code for room in self._rooms.values()}
            code = next(code for code in iter(_new_code, "") if code not in taken)
            room = self._rooms[host] = Room(code, self._hub, self._now, self._is_full)
            log = self._hub.find(race)
            if log and log.owner == host and log.state != "ended":
                room.follow(race)
            return room

    def find(self, code: str) -> Room | None:
        """The room of that code, however it is typed: small letters, spaces and hyphens do not matter."""
        wanted = tidy(code)
        return next((room for room in list(self._rooms.values()) if room.code == wanted and not room.is_over), None)

    def ask(self, code: str, address: str, guest: str = "") -> Room:
        """As `find`, for somebody at this address. Raises RoomError where there is none, or it gave too many wrong codes."""
        room = self.find(code)
        if room and room.knows(guest):
            return room
        if tidy(code) in self._ended:
            raise OverError("refusal.room.over")
        if wait := self._wrong.wait(address):
            raise RoomError("refusal.room.guesses", minutes=math.ceil(wait / 60))
        if room is None:
            self._wrong.count(address)
            raise UnknownError("refusal.room.unknown")
        return room

    def of(self, host: str) -> Room | None:
        """The room of this host."""
        return self._rooms.get(host)

    def end(self, host: str) -> None:
        """End this host's room."""
        with self._lock:
            room = self._rooms.pop(host, None)
            if room:
                room.end()
                self._ended.append(room.code)
                for task in room.tasks:
                    self._forget(host, task)

    def lock(self, host: str, is_locked: bool) -> None:
        """Lock this host's room, or open it again."""
        if room := self.of(host):
            room.lock(is_locked)

    def follow(self, host: str, race: str) -> None:
        """This host started a race: her room shows it."""
        if room := self.of(host):
            room.follow(race)

    def sweep(self) -> None:
        """End the rooms in which nothing happens any more, and those that are too old."""
        with self._lock:
            now = self._now()
            for host, room in list(self._rooms.items()):
                if now - room.touched > IDLE or now - room.opened > OLDEST:
                    self.end(host)

    def close(self) -> None:
        """End all rooms; for the end of the program."""
        self._closing.set()
        with self._lock:
            for host in list(self._rooms):
                self.end(host)

    def _is_full(self) -> bool:
        return sum(room.size for room in list(self._rooms.values())) >= KEPT

    def _watch(self) -> None:
        while not self._closing.wait(SWEEP):
            self.sweep()


def tidy(code: str) -> str:
    """A code as it was given out, from what somebody typed."""
    return "".join(c for c in unicodedata.normalize("NFKC", code[:40]).upper() if c.isalnum())


def _new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
