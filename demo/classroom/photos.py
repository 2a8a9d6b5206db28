"""Pictures from the phones of a room: kept in memory within limits, and split into training and held-out by phone."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count, islice

from PIL import Image

from engine import Dataset, HeadStartError, Message, from_groups, read_image, run_to_end

CLASSES = (2, 5)  # fewest and most classes
FEWEST = 5  # pictures that a class needs
MAX_BYTES = 80_000  # of a picture as it is sent
SIDE, MIN_SIDE = 224, 32  # pixels of the longer side that are kept, and of the shorter side that are needed
PHONES = 2  # phones that a class needs, so that one can be held out
HELDOUT_SHARE = 0.25  # target share of a class's pictures that are held out
EXHAUSTIVE = 10  # number of phones up to which every split is tried; above it, a random sample
SAMPLED = 400  # splits in that sample


class RoomError(HeadStartError):
    """A room refused a request; the message says why."""


@dataclass(frozen=True)
class PhotoLimits:
    """Limits of one room, in pictures."""

    per_phone: int = 30  # of one class, from one phone
    total: int = 1500  # kept by the room
    latest: int = 24  # shown to the presenter


@dataclass(frozen=True)
class _Photo:
    guest: str
    class_name: str
    jpeg: bytes


class Photos:
    """The pictures of one room by class. Not thread-safe: the room calls it under its lock."""

    def __init__(self, is_full: Callable[[], bool] = bool, limits: PhotoLimits = PhotoLimits()):
        """is_full: whether all rooms together have used up the memory for pictures."""
        self.classes: list[str] = []
        self._is_full, self._limits, self._numbers = is_full, limits, count(1)
        self._photos: dict[int, _Photo] = {}  # by number, in order of arrival

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(len(photo.jpeg) for photo in list(self._photos.values()))

    def set_classes(self, names: Sequence[str]) -> None:
        """Take pictures of these classes, or of none. Pictures of classes that remain are kept, others are dropped.

        Raises RoomError where the classes are too few, too many, or two have the same name.
        """
        if names and not CLASSES[0] <= len(names) <= CLASSES[1]:
            raise RoomError("refusal.room.classes", least=CLASSES[0], most=CLASSES[1])
        if len({name.casefold() for name in names}) < len(names):
            raise RoomError("refusal.room.same")
        self.classes = list(names)
        self._photos = {number: photo for number, photo in self._photos.items() if photo.class_name in names}

    def check(self, guest: str, class_index: int) -> str:
        """The name of a class. Raises RoomError where no more pictures of it are taken from this phone."""
        if not 0 <= class_index < len(self.classes):
            raise RoomError("refusal.room.class")
        class_name = self.classes[class_index]
        if self._sent(guest, class_name) >= self._limits.per_phone:
            raise RoomError("refusal.room.each", most=self._limits.per_phone)
        if len(self._photos) >= self._limits.total:
            raise RoomError("refusal.room.pictures", most=self._limits.total)
        if self._is_full():
            raise RoomError("refusal.room.memory")
        return class_name

    def add(self, guest: str, class_index: int, jpeg: bytes) -> int:
        """Keep a picture returned by `cleaned`. Returns how many this phone sent of that class. Raises as `check`."""
        class_name = self.check(guest, class_index)
        self._photos[next(self._numbers)] = _Photo(guest, class_name, jpeg)
        return self._sent(guest, class_name)

    def sent_by(self, guest: str) -> dict[str, int]:
        """Class -> number of pictures from this phone."""
        return {name: self._sent(guest, name) for name in self.classes}

    def counts(self) -> dict[str, dict[str, int]]:
        """Class -> {"pictures": number of them, "phones": number of their phones}."""
        guests = {name: [p.guest for p in self._photos.values() if p.class_name == name] for name in self.classes}
        return {name: {"pictures": len(sent), "phones": len(set(sent))} for name, sent in guests.items()}

    def senders(self) -> set[str]:
        """The phones with pictures here."""
        return {photo.guest for photo in self._photos.values()}

    def latest(self) -> list[tuple[int, str]]:
        """(number, class) of the latest pictures, the newest first."""
        latest = islice(reversed(self._photos.items()), self._limits.latest)
        return [(number, photo.class_name) for number, photo in latest]

    def jpeg(self, number: int) -> bytes | None:
        """The picture of this number; None where there is none."""
        photo = self._photos.get(number)
        return photo.jpeg if photo else None

    def by_phone(self, numbers: Mapping[str, int]) -> dict[str, dict[int, list[bytes]]]:
        """Class -> number of the phone -> JPEGs. numbers: guest -> number."""
        sent: dict[str, dict[int, list[bytes]]] = {name: {} for name in self.classes}
        for photo in self._photos.values():
            sent[photo.class_name].setdefault(numbers[photo.guest], []).append(photo.jpeg)
        return sent

    def clear(self) -> None:
        """Delete all classes and pictures."""
        self.classes, self._photos = [], {}

    def _sent(self, guest: str, class_name: str) -> int:
        return sum((photo.guest, photo.class_name) == (guest, class_name) for photo in self._photos.values())


def dataset(sent: Mapping[str, Mapping[int, Sequence[bytes]]], code: str) -> Dataset:
    """A dataset whose held-out pictures come from other phones than its training pictures.

    sent: class -> number of the phone -> JPEGs. code: the room's code, used in the title and as the seed of the split.
    Raises RoomError where a class has too few pictures or phones, DataError where too few pictures are usable.
    """
    if not sent:
        raise RoomError("refusal.room.none")
    for name, phones in sent.items():
        if (given := sum(map(len, phones.values()))) < FEWEST:
            raise RoomError("refusal.room.few", name=name, given=given, least=FEWEST)
        if len(phones) < PHONES:
            raise RoomError("refusal.room.phones", name=name, least=PHONES)
    counts = [{phone: len(jpegs) for phone, jpegs in phones.items()} for phones in sent.values()]
    heldout = split_phones(counts, code)
    groups = {
        name: [(_file(phone, n), jpeg) for phone, jpegs in sorted(phones.items()) for n, jpeg in enumerate(jpegs, 1)]
        for name, phones in sent.items()
    }
    files = {
        _file(phone, n) for phones in sent.values() for phone in heldout for n in range(1, len(phones.get(phone, ())) + 1)
    }
    built = run_to_end(from_groups(Message("room.title", code=code), groups, heldout=files))
    phones_in_total = len(set().union(*counts))
    note = Message("room.note.phones", held=len(heldout), training=phones_in_total - len(heldout))
    return replace(built, notes=(*built.notes, note))


def cleaned(jpeg: bytes) -> bytes:
    """Re-encode a JPEG, upright and at most SIDE px: only its pixels are kept, no EXIF, comment or profile.

    Raises RoomError or DataError with the reason.
    """
    if len(jpeg) > MAX_BYTES:
        raise RoomError("refusal.room.large", most=MAX_BYTES // 1000)
    if not jpeg.startswith(b"\xff\xd8\xff"):
        raise RoomError("refusal.room.jpeg")
    picture = read_image(jpeg, side=SIDE)
    if min(picture.size) < MIN_SIDE:
        raise RoomError("refusal.room.tiny", least=MIN_SIDE)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = Image.new("RGB", picture.size)  # saving `picture` itself would keep its comment and colour profile
    pixels.paste(picture)
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=90)
    return out.getvalue()


def split_phones(counts: Sequence[Mapping[int, int]], seed: str) -> frozenset[int]:
    """The phones whose pictures are held out: some of every class, about HELDOUT_SHARE of its pictures.

    counts: for each class, phone -> number of pictures. Deterministic in `seed`. Raises RoomError where every split leaves
    some class without training or held-out pictures.
    """
    phones = sorted({phone for pictures in counts for phone in pictures})
    rng = random.Random(seed)
    rng.shuffle(phones)

    def cost(heldout: Collection[int]) -> float:
        """Distance of the held-out shares from HELDOUT_SHARE, summed; 10 for a class that cannot be trained or evaluated."""
        distance = 0.0
        for pictures in counts:
            part, total = sum(pictures.get(phone, 0) for phone in heldout), sum(pictures.values())
            distance += abs(part / total - HELDOUT_SHARE) if 1 <= part <= total - 2 else 10.0
        return distance

    if len(phones) <= EXHAUSTIVE:
        candidates = [heldout for size in range(1, len(phones)) for heldout in combinations(phones, size)]
    else:
        sizes = [rng.randint(1, len(phones) // 2) for _ in range(SAMPLED)]
        candidates = [tuple(rng.sample(phones, size)) for size in sizes]
    best = min(candidates, key=cost, default=())
    if not best or cost(best) >= 10.0:
        raise RoomError("refusal.room.sides")
    return frozenset(best)


def _file(phone: int, number: int) -> str:
    return f"phone {phone}, picture {number}"
