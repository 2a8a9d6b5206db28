"""The phones' routes: a light page, a stream without holes across races, bets and pictures from the room's own page only."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pupils import DONE, fill, jpeg, log
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_hub import LONG, SHORT, until
from visitors import packed, texture

from demo import files, viewer
from demo import rooms as classrooms
from demo.hub import Hub
from demo.limits import Limits
from demo.room import Room
from demo.rooms import Rooms
from demo.stream import BASE, index_of
from demo.viewer import Diary
from engine import LANGUAGES, Plan, add_task, said, say

GUEST, OTHER = "a-phone-that-is-random", "another-phone-entirely"
OWN = {"Origin": "http://testserver"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(limits=Limits(guests=40, streams=50))
    yield hub
    hub._logs.clear()
    hub.close()


@pytest.fixture
def room(hub: Hub) -> Iterator[Room]:
    rooms = Rooms(hub)
    room = rooms.open("ann")
    room.rooms = rooms  # type: ignore[attr-defined]
    yield room
    rooms.close()


@pytest.fixture
def client(hub: Hub, room: Room) -> TestClient:
    return TestClient(Starlette(routes=[*viewer.routes(hub, room.rooms), *files.routes(hub)]))  # type: ignore[attr-defined]


def at(room: Room, path: str = "", guest: str = GUEST, **query: object) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{BASE}/room/{room.code}{path}?guest={guest}{more}"


def bet(client: TestClient, room: Room, body: object, guest: str = GUEST, headers: dict[str, str] = OWN) -> Any:
    return client.post(at(room, "/bet", guest), json=body, headers=headers)


def send(client: TestClient, room: Room, data: bytes, kind: object = 0, headers: dict[str, str] = OWN) -> Any:
    return client.post(at(room, "/picture", kind=kind), content=data, headers={"Content-Type": "image/jpeg", **headers})


def heard(text: str) -> list[dict[str, Any]]:
    """All entries in a server-sent stream."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n")]
    return [entry for fields in blocks if "event" not in fields and "data" in fields for entry in json.loads(fields["data"])]


# --- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_is_light_and_fetches_nothing_from_elsewhere(client: TestClient, room: Room) -> None:
    answer = client.get(f"{BASE}/room/{room.code}")
    assert answer.status_code == 200
    assert len(answer.content) < 60_000
    assert len(gzip.compress(answer.content, 9)) < 24_000
    assert not re.search(r"""(src|href)=["'](?!data:)""", answer.text)
    assert not re.search(r"https?://(?!www\.w3\.org)", answer.text)
    assert "__" not in re.sub(r"__proto__", "", answer.text)


def test_only_the_pages_own_script_runs(client: TestClient, room: Room) -> None:
    headers = client.get(f"{BASE}/room/{room.code}").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/html")


def test_the_page_comes_packed_where_that_is_understood(client: TestClient, room: Room) -> None:
    packed_page = client.get(f"{BASE}/room/{room.code}", headers={"Accept-Encoding": "gzip"})
    assert packed_page.headers["content-encoding"] == "gzip"
    assert packed_page.text == client.get(f"{BASE}/room/{room.code}", headers={"Accept-Encoding": "identity"}).text


def test_the_page_speaks_every_language_and_holds_what_its_script_says() -> None:
    text = viewer.page()[0]
    known = json.loads(re.search(r'id="known">(.*?)</script>', text)[1])  # type: ignore[index]
    script = (viewer.HERE / "viewer.js").read_text() + (viewer.HERE / "viewer.html").read_text() + viewer.CURVES.read_text()
    wanted = set(re.findall(r"""["'](?:word\(["'])?((?:viewer|bet|replay|chart|axis)\.[a-z_.]+)["']""", script))
    wanted -= {key for key in wanted if key.startswith(("bet.form", "bet.room", "replay.loss"))}
    assert {"viewer.lost", "bet.gap", "replay.band"} <= wanted
    for language in LANGUAGES:
        assert wanted <= set(known["said"][language])
    assert set(said("viewer")) == {key.removeprefix("viewer.") for key in wanted if key.startswith("viewer.")} | {"noscript"}


