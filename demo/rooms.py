"""Classrooms in memory: who watches, what is bet, the pictures that phones send, which race is shown. Ends by itself.

Knows no HTTP and no widget. Nothing of a room outlasts it, and nothing of its guests is ever told to another guest.
"""

from __future__ import annotations

import io
import math
import random
import secrets
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, count, islice
from typing import Any, Literal

from PIL import Image

from demo.hub import Hub
from demo.limits import Pace
from demo.log import Log
from engine import RANGES, Album, HeadStartError, Line, find_task, finish, from_groups, read_picture, remove_task

ALPHABET = "CDFHJKLMNPRTVWXY3479"  # none that looks like another, and no vowel that would make words
LENGTH = 6  # characters of a code: 64 million codes
IDLE, OLDEST = 2 * 3600.0, 8 * 3600.0  # seconds without anything happening, and in all, after which a room ends
SWEEP = 30.0  # seconds between two looks for rooms that are over
WRONG, WINDOW = 100, 600.0  # wrong codes an address may give in so many seconds; a whole school may share one address
POSTS, HURRY = 60, 10.0  # bets and pictures that a phone may send in so many seconds
NAME, CLASS = 20, 30  # characters of a guest's name and of a class
GAPS = (-100.0, 100.0)  # points that can be bet
CLASSES = (2, 5)
FEWEST, EACH, PICTURES = 5, 30, 1500  # pictures: a class needs, a phone may send of a class, a room keeps
KEPT = 400_000_000  # bytes of pictures that all rooms keep together
ENDED = 500  # codes of rooms that are over, so that phones that still ask are no guessers
NEWEST = 24  # pictures that the presenter sees
BYTES, SIDE, SMALLEST = 80_000, 224, 32  # of a picture: bytes as it comes; pixels that are kept, and that it needs
PHONES = 2  # a class needs, so that one can be held out
SHARE = 0.25  # of a class's pictures that are held out, about
TRIED = 10  # phones up to which every division is tried; above, some hundred are

Phase = Literal["waiting", "betting", "racing", "over"]


class RoomError(HeadStartError):
    """Something a room does not allow: the sentence says what, and until when."""


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


@dataclass(frozen=True)
class _Photo:
    guest: str
    kind: str
    jpeg: bytes


