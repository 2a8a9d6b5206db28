"""The pictures that phones send of a class's own things: capped, in memory, divided by phone. Knows no room and no race."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count, islice

from PIL import Image

from engine import Album, HeadStartError, Line, finish, from_groups, read_picture

CLASSES = (2, 5)
FEWEST, EACH, PICTURES = 5, 30, 1500  # pictures: a class needs, a phone may send of a class, a room keeps
NEWEST = 24  # pictures that the presenter sees
BYTES, SIDE, SMALLEST = 80_000, 224, 32  # of a picture: bytes as it comes; pixels that are kept, and that it needs
PHONES = 2  # a class needs, so that one can be held out
SHARE = 0.25  # of a class's pictures that are held out, about
TRIED = 10  # phones up to which every division is tried; above, some hundred are


class RoomError(HeadStartError):
    """Something a room does not allow: the sentence says what, and until when."""


@dataclass(frozen=True)
class _Photo:
    guest: str
    kind: str
    jpeg: bytes


class Photos:
    """What the phones of one room have sent, by class. Its room calls it under a lock."""

    def __init__(self, is_full: Callable[[], bool] = bool):
        """`is_full` says whether there is no memory left for pictures."""
        self.kinds: list[str] = []
        self._is_full, self._numbers = is_full, count(1)
        self._photos: dict[int, _Photo] = {}  # by number, in the order in which they came

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(len(photo.jpeg) for photo in list(self._photos.values()))

    def ask(self, kinds: Sequence[str]) -> None:
        """Take pictures of these classes; those of a class asked for before stay. Of none, take no more.

        Raises RoomError where the classes are too few, too many, or two of the same name.
        """
        if kinds and not CLASSES[0] <= len(kinds) <= CLASSES[1]:
            raise RoomError("refusal.room.classes", least=CLASSES[0], most=CLASSES[1])
        if len({kind.casefold() for kind in kinds}) < len(kinds):
            raise RoomError("refusal.room.same")
        self.kinds = list(kinds)
        self._photos = {number: photo for number, photo in self._photos.items() if photo.kind in kinds}

    def check(self, guest: str, kind: int) -> str:
        """The name of class number `kind`. Raises RoomError where there may be no more pictures of it from this phone."""
        if not 0 <= kind < len(self.kinds):
            raise RoomError("refusal.room.kind")
        name = self.kinds[kind]
        if self._sent(guest, name) >= EACH:
            raise RoomError("refusal.room.each", most=EACH)
        if len(self._photos) >= PICTURES:
            raise RoomError("refusal.room.pictures", most=PICTURES)
        if self._is_full():
            raise RoomError("refusal.room.memory")
        return name

    def add(self, guest: str, kind: int, jpeg: bytes) -> int:
        """Keep a picture that was `cleaned`; returns how many this phone has sent of its class. Raises as `check`."""
        name = self.check(guest, kind)
        self._photos[next(self._numbers)] = _Photo(guest, name, jpeg)
        return self._sent(guest, name)

    def sent_by(self, guest: str) -> dict[str, int]:
        """How many pictures of each class a phone has sent."""
        return {kind: self._sent(guest, kind) for kind in self.kinds}

    def counts(self) -> dict[str, dict[str, int]]:
        """Class -> {"pictures": how many, "phones": how many sent them}."""
        sent = {kind: [photo.guest for photo in self._photos.values() if photo.kind == kind] for kind in self.kinds}
        return {kind: {"pictures": len(guests), "phones": len(set(guests))} for kind, guests in sent.items()}

    def senders(self) -> set[str]:
        """The phones of which pictures are kept."""
        return {photo.guest for photo in self._photos.values()}

    def latest(self) -> list[tuple[int, str]]:
        """The numbers and classes of the newest pictures, the newest first."""
        return [(number, photo.kind) for number, photo in islice(reversed(self._photos.items()), NEWEST)]

    def jpeg(self, number: int) -> bytes | None:
        """That picture."""
        photo = self._photos.get(number)
        return photo.jpeg if photo else None

    def by_phone(self, numbers: Mapping[str, int]) -> dict[str, dict[int, list[bytes]]]:
        """Class -> the phone's number -> its pictures."""
        sent: dict[str, dict[int, list[bytes]]] = {kind: {} for kind in self.kinds}
        for photo in self._photos.values():
            sent[photo.kind].setdefault(numbers[photo.guest], []).append(photo.jpeg)
        return sent

    def clear(self) -> None:
        """Forget all of it."""
        self.kinds, self._photos = [], {}

    def _sent(self, guest: str, kind: str) -> int:
        return sum((photo.guest, photo.kind) == (guest, kind) for photo in self._photos.values())


def album(sent: Mapping[str, Mapping[int, Sequence[bytes]]], code: str) -> Album:
    """The pictures as a set whose held-out ones come from other phones than its training ones.

    `sent`: class -> the phone's number -> JPEGs; `code`: the room's, in the title, and the seed of the division. Raises
    RoomError where a class has too few pictures or phones, DataError where too few pictures can be used.
    """
    if not sent:
        raise RoomError("refusal.room.none")
    for kind, phones in sent.items():
        if (given := sum(map(len, phones.values()))) < FEWEST:
            raise RoomError("refusal.room.few", name=kind, given=given, least=FEWEST)
        if len(phones) < PHONES:
            raise RoomError("refusal.room.phones", name=kind, least=PHONES)
    counts = [{phone: len(jpegs) for phone, jpegs in phones.items()} for phones in sent.values()]
    held = divide(counts, code)
    groups = {
        kind: [(_file(phone, n), jpeg) for phone, jpegs in sorted(phones.items()) for n, jpeg in enumerate(jpegs, 1)]
        for kind, phones in sent.items()
    }
    names = {_file(phone, n + 1) for phone in held for n in range(EACH)}
    made = finish(from_groups(Line("room.title", code=code), groups, heldout=names))
    everybody = set().union(*counts)
    note = Line("room.note.phones", held=len(held), training=len(everybody) - len(held))
    return replace(made, notes=(*made.notes, note))


def cleaned(jpeg: bytes) -> bytes:
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


def _file(phone: int, number: int) -> str:
    return f"phone {phone}, picture {number}"
