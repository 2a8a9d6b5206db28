"""One classroom: who gets in, what may be bet, and which race is shown, as phones and the presenter are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from conftest import Clock
from pupils import DONE, STOPPED, jpeg, log, small_school

from demo import room as classroom
from demo.hub import Hub
from demo.photos import RoomError
from demo.room import Room, plain


@pytest.fixture
def hub() -> Iterator[Hub]:
    with small_school() as hub:
        yield hub


@pytest.fixture
def room(hub: Hub, clock: Clock) -> Room:
    return Room("CDFHJK", hub, clock)


def test_a_room_holds_only_so_many_phones(room: Room) -> None:
    for k in range(4):
        room.join(f"phone{k}")
    room.join("phone0")
    with pytest.raises(RoomError, match="full: at most 4"):
        room.join("phone4")


def test_a_full_room_forgets_first_who_is_gone_and_left_nothing(room: Room, clock: Clock) -> None:
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
    for guest in ("stream", "both", "asks"):
        room.join(guest)
    clock.time = classroom.PRESENT + 1
    assert room.watching == 0
    room.enter("stream")
    room.enter("both")
    room.enter("both")  # its first line broke, and nobody has noticed yet
    room.hear("both")
    room.hear("asks")
    assert room.watching == 3
    room.leave("both")
    clock.time += classroom.PRESENT + 1
    assert room.watching == 2
    room.leave("both")
    room.leave("stranger")
    assert room.watching == 1


def test_a_race_that_begins_while_the_state_is_told_is_told_next(
    hub: Hub, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = log(hub, "race")
    room.follow("race")

    def begin() -> dict[str, object]:
        race.started = object()  # type: ignore[assignment]  # as the hub does, which does not wait for a room
        return {}

    monkeypatch.setattr(room, "_own", begin)
    told = room.state()
    assert told["phase"] == "betting"
    assert room.version > told["version"]
    assert room.state()["phase"] == "racing"


def test_a_race_that_the_hub_forgot_is_still_the_rooms(hub: Hub, room: Room) -> None:
    log(hub, "first", "ended", *DONE)
    room.bet("a", 30, None)
    room.follow("first")
    hub._logs.clear()
    assert room.phase == "over"
    room.bet("a", 55, None)
    log(hub, "second")
    room.follow("second")
    assert room.state()["bets"][0]["gap"] == 55


def test_a_locked_room_lets_nobody_new_in_and_takes_nothing(room: Room) -> None:
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
def test_an_odd_gap_is_refused(room: Room, gap: object) -> None:
    with pytest.raises(RoomError, match="between -100 and 100"):
        room.bet("a", gap, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, 1e9, 10**400, "5", float("nan")])
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
    for _ in range(classroom.POSTS):
        room.bet("a", 1, None)
    with pytest.raises(RoomError, match="too much at once"):
        room.bet("a", 1, None)
    room.bet("b", 1, None)
    clock.time = classroom.HURRY + 1
    room.bet("a", 1, None)


def test_the_version_grows_with_what_changed_and_with_the_phase(hub: Hub, room: Room) -> None:
    race = log(hub, "race")
    seen = [room.version]
    for change in (lambda: room.follow("race"), lambda: room.bet("a", 1, None), lambda: setattr(race, "state", "ended")):
        change()
        seen.append(room.version)
    assert seen == sorted(set(seen))
    assert room.version == seen[-1]


def test_many_phones_at_once_lose_nothing(room: Room) -> None:
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