class Room:
    """One classroom. Every method may be called from any thread."""

    def __init__(self, code: str, hub: Hub, now: Callable[[], float] = time.monotonic, is_full: Callable[[], bool] = bool):
        """`is_full` says whether there is no memory left for pictures."""
        self.code, self.race, self.task = code, "", ""
        self.is_locked = self.is_over = False
        self.watching = 0
        self._hub, self._now, self._lock = hub, now, threading.RLock()
        self.opened = self.touched = now()
        self._is_full, self._pace, self._numbers = is_full, Pace(POSTS, HURRY, now), count(1)
        self._guests: dict[str, int] = {}  # phone -> its number, by the order of arrival
        self._bets: dict[str, Bet] = {}  # of the race that is shown, or of the first one to come
        self._next: dict[str, Bet] = {}  # of the race after one that is over
        self._kinds: list[str] = []
        self._photos: dict[int, _Photo] = {}  # by number, in the order in which they came
        self._changes, self._phase = 0, self.phase

    @property
    def size(self) -> int:
        """Bytes of pictures that are kept."""
        return sum(len(photo.jpeg) for photo in list(self._photos.values()))

    @property
    def phase(self) -> Phase:
        """What the room is at: bets are open in "betting" and "over"."""
        log = self._log()
        if log is None:
            return "waiting" if self.is_locked else "betting"
        if log.state == "ended":
            return "over"
        if log.started is not None:
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

    def state(self) -> dict[str, Any]:
        """All that the presenter is told.

        `bets` are those on the race that is shown or comes; in "over" `next` are those on the one after it. `task` and
        `raced`, its classes, are named only where the race runs on this room's own pictures.
        """
        with self._lock:
            sent = {kind: [photo for photo in self._photos.values() if photo.kind == kind] for kind in self._kinds}
            return {
                "code": self.code,
                "race": self.race,
                "phase": self.phase,
                "watching": self.watching,
                "guests": len(self._guests),
                "locked": self.is_locked,
                "bets": [asdict(bet) for bet in self._bets.values()],
                "next": [asdict(bet) for bet in self._next.values()],
                "classes": list(self._kinds),
                "counts": {
                    kind: {"pictures": len(photos), "phones": len({photo.guest for photo in photos})}
                    for kind, photos in sent.items()
                },
                **self._own(),
                "version": self.version,
            }

    def told(self) -> dict[str, Any]:
        """What every phone is told: as the presenter, but of bets only their number."""
        state = self.state()
        return {**state, "bets": len(state["bets"]), "next": len(state["next"])}

    def told_to(self, guest: str) -> dict[str, Any]:
        """What one phone alone is told: its own bets, and how many pictures of each class it has sent."""
        with self._lock:
            bets = {"bet": self._bets.get(guest), "next": self._next.get(guest)}
            mine = [photo.kind for photo in self._photos.values() if photo.guest == guest]
            return {
                **{name: bet and asdict(bet) for name, bet in bets.items()},
                "sent": {kind: mine.count(kind) for kind in self._kinds},
            }

    def latest(self) -> list[tuple[int, str]]:
        """The numbers and classes of the newest pictures, the newest first."""
        with self._lock:
            newest = islice(reversed(self._photos.items()), NEWEST)
            return [(number, photo.kind) for number, photo in newest]

    def picture(self, number: int) -> bytes | None:
        """That picture as a JPEG."""
        photo = self._photos.get(number)
        return photo.jpeg if photo else None

    def join(self, guest: str) -> None:
        """A phone is there. Raises RoomError where the room is over, or locked or full for one it does not know."""
        with self._lock:
            if self.is_over:
                raise OverError("refusal.room.over")
            if guest in self._guests:
                return
            if self.is_locked:
                raise RoomError("refusal.room.locked")
            if len(self._guests) >= (most := self._hub.limits.guests):
                raise RoomError("refusal.room.full", most=most)
            self._guests[guest] = len(self._guests) + 1
            self.touched = self._now()  # no change that phones are told of

    def knows(self, guest: str) -> bool:
        """Whether this phone joined."""
        return guest in self._guests

    def enter(self) -> None:
        """A phone opened a stream."""
        with self._lock:
            self.watching += 1

    def leave(self) -> None:
        """A phone's stream closed."""
        with self._lock:
            self.watching = max(0, self.watching - 1)

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
        if kinds and not CLASSES[0] <= len(kinds) <= CLASSES[1]:
            raise RoomError("refusal.room.classes", least=CLASSES[0], most=CLASSES[1])
        if len({kind.casefold() for kind in kinds}) < len(kinds):
            raise RoomError("refusal.room.same")
        with self._lock:
            self._kinds = kinds
            self._photos = {number: photo for number, photo in self._photos.items() if photo.kind in kinds}
            self._change()

    def put(self, guest: str, kind: int, jpeg: bytes) -> int:
        """Keep a phone's picture of class number `kind`; returns how many this phone has sent of it.

        It is read and written anew, so that only its pixels stay. Raises RoomError above the caps, which it states, and
        DataError for what is no picture.
        """
        with self._lock:
            self._allow(guest)
            self._check_more(guest, kind)
        jpeg = checked(jpeg)  # outside the lock: it takes milliseconds
        with self._lock:
            name = self._check_more(guest, kind)
            self._photos[next(self._numbers)] = _Photo(guest, name, jpeg)
            self._change()
            return sum((photo.guest, photo.kind) == (guest, name) for photo in self._photos.values())

    def album(self) -> Album:
        """The pictures as a set whose held-out ones come from other phones than its training ones.

        Raises RoomError where a class has too few pictures or phones, DataError where too few pictures can be used.
        """
        with self._lock:
            sent: dict[str, dict[int, list[bytes]]] = {kind: {} for kind in self._kinds}  # class -> phone -> JPEGs
            for photo in self._photos.values():
                sent[photo.kind].setdefault(self._guests[photo.guest], []).append(photo.jpeg)
        if not sent:
            raise RoomError("refusal.room.none")
        for kind, phones in sent.items():
            if (given := sum(map(len, phones.values()))) < FEWEST:
                raise RoomError("refusal.room.few", name=kind, given=given, least=FEWEST)
            if len(phones) < PHONES:
                raise RoomError("refusal.room.phones", name=kind, least=PHONES)
        counts = [{phone: len(jpegs) for phone, jpegs in phones.items()} for phones in sent.values()]
        held = divide(counts, self.code)
        groups = {
            kind: [(_file(phone, n), jpeg) for phone, jpegs in sorted(phones.items()) for n, jpeg in enumerate(jpegs, 1)]
            for kind, phones in sent.items()
        }
        names = {_file(phone, n + 1) for phone in held for n in range(EACH)}
        album = finish(from_groups(Line("room.title", code=self.code), groups, heldout=names))
        everybody = set().union(*counts)
        note = Line("room.note.phones", held=len(held), training=len(everybody) - len(held))
        return replace(album, notes=(*album.notes, note))

    def made(self, task: str) -> None:
        """The pictures were made a task of this name: phones may see its pictures while the room lasts."""
        with self._lock:
            self.task = task
            self._change()

    def follow(self, race: str) -> None:
        """Show this race. Bets ride on the next race that begins; those on one that broke off count again."""
        with self._lock:
            log = self._log()
            if race == self.race:
                return
            if log and (log.started or log.state == "ended"):
                self._bets = self._next if _is_whole(log) else {**self._bets, **self._next}
                self._next = {}
            self.race = race
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
            for kept in (self._guests, self._bets, self._next, self._photos, self._kinds):
                kept.clear()
            self._change()

    def _log(self) -> Log | None:
        return self._hub.find(self.race) if self.race else None

    def _own(self) -> dict[str, Any]:
        """What the log keeps to itself of the pictures it is raced on, where they are this room's own."""
        log = self._log()
        if log is None or not self.task or log.plan.task != self.task:
            return {"task": "", "raced": []}
        try:
            return {"task": self.task, "raced": list(find_task(self.task).classes)}
        except HeadStartError:  # given away meanwhile
            return {"task": "", "raced": []}

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

    def _check_more(self, guest: str, kind: int) -> str:
        """The name of class number `kind`. Raises RoomError where there may be no more pictures of it from this phone."""
        if self.is_over:
            raise OverError("refusal.room.over")
        if not 0 <= kind < len(self._kinds):
            raise RoomError("refusal.room.kind")
        name = self._kinds[kind]
        if sum((photo.guest, photo.kind) == (guest, name) for photo in self._photos.values()) >= EACH:
            raise RoomError("refusal.room.each", most=EACH)
        if len(self._photos) >= PICTURES:
            raise RoomError("refusal.room.pictures", most=PICTURES)
        if self._is_full():
            raise RoomError("refusal.room.memory")
        return name


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
        self._wrong = Pace(WRONG, WINDOW, now)
        threading.Thread(target=self._watch, name="rooms", daemon=True).start()

    def open(self, host: str) -> Room:
        """A new room of this host; an earlier one ends. Raises RoomError where there are too many."""
        with self._lock:
            self.sweep()
            self.end(host)
            if len(self._rooms) >= (most := self._hub.limits.rooms):
                raise RoomError("refusal.room.rooms", most=most)
            taken = {room.code for room in self._rooms.values()}
            code = next(code for code in iter(_new_code, "") if code not in taken)
            self._rooms[host] = Room(code, self._hub, self._now, self._is_full)
            return self._rooms[host]

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
                task = room.task
                room.end()
                self._ended.append(room.code)
                if task:
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


