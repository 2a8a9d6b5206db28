"""One classroom, in memory: its phones, bets, pictures, and the race it shows.

Nothing is stored on disk, and no guest's data is sent to another guest.
"""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Literal

from demo.classroom.photos import Photos, RoomError, cleaned, dataset
from demo.server.limits import RateLimiter
from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from engine import RANGES, Dataset, Finished, HeadStartError

POSTS, POSTS_WINDOW = 60, 10.0  # bets and pictures that a phone may send in so many seconds
NAME_LENGTH, CLASS_LENGTH = 20, 30  # characters of a guest's name and of a class name
GAPS = (-100.0, 100.0)  # lowest and highest bet on the gap, in points
PRESENT = 5.0  # seconds after which a phone without a stream, which polls once a second, is absent

Phase = Literal["waiting", "betting", "racing", "over"]


class UnknownError(RoomError):
    """No room has this code."""


class OverError(RoomError):
    """The room has ended."""


@dataclass(frozen=True)
class Bet:
    """A guest's prediction of the result."""

    gap: float  # pretrained minus from scratch, in points
    seconds: float | None  # until 80 % accuracy; None for never
    name: str  # of the guest; may be empty


@dataclass
class _Phone:
    number: int  # in order of arrival
    polled: float  # time of joining, or of the last poll (phones poll where streams are blocked)
    streams: int = 0  # open ones; a broken one stays open for a while beside the new one


