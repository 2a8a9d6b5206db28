"""The read-only routes: every row once, from any index, and nothing else."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_hub import SHORT, secret, until  # noqa: F401  # a fixture

from demo import stream
from demo.hub import Hub
from demo.log import Log
from demo.stream import Broadcast
from engine import Plan

_ENDED: list[Log] = []  # raced once; the routes only read it


@pytest.fixture
def served(tiny: Path) -> Iterator[tuple[TestClient, Hub, str]]:
    """A client and a hub with one ended race."""
    stream._strip.cache_clear()
    hub = Hub()
    if not _ENDED:
        log = hub.find(hub.start(SHORT, "ann"))
        assert log is not None
        until(lambda: log.state == "ended")
        _ENDED.append(log)
    hub._logs["race"] = _ENDED[0]
    yield TestClient(Starlette(routes=stream.routes(hub))), hub, "race"
    hub.close()


def batches(text: str) -> list[tuple[int, list]]:
    """(index of the next row, rows) of every message in a server-sent stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" not in fields and "data" in fields:
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_a_stream_gives_every_row_once_and_ends(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    answer = client.get(f"{stream.BASE}/races/{race}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(row) for row in hub.find(race).rows]  # type: ignore[union-attr]
    assert "event: end" in answer.text


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_reconnect_goes_on_where_it_was(served: tuple[TestClient, Hub, str], way: str) -> None:
    client, hub, race = served
    headers = {"Last-Event-ID": "5"} if way == "header" else {}
    answer = client.get(f"{stream.BASE}/races/{race}/events" + ("?since=5" if way == "query" else ""), headers=headers)
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(row) for row in hub.find(race).rows[5:]]  # type: ignore[union-attr]


def test_plain_rows_are_the_same_rows(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    first = client.get(f"{stream.BASE}/races/{race}/rows?since=0").json()
    assert first["state"] == "ended"
    assert first["rows"] == [json.loads(row) for row in hub.find(race).rows]  # type: ignore[union-attr]
    rest = client.get(f"{stream.BASE}/races/{race}/rows?since={first['next']}").json()
    assert rest == {"rows": [], "next": first["next"], "state": "ended"}


@pytest.mark.parametrize("index", ["-1", "x", "1e9", "9" * 30, "٣"])
def test_an_odd_index_reads_from_the_start(served: tuple[TestClient, Hub, str], index: str) -> None:
    client, hub, race = served
    answer = client.get(f"{stream.BASE}/races/{race}/rows", params={"since": index}).json()
    assert len(answer["rows"]) == len(hub.find(race).rows)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["races/none/events", "races/none/rows"])
def test_an_unknown_race_is_a_404(served: tuple[TestClient, Hub, str], path: str) -> None:
    assert served[0].get(f"{stream.BASE}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["races/none/rows", "plotly.js", "pictures/tabletop/0"])
def test_the_routes_only_read(served: tuple[TestClient, Hub, str], path: str) -> None:
    assert served[0].post(f"{stream.BASE}/{path}").status_code == 405


def test_plotly_comes_from_this_machine_compressed(served: tuple[TestClient, Hub, str]) -> None:
    answer = served[0].get(f"{stream.BASE}/plotly.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert "plotly.js v" in answer.text[:200]


def test_a_strip_shows_the_pictures_of_a_draw(served: tuple[TestClient, Hub, str]) -> None:
    answer = served[0].get(f"{stream.BASE}/pictures/tabletop/1?examples=4&seed=0")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (4 * 32, 32)


def test_one_visitors_pictures_are_kept_nowhere_on_the_way(
    served: tuple[TestClient, Hub, str],
    secret: str,  # noqa: F811
) -> None:
    theirs = served[0].get(f"{stream.BASE}/pictures/{secret}/1?examples=4")
    assert theirs.status_code == 200
    assert theirs.headers["cache-control"] == "private, no-store"
    assert stream._strip.cache_info().currsize == 0
    everybodys = served[0].get(f"{stream.BASE}/pictures/tabletop/1?examples=4")
    assert everybodys.headers["cache-control"].startswith("public")


@pytest.mark.parametrize("path", ["tabletop/9?examples=4", "cats/0?examples=4", "tabletop/0?examples=999", "tabletop/0"])
def test_a_strip_that_cannot_be_is_a_404_with_a_sentence(served: tuple[TestClient, Hub, str], path: str) -> None:
    answer = served[0].get(f"{stream.BASE}/pictures/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_an_open_stream_counts_as_the_owners_presence(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    client.get(f"{stream.BASE}/races/{race}/events?visitor=ann")
    assert "ann" not in hub._present  # it came and went, and of an ended race nothing is kept
    assert "ann" not in hub._absent_since


def test_too_many_streams_are_refused_with_a_sentence(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    hub.limits = replace(hub.limits, streams=0)
    answer = client.get(f"{stream.BASE}/races/{race}/events")
    assert answer.status_code == 503
    assert answer.text.startswith("too many viewers")


# --- the broadcast: a log is written by hand, readers are tasks ------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is looked at all the time."""
    monkeypatch.setattr(stream, "LOOK", 0.001)
    monkeypatch.setattr(stream, "PAUSE", 0.001)


def written(count: int) -> Log:
    log = Log(Plan(), "ann", state="running")
    write(log, count)
    return log


def write(log: Log, count: int) -> None:
    for _ in range(count):
        log.append({"event": "Stepped", "n": len(log.rows)})


def numbers(messages: list[bytes]) -> list[int]:
    return [row["n"] for _, rows in batches(b"".join(messages).decode()) for row in rows]


async def read(broadcast: Broadcast, log: Log, first: int = 0) -> list[bytes]:
    return [message async for message in broadcast.follow(log, first)]


async def soon(is_so: Callable[[], bool]) -> None:
    """Wait for it a moment."""
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick")
def test_all_readers_get_the_same_bytes_encoded_once() -> None:
    async def story() -> None:
        broadcast, log = Broadcast(), written(3)
        readers = [asyncio.create_task(read(broadcast, log)) for _ in range(5)]
        for _ in range(4):
            await asyncio.sleep(0.005)
            write(log, 2)
        log.state = "ended"
        told = [await reader for reader in readers]
        assert all(numbers(messages) == list(range(11)) for messages in told)
        later = [messages[1:] for messages in told]
        assert later[0]
        assert all(mine is first for messages in later for mine, first in zip(messages, later[0], strict=True))

    run(story)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("first", [0, 2, 5, 6])
def test_a_reader_that_comes_in_the_middle_or_again_has_no_hole_and_nothing_twice(first: int) -> None:
    async def story() -> None:
        broadcast, log = Broadcast(), written(1)
        early = asyncio.create_task(read(broadcast, log))
        await asyncio.sleep(0.01)
        write(log, 4)
        late = asyncio.create_task(read(broadcast, log, first))
        await asyncio.sleep(0.01)
        write(log, 4)
        log.state = "ended"
        assert numbers(await early) == list(range(9))
        assert numbers(await late) == list(range(first, 9))

    run(story)


@pytest.mark.usefixtures("quick")
def test_a_slow_reader_holds_nobody_back_and_gets_what_it_missed_at_once() -> None:
    async def story() -> None:
        broadcast, log = Broadcast(), written(1)
        slow = broadcast.follow(log, 0)
        told = [await anext(slow)]
        quick = asyncio.create_task(read(broadcast, log))
        for _ in range(5):
            await asyncio.sleep(0.005)
            write(log, 3)
        log.state = "ended"
        assert numbers(await quick) == list(range(16))
        told += [message async for message in slow]
        assert numbers(told) == list(range(16))
        assert len(told) == 2

    run(story)


@pytest.mark.usefixtures("quick")
def test_a_log_is_looked_at_only_while_somebody_reads() -> None:
    async def story() -> None:
        broadcast, log = Broadcast(), written(1)
        reader = asyncio.create_task(read(broadcast, log))
        await soon(lambda: bool(broadcast._feeds))
        (feed,) = broadcast._feeds.values()
        reader.cancel()
        await soon(feed.task.done)
        assert broadcast._feeds == {}

    run(story)


@pytest.mark.usefixtures("quick")
def test_after_a_long_silence_a_comment_keeps_the_stream_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.005)

    async def story() -> None:
        messages = Broadcast().follow(written(1), 0)
        assert numbers([await anext(messages)]) == [0]
        assert [await anext(messages), await anext(messages)] == [stream.STILL] * 2
        await messages.aclose()

    run(story)


@pytest.mark.usefixtures("quick")
def test_a_phone_follows_the_light_rows_by_indexes_of_their_own() -> None:
    async def story() -> None:
        broadcast, log = Broadcast(), written(3)
        log.append({"event": "Finished", "n": 7})
        log.state = "ended"
        (message,) = [each async for each in broadcast.follow(log, 0, light=True, mark="race.")]
        assert message == b'id: race.1\ndata: [{"event":"Finished","n":7}]\n\n'

    run(story)


@pytest.mark.usefixtures("quick")
def test_a_viewer_who_vanishes_is_no_longer_present(served: tuple[TestClient, Hub, str]) -> None:
    _, hub, _ = served
    log = hub._logs["open"] = written(1)
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pass

    async def story() -> None:
        path = f"{stream.BASE}/races/open/events"
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"visitor=ann", "headers": []}
        app = Starlette(routes=stream.routes(hub))
        visit = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        await soon(lambda: "ann" in hub._present)
        gone.set()
        await visit
        assert hub._present == {}
        assert "ann" in hub._absent_since

    run(story)
    log.state = "ended"
