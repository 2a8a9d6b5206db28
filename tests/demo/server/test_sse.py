"""The read-only routes: every row once, from any index, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.server import sse
from demo.server.http import BASE
from demo.server.limits import Limits
from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from demo.server.row_log import RowLog
from demo.server.sse import Broadcast
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.races import job_of, made_job

Served = tuple[TestClient, RaceQueue, RaceJob]


@pytest.fixture
def served(ended: RaceJob) -> Iterator[Served]:
    """A client and a queue with one ended race."""
    queue = RaceQueue(Workspace(), CPU)
    queue.add("race", ended)
    yield TestClient(Starlette(routes=sse.routes(queue))), queue, ended
    queue.close()


def batches(text: str) -> list[tuple[int, list]]:
    """(index of the next row, rows) of every message in a server-sent stream."""
    messages = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" not in fields and "data" in fields:
            messages.append((int(fields["id"]), json.loads(fields["data"])))
    return messages


def test_a_stream_gives_every_row_once_and_ends(served: Served) -> None:
    client, _, job = served
    answer = client.get(f"{BASE}/races/race/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(text) for text in job.log.texts]
    assert "event: end" in answer.text


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_reconnect_continues_at_its_index(served: Served, way: str) -> None:
    client, _, job = served
    headers = {"Last-Event-ID": "5"} if way == "header" else {}
    answer = client.get(f"{BASE}/races/race/events" + ("?since=5" if way == "query" else ""), headers=headers)
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(text) for text in job.log.texts[5:]]


def test_polled_rows_are_the_streamed_rows(served: Served) -> None:
    client, _, job = served
    first = client.get(f"{BASE}/races/race/rows?since=0").json()
    assert first["state"] == "ended"
    assert first["rows"] == [json.loads(text) for text in job.log.texts]
    rest = client.get(f"{BASE}/races/race/rows?since={first['next']}").json()
    assert rest == {"rows": [], "next": first["next"], "state": "ended"}


@pytest.mark.parametrize("index", ["-1", "x", "1e9", "9" * 30, "٣"])
def test_a_malformed_index_reads_from_the_start(served: Served, index: str) -> None:
    client, _, job = served
    answer = client.get(f"{BASE}/races/race/rows", params={"since": index}).json()
    assert len(answer["rows"]) == len(job.log.texts)


@pytest.mark.parametrize("path", ["races/none/events", "races/none/rows"])
def test_an_unknown_race_is_a_404(served: Served, path: str) -> None:
    assert served[0].get(f"{BASE}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["races/none/rows", "plotly.js"])
def test_the_routes_only_read(served: Served, path: str) -> None:
    assert served[0].post(f"{BASE}/{path}").status_code == 405


def test_plotly_is_served_compressed_from_this_machine(served: Served) -> None:
    answer = served[0].get(f"{BASE}/plotly.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert "plotly.js v" in answer.text[:200]


def test_an_open_stream_counts_as_the_owners_presence(served: Served) -> None:
    client, queue, _ = served
    client.get(f"{BASE}/races/race/events?visitor=ann")
    assert not queue.is_here("ann")  # it came and went


def test_too_many_streams_are_refused_with_a_sentence(ended: RaceJob) -> None:
    queue = RaceQueue(Workspace(), CPU, limits=Limits(streams=0))
    queue.add("race", ended)
    answer = TestClient(Starlette(routes=sse.routes(queue))).get(f"{BASE}/races/race/events")
    queue.close()
    assert answer.status_code == 503
    assert answer.text.startswith("too many viewers")


# --- the broadcast: a log is written by hand, readers are tasks ------------------------------------------------------


def quick(heartbeat: float = 10.0) -> Broadcast:
    """A broadcast that polls almost without pause."""
    return Broadcast(poll_interval=0.001, pause=0.001, heartbeat=heartbeat)


def written(count: int) -> RowLog:
    log = RowLog()
    write(log, count)
    return log


def write(log: RowLog, count: int) -> None:
    for _ in range(count):
        log.append({"event": "Stepped", "n": len(log.rows)})


def numbers(messages: list[bytes]) -> list[int]:
    return [row["n"] for _, rows in batches(b"".join(messages).decode()) for row in rows]


async def read(broadcast: Broadcast, log: RowLog, first: int = 0) -> list[bytes]:
    return [message async for message in broadcast.follow(log, first)]


async def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait up to 5 s for the condition."""
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 10))  # type: ignore[arg-type]


def test_all_readers_get_the_same_bytes_encoded_once() -> None:
    async def scenario() -> None:
        broadcast, log = quick(), written(3)
        readers = [asyncio.create_task(read(broadcast, log)) for _ in range(5)]
        for _ in range(4):
            await asyncio.sleep(0.005)
            write(log, 2)
        log.close()
        received = [await reader for reader in readers]
        assert all(numbers(messages) == list(range(11)) for messages in received)
        later = [messages[1:] for messages in received]
        assert later[0]
        assert all(message is first for messages in later for message, first in zip(messages, later[0], strict=True))

    run(scenario)


@pytest.mark.parametrize("first", [0, 2, 5, 6])
def test_a_late_or_reconnected_reader_gets_every_row_once(first: int) -> None:
    async def scenario() -> None:
        broadcast, log = quick(), written(1)
        early = asyncio.create_task(read(broadcast, log))
        await asyncio.sleep(0.01)
        write(log, 4)
        late = asyncio.create_task(read(broadcast, log, first))
        await asyncio.sleep(0.01)
        write(log, 4)
        log.close()
        assert numbers(await early) == list(range(9))
        assert numbers(await late) == list(range(first, 9))

    run(scenario)


def test_a_slow_reader_delays_nobody_and_gets_what_it_missed_in_one_message() -> None:
    async def scenario() -> None:
        broadcast, log = quick(), written(1)
        slow = broadcast.follow(log, 0)
        received = [await anext(slow)]
        fast = asyncio.create_task(read(broadcast, log))
        for _ in range(5):
            await asyncio.sleep(0.005)
            write(log, 3)
        log.close()
        assert numbers(await fast) == list(range(16))
        received += [message async for message in slow]
        assert numbers(received) == list(range(16))
        assert len(received) == 2

    run(scenario)


def test_a_log_is_polled_only_while_it_has_readers() -> None:
    async def scenario() -> None:
        broadcast, log = quick(), written(1)
        reader = asyncio.create_task(read(broadcast, log))
        await wait_for(lambda: bool(broadcast.feeds))
        (feed,) = broadcast.feeds
        reader.cancel()
        await wait_for(feed.task.done)
        assert broadcast.feeds == []

    run(scenario)


def test_after_a_long_silence_a_comment_keeps_the_stream_open() -> None:
    async def scenario() -> None:
        messages = quick(heartbeat=0.005).follow(written(1), 0)
        assert numbers([await anext(messages)]) == [0]
        assert [await anext(messages), await anext(messages)] == [sse.STILL] * 2
        await messages.aclose()

    run(scenario)


def test_a_visitor_who_disconnects_is_no_longer_present(served: Served) -> None:
    _, queue, _ = served
    queue.add("open", made_job("running", {"event": "Stepped"}))
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pass

    async def scenario() -> None:
        path = f"{BASE}/races/open/events"
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"visitor=ann", "headers": []}
        app = Starlette(routes=sse.routes(queue))
        visit = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        await wait_for(lambda: queue.is_here("ann"))
        gone.set()
        await visit
        assert not queue.is_here("ann")

    run(scenario)
    job_of(queue, "open").log.close()
