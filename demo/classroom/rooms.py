"""All classrooms of this server by their codes: opens, finds and ends them, also after idle time."""

from __future__ import annotations

import math
import secrets
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable

from demo.classroom.photos import Photos, RoomError
from demo.classroom.room import OverError, Room, UnknownError
from demo.server.limits import HOUR, RateLimiter
from demo.server.race_queue import RaceQueue

ALPHABET = "CDFHJKLMNPRTVWXY3479"  # no characters that look alike, and no vowels that would make words
LENGTH = 6  # characters of a code: 64 million codes
MAX_IDLE, MAX_AGE = 2 * HOUR, 8 * HOUR  # seconds without activity, and in total, after which a room ends
SWEEP = 30.0  # seconds between two checks for rooms to end
# Wrong codes from one address in so many seconds. A school shares one address; so many guesses find 1 in 1,000 rooms
WRONG_CODES, WINDOW = 1000, 600.0
OPENED = 20  # rooms opened from one address within an hour
MAX_BYTES = 400_000_000  # pictures of all rooms together
ENDED = 500  # stored codes of ended rooms, so that phones that still poll do not count as guessing


class Rooms:
    """All rooms of this server; each host (presenter's token) has at most one."""

    def __init__(
        self,
        queue: RaceQueue,
        forget: Callable[[str, str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
        most_bytes: int = MAX_BYTES,
        wrong_codes: int = WRONG_CODES,
    ):
        """forget: called with (host, task) at the end of a room for each task made of its pictures."""
        self._queue, self._now, self._most_bytes = queue, now, most_bytes
        self._forget = forget or (lambda _host, task: queue.workspace.tasks.remove(task))
        self._lock, self._closing = threading.RLock(), threading.Event()
        self._rooms: dict[str, Room] = {}  # host -> room
        self._ended: deque[str] = deque(maxlen=ENDED)
        self._wrong, self._opened = RateLimiter(wrong_codes, WINDOW, now), RateLimiter(OPENED, HOUR, now)
        threading.Thread(target=self._watch, name="rooms", daemon=True).start()

    def open(self, host: str, race: str = "", address: str = "") -> Room:
        """This host's open room, or a new one, which shows `race` if that is the host's and has not ended.

        Raises RoomError where too many rooms are open, or were opened from this address.
        """
        with self._lock:
            self.sweep()
            if room := self.of(host):
                return room
            if len(self._rooms) >= (most := self._queue.limits.rooms):
                raise RoomError("refusal.room.rooms", most=most)
            if address and self._opened.wait(address):
                raise RoomError("refusal.room.opened", most=OPENED)
            self._opened.count(address)
            used = {room.code for room in self._rooms.values()}
            code = next(code for code in iter(_new_code, "") if code not in used)
            room = self._rooms[host] = Room(code, self._queue, self._now, Photos(self._is_full))
            job = self._queue.find(race)
            if job and job.owner == host and job.state != "ended":
                room.follow(race)
            return room

    def find(self, code: str) -> Room | None:
        """The open room of a code; lower case, spaces and hyphens are accepted. None where there is none."""
        normalized = normalize(code)
        return next((room for room in list(self._rooms.values()) if room.code == normalized and not room.is_over), None)

    def enter(self, code: str, address: str, guest: str = "") -> Room:
        """The room of a code for a guest at this IP address.

        Raises UnknownError or OverError where no such room is open, RoomError after too many wrong codes from this address.
        """
        room = self.find(code)
        if room and room.knows(guest):
            return room
        if normalize(code) in self._ended:
            raise OverError("refusal.room.over")
        if wait := self._wrong.wait(address):
            raise RoomError("refusal.room.guesses", minutes=math.ceil(wait / 60))
        if room is None:
            self._wrong.count(address)
            raise UnknownError("refusal.room.unknown")
        return room

    def of(self, host: str) -> Room | None:
        """The room of this host; None where none is open."""
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
        """Lock or unlock this host's room."""
        if room := self.of(host):
            room.lock(is_locked)

    def follow(self, host: str, race: str) -> None:
        """Show this race, which the host started, in the host's room."""
        if room := self.of(host):
            room.follow(race)

    def sweep(self) -> None:
        """End the rooms that are idle or too old."""
        with self._lock:
            now = self._now()
            for host, room in list(self._rooms.items()):
                if now - room.touched > MAX_IDLE or now - room.opened > MAX_AGE:
                    self.end(host)

    def close(self) -> None:
        """End all rooms and the background thread."""
        self._closing.set()
        with self._lock:
            for host in list(self._rooms):
                self.end(host)

    def _is_full(self) -> bool:
        return sum(room.size for room in list(self._rooms.values())) >= self._most_bytes

    def _watch(self) -> None:
        while not self._closing.wait(SWEEP):
            self.sweep()


def normalize(code: str) -> str:
    """A typed code in its canonical form."""
    return "".join(c for c in unicodedata.normalize("NFKC", code[:40]).upper() if c.isalnum())


def _new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
