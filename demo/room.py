"""One classroom in memory: who watches, what is bet, the pictures that phones send, which race is shown.

Knows no HTTP, no widget and no other room. Nothing of it outlasts it, and nothing of a guest is ever told to another guest.
"""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Literal

from demo.hub import Hub
from demo.limits import Pace
from demo.log import Log
from demo.photos import Photos, RoomError, album, cleaned
from engine import RANGES, Album, HeadStartError, find_task

POSTS, HURRY = 60, 10.0  # bets and pictures that a phone may send in so many seconds
NAME, CLASS = 20, 30  # characters of a guest's name and of a class
GAPS = (-100.0, 100.0)  # points that can be bet
PRESENT = 5.0  # seconds after which a phone that asks once a second is no longer there

Phase = Literal["waiting", "betting", "racing", "over"]


class UnknownError(RoomError):
    """No room has this code."""


class OverError(RoomError):
    """The room is over."""


@dataclass(frozen=True)
class Bet:
    """How a guest says the race will end: points, and seconds to 80 % or None for never."""

    gap: float
    seconds: float | None
    name: str


@dataclass
class _Phone:
    number: int  # by the order of arrival
    asked: float  # when it came, or last asked by itself because streams do not get through to it
    streams: int = 0  # open; one whose line broke stays open for a while beside the new one