def test_nothing_is_ever_interpreted_as_markup() -> None:
    scripts = (viewer.HERE / "viewer.js").read_text() + (viewer.HERE / "score.js").read_text() + viewer.CURVES.read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", scripts)


def test_without_a_code_the_page_asks_for_one(client: TestClient) -> None:
    answer = client.get(f"{BASE}/room")
    assert answer.status_code == 200
    assert 'id="asked"' in answer.text


def test_a_wrong_code_is_said_and_guessing_is_slowed_down(client: TestClient, room: Room) -> None:
    wrong = f"{BASE}/room/WRONG9/state?guest={GUEST}"
    assert client.get(wrong).status_code == 404
    assert client.get(wrong).json()["error"] == say("refusal.room.unknown")
    assert client.get(at(room, "/state", OTHER)).status_code == 200
    for _ in range(classrooms.WRONG):
        room.rooms._wrong.count("testclient")  # type: ignore[attr-defined]  # as many such requests would
    assert client.get(at(room, "/state")).status_code == 429
    assert client.get(at(room, "/state", OTHER)).status_code == 200, "who is in stays in"
    assert client.get(f"{BASE}/room/{room.code}").status_code == 200, "and can load the page anew"


def test_the_page_is_no_way_to_guess_a_code(client: TestClient, room: Room) -> None:
    assert client.get(f"{BASE}/room/{room.code}").text == client.get(f"{BASE}/room/WRONG9").text


@pytest.mark.parametrize("path", ["/%3Cscript%3E", "/%00", "/" + "A" * 3000])
def test_an_odd_code_is_only_a_wrong_one(client: TestClient, path: str) -> None:
    assert "<script>alert" not in client.get(f"{BASE}/room{path}").text
    assert client.get(f"{BASE}/room{path}/state?guest={GUEST}").status_code == 404


# --- the stream --------------------------------------------------------------------------------------------------------


def test_the_diary_tells_a_race_once_and_of_the_room_only_the_last_state(hub: Hub, room: Room) -> None:
    diary = Diary(room)
    race = log(hub, "race", "queued", *DONE)
    room.follow("race")
    first = diary.look()[0]
    room.bet(GUEST, 1, None)
    room.bet(OTHER, 2, None)
    race.append({"event": "Standing", "n": 1})
    race.append({"event": "Stepped", "n": 2})  # too heavy for a phone
    count, is_over = diary.look()
    told = json.loads(f"[{diary.texts(0, count)}]")
    assert [entry["event"] for entry in told if entry["event"] != "Room"] == ["Race", "Finished", "Finished", "Standing"]
    assert sum(entry["event"] == "Room" for entry in told) == 1
    assert not is_over
    assert [entry["event"] for entry in json.loads(f"[{diary.texts(first, count)}]")][-1] == "Standing"


def test_whoever_was_away_while_another_race_began_gets_all_of_it(hub: Hub, room: Room) -> None:
    diary = Diary(room)
    log(hub, "one", "running", {"event": "Standing", "n": 1}, {"event": "Standing", "n": 2})
    room.follow("one")
    away = diary.look()[0] - 1
    log(hub, "two", "running", {"event": "Standing", "n": 3})
    room.follow("two")
    back = diary.look()[0]
    assert back > away
    told = json.loads(f"[{diary.texts(away, back)}]")
    assert [(entry["event"], entry.get("race", entry.get("n"))) for entry in told] == [
        ("Race", "two"), ("Room", "two"), ("Standing", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5])
def test_two_halves_of_a_stream_are_the_whole(hub: Hub, room: Room, cut: int) -> None:
    diary = Diary(room)
    log(hub, "one", "running", *({"event": "Standing", "n": n} for n in range(4)))
    room.follow("one")
    count = diary.look()[0]
    halves = [*json.loads(f"[{diary.texts(0, cut)}]"), *json.loads(f"[{diary.texts(cut, count)}]")]
    assert halves == json.loads(f"[{diary.texts(0, count)}]")