class Room:
    """One classroom. Thread-safe."""

    def __init__(self, code: str, queue: RaceQueue, now: Callable[[], float] = time.monotonic, photos: Photos | None = None):
        self.code = code
        self.is_locked = self.is_over = False
        self.tasks: list[str] = []  # made of the room's pictures, the newest last
        self._queue, self._now, self._lock = queue, now, threading.RLock()
        self.opened = self.touched = now()
        self._posts, self._numbers = RateLimiter(POSTS, POSTS_WINDOW, now), count(1)
        self.shown: tuple[str, RaceJob | None] = ("", None)  # with the id, because the queue may drop the race
        self._phones: dict[str, _Phone] = {}
        self._bets: dict[str, Bet] = {}  # on the race that is shown, or on the first one
        self._next: dict[str, Bet] = {}  # on the race after one that has ended
        self._photos = photos or Photos()
        self._changes, self._phase = 0, self.phase

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return self._photos.size

    @property
    def race(self) -> str:
        """The id of the race that is shown; "" for none."""
        return self.shown[0]

    @property
    def phase(self) -> Phase:
        """The phase of the room; bets are open in "betting" and "over"."""
        job = self.shown[1]
        if job and job.state == "ended":
            return "over"
        if job and job.started is not None:
            return "racing"
        return "waiting" if self.is_locked else "betting"

    @property
    def version(self) -> int:
        """A number that grows with every change of `state`."""
        with self._lock:
            phase = self.phase
            if phase != self._phase:
                self._phase = phase
                self._changes += 1
            return self._changes

    @property
    def watching(self) -> int:
        """Number of phones with a stream, or that joined or polled within PRESENT seconds."""
        with self._lock:
            since = self._now() - PRESENT
            return sum(self._is_present(phone, since) for phone in self._phones.values())

    def state(self) -> dict[str, Any]:
        """The room's state for the presenter.

        `bets` are on the race that is shown or comes first, `next` (in "over") on the one after it. `task` and its classes,
        `raced`, are set only where the race runs on this room's pictures.
        """
        with self._lock:
            version = self.version  # read first: a race that begins from here on makes a new version
            return {
                "code": self.code,
                "race": self.race,
                "phase": self._phase,
                "watching": self.watching,
                "guests": len(self._phones),
                "locked": self.is_locked,
                "bets": [asdict(bet) for bet in self._bets.values()],
                "next": [asdict(bet) for bet in self._next.values()],
                "classes": list(self._photos.classes),
                "counts": self._photos.counts(),
                **self._room_task(),
                "version": version,
            }

    def public_state(self) -> dict[str, Any]:
        """The state for all phones: as `state`, but with the number of bets instead of the bets."""
        state = self.state()
        return {**state, "bets": len(state["bets"]), "next": len(state["next"])}

    def guest_state(self, guest: str) -> dict[str, Any]:
        """The state of one phone: its bets, and the number of its pictures of each class."""
        with self._lock:
            bets = {"bet": self._bets.get(guest), "next": self._next.get(guest)}
            return {**{name: bet and asdict(bet) for name, bet in bets.items()}, "sent": self._photos.sent_by(guest)}

    def latest(self) -> list[tuple[int, str]]:
        """(number, class) of the latest pictures, the newest first."""
        with self._lock:
            return self._photos.latest()

    def picture(self, number: int) -> bytes | None:
        """The JPEG of this number; None where there is none."""
        return self._photos.jpeg(number)

    def join(self, guest: str) -> None:
        """Add a phone. Raises RoomError where the room is over; for a new phone also where it is locked or full.

        A full room forgets the first phone that is absent and has neither bets nor pictures here.
        """
        with self._lock:
            if self.is_over:
                raise OverError("refusal.room.over")
            if guest in self._phones:
                return
            if self.is_locked:
                raise RoomError("refusal.room.locked")
            if len(self._phones) >= (most := self._queue.limits.guests) and not self._forget_one():
                raise RoomError("refusal.room.full", most=most)
            self._phones[guest] = _Phone(next(self._numbers), self._now())
            self.touched = self._now()  # without a new version: phones are not sent this

    def knows(self, guest: str) -> bool:
        """Whether this phone joined."""
        return guest in self._phones

    def enter(self, guest: str) -> None:
        """A stream of this phone opened."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.streams += 1

    def leave(self, guest: str) -> None:
        """A stream of this phone closed."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.streams = max(0, phone.streams - 1)

    def touch(self, guest: str) -> None:
        """This phone polled the state."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.polled = self._now()

    def bet(self, guest: str, gap: float, seconds: float | None, name: str = "") -> None:
        """Store a guest's bet in place of an earlier one. Raises RoomError in a race, and for invalid numbers."""
        ends = RANGES["seconds"]
        if not _is_number(gap) or not GAPS[0] <= gap <= GAPS[1]:
            raise RoomError("refusal.room.gap", low=int(GAPS[0]), high=int(GAPS[1]))
        if seconds is not None and (not _is_number(seconds) or not 0 < seconds <= ends.high):
            raise RoomError("refusal.room.seconds", high=f"{ends.high:g}")
        with self._lock:
            self._count_post(guest)
            if self.phase == "racing":
                raise RoomError("refusal.room.late")
            bets = self._next if self.phase == "over" else self._bets
            bets[guest] = Bet(round(gap, 1), None if seconds is None else round(seconds, 2), plain(name, NAME_LENGTH))
            self._change()

    def collect(self, names: Sequence[str]) -> None:
        """Request pictures of these classes from the phones, or stop with an empty list. See `Photos.set_classes`."""
        class_names = [text for text in (plain(name, CLASS_LENGTH) for name in names) if text]
        with self._lock:
            self._photos.set_classes(class_names)
            self._change()

    def add_picture(self, guest: str, class_index: int, jpeg: bytes) -> int:
        """Keep a phone's picture. Returns the number of this phone's pictures of that class.

        The picture is re-encoded, so that only its pixels are kept. Raises RoomError above the limits and DataError for an
        unreadable picture.
        """
        with self._lock:
            self._count_post(guest)
            self._photos.check(guest, class_index)
        jpeg = cleaned(jpeg)  # outside the lock: it takes milliseconds
        with self._lock:
            if self.is_over:
                raise OverError("refusal.room.over")
            sent = self._photos.add(guest, class_index, jpeg)
            self._change()
            return sent

    def dataset(self) -> Dataset:
        """The pictures as a dataset, split by phone: see `photos.dataset`."""
        with self._lock:
            sent = self._photos.by_phone({guest: phone.number for guest, phone in self._phones.items()})
        return dataset(sent, self.code)

    def add_task(self, task: str) -> None:
        """The pictures became a task of this name, which phones are sent as long as the room lasts."""
        with self._lock:
            self.tasks.append(task)
            self._change()

    def follow(self, race: str) -> None:
        """Show this race. Bets count for the next race that begins; bets on a race that was stopped count again."""
        with self._lock:
            shown, job = self.shown
            if race == shown:
                return
            if job and (job.started or job.state == "ended"):
                self._bets = self._next if _is_complete(job) else {**self._bets, **self._next}
                self._next = {}
            self.shown = race, self._queue.find(race)
            self._change()

    def lock(self, is_locked: bool) -> None:
        """Refuse new phones, bets and pictures, or accept them again."""
        with self._lock:
            self.is_locked = is_locked
            self._change()

    def end(self) -> None:
        """Delete everything about the guests."""
        with self._lock:
            self.is_over = True
            for store in (self._phones, self._bets, self._next, self._photos):
                store.clear()
            self._change()

    def _room_task(self) -> dict[str, Any]:
        """Task and classes of the race, which its log leaves out, if it runs on this room's pictures; else empty values."""
        job = self.shown[1]
        task = job.plan.task if job else ""
        try:
            if task in self.tasks:
                return {"task": task, "raced": list(self._queue.workspace.tasks.find(task).classes)}
            return {"task": "", "raced": []}
        except HeadStartError:  # deleted meanwhile
            return {"task": "", "raced": []}

    def _is_present(self, phone: _Phone, since: float) -> bool:
        return phone.streams > 0 or phone.polled > since

    def _forget_one(self) -> bool:
        """Forget the first absent phone without bets and pictures. Returns whether there was one."""
        since, contributors = self._now() - PRESENT, self._photos.senders() | set(self._bets) | set(self._next)
        absent = (
            guest
            for guest, phone in self._phones.items()
            if guest not in contributors and not self._is_present(phone, since)
        )
        return self._phones.pop(next(absent, ""), None) is not None

    def _change(self) -> None:
        self._changes += 1
        self.touched = self._now()

    def _count_post(self, guest: str) -> None:
        """Count a bet or picture. Raises RoomError where the room is locked or the phone sends too many."""
        self.join(guest)
        if self.is_locked:
            raise RoomError("refusal.room.closed")
        if self._posts.wait(guest):
            raise RoomError("refusal.room.fast")
        self._posts.count(guest)


def plain(text: str, most: int) -> str:
    """The first `most` characters of a text on one line, without control and bidirectional formatting characters."""
    text = unicodedata.normalize("NFC", text[: 10 * most])
    printable = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(printable.split())[:most].strip()


def _is_complete(job: RaceJob) -> bool:
    """Whether every racer finished, so that bets are scored."""
    reasons = [event.reason for event in list(job.log.events) if isinstance(event, Finished)]
    return len(reasons) >= 2 and all(reason == "done" for reason in reasons)


def _is_number(value: object) -> bool:
    """Whether this is a number, neither a bool nor huge nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
