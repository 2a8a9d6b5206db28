"""A classroom: who gets in, what may be bet and sent, held-out pictures from other phones, and that it all ends."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Clock
from PIL import Image
from test_hub import LONG, SHORT, until
from visitors import packed, texture

from demo import rooms as classrooms
from demo.hub import Hub
from demo.limits import Limits
from demo.log import Log
from demo.rooms import Room, RoomError, Rooms, divide, plain, tidy
from engine import DataError, HeadStartError, Plan, add_task, task_names


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(limits=Limits(rooms=3, guests=4))
    yield hub
    hub._logs.clear()  # none of them really waits
    hub.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rooms(hub: Hub, clock: Clock) -> Iterator[Rooms]:
    rooms = Rooms(hub, now=clock)
    yield rooms
    rooms.close()


@pytest.fixture
def room(rooms: Rooms) -> Room:
    return rooms.open("ann")


def jpeg(seed: int, side: int = 96) -> bytes:
    return packed(texture(seed, side), "JPEG")


def log(hub: Hub, race: str, state: str = "queued", *rows: dict[str, object], plan: Plan = SHORT) -> Log:
    """A race as a hub has it."""
    made = hub._logs[race] = Log(plan, "ann", state=state)  # type: ignore[arg-type]
    for row in rows:
        made.append(row)
    if state != "queued":
        made.started = object()  # type: ignore[assignment]
    return made


DONE = [{"event": "Finished", "lane": lane, "reason": "done"} for lane in ("scratch", "transfer")]
STOPPED = [{"event": "Finished", "lane": lane, "reason": "stopped"} for lane in ("scratch", "transfer")]


def fill(room: Room, phones: int = 4, each: int = 3, kinds: int = 2) -> None:
    """Every phone sends pictures of every class."""
    room.collect([f"thing {kind}" for kind in range(kinds)])
    for phone in range(phones):
        for kind in range(kinds):
            for n in range(each):
                room.put(f"phone{phone}", kind, jpeg(1000 * phone + 100 * kind + n))


# --- codes -------------------------------------------------------------------------------------------------------------


def test_a_code_has_six_characters_none_of_which_looks_like_another(rooms: Rooms) -> None:
    codes = {rooms.open("ann").code for _ in range(50)}
    assert len(codes) == 50
    assert all(len(code) == 6 and set(code) <= set(classrooms.ALPHABET) for code in codes)
    assert not set(classrooms.ALPHABET) & set("0O1IB8S5Z2G6UQAE")


@pytest.mark.parametrize(
    "typed", [str.lower, lambda code: f" {code[:3]}-{code[3:]} ", lambda code: f"{code[:3]} {code[3:]}\n"]
)
def test_a_room_is_found_however_its_code_is_typed(rooms: Rooms, room: Room, typed) -> None:  # noqa: ANN001
    assert rooms.find(typed(room.code)) is room


def test_full_width_letters_of_a_japanese_keyboard_are_understood() -> None:
    assert tidy("ｃｄ４ f") == "CD4F"


def test_guessing_codes_is_slowed_down_by_address_and_stops_nobody_who_is_in(rooms: Rooms, room: Room, clock: Clock) -> None:
    room.join("guest")
    for _ in range(classrooms.WRONG):
        with pytest.raises(RoomError, match="no room with this code"):
            rooms.ask("WRONG9", "1.2.3.4")
    with pytest.raises(RoomError, match="Too many wrong codes"):
        rooms.ask(room.code, "1.2.3.4")
    assert rooms.ask(room.code, "1.2.3.4", "guest") is room
    assert rooms.ask(room.code, "5.6.7.8") is room
    clock.time = classrooms.WINDOW + 1
    assert rooms.ask(room.code, "1.2.3.4") is room


def test_asking_for_a_room_that_is_over_is_no_guess(rooms: Rooms, room: Room) -> None:
    rooms.end("ann")
    for _ in range(classrooms.WRONG + 1):
        with pytest.raises(classrooms.OverError, match="over"):
            rooms.ask(room.code, "1.2.3.4")


# --- the end of a room -------------------------------------------------------------------------------------------------


def test_a_host_has_one_room(rooms: Rooms, room: Room) -> None:
    other = rooms.open("ann")
    assert room.is_over
    assert rooms.of("ann") is other
    assert rooms.find(room.code) is None


def test_there_are_only_so_many_rooms(rooms: Rooms) -> None:
    for host in ("ann", "bob", "cat"):
        rooms.open(host)
    with pytest.raises(RoomError, match="3 rooms are open"):
        rooms.open("dan")
    assert rooms.open("ann").code


@pytest.mark.parametrize("busy", [True, False])
def test_a_room_ends_when_nothing_happens_or_when_it_is_old(rooms: Rooms, room: Room, clock: Clock, busy: bool) -> None:
    last = classrooms.OLDEST if busy else classrooms.IDLE
    while clock.time < last:
        rooms.sweep()
        assert rooms.of("ann") is room
        if busy:
            room.bet("guest", 30, None)
        clock.time += 600
    clock.time += 1
    rooms.sweep()
    assert rooms.of("ann") is None
    assert room.is_over


def test_nothing_of_the_guests_is_left_after_the_end(hub: Hub, guests: None) -> None:
    forgotten = []
    rooms = Rooms(hub, forget=lambda host, task: forgotten.append((host, task)))
    room = rooms.open("ann")
    fill(room)
    room.bet("phone1", 30, 5.0, "Ken")
    room.made("own-task")
    rooms.end("ann")
    assert forgotten == [("ann", "own-task")]
    assert [room._guests, room._bets, room._next, room._photos, room.state()["classes"]] == [{}, {}, {}, {}, []]
    with pytest.raises(RoomError, match="over"):
        room.put("phone1", 0, jpeg(1))
    rooms.close()


def test_the_pictures_of_a_room_go_with_it(rooms: Rooms, room: Room, guests: None) -> None:
    fill(room)
    name = add_task("own-pictures", room.album(), is_private=True)
    room.made(name)
    assert name in task_names()
    rooms.end("ann")
    assert name not in task_names()


# --- guests and bets ---------------------------------------------------------------------------------------------------


def test_a_room_holds_only_so_many_phones(room: Room) -> None:
    for k in range(4):
        room.join(f"phone{k}")
    room.join("phone0")
    with pytest.raises(RoomError, match="full: at most 4"):
        room.join("phone4")


def test_a_locked_room_lets_nobody_new_in_and_takes_nothing(rooms: Rooms, room: Room) -> None:
    room.join("old")
    rooms.lock("ann", True)
    room.join("old")
    with pytest.raises(RoomError, match="nobody new"):
        room.join("new")
    with pytest.raises(RoomError, match="no bets and no pictures"):
        room.bet("old", 30, None)
    assert room.state()["locked"]
    assert room.phase == "waiting"
    rooms.lock("ann", False)
    room.bet("old", 30, None)


def test_the_latest_bet_of_a_guest_counts(room: Room) -> None:
    room.bet("a", 30, 5)
    room.bet("a", -12.34, None, "Ken")
    room.bet("b", 10, 0.5)
    assert room.state()["bets"] == [
        {"gap": -12.3, "seconds": None, "name": "Ken"},
        {"gap": 10, "seconds": 0.5, "name": ""},
    ]


@pytest.mark.parametrize("gap", [float("nan"), float("inf"), 101, "30", None, True, [1]])
def test_an_odd_gap_is_refused(room: Room, gap: object) -> None:
    with pytest.raises(RoomError, match="between -100 and 100"):
        room.bet("a", gap, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, 1e9, "5", float("nan")])
def test_odd_seconds_are_refused(room: Room, seconds: object) -> None:
    with pytest.raises(RoomError, match="seconds above 0"):
        room.bet("a", 1, seconds)  # type: ignore[arg-type]


def test_a_name_is_short_plain_text(room: Room) -> None:
    assert plain("  <b>K\u202een\x00\n\t山田\u200b ", 20) == "<b>Ken 山田"
    assert len(plain("x" * 1000, 20)) == 20
    room.bet("a", 1, None, "\x1b[31m" + "y" * 30)
    assert room.state()["bets"][0]["name"] == "[31m" + "y" * 16


def test_bets_are_open_until_the_race_begins(hub: Hub, room: Room) -> None:
    race = log(hub, "race")
    room.follow("race")
    assert room.phase == "betting"
    room.bet("a", 30, None)
    race.state, race.started = "running", object()  # type: ignore[assignment]
    assert room.phase == "racing"
    with pytest.raises(RoomError, match="The race has begun"):
        room.bet("a", 40, None)


def test_after_a_race_one_bets_on_the_next(hub: Hub, room: Room) -> None:
    log(hub, "first", "ended", *DONE)
    room.bet("a", 30, None)
    room.follow("first")
    assert room.phase == "over"
    room.bet("a", 50, None)
    assert (room.state()["bets"][0]["gap"], room.state()["next"][0]["gap"]) == (30, 50)
    assert room.told_to("a")["next"]["gap"] == 50
    log(hub, "second")
    room.follow("second")
    assert (room.state()["bets"][0]["gap"], room.state()["next"]) == (50, [])


def test_a_bet_on_a_race_that_broke_off_counts_again(hub: Hub, room: Room) -> None:
    log(hub, "first", "ended", *STOPPED)
    room.bet("a", 30, None)
    room.bet("b", 20, None)
    room.follow("first")
    room.bet("b", 60, None)
    log(hub, "second")
    room.follow("second")
    assert [bet["gap"] for bet in room.state()["bets"]] == [30, 60]


def test_a_phone_is_told_its_own_bet_and_of_others_only_how_many(room: Room) -> None:
    room.bet("a", 30, None, "Ken")
    room.bet("b", 10, 2)
    assert room.told()["bets"] == 2
    assert "Ken" not in str(room.told())
    assert room.told_to("a")["bet"] == {"gap": 30, "seconds": None, "name": "Ken"}
    assert room.told_to("c")["bet"] is None


def test_a_phone_in_a_hurry_has_to_wait(room: Room, clock: Clock) -> None:
    for _ in range(classrooms.POSTS):
        room.bet("a", 1, None)
    with pytest.raises(RoomError, match="too much at once"):
        room.bet("a", 1, None)
    room.bet("b", 1, None)
    clock.time = classrooms.HURRY + 1
    room.bet("a", 1, None)


def test_the_version_grows_with_what_changed_and_with_the_phase(hub: Hub, room: Room) -> None:
    race = log(hub, "race")
    seen = [room.version]
    for change in (lambda: room.follow("race"), lambda: room.bet("a", 1, None), lambda: setattr(race, "state", "ended")):
        change()
        seen.append(room.version)
    assert seen == sorted(set(seen))
    assert room.version == seen[-1]


def test_the_room_follows_its_hosts_races(tiny: Path) -> None:
    hub = Hub()
    rooms = Rooms(hub)
    room = rooms.open("ann")
    race = hub.start(LONG, "ann")
    rooms.follow("ann", race)
    rooms.follow("bob", "another")
    until(lambda: room.phase == "racing")
    assert room.state()["race"] == race
    hub.stop(race, "ann")
    until(lambda: room.phase == "over")
    rooms.close()
    hub.close()


# --- pictures ----------------------------------------------------------------------------------------------------------


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
        (jpeg(1) + bytes(classrooms.BYTES), "at most 80 kB"),
    ],
    ids=["nothing", "a PNG", "a script", "half", "tiny", "large"],
)
def test_what_is_no_good_picture_is_refused(room: Room, data: bytes, why: str) -> None:
    room.collect(["cup", "pen"])
    with pytest.raises(HeadStartError, match=why):
        room.put("a", 0, data)
    assert room.state()["counts"]["cup"] == {"pictures": 0, "phones": 0}


def test_a_phone_sends_only_so_many_and_a_room_keeps_only_so_many(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classrooms, "EACH", 2)
    monkeypatch.setattr(classrooms, "PICTURES", 3)
    room.collect(["cup", "pen"])
    assert [room.put("a", 0, jpeg(k)) for k in range(2)] == [1, 2]
    with pytest.raises(RoomError, match="2 pictures of this class"):
        room.put("a", 0, jpeg(3))
    room.put("a", 1, jpeg(4))
    with pytest.raises(RoomError, match="The room has 3 pictures"):
        room.put("b", 0, jpeg(5))
    assert room.told_to("a")["sent"] == {"cup": 2, "pen": 1}


def test_all_rooms_together_keep_only_so_many_bytes(rooms: Rooms, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.collect(["cup", "pen"])
    room.put("a", 0, jpeg(1))
    monkeypatch.setattr(classrooms, "KEPT", room.size)
    other = rooms.open("bob")
    other.collect(["cup", "pen"])
    with pytest.raises(RoomError, match="All rooms together"):
        other.put("b", 0, jpeg(2))
    rooms.end("ann")
    other.put("b", 0, jpeg(2))


def test_the_newest_pictures_come_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classrooms, "NEWEST", 2)
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
    for photo in room._photos.values():
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


def test_many_phones_at_once_lose_nothing(hub: Hub) -> None:
    room = Room("CDFHJK", hub)
    room.collect(["cup", "pen"])
    photo = jpeg(1)

    def send(phone: str) -> None:
        for k in range(10):
            room.put(phone, k % 2, photo)
            room.bet(phone, k, None)

    threads = [threading.Thread(target=send, args=(f"phone{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.state()["counts"] == {kind: {"pictures": 20, "phones": 4} for kind in ("cup", "pen")}
    assert len(room.state()["bets"]) == 4
