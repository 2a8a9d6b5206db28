"""The classrooms of a server: codes, who may open one, and that they all end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Clock
from pupils import fill, jpeg, log, small_school
from test_hub import LONG, until

from demo import rooms as classrooms
from demo.hub import Hub
from demo.photos import RoomError
from demo.room import OverError, Room
from demo.rooms import Rooms, tidy
from engine import add_task, task_names


@pytest.fixture
def hub() -> Iterator[Hub]:
    with small_school() as hub:
        yield hub


@pytest.fixture
def rooms(hub: Hub, clock: Clock) -> Iterator[Rooms]:
    rooms = Rooms(hub, now=clock)
    yield rooms
    rooms.close()


@pytest.fixture
def room(rooms: Rooms) -> Room:
    return rooms.open("ann")


# --- codes -------------------------------------------------------------------------------------------------------------


def test_a_code_has_six_characters_none_of_which_looks_like_another(rooms: Rooms) -> None:
    codes = set()
    for _ in range(50):
        codes.add(rooms.open("ann").code)
        rooms.end("ann")
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
        with pytest.raises(OverError, match="over"):
            rooms.ask(room.code, "1.2.3.4")


# --- the end of a room -------------------------------------------------------------------------------------------------


def test_a_host_has_one_room_and_only_its_end_ends_it(rooms: Rooms, room: Room) -> None:
    room.bet("guest", 30, None)
    assert rooms.open("ann") is room
    assert room.state()["bets"]
    rooms.end("ann")
    assert room.is_over
    assert rooms.open("ann") is not room


def test_from_one_address_only_so_many_rooms_are_opened(rooms: Rooms, clock: Clock) -> None:
    for k in range(classrooms.OPENED):
        rooms.open(f"visitor {k}", address="1.2.3.4")
        rooms.end(f"visitor {k}")
    with pytest.raises(RoomError, match="Many rooms were opened from here"):
        rooms.open("one more", address="1.2.3.4")
    assert rooms.open("one more", address="5.6.7.8")
    clock.time = 3601
    assert rooms.open("another", address="1.2.3.4")


@pytest.mark.parametrize("state", ["queued", "running", "ended"])
def test_a_new_room_shows_the_race_of_its_host_that_is_on(hub: Hub, rooms: Rooms, state: str) -> None:
    log(hub, "race", state)  # of ann
    assert rooms.open("bob", "race").race == ""
    assert rooms.open("ann", "race").race == ("" if state == "ended" else "race")


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
    room.made("own-more")  # a second set, after more pictures
    rooms.end("ann")
    assert forgotten == [("ann", "own-task"), ("ann", "own-more")]
    assert [room._phones, room._bets, room._next, room._photos._photos, room.state()["classes"]] == [{}, {}, {}, {}, []]
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
