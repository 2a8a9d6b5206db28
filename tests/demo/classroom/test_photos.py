"""Pictures from phones: only pixels are kept, up to a limit, and the held-out ones come from other phones."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from demo.classroom.photos import MAX_BYTES, PhotoLimits, Photos, RoomError, split_phones
from demo.classroom.room import Room
from demo.server.race_queue import RaceQueue
from engine import DataError, HeadStartError
from tests.conftest import Clock
from tests.helpers.classroom import fill, jpeg, small_school
from tests.helpers.pictures import packed, texture


@pytest.fixture
def queue() -> Iterator[RaceQueue]:
    with small_school() as queue:
        yield queue


@pytest.fixture
def room(queue: RaceQueue) -> Room:
    return Room("CDFHJK", queue, Clock())


@pytest.mark.parametrize(
    ("names", "message"),
    [(["cup"], "Name 2 to 5"), (list("abcdef"), "Name 2 to 5"), (["Cup", "cup "], "the same name"), (["", "cup"], "Name 2")],
)
def test_classes_are_two_to_five_and_differ(room: Room, names: list[str], message: str) -> None:
    with pytest.raises(RoomError, match=message):
        room.collect(names)


def test_classes_are_named_in_short_plain_text_and_keep_their_pictures(room: Room) -> None:
    room.collect(["  cu\x00p ", "p" * 90])
    assert room.state()["classes"] == ["cup", "p" * 30]
    room.add_picture("a", 0, jpeg(1))
    room.collect(["pen", "cup"])
    assert room.state()["counts"] == {"pen": {"pictures": 0, "phones": 0}, "cup": {"pictures": 1, "phones": 1}}
    room.collect([])
    assert room.state()["classes"] == []
    with pytest.raises(RoomError, match="no longer asks"):
        room.add_picture("a", 0, jpeg(1))


def test_only_the_pixels_of_a_picture_are_kept(room: Room) -> None:
    room.collect(["cup", "pen"])
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "a maker of phones"
    assert (
        room.add_picture("a", 1, packed(texture(1, 100).resize((200, 100)), "JPEG", exif=exif, comment=b"where I live")) == 1
    )
    ((number, class_name),) = room.latest()
    kept = room.picture(number)
    assert class_name == "pen"
    assert b"maker" not in kept
    assert b"live" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.size == (100, 200)
        assert not picture.getexif()


def test_a_large_picture_is_kept_small(room: Room) -> None:
    room.collect(["cup", "pen"])
    room.add_picture("a", 0, packed(Image.new("RGB", (3000, 1500), "teal"), "JPEG"))
    with Image.open(io.BytesIO(room.picture(1))) as picture:
        assert picture.size == (224, 112)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Only JPEG"),
        (packed(texture(1)), "Only JPEG"),
        (b"\xff\xd8\xff<script>alert(1)</script>", "damaged"),
        (jpeg(1)[:700], "cut short"),
        (jpeg(1, 20), "too small"),
        (jpeg(1) + bytes(MAX_BYTES), "at most 80 kB"),
    ],
    ids=["nothing", "a PNG", "a script", "half", "tiny", "large"],
)
def test_an_unusable_picture_is_refused(room: Room, data: bytes, message: str) -> None:
    room.collect(["cup", "pen"])
    with pytest.raises(HeadStartError, match=message):
        room.add_picture("a", 0, data)
    assert room.state()["counts"]["cup"] == {"pictures": 0, "phones": 0}


def test_the_pictures_of_a_phone_and_of_a_room_are_limited(queue: RaceQueue) -> None:
    room = Room("CDFHJK", queue, photos=Photos(limits=PhotoLimits(per_phone=2, total=3)))
    room.collect(["cup", "pen"])
    assert [room.add_picture("a", 0, jpeg(k)) for k in range(2)] == [1, 2]
    with pytest.raises(RoomError, match="2 pictures of this class"):
        room.add_picture("a", 0, jpeg(3))
    room.add_picture("a", 1, jpeg(4))
    with pytest.raises(RoomError, match="The room has 3 pictures"):
        room.add_picture("b", 0, jpeg(5))
    assert room.guest_state("a")["sent"] == {"cup": 2, "pen": 1}


def test_the_newest_pictures_come_first(queue: RaceQueue) -> None:
    room = Room("CDFHJK", queue, photos=Photos(limits=PhotoLimits(latest=2)))
    room.collect(["cup", "pen"])
    for k in range(3):
        room.add_picture("a", k % 2, jpeg(k))
    assert room.latest() == [(3, "cup"), (2, "pen")]
    assert room.picture(9) is None


# --- the dataset ------------------------------------------------------------------------------------------------------


def pixels(jpeg: bytes | None) -> bytes:
    """The decoded picture; None, of an unknown number, is a failure."""
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg)) as picture:
        return np.asarray(picture.convert("RGB")).tobytes()


def test_held_out_pictures_come_from_other_phones(room: Room) -> None:
    fill(room, phones=4, each=3, classes=2)
    dataset = room.dataset()
    phone_of = {pixels(room.picture(number)): (number - 1) // 6 for number in range(1, 25)}  # six from each, in order
    training, heldout = (
        {phone_of[np.asarray(read()).tobytes()] for readers in split for read in readers}
        for split in (dataset.training, dataset.heldout)
    )
    assert not training & heldout
    assert (len(training), len(heldout)) == (3, 1)
    assert dataset.classes == ("thing 0", "thing 1")
    assert [len(readers) for readers in dataset.heldout] == [3, 3]
    assert "come from 1 of the phones, the training pictures from the 3 others" in dataset.notes[-1]
    assert "phone0" not in " ".join(dataset.notes)


def test_the_same_pictures_are_split_the_same_way(room: Room) -> None:
    fill(room)
    assert room.dataset().notes == room.dataset().notes


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ([], "name the classes first"),
        ([("a", 0, 2), ("b", 0, 2), ("a", 1, 3), ("b", 1, 3)], "“cup” has 4 pictures"),
        ([("a", 0, 3), ("b", 0, 3), ("a", 1, 6)], "“pen” needs pictures from at least 2 phones"),
        ([("a", 0, 5), ("b", 0, 1), ("b", 1, 5), ("a", 1, 1)], "cannot be divided"),
    ],
)
def test_too_few_pictures_or_phones_are_refused(room: Room, sent: list[tuple[str, int, int]], message: str) -> None:
    room.collect(["cup", "pen"] if sent else [])
    for phone, class_index, times in sent:
        for n in range(times):
            room.add_picture(phone, class_index, jpeg(1000 * ord(phone) + 100 * class_index + n))
    with pytest.raises(RoomError, match=message):
        room.dataset()


def test_a_split_leaves_every_class_pictures_on_both_sides() -> None:
    counts = [{1: 5, 2: 1}, {2: 2, 3: 5}, {1: 3, 2: 9, 3: 3}]
    heldout = split_phones(counts, "seed")
    for pictures in counts:
        assert 1 <= sum(pictures.get(phone, 0) for phone in heldout) <= sum(pictures.values()) - 2


def test_a_ring_of_phones_cannot_be_split() -> None:
    with pytest.raises(RoomError, match="let one more phone photograph every class"):
        split_phones([{1: 5, 2: 5}, {2: 5, 3: 5}, {3: 5, 1: 5}], "seed")


def test_of_thirty_phones_about_a_quarter_of_every_class_is_held_out() -> None:
    rng = np.random.default_rng(0)
    counts = [{phone: int(rng.integers(1, 12)) for phone in range(30)} for _ in range(4)]
    heldout = split_phones(counts, "CDFHJK")
    assert heldout == split_phones(counts, "CDFHJK")
    for pictures in counts:
        assert 0.15 < sum(pictures[phone] for phone in heldout) / sum(pictures.values()) < 0.35


def test_a_class_of_one_repeated_picture_is_refused_with_the_reason(room: Room) -> None:
    room.collect(["cup", "pen"])
    for phone in ("a", "b"):
        for class_index in (0, 1):
            for _ in range(3):
                room.add_picture(phone, class_index, jpeg(7))  # one picture, everywhere
    with pytest.raises(DataError, match="no class has enough pictures"):
        room.dataset()
