"""The phones' routes: a light page, a stream without holes across races, bets and pictures from the room's own page only."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.classroom import phone, phone_page
from demo.classroom.room import Room
from demo.classroom.room_feed import RoomFeed
from demo.classroom.rooms import Rooms
from demo.server.http import BASE, index_of
from demo.server.limits import Limits
from demo.server.previews import PreviewRoutes
from demo.server.race_queue import RaceQueue
from engine import LANGUAGES, Plan, inline_modules, messages_under, translate
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.classroom import DONE, add_race, fill, jpeg
from tests.helpers.pictures import packed, texture
from tests.helpers.races import LONG, SHORT, job_of, until

GUEST, OTHER = "a-phone-that-is-random", "another-phone-entirely"
SAME_ORIGIN = {"Origin": "http://testserver"}
WRONG = 5  # wrong codes allowed from one address


@pytest.fixture
def queue(workspace: Workspace) -> Iterator[RaceQueue]:
    queue = RaceQueue(workspace, CPU, limits=Limits(guests=40, streams=50))
    yield queue
    queue.close()


@pytest.fixture
def rooms(queue: RaceQueue) -> Iterator[Rooms]:
    rooms = Rooms(queue, wrong_codes=WRONG)
    yield rooms
    rooms.close()


@pytest.fixture
def room(rooms: Rooms) -> Room:
    return rooms.open("ann")


@pytest.fixture
def client(queue: RaceQueue, rooms: Rooms) -> TestClient:
    return TestClient(Starlette(routes=[*phone.routes(queue, rooms), *PreviewRoutes(queue.workspace).routes()]))


def at(room: Room, path: str = "", guest: str = GUEST, **query: object) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{BASE}/room/{room.code}{path}?guest={guest}{more}"


def bet(client: TestClient, room: Room, body: object, guest: str = GUEST, headers: dict[str, str] = SAME_ORIGIN) -> Any:
    return client.post(at(room, "/bet", guest), json=body, headers=headers)


def send(client: TestClient, room: Room, data: bytes, class_index: object = 0, headers: dict[str, str] = SAME_ORIGIN) -> Any:
    address = at(room, "/picture", class_index=class_index)
    return client.post(address, content=data, headers={"Content-Type": "image/jpeg", **headers})


def entries_of(text: str) -> list[dict[str, Any]]:
    """All entries of a server-sent stream."""
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


def test_the_policy_allows_only_the_pages_script(client: TestClient, room: Room) -> None:
    headers = client.get(f"{BASE}/room/{room.code}").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/html")


def test_the_page_is_compressed_for_browsers_that_accept_it(client: TestClient, room: Room) -> None:
    packed_page = client.get(f"{BASE}/room/{room.code}", headers={"Accept-Encoding": "gzip"})
    assert packed_page.headers["content-encoding"] == "gzip"
    assert packed_page.text == client.get(f"{BASE}/room/{room.code}", headers={"Accept-Encoding": "identity"}).text


def modules() -> str:
    """The page's script: all its modules in one."""
    return inline_modules(phone_page.HERE / "phone.js")


def test_the_page_holds_every_message_of_its_script_in_every_language() -> None:
    text = phone_page.page()[0]
    known = json.loads(re.search(r'id="known">(.*?)</script>', text)[1])  # type: ignore[index]
    script = modules() + (phone_page.HERE / "phone.html").read_text()
    wanted = set(re.findall(r"""["'](?:word\(["'])?((?:phone|bet|replay|chart|axis)\.[a-z_.]+)["']""", script))
    wanted -= {key for key in wanted if key.startswith(("bet.form", "bet.room", "replay.loss"))}
    assert {"phone.lost", "bet.gap", "chart.subset"} <= wanted
    for language in LANGUAGES:
        assert wanted <= set(known["messages"][language])
    assert set(messages_under("phone")) == {key.removeprefix("phone.") for key in wanted if key.startswith("phone.")} | {
        "noscript"
    }


