"""The classrooms of a server: their codes, the limits on opening them, and their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.classroom import rooms as classrooms
from demo.classroom.photos import RoomError
from demo.classroom.room import OverError, Room
from demo.classroom.rooms import Rooms, normalize
from demo.server.race_queue import RaceQueue
from engine.workspace import Workspace
from tests.conftest import CPU, Clock
from tests.helpers.classroom import add_race, fill, jpeg, small_school
from tests.helpers.races import LONG, until


@pytest.fixture
def queue() -> Iterator[RaceQueue]:
    with small_school() as queue:
        yield queue


@pytest.fixture
def rooms(queue: RaceQueue, clock: Clock) -> Iterator[Rooms]:
    rooms = Rooms(queue, now=clock)
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
    assert normalize("ｃｄ４ f") == "CD4F"


def test_guessing_codes_is_slowed_down_by_address_and_stops_nobody_who_is_in(rooms: Rooms, room: Room, clock: Clock) -> None:
    room.join("guest")
    for _ in range(classrooms.WRONG_CODES):
        with pytest.raises(RoomError, match="no room with this code"):
            rooms.enter("WRONG9", "1.2.3.4")
    with pytest.raises(RoomError, match="Too many wrong codes"):
        rooms.enter(room.code, "1.2.3.4")
    assert rooms.enter(room.code, "1.2.3.4", "guest") is room
    assert rooms.enter(room.code, "5.6.7.8") is room
    clock.time = classrooms.WINDOW + 1
    assert rooms.enter(room.code, "1.2.3.4") is room


def test_a_code_of_an_ended_room_is_no_guess(rooms: Rooms, room: Room) -> None:
    rooms.end("ann")
    for _ in range(classrooms.WRONG_CODES + 1):
        with pytest.raises(OverError, match="over"):
            rooms.enter(room.code, "1.2.3.4")


# --- the end of a room -------------------------------------------------------------------------------------------------


def test_a_host_has_one_room_until_it_ends(rooms: Rooms, room: Room) -> None:
    room.bet("guest", 30, None)
    assert rooms.open("ann") is room
    assert room.state()["bets"]
    rooms.end("ann")
    assert room.is_over
    assert rooms.open("ann") is not room


def test_rooms_opened_from_one_address_are_limited(rooms: Rooms, clock: Clock) -> None:
    for k in range(classrooms.OPENED):
        rooms.open(f"visitor {k}", address="1.2.3.4")
        rooms.end(f"visitor {k}")
    with pytest.raises(RoomError, match="Many rooms were opened from here"):
        rooms.open("one more", address="1.2.3.4")
    assert rooms.open("one more", address="5.6.7.8")
    clock.time = 3601
    assert rooms.open("another", address="1.2.3.4")


@pytest.mark.parametrize("state", ["queued", "running", "ended"])
def test_a_new_room_shows_its_hosts_unfinished_race(queue: RaceQueue, rooms: Rooms, state: str) -> None:
    add_race(queue, "race", state)  # of ann
    assert rooms.open("bob", "race").race == ""
    assert rooms.open("ann", "race").race == ("" if state == "ended" else "race")


def test_the_number_of_rooms_is_limited(rooms: Rooms) -> None:
    for host in ("ann", "bob", "cat"):
        rooms.open(host)
    with pytest.raises(RoomError, match="3 rooms are open"):
        rooms.open("dan")
    assert rooms.open("ann").code


@pytest.mark.parametrize("busy", [True, False])
def test_a_room_ends_when_nothing_happens_or_when_it_is_old(rooms: Rooms, room: Room, clock: Clock, busy: bool) -> None:
    last = classrooms.MAX_AGE if busy else classrooms.MAX_IDLE
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


def test_nothing_of_the_guests_is_left_after_the_end(queue: RaceQueue) -> None:
    forgotten = []
    rooms = Rooms(queue, forget=lambda host, task: forgotten.append((host, task)))
    room = rooms.open("ann")
    fill(room)
    room.bet("phone1", 30, 5.0, "Ken")
    room.add_task("own-task")
    room.add_task("own-more")  # a second set, after more pictures
    rooms.end("ann")
    assert forgotten == [("ann", "own-task"), ("ann", "own-more")]
    state = room.state()
    assert [state[name] for name in ("guests", "bets", "next", "classes", "counts")] == [0, [], [], [], {}]
    assert room.size == 0
    with pytest.raises(RoomError, match="over"):
        room.add_picture("phone1", 0, jpeg(1))
    rooms.close()


def test_the_tasks_of_a_room_end_with_it(rooms: Rooms, room: Room, queue: RaceQueue) -> None:
    fill(room)
    name = queue.workspace.tasks.add("own-pictures", room.dataset())
    room.add_task(name)
    assert name in queue.workspace.tasks.names()
    rooms.end("ann")
    assert name not in queue.workspace.tasks.names()


def test_the_room_follows_its_hosts_races(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU)
    rooms = Rooms(queue)
    room = rooms.open("ann")
    race = queue.start(LONG, "ann")
    rooms.follow("ann", race)
    rooms.follow("bob", "another")
    until(lambda: room.phase == "racing")
    assert room.state()["race"] == race
    queue.stop(race, "ann")
    until(lambda: room.phase == "over")
    rooms.close()
    queue.close()


def test_the_bytes_of_all_rooms_are_limited(queue: RaceQueue) -> None:
    rooms = Rooms(queue, most_bytes=1)
    room = rooms.open("ann")
    room.collect(["cup", "pen"])
    room.add_picture("a", 0, jpeg(1))
    other = rooms.open("bob")
    other.collect(["cup", "pen"])
    with pytest.raises(RoomError, match="All rooms together"):
        other.add_picture("b", 0, jpeg(2))
    rooms.end("ann")
    other.add_picture("b", 0, jpeg(2))
    rooms.close()