def test_a_stream_tells_the_race_and_ends_with_the_room(tiny: Path, hub: Hub, room: Room, client: TestClient) -> None:
    race = hub.start(SHORT, "ann")
    room.follow(race)
    until(lambda: room.phase == "over")
    with client.stream("GET", at(room, "/events")) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = ""
        for part in answer.iter_text():
            text += part
            if '"Ended"' in text and not room.is_over:
                assert room.watching == 1
                room.rooms.end("ann")  # type: ignore[attr-defined]
    rows = [entry for entry in heard(text) if entry["event"] not in ("Race", "Room")]
    assert rows == [json.loads(row) for row in hub.find(race).light]  # type: ignore[union-attr]
    assert "event: you\n" in text
    assert "event: end" in text
    assert room.watching == 0


def test_a_reconnect_goes_on_where_it_was(hub: Hub, room: Room, client: TestClient) -> None:
    log(hub, "one", "ended", *({"event": "Standing", "n": n} for n in range(4)))
    room.follow("one")
    whole = client.get(at(room, "/state")).json()
    cut = whole["next"] - 2
    rest = client.get(at(room, "/state", since=cut)).json()
    assert [entry.get("n") for entry in rest["entries"]] == [2, 3]
    assert rest["next"] == whole["next"]
    assert client.get(at(room, "/state", since=whole["next"])).json()["entries"] == []
    assert client.get(at(room, "/state", since=10**6)).json()["entries"] == whole["entries"]  # an index of another server


def test_an_odd_index_is_the_beginning() -> None:
    assert [index_of(text) for text in ("x", "-1", "", None, "9" * 20)] == [0] * 5


def test_a_phone_without_a_token_is_refused(room: Room, client: TestClient) -> None:
    for guest in ("", "short", "<script>alert(1)</script>", "x" * 100):
        answer = client.get(at(room, "/state", guest))
        assert answer.status_code == 403
        assert answer.json()["why"] == "refusal.room.guest"


def test_a_locked_room_keeps_those_who_are_in(room: Room, client: TestClient) -> None:
    assert client.get(at(room, "/state")).status_code == 200
    room.lock(True)
    assert client.get(at(room, "/state")).status_code == 200
    assert client.get(at(room, "/state", OTHER)).json() == {
        "error": say("refusal.room.locked"), "why": "refusal.room.locked",
    }  # fmt: skip
    assert client.get(at(room, "/events", OTHER)).status_code == 403
    assert bet(client, room, {"gap": 1, "seconds": None}).json()["why"] == "refusal.room.closed"


def test_a_room_that_is_over_says_so(room: Room, client: TestClient) -> None:
    client.get(at(room, "/state"))
    room.rooms.end("ann")  # type: ignore[attr-defined]
    answer = client.get(at(room, "/state", lang="ja"))
    assert answer.status_code == 410
    assert answer.json()["error"] == say("refusal.room.over", "ja")


def test_too_many_streams_are_refused_with_a_sentence(tiny: Path) -> None:
    hub = Hub(limits=Limits(streams=0))
    rooms = Rooms(hub)
    room = rooms.open("ann")
    answer = TestClient(Starlette(routes=viewer.routes(hub, rooms))).get(at(room, "/events"))
    assert answer.status_code == 503
    rooms.close()
    hub.close()


# --- bets --------------------------------------------------------------------------------------------------------------


def test_a_bet_is_told_back_to_its_phone_alone(room: Room, client: TestClient) -> None:
    mine = {"gap": 30, "seconds": 4.5, "name": "<img src=x>"}
    assert bet(client, room, mine).json()["bet"] == mine
    assert client.get(at(room, "/state", OTHER)).json()["you"]["bet"] is None
    assert "img" not in client.get(at(room, "/state", OTHER)).text
    assert room.state()["bets"] == [mine]


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Origin": "http://testserver.evil.example"}]
)
def test_what_another_page_posts_is_refused(room: Room, client: TestClient, headers: dict[str, str]) -> None:
    room.collect(["cup", "pen"])
    assert bet(client, room, {"gap": 1, "seconds": None}, headers=headers).json()["why"] == "refusal.room.origin"
    assert send(client, room, jpeg(1), headers=headers).json()["why"] == "refusal.room.origin"
    assert room.state()["bets"] == []
    assert room.latest() == []


