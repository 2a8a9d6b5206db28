"""One classroom: which phones join, valid bets, the race that is shown, and the states for phones and presenter."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from demo.classroom import room as classroom
from demo.classroom.photos import Photos, RoomError
from demo.classroom.room import Room, plain
from demo.server.race_queue import RaceQueue
from tests.conftest import Clock
from tests.helpers.classroom import DONE, STOPPED, add_race, jpeg, small_school
from tests.helpers.races import BEGAN, made_job


@pytest.fixture
def queue() -> Iterator[RaceQueue]:
    with small_school() as queue:
        yield queue


@pytest.fixture
def room(queue: RaceQueue, clock: Clock) -> Room:
    return Room("CDFHJK", queue, clock)


def test_a_room_holds_only_so_many_phones(room: Room) -> None:
    for k in range(4):
        room.join(f"phone{k}")
    room.join("phone0")
    with pytest.raises(RoomError, match="full: at most 4"):
        room.join("phone4")


def test_a_full_room_first_forgets_absent_phones_without_bets_and_pictures(room: Room, clock: Clock) -> None:
    for k in range(4):
        room.join(f"phone{k}")
    room.enter("phone0")
    room.bet("phone1", 30, None)
    clock.time = classroom.PRESENT + 1
    for k in range(30):
        room.join(f"made up {k}")
        clock.time += classroom.PRESENT + 1
    assert room.knows("phone0")
    assert room.knows("phone1")
    assert not room.knows("phone2")
    assert room.state()["guests"] == 4


def test_a_phone_counts_once_however_it_watches(room: Room, clock: Clock) -> None:
    for guest in ("stream", "both", "polls"):
        room.join(guest)
    clock.time = classroom.PRESENT + 1
    assert room.watching == 0
    room.enter("stream")
    room.enter("both")
    room.enter("both")  # its first stream broke, which the server has not noticed yet
    room.touch("both")
    room.touch("polls")
    assert room.watching == 3
    room.leave("both")
    clock.time += classroom.PRESENT + 1
    assert room.watching == 2
    room.leave("both")
    room.leave("stranger")
    assert room.watching == 1


def test_a_race_that_begins_while_the_state_is_read_makes_a_new_version(queue: RaceQueue) -> None:
    race = add_race(queue, "race")

    class PhotosDuringStart(Photos):
        def counts(self) -> dict[str, dict[str, int]]:
            race.started = BEGAN  # as the queue does, which does not take the room's lock
            return super().counts()

    room = Room("CDFHJK", queue, photos=PhotosDuringStart())
    room.follow("race")
    state = room.state()
    assert state["phase"] == "betting"
    assert room.version > state["version"]
    assert room.state()["phase"] == "racing"


def test_a_room_keeps_a_race_that_the_queue_dropped(queue: RaceQueue, room: Room) -> None:
    add_race(queue, "first", "ended", *DONE)
    room.bet("a", 30, None)
    room.follow("first")
    queue.add("first", made_job())  # another race under this id: the queue dropped the first
    assert room.phase == "over"
    room.bet("a", 55, None)
    add_race(queue, "second")
    room.follow("second")
    assert room.state()["bets"][0]["gap"] == 55


def test_a_locked_room_refuses_new_phones_bets_and_pictures(room: Room) -> None:
    room.join("old")
    room.lock(True)
    room.join("old")
    with pytest.raises(RoomError, match="nobody new"):
        room.join("new")
    with pytest.raises(RoomError, match="no bets and no pictures"):
        room.bet("old", 30, None)
    assert room.state()["locked"]
    assert room.phase == "waiting"
    room.lock(False)
    room.bet("old", 30, None)


def test_the_latest_bet_of_a_guest_counts(room: Room) -> None:
    room.bet("a", 30, 5)
    room.bet("a", -12.34, None, "Ken")
    room.bet("b", 10, 0.5)
    assert room.state()["bets"] == [
        {"gap": -12.3, "seconds": None, "name": "Ken"},
        {"gap": 10, "seconds": 0.5, "name": ""},
    ]


@pytest.mark.parametrize("gap", [float("nan"), float("inf"), 101, 10**400, "30", None, True, [1]])
def test_an_invalid_gap_is_refused(room: Room, gap: object) -> None:
    with pytest.raises(RoomError, match="between -100 and 100"):
        room.bet("a", gap, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, 1e9, 10**400, "5", float("nan")])
def test_invalid_seconds_are_refused(room: Room, seconds: object) -> None:
    with pytest.raises(RoomError, match="seconds above 0"):
        room.bet("a", 1, seconds)  # type: ignore[arg-type]


def test_a_name_is_short_plain_text(room: Room) -> None:
    assert plain("  <b>K\u202een\x00\n\t山田\u200b ", 20) == "<b>Ken 山田"
    assert len(plain("x" * 1000, 20)) == 20
    room.bet("a", 1, None, "\x1b[31m" + "y" * 30)
    assert room.state()["bets"][0]["name"] == "[31m" + "y" * 16


def test_bets_are_open_until_the_race_begins(queue: RaceQueue, room: Room) -> None:
    race = add_race(queue, "race")
    room.follow("race")
    assert room.phase == "betting"
    room.bet("a", 30, None)
    race.began, race.started = 0.0, BEGAN
    assert room.phase == "racing"
    with pytest.raises(RoomError, match="The race has begun"):
        room.bet("a", 40, None)


def test_after_a_race_bets_are_on_the_next(queue: RaceQueue, room: Room) -> None:
    add_race(queue, "first", "ended", *DONE)
    room.bet("a", 30, None)
    room.follow("first")
    assert room.phase == "over"
    room.bet("a", 50, None)
    assert (room.state()["bets"][0]["gap"], room.state()["next"][0]["gap"]) == (30, 50)
    assert room.guest_state("a")["next"]["gap"] == 50
    add_race(queue, "second")
    room.follow("second")
    assert (room.state()["bets"][0]["gap"], room.state()["next"]) == (50, [])


def test_a_bet_on_a_stopped_race_counts_again(queue: RaceQueue, room: Room) -> None:
    add_race(queue, "first", "ended", *STOPPED)
    room.bet("a", 30, None)
    room.bet("b", 20, None)
    room.follow("first")
    room.bet("b", 60, None)
    add_race(queue, "second")
    room.follow("second")
    assert [bet["gap"] for bet in room.state()["bets"]] == [30, 60]


def test_a_phone_is_sent_its_bet_and_only_the_number_of_other_bets(room: Room) -> None:
    room.bet("a", 30, None, "Ken")
    room.bet("b", 10, 2)
    assert room.public_state()["bets"] == 2
    assert "Ken" not in str(room.public_state())
    assert room.guest_state("a")["bet"] == {"gap": 30, "seconds": None, "name": "Ken"}
    assert room.guest_state("c")["bet"] is None


def test_a_phone_that_posts_too_often_has_to_wait(room: Room, clock: Clock) -> None:
    for _ in range(classroom.POSTS):
        room.bet("a", 1, None)
    with pytest.raises(RoomError, match="too much at once"):
        room.bet("a", 1, None)
    room.bet("b", 1, None)
    clock.time = classroom.POSTS_WINDOW + 1
    room.bet("a", 1, None)


def test_the_version_grows_with_every_change_and_with_the_phase(queue: RaceQueue, room: Room) -> None:
    race = add_race(queue, "race")
    seen = [room.version]
    for change in (lambda: room.follow("race"), lambda: room.bet("a", 1, None), race.log.close):
        change()
        seen.append(room.version)
    assert seen == sorted(set(seen))
    assert room.version == seen[-1]


def test_many_phones_at_once_lose_nothing(room: Room) -> None:
    room.collect(["cup", "pen"])
    photo = jpeg(1)

    def send(phone: str) -> None:
        for k in range(10):
            room.add_picture(phone, k % 2, photo)
            room.bet(phone, k, None)

    threads = [threading.Thread(target=send, args=(f"phone{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.state()["counts"] == {name: {"pictures": 20, "phones": 4} for name in ("cup", "pen")}
    assert len(room.state()["bets"]) == 4