def test_nothing_is_ever_interpreted_as_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", modules())


def test_without_a_code_the_page_asks_for_one(client: TestClient) -> None:
    answer = client.get(f"{BASE}/room")
    assert answer.status_code == 200
    assert 'id="typed"' in answer.text


def test_a_wrong_code_is_reported_and_guessing_is_slowed_down(client: TestClient, room: Room) -> None:
    wrong = f"{BASE}/room/WRONG9/state?guest={GUEST}"
    assert client.get(wrong).status_code == 404
    assert client.get(wrong).json()["error"] == translate("refusal.room.unknown")
    assert client.get(at(room, "/state", OTHER)).status_code == 200
    for _ in range(WRONG):
        client.get(wrong)
    assert client.get(at(room, "/state")).status_code == 429
    assert client.get(at(room, "/state", OTHER)).status_code == 200, "who is in stays in"
    assert client.get(f"{BASE}/room/{room.code}").status_code == 200, "and can load the page anew"


def test_the_page_does_not_reveal_whether_a_code_exists(client: TestClient, room: Room) -> None:
    assert client.get(f"{BASE}/room/{room.code}").text == client.get(f"{BASE}/room/WRONG9").text


@pytest.mark.parametrize("path", ["/%3Cscript%3E", "/%00", "/" + "A" * 3000])
def test_a_malformed_code_is_a_wrong_code(client: TestClient, path: str) -> None:
    assert "<script>alert" not in client.get(f"{BASE}/room{path}").text
    assert client.get(f"{BASE}/room{path}/state?guest={GUEST}").status_code == 404


# --- the stream --------------------------------------------------------------------------------------------------------


def test_the_feed_has_every_row_once_and_only_the_last_state_of_the_room(queue: RaceQueue, room: Room) -> None:
    feed = RoomFeed(room)
    race = add_race(queue, "race", "queued", *DONE)
    room.follow("race")
    first = feed.poll()[0]
    room.bet(GUEST, 1, None)
    room.bet(OTHER, 2, None)
    race.log.append({"event": "Standing", "n": 1})
    race.log.append({"event": "Stepped", "n": 2})  # too heavy for a phone
    count, is_over = feed.poll()
    entries = json.loads(f"[{feed.texts(0, count)}]")
    assert [entry["event"] for entry in entries if entry["event"] != "Room"] == ["Race", "Finished", "Finished", "Standing"]
    assert sum(entry["event"] == "Room" for entry in entries) == 1
    assert not is_over
    assert [entry["event"] for entry in json.loads(f"[{feed.texts(first, count)}]")][-1] == "Standing"


def test_a_phone_that_was_away_while_another_race_began_gets_all_of_it(queue: RaceQueue, room: Room) -> None:
    feed = RoomFeed(room)
    add_race(queue, "one", "running", {"event": "Standing", "n": 1}, {"event": "Standing", "n": 2})
    room.follow("one")
    away = feed.poll()[0] - 1
    add_race(queue, "two", "running", {"event": "Standing", "n": 3})
    room.follow("two")
    back = feed.poll()[0]
    assert back > away
    entries = json.loads(f"[{feed.texts(away, back)}]")
    assert [(entry["event"], entry.get("race", entry.get("n"))) for entry in entries] == [
        ("Race", "two"), ("Room", "two"), ("Standing", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5])
def test_two_parts_of_a_feed_are_the_whole(queue: RaceQueue, room: Room, index: int) -> None:
    feed = RoomFeed(room)
    add_race(queue, "one", "running", *({"event": "Standing", "n": n} for n in range(4)))
    room.follow("one")
    count = feed.poll()[0]
    parts = [*json.loads(f"[{feed.texts(0, index)}]"), *json.loads(f"[{feed.texts(index, count)}]")]
    assert parts == json.loads(f"[{feed.texts(0, count)}]")