def test_behind_a_proxy_the_hosts_outer_name_counts(room: Room, client: TestClient) -> None:
    headers = {"Origin": "https://class.example", "X-Forwarded-Host": "class.example"}
    assert bet(client, room, {"gap": 1, "seconds": None}, headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_bet_is_json(room: Room, client: TestClient, kind: str) -> None:
    answer = client.post(at(room, "/bet"), content='{"gap":1,"seconds":null}', headers={**OWN, "Content-Type": kind})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "1", '{"gap":1,"seconds":null,"name":5}', "[" * 1500, '{"gap":NaN}', "{}", b"\xff"]
)
def test_an_odd_bet_is_refused_with_a_sentence(room: Room, client: TestClient, body: str) -> None:
    answer = client.post(at(room, "/bet"), content=body, headers={**OWN, "Content-Type": "application/json"})
    assert answer.status_code == 403
    assert answer.json()["error"]
    assert room.state()["bets"] == []


def test_a_large_bet_is_not_read_to_its_end(room: Room, client: TestClient) -> None:
    answer = bet(client, room, {"gap": 1, "seconds": None, "name": "x" * 10_000})
    assert answer.status_code == 413


# --- pictures ----------------------------------------------------------------------------------------------------------


def test_a_picture_is_kept_and_counted(room: Room, client: TestClient) -> None:
    room.collect(["cup", "pen"])
    assert send(client, room, jpeg(1), kind=1).json()["sent"] == {"cup": 0, "pen": 1}
    assert client.get(at(room, "/state")).json()["entries"][-1]["counts"]["pen"] == {"pictures": 1, "phones": 1}


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [(jpeg(1), 2, 403), (jpeg(1), "x", 403), (jpeg(1), "-1", 403), (jpeg(1), "٣", 403), (packed(texture(1)), 0, 403),
     (b"\xff\xd8\xff" + bytes(100), 0, 403), (bytes(90_000), 0, 413)],
)  # fmt: skip
def test_what_is_no_picture_of_a_class_is_refused(
    room: Room, client: TestClient, data: bytes, kind: object, status: int
) -> None:
    room.collect(["cup", "pen"])
    answer = send(client, room, data, kind)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert room.latest() == []


def test_a_race_on_the_rooms_own_pictures_names_them_to_its_phones_and_no_other_private_one(
    hub: Hub, room: Room, client: TestClient, guests: None
) -> None:
    fill(room, phones=3, each=4)
    name = add_task("own-of-the-room", room.album(), is_private=True)
    room.made(name)
    for race, task in (("theirs", "own-of-the-presenter"), ("ours", name)):
        log(hub, race, "running", plan=Plan(task=task, examples=2))
        room.follow(race)
        state = client.get(at(room, "/state")).json()["entries"][-1]
        assert (state["task"], state["raced"]) == ((name, ["thing 0", "thing 1"]) if race == "ours" else ("", []))
        assert "own-of-the-presenter" not in json.dumps(state)
    answer = client.get(f"{BASE}/cells/{name}/heldout?rows=0,1&examples=2")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.width == 2 * picture.height


def test_a_race_that_never_ends_does_not_keep_a_room_open(tiny: Path, hub: Hub, room: Room) -> None:
    race = hub.start(LONG, "ann")
    room.follow(race)
    until(lambda: room.phase == "racing")
    room.rooms.end("ann")  # type: ignore[attr-defined]
    assert Diary(room).look()[1]
    hub.stop(race, "ann")
    until(lambda: hub.running is None)