def plain(text: str, most: int) -> str:
    """At most so many characters of a text in one line, without what steers a terminal or turns text around."""
    text = unicodedata.normalize("NFC", text[: 10 * most])
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:most].strip()


def checked(jpeg: bytes) -> bytes:
    """A phone's JPEG read and written anew, upright and at most SIDE px: its pixels stay, what it tells beside them goes.

    Raises RoomError or DataError with the reason.
    """
    if len(jpeg) > BYTES:
        raise RoomError("refusal.room.large", most=BYTES // 1000)
    if not jpeg.startswith(b"\xff\xd8\xff"):
        raise RoomError("refusal.room.jpeg")
    picture = read_picture(jpeg, side=SIDE)
    if min(picture.size) < SMALLEST:
        raise RoomError("refusal.room.tiny", least=SMALLEST)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = Image.new("RGB", picture.size)  # a comment or a colour profile would be written along
    pixels.paste(picture)
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=90)
    return out.getvalue()


def divide(counts: Sequence[Mapping[int, int]], seed: str) -> frozenset[int]:
    """The phones whose pictures are held out, of every class some and about a quarter; `counts`: a class, phone -> pictures.

    The same for the same `seed`. Raises RoomError where no division leaves every class pictures on both sides.
    """
    phones = sorted({phone for kind in counts for phone in kind})
    lots = random.Random(seed)
    lots.shuffle(phones)

    def cost(held: Collection[int]) -> float:
        """How far the shares are from what is wanted; 10 for a class that cannot be learnt or tested."""
        total = 0.0
        for kind in counts:
            mine, every = sum(kind.get(phone, 0) for phone in held), sum(kind.values())
            total += abs(mine / every - SHARE) if 1 <= mine <= every - 2 else 10.0
        return total

    if len(phones) <= TRIED:
        tried = [held for size in range(1, len(phones)) for held in combinations(phones, size)]
    else:
        sizes = [lots.randint(1, len(phones) // 2) for _ in range(400)]
        tried = [tuple(lots.sample(phones, size)) for size in sizes]
    best = min(tried, key=cost, default=())
    if not best or cost(best) >= 10.0:
        raise RoomError("refusal.room.sides")
    return frozenset(best)


def _is_whole(log: Log) -> bool:
    """Whether this race came to its end, so that bets on it are scored."""
    reasons = [row for row in list(log.rows) if '"event":"Finished"' in row]
    return len(reasons) >= 2 and all('"reason":"done"' in row for row in reasons)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _file(phone: int, number: int) -> str:
    return f"phone {phone}, picture {number}"


def _new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
