"""Pictures from phones: only pixels stay, only so many, and the held-out ones come from other phones."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import Clock
from PIL import Image
from pupils import fill, jpeg, small_school
from visitors import packed, texture

from demo import photos as sent
from demo.hub import Hub
from demo.photos import RoomError, divide
from demo.room import Room
from engine import DataError, HeadStartError


@pytest.fixture
def hub() -> Iterator[Hub]:
    with small_school() as hub:
        yield hub


@pytest.fixture
def room(hub: Hub) -> Room:
    return Room("CDFHJK", hub, Clock())


@pytest.mark.parametrize(
    ("names", "why"),
    [(["cup"], "Name 2 to 5"), (list("abcdef"), "Name 2 to 5"), (["Cup", "cup "], "the same name"), (["", "cup"], "Name 2")],
)
def test_classes_are_two_to_five_and_differ(room: Room, names: list[str], why: str) -> None:
    with pytest.raises(RoomError, match=why):
        room.collect(names)


def test_classes_are_named_in_short_plain_text_and_keep_their_pictures(room: Room) -> None:
    room.collect(["  cu\x00p ", "p" * 90])
    assert room.state()["classes"] == ["cup", "p" * 30]
    room.put("a", 0, jpeg(1))
    room.collect(["pen", "cup"])
    assert room.state()["counts"] == {"pen": {"pictures": 0, "phones": 0}, "cup": {"pictures": 1, "phones": 1}}
    room.collect([])
    assert room.state()["classes"] == []
    with pytest.raises(RoomError, match="no longer asks"):
        room.put("a", 0, jpeg(1))


def test_a_picture_is_written_anew_without_what_it_tells_beside_its_pixels(room: Room) -> None:
    room.collect(["cup", "pen"])
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "a maker of phones"
    assert room.put("a", 1, packed(texture(1, 100).resize((200, 100)), "JPEG", exif=exif, comment=b"where I live")) == 1
    ((number, kind),) = room.latest()
    kept = room.picture(number)
    assert kind == "pen"
    assert b"maker" not in kept
    assert b"live" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.size == (100, 200)
        assert not picture.getexif()


def test_a_large_picture_is_kept_small(room: Room) -> None:
    room.collect(["cup", "pen"])
    room.put("a", 0, packed(Image.new("RGB", (3000, 1500), "teal"), "JPEG"))
    with Image.open(io.BytesIO(room.picture(1))) as picture:
        assert picture.size == (224, 112)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Only JPEG"),
        (packed(texture(1)), "Only JPEG"),
        (b"\xff\xd8\xff<script>alert(1)</script>", "damaged"),
        (jpeg(1)[:700], "cut short"),
        (jpeg(1, 20), "too small"),
        (jpeg(1) + bytes(sent.BYTES), "at most 80 kB"),
    ],
    ids=["nothing", "a PNG", "a script", "half", "tiny", "large"],
)
def test_what_is_no_good_picture_is_refused(room: Room, data: bytes, why: str) -> None:
    room.collect(["cup", "pen"])
    with pytest.raises(HeadStartError, match=why):
        room.put("a", 0, data)
    assert room.state()["counts"]["cup"] == {"pictures": 0, "phones": 0}


def test_a_phone_sends_only_so_many_and_a_room_keeps_only_so_many(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "EACH", 2)
    monkeypatch.setattr(sent, "PICTURES", 3)
    room.collect(["cup", "pen"])
    assert [room.put("a", 0, jpeg(k)) for k in range(2)] == [1, 2]
    with pytest.raises(RoomError, match="2 pictures of this class"):
        room.put("a", 0, jpeg(3))
    room.put("a", 1, jpeg(4))
    with pytest.raises(RoomError, match="The room has 3 pictures"):
        room.put("b", 0, jpeg(5))
    assert room.told_to("a")["sent"] == {"cup": 2, "pen": 1}


def test_the_newest_pictures_come_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "NEWEST", 2)
    room.collect(["cup", "pen"])
    for k in range(3):
        room.put("a", k % 2, jpeg(k))
    assert room.latest() == [(3, "cup"), (2, "pen")]
    assert room.picture(9) is None


# --- the album ---------------------------------------------------------------------------------------------------------


def test_held_out_pictures_come_from_other_phones(room: Room) -> None:
    fill(room, phones=4, each=3, kinds=2)
    album = room.album()
    by_phone = {}
    for photo in room._photos._photos.values():
        with Image.open(io.BytesIO(photo.jpeg)) as picture:
            by_phone[np.asarray(picture.convert("RGB")).tobytes()] = photo.guest
    sides = [
        {by_phone[np.asarray(read()).tobytes()] for kind in side for read in kind}
        for side in (album.training, album.heldout)
    ]
    assert not sides[0] & sides[1]
    assert [len(side) for side in sides] == [3, 1]
    assert album.classes == ("thing 0", "thing 1")
    assert [len(kind) for kind in album.heldout] == [3, 3]
    assert "come from 1 of the phones, the training pictures from the 3 others" in album.notes[-1]
    assert "phone0" not in " ".join(album.notes)


def test_the_same_pictures_are_divided_the_same_way(room: Room) -> None:
    fill(room)
    assert room.album().notes == room.album().notes


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([], "name the classes first"),
        ([("a", 0, 2), ("b", 0, 2), ("a", 1, 3), ("b", 1, 3)], "“cup” has 4 pictures"),
        ([("a", 0, 3), ("b", 0, 3), ("a", 1, 6)], "“pen” needs pictures from at least 2 phones"),
        ([("a", 0, 5), ("b", 0, 1), ("b", 1, 5), ("a", 1, 1)], "cannot be divided"),
    ],
)
def test_too_few_pictures_or_phones_are_said(room: Room, sent: list[tuple[str, int, int]], why: str) -> None:
    room.collect(["cup", "pen"] if sent else [])
    for phone, kind, times in sent:
        for n in range(times):
            room.put(phone, kind, jpeg(1000 * ord(phone) + 100 * kind + n))
    with pytest.raises(RoomError, match=why):
        room.album()


def test_a_division_leaves_every_class_pictures_on_both_sides() -> None:
    counts = [{1: 5, 2: 1}, {2: 2, 3: 5}, {1: 3, 2: 9, 3: 3}]
    held = divide(counts, "seed")
    for kind in counts:
        assert 1 <= sum(kind.get(phone, 0) for phone in held) <= sum(kind.values()) - 2


def test_a_ring_of_phones_cannot_be_divided() -> None:
    with pytest.raises(RoomError, match="let one more phone photograph every class"):
        divide([{1: 5, 2: 5}, {2: 5, 3: 5}, {3: 5, 1: 5}], "seed")


def test_of_thirty_phones_about_a_quarter_of_every_class_is_held_out() -> None:
    rng = np.random.default_rng(0)
    counts = [{phone: int(rng.integers(1, 12)) for phone in range(30)} for _ in range(4)]
    held = divide(counts, "CDFHJK")
    assert held == divide(counts, "CDFHJK")
    for kind in counts:
        assert 0.15 < sum(kind[phone] for phone in held) / sum(kind.values()) < 0.35


def test_pictures_that_nobody_can_use_are_refused_with_the_reason(room: Room) -> None:
    room.collect(["cup", "pen"])
    for phone in ("a", "b"):
        for kind in (0, 1):
            for _ in range(3):
                room.put(phone, kind, jpeg(7))  # one picture, everywhere
    with pytest.raises(DataError, match="no class has enough pictures"):
        room.album()