def test_a_stream_sends_the_race_and_ends_with_the_room(
    queue: RaceQueue, rooms: Rooms, room: Room, client: TestClient
) -> None:
    race = queue.start(SHORT, "ann")
    room.follow(race)
    until(lambda: room.phase == "over")
    with client.stream("GET", at(room, "/events")) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = ""
        for part in answer.iter_text():
            text += part
            if '"Ended"' in text and not room.is_over:
                assert room.watching == 1
                rooms.end("ann")
    rows = [entry for entry in entries_of(text) if entry["event"] not in ("Race", "Room")]
    assert rows == [json.loads(text) for text in job_of(queue, race).log.light]
    assert "event: you\n" in text
    assert "event: end" in text
    assert room.watching == 0


def test_a_reconnect_goes_on_where_it_was(queue: RaceQueue, room: Room, client: TestClient) -> None:
    add_race(queue, "one", "ended", *({"event": "Standing", "n": n} for n in range(4)))
    room.follow("one")
    whole = client.get(at(room, "/state")).json()
    since = whole["next"] - 2
    rest = client.get(at(room, "/state", since=since)).json()
    assert [entry.get("n") for entry in rest["entries"]] == [2, 3]
    assert rest["next"] == whole["next"]
    assert client.get(at(room, "/state", since=whole["next"])).json()["entries"] == []
    assert client.get(at(room, "/state", since=10**6)).json()["entries"] == whole["entries"]  # an index of another server


def test_a_malformed_index_is_the_beginning() -> None:
    assert [index_of(text) for text in ("x", "-1", "", None, "9" * 20)] == [0] * 5


def test_a_phone_without_a_token_is_refused(room: Room, client: TestClient) -> None:
    for guest in ("", "short", "<script>alert(1)</script>", "x" * 100):
        answer = client.get(at(room, "/state", guest))
        assert answer.status_code == 403
        assert answer.json()["key"] == "refusal.room.guest"


def test_a_locked_room_keeps_those_who_are_in(room: Room, client: TestClient) -> None:
    assert client.get(at(room, "/state")).status_code == 200
    room.lock(True)
    assert client.get(at(room, "/state")).status_code == 200
    assert client.get(at(room, "/state", OTHER)).json() == {
        "error": translate("refusal.room.locked"), "key": "refusal.room.locked",
    }  # fmt: skip
    assert client.get(at(room, "/events", OTHER)).status_code == 403
    assert bet(client, room, {"gap": 1, "seconds": None}).json()["key"] == "refusal.room.closed"


def test_a_room_that_is_over_is_reported_in_the_phones_language(rooms: Rooms, room: Room, client: TestClient) -> None:
    client.get(at(room, "/state"))
    rooms.end("ann")
    answer = client.get(at(room, "/state", lang="ja"))
    assert answer.status_code == 410
    assert answer.json()["error"] == translate("refusal.room.over", "ja")


def test_too_many_streams_are_refused_with_a_sentence(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, limits=Limits(streams=0))
    rooms = Rooms(queue)
    room = rooms.open("ann")
    answer = TestClient(Starlette(routes=phone.routes(queue, rooms))).get(at(room, "/events"))
    assert answer.status_code == 503
    rooms.close()
    queue.close()


# --- bets --------------------------------------------------------------------------------------------------------------


def test_only_its_phone_is_sent_a_bet(room: Room, client: TestClient) -> None:
    values = {"gap": 30, "seconds": 4.5, "name": "<img src=x>"}
    assert bet(client, room, values).json()["bet"] == values
    assert client.get(at(room, "/state", OTHER)).json()["you"]["bet"] is None
    assert "img" not in client.get(at(room, "/state", OTHER)).text
    assert room.state()["bets"] == [values]


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Origin": "http://testserver.evil.example"}]
)
def test_posts_of_another_page_are_refused(room: Room, client: TestClient, headers: dict[str, str]) -> None:
    room.collect(["cup", "pen"])
    assert bet(client, room, {"gap": 1, "seconds": None}, headers=headers).json()["key"] == "refusal.room.origin"
    assert send(client, room, jpeg(1), headers=headers).json()["key"] == "refusal.room.origin"
    assert room.state()["bets"] == []
    assert room.latest() == []