class Room:
    """One classroom. Every method may be called from any thread."""

    def __init__(self, code: str, hub: Hub, now: Callable[[], float] = time.monotonic, is_full: Callable[[], bool] = bool):
        """`is_full` says whether there is no memory left for pictures."""
        self.code = code
        self.is_locked = self.is_over = False
        self.tasks: list[str] = []  # what the pictures were made, the newest last
        self._hub, self._now, self._lock = hub, now, threading.RLock()
        self.opened = self.touched = now()
        self._pace, self._numbers = Pace(POSTS, HURRY, now), count(1)
        self.shown: tuple[str, Log | None] = ("", None)  # the race and its rows, which the hub may forget meanwhile
        self._phones: dict[str, _Phone] = {}
        self._bets: dict[str, Bet] = {}  # of the race that is shown, or of the first one to come
        self._next: dict[str, Bet] = {}  # of the race after one that is over
        self._photos = Photos(is_full)
        self._changes, self._phase = 0, self.phase

    @property
    def size(self) -> int:
        """Bytes of pictures that are kept."""
        return self._photos.size

    @property
    def race(self) -> str:
        """The race that is shown."""
        return self.shown[0]

    @property
    def phase(self) -> Phase:
        """What the room is at: bets are open in "betting" and "over"."""
        log = self.shown[1]
        if log and log.state == "ended":
            return "over"
        if log and log.started is not None:
            return "racing"
        return "waiting" if self.is_locked else "betting"

    @property
    def version(self) -> int:
        """A number that grows with every change of what is told."""
        with self._lock:
            phase = self.phase
            if phase != self._phase:
                self._phase = phase
                self._changes += 1
            return self._changes

    @property
    def watching(self) -> int:
        """Phones that have a stream, or came or asked by themselves just now."""
        with self._lock:
            since = self._now() - PRESENT
            return sum(self._is_there(phone, since) for phone in self._phones.values())

    def state(self) -> dict[str, Any]:
        """All that the presenter is told.

        `bets` are those on the race that is shown or comes; in "over" `next` are those on the one after it. `task` and
        `raced`, its classes, are named only where the race runs on this room's own pictures.
        """
        with self._lock:
            version = self.version  # first: a race that goes on from here to its next phase makes another version
            return {
                "code": self.code,
                "race": self.race,
                "phase": self._phase,
                "watching": self.watching,
                "guests": len(self._phones),
                "locked": self.is_locked,
                "bets": [asdict(bet) for bet in self._bets.values()],
                "next": [asdict(bet) for bet in self._next.values()],
                "classes": list(self._photos.kinds),
                "counts": self._photos.counts(),
                **self._own(),
                "version": version,
            }

    def told(self) -> dict[str, Any]:
        """What every phone is told: as the presenter, but of bets only their number."""
        state = self.state()
        return {**state, "bets": len(state["bets"]), "next": len(state["next"])}

    def told_to(self, guest: str) -> dict[str, Any]:
        """What one phone alone is told: its own bets, and how many pictures of each class it has sent."""
        with self._lock:
            bets = {"bet": self._bets.get(guest), "next": self._next.get(guest)}
            return {**{name: bet and asdict(bet) for name, bet in bets.items()}, "sent": self._photos.sent_by(guest)}

    def latest(self) -> list[tuple[int, str]]:
        """The numbers and classes of the newest pictures, the newest first."""
        with self._lock:
            return self._photos.latest()

    def picture(self, number: int) -> bytes | None:
        """That picture as a JPEG."""
        return self._photos.jpeg(number)

    def join(self, guest: str) -> None:
        """A phone is there. Raises RoomError where the room is over, or locked or full for one it does not know.

        A room that is full forgets the first phone that is gone and left nothing here.
        """
        with self._lock:
            if self.is_over:
                raise OverError("refusal.room.over")
            if guest in self._phones:
                return
            if self.is_locked:
                raise RoomError("refusal.room.locked")
            if len(self._phones) >= (most := self._hub.limits.guests) and not self._forget_one():
                raise RoomError("refusal.room.full", most=most)
            self._phones[guest] = _Phone(next(self._numbers), self._now())
            self.touched = self._now()  # no change that phones are told of

    def knows(self, guest: str) -> bool:
        """Whether this phone joined."""
        return guest in self._phones

    def enter(self, guest: str) -> None:
        """This phone opened a stream."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.streams += 1

    def leave(self, guest: str) -> None:
        """A stream of this phone closed."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.streams = max(0, phone.streams - 1)

    def hear(self, guest: str) -> None:
        """This phone asked by itself for what is new."""
        with self._lock:
            if phone := self._phones.get(guest):
                phone.asked = self._now()

    def bet(self, guest: str, gap: float, seconds: float | None, name: str = "") -> None:
        """Take a guest's bet in place of an earlier one. Raises RoomError once the race has begun, and for odd numbers."""
        ends = RANGES["seconds"]
        if not _is_number(gap) or not GAPS[0] <= gap <= GAPS[1]:
            raise RoomError("refusal.room.gap", low=int(GAPS[0]), high=int(GAPS[1]))
        if seconds is not None and (not _is_number(seconds) or not 0 < seconds <= ends.high):
            raise RoomError("refusal.room.seconds", high=f"{ends.high:g}")
        with self._lock:
            self._allow(guest)
            if self.phase == "racing":
                raise RoomError("refusal.room.late")
            bets = self._next if self.phase == "over" else self._bets
            bets[guest] = Bet(round(gap, 1), None if seconds is None else round(seconds, 2), plain(name, NAME))
            self._change()

    def collect(self, names: Sequence[str]) -> None:
        """Ask the phones for pictures of these classes; those of a class asked for before stay. Of none, ask no more.

        Raises RoomError where the classes are too few, too many, or two of the same name.
        """
        kinds = [kind for kind in (plain(name, CLASS) for name in names) if kind]
        with self._lock:
            self._photos.ask(kinds)
            self._change()

    def put(self, guest: str, kind: int, jpeg: bytes) -> int:
        """Keep a phone's picture of class number `kind`; returns how many this phone has sent of it.

        It is read and written anew, so that only its pixels stay. Raises RoomError above the caps, which it states, and
        DataError for what is no picture.
        """
        with self._lock:
            self._allow(guest)
            self._photos.check(guest, kind)
        jpeg = cleaned(jpeg)  # outside the lock: it takes milliseconds
        with self._lock:
            if self.is_over:
                raise OverError("refusal.room.over")
            sent = self._photos.add(guest, kind, jpeg)
            self._change()
            return sent

    def album(self) -> Album:
        """The pictures as a set whose held-out ones come from other phones than its training ones: `photos.album`."""
        with self._lock:
            sent = self._photos.by_phone({guest: phone.number for guest, phone in self._phones.items()})
        return album(sent, self.code)

    def made(self, task: str) -> None:
        """The pictures were made a task of this name: phones may see its pictures while the room lasts."""
        with self._lock:
            self.tasks.append(task)
            self._change()

    def follow(self, race: str) -> None:
        """Show this race. Bets ride on the next race that begins; those on one that broke off count again."""
        with self._lock:
            shown, log = self.shown
            if race == shown:
                return
            if log and (log.started or log.state == "ended"):
                self._bets = self._next if _is_whole(log) else {**self._bets, **self._next}
                self._next = {}
            self.shown = race, self._hub.find(race)
            self._change()

    def lock(self, is_locked: bool) -> None:
        """Let nobody new in, and take no bets and pictures; or again."""
        with self._lock:
            self.is_locked = is_locked
            self._change()

    def end(self) -> None:
        """Forget everything about the guests."""
        with self._lock:
            self.is_over = True
            for kept in (self._phones, self._bets, self._next, self._photos):
                kept.clear()
            self._change()

    def _own(self) -> dict[str, Any]:
        """What the log keeps to itself of the pictures it is raced on, where they are this room's own."""
        log = self.shown[1]
        task = log.plan.task if log else ""
        try:
            return (
                {"task": task, "raced": list(find_task(task).classes)} if task in self.tasks else {"task": "", "raced": []}
            )
        except HeadStartError:  # given away meanwhile
            return {"task": "", "raced": []}

    def _is_there(self, phone: _Phone, since: float) -> bool:
        return phone.streams > 0 or phone.asked > since

    def _forget_one(self) -> bool:
        """Forget the first phone that is gone and left neither a bet nor a picture, so that another has its place."""
        since, gave = self._now() - PRESENT, self._photos.senders() | set(self._bets) | set(self._next)
        gone = (guest for guest, phone in self._phones.items() if guest not in gave and not self._is_there(phone, since))
        return self._phones.pop(next(gone, ""), None) is not None

    def _change(self) -> None:
        self._changes += 1
        self.touched = self._now()

    def _allow(self, guest: str) -> None:
        self.join(guest)
        if self.is_locked:
            raise RoomError("refusal.room.closed")
        if self._pace.wait(guest):
            raise RoomError("refusal.room.fast")
        self._pace.count(guest)


def plain(text: str, most: int) -> str:
    """At most so many characters of a text in one line, without what steers a terminal or turns text around."""
    text = unicodedata.normalize("NFC", text[: 10 * most])
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:most].strip()


def _is_whole(log: Log) -> bool:
    """Whether this race came to its end, so that bets on it are scored."""
    reasons = [row for row in list(log.rows) if '"event":"Finished"' in row]
    return len(reasons) >= 2 and all('"reason":"done"' in row for row in reasons)


def _is_number(value: object) -> bool:
    """Whether it is a number that a bet could be; a whole one of hundreds of digits is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