def test_behind_a_proxy_the_forwarded_host_counts(room: Room, client: TestClient) -> None:
    headers = {"Origin": "https://class.example", "X-Forwarded-Host": "class.example"}
    assert bet(client, room, {"gap": 1, "seconds": None}, headers=headers).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_bet_is_json(room: Room, client: TestClient, content_type: str) -> None:
    headers = {**SAME_ORIGIN, "Content-Type": content_type}
    answer = client.post(at(room, "/bet"), content='{"gap":1,"seconds":null}', headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "1", '{"gap":1,"seconds":null,"name":5}', "[" * 1500, '{"gap":NaN}', "{}", b"\xff"]
)
def test_a_malformed_bet_is_refused_with_a_sentence(room: Room, client: TestClient, body: str) -> None:
    answer = client.post(at(room, "/bet"), content=body, headers={**SAME_ORIGIN, "Content-Type": "application/json"})
    assert answer.status_code == 403
    assert answer.json()["error"]
    assert room.state()["bets"] == []


def test_a_large_bet_is_not_read_to_its_end(room: Room, client: TestClient) -> None:
    answer = bet(client, room, {"gap": 1, "seconds": None, "name": "x" * 10_000})
    assert answer.status_code == 413


# --- pictures ----------------------------------------------------------------------------------------------------------


def test_a_picture_is_kept_and_counted(room: Room, client: TestClient) -> None:
    room.collect(["cup", "pen"])
    assert send(client, room, jpeg(1), class_index=1).json()["sent"] == {"cup": 0, "pen": 1}
    assert client.get(at(room, "/state")).json()["entries"][-1]["counts"]["pen"] == {"pictures": 1, "phones": 1}


@pytest.mark.parametrize(
    ("data", "class_index", "status"),
    [(jpeg(1), 2, 403), (jpeg(1), "x", 403), (jpeg(1), "-1", 403), (jpeg(1), "٣", 403), (packed(texture(1)), 0, 403),
     (b"\xff\xd8\xff" + bytes(100), 0, 403), (bytes(90_000), 0, 413)],
)  # fmt: skip
def test_anything_but_a_picture_of_a_class_is_refused(
    room: Room, client: TestClient, data: bytes, class_index: object, status: int
) -> None:
    room.collect(["cup", "pen"])
    answer = send(client, room, data, class_index)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert room.latest() == []


def test_phones_are_sent_the_classes_of_their_rooms_pictures_and_of_no_other_private_task(
    queue: RaceQueue, room: Room, client: TestClient, workspace: Workspace
) -> None:
    fill(room, phones=3, each=4)
    name = queue.workspace.tasks.add("own-of-the-room", room.dataset())
    room.add_task(name)
    for race, task in (("theirs", "own-of-the-presenter"), ("ours", name)):
        add_race(queue, race, "running", plan=Plan(task=task, examples_per_class=2))
        room.follow(race)
        state = client.get(at(room, "/state")).json()["entries"][-1]
        assert (state["task"], state["raced"]) == ((name, ["thing 0", "thing 1"]) if race == "ours" else ("", []))
        assert "own-of-the-presenter" not in json.dumps(state)
    answer = client.get(f"{BASE}/cells/{name}/heldout?rows=0,1&examples_per_class=2")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.width == 2 * picture.height


def test_a_race_that_never_ends_does_not_keep_a_room_open(queue: RaceQueue, rooms: Rooms, room: Room) -> None:
    race = queue.start(LONG, "ann")
    room.follow(race)
    until(lambda: room.phase == "racing")
    rooms.end("ann")
    assert RoomFeed(room).poll()[1]
    queue.stop(race, "ann")
    until(lambda: queue.running is None)
