"""Read-only routes: the rows of a race as server-sent events and by plain GET, and plotly.js.

One task polls the log of a race and encodes new rows once; all streams send the same bytes. The routes bypass Gradio's
`auth=`: a race's id cannot be guessed.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demo.server.http import BASE, FOREVER, NO_STORE, index_of
from demo.server.race_queue import RaceQueue
from demo.server.row_log import RowLog
from engine import translate

POLL_INTERVAL = 0.02  # seconds between two polls of a log without new rows
PAUSE = 0.1  # seconds from a message to the next poll; rows appended meanwhile share one message
HEARTBEAT = 10.0  # seconds without rows after which a comment keeps proxies from closing the stream
STILL = b": still here\n\n"


def routes(queue: RaceQueue, broadcast: Broadcast | None = None) -> list[Route]:
    """The routes for the races of this queue. broadcast: may be shared with other streams."""
    race = RaceRoutes(queue, broadcast or Broadcast())
    return [
        Route(BASE + "/races/{race}/events", race.events),
        Route(BASE + "/races/{race}/rows", race.rows),
        Route(BASE + "/plotly.js", race.plotly),
    ]


class Source(Protocol, Hashable):
    """An append-only list of entries that can be encoded as server-sent messages. Equal sources share one polling task."""

    def poll(self) -> tuple[int, bool]:
        """Number of entries, and whether the source is complete."""

    def message(self, first: int, count: int) -> bytes:
        """Entries `first` to `count - 1` as one message, whose id is the index of the next entry."""


@dataclass(frozen=True)
class Rows:
    """The rows of a log."""

    log: RowLog

    def poll(self) -> tuple[int, bool]:
        """Number of rows, and whether the log is closed."""
        is_over = self.log.is_closed  # read first: all rows appended before it are counted then
        return len(self.log.texts), is_over

    def message(self, first: int, count: int) -> bytes:
        """Rows as a JSON list."""
        return f"id: {count}\ndata: [{','.join(self.log.texts[first:count])}]\n\n".encode()


class Broadcast:
    """Sends each source's new entries to many readers: polled and encoded once for all of them.

    Belongs to one event loop. There is no buffer per reader and no reader delays another: a slow or late reader gets the
    entries it missed in one message, made from its index.
    """

    def __init__(self, poll_interval: float = POLL_INTERVAL, pause: float = PAUSE, heartbeat: float = HEARTBEAT) -> None:
        """Seconds between two polls, from a message to the next poll, and without entries until a comment is sent."""
        self._times = poll_interval, pause, heartbeat
        self._feeds: dict[Source, Feed] = {}

    @property
    def feeds(self) -> list[Feed]:
        """The feeds that have readers."""
        return list(self._feeds.values())

    def follow(self, log: RowLog, first: int) -> AsyncGenerator[bytes]:
        """A log's rows from index `first` on, until it is closed: `id: <index of the next row>`, `data: [row, …]`.

        Comments are sent after a long silence; "retry" and the end message are up to the caller.
        """
        return self.watch(Rows(log), first)

    async def watch(self, source: Source, first: int) -> AsyncGenerator[bytes]:
        """The messages of a source from index `first` on, until it is complete."""
        feed = self._feeds.get(source)
        if feed is None:
            feed = self._feeds[source] = Feed(source, *self._times)
        feed.readers += 1
        index = first
        try:
            while True:
                if index == feed.first < feed.count:
                    index = feed.count
                    yield feed.message
                elif index < feed.count:
                    missed, index = source.message(index, feed.count), feed.count
                    yield missed
                elif feed.is_over:
                    return
                else:
                    await feed.news.wait()
                    if index >= feed.count and not feed.is_over:
                        yield STILL
        finally:
            feed.readers -= 1
            if not feed.readers:
                feed.task.cancel()
                del self._feeds[source]


class Feed:
    """The newest message of one source, and the task that makes it while there are readers."""

    def __init__(self, source: Source, poll_interval: float, pause: float, heartbeat: float):
        self.source, self.readers = source, 0
        self._poll_interval, self._pause, self._heartbeat = poll_interval, pause, heartbeat
        self.count, self.is_over = source.poll()
        self.first, self.message = self.count, b""  # the newest message and its first index
        self.news = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        silence = 0.0
        while not self.is_over:
            await asyncio.sleep(self._pause if silence == 0.0 else self._poll_interval)
            count, self.is_over = self.source.poll()
            silence += self._poll_interval
            if count > self.count:
                self.first, self.message = self.count, self.source.message(self.count, count)
                self.count, silence = count, 0.0
            elif not self.is_over and silence < self._heartbeat:
                continue
            else:
                silence = self._poll_interval
            self.news.set()  # wakes the waiting readers; later ones wait for the next message
            self.news.clear()


class EventStream(StreamingResponse):
    """A response of server-sent messages, unbuffered by proxies. Calls `arrive` at its start and `leave` at its end, however
    it ends.
    """

    def __init__(self, body: AsyncGenerator[bytes], arrive: Callable[[], None], leave: Callable[[], None]):
        headers = {**NO_STORE, "X-Accel-Buffering": "no"}
        super().__init__(body, media_type="text/event-stream", headers=headers)
        self._body, self._arrive, self._leave = body, arrive, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body until its end or until the client disconnects."""
        self._arrive()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._body.aclose()


class RaceRoutes:
    """Serves the rows of a queue's races, and plotly.js."""

    def __init__(self, queue: RaceQueue, broadcast: Broadcast):
        self._queue, self._broadcast, self._open = queue, broadcast, 0

    async def rows(self, request: Request) -> Response:
        """`?since=N` -> {"rows": […], "next": M, "state": "running"}; the fallback where streams are blocked."""
        job = self._queue.find(request.path_params["race"])
        if job is None:
            return _not_found()
        self._queue.touch(request.query_params.get("visitor", ""))
        state, texts = job.state, job.log.texts
        count = len(texts)
        first = index_of(request.query_params.get("since"))
        body = f'{{"rows":[{",".join(texts[first:count])}],"next":{max(first, count)},"state":{json.dumps(state)}}}'
        return Response(body, media_type="application/json", headers=NO_STORE)

    async def events(self, request: Request) -> Response:
        """Rows from `Last-Event-ID` or `?since=N` on, in messages whose id is the index of the next row."""
        job = self._queue.find(request.path_params["race"])
        if job is None:
            return _not_found()
        if self._open >= self._queue.limits.streams:
            return PlainTextResponse(translate("refusal.streams"), status_code=503)
        first = index_of(request.headers.get("last-event-id") or request.query_params.get("since"))
        owner = request.query_params.get("visitor", "")

        async def body() -> AsyncGenerator[bytes]:
            yield b"retry: 1000\n\n"
            async with aclosing(self._broadcast.follow(job.log, first)) as messages:
                async for message in messages:
                    yield message
            end = max(first, len(job.log.texts))
            yield f"id: {end}\nevent: end\ndata: {end}\n\n".encode()

        def arrive() -> None:
            self._open += 1
            if owner:
                self._queue.arrive(owner)

        def leave() -> None:
            self._open -= 1
            if owner:
                self._queue.leave(owner)

        return EventStream(body(), arrive, leave)

    async def plotly(self, _request: Request) -> Response:
        """plotly.js from the Python package, compressed once, so that a classroom needs no internet."""
        body = await run_in_threadpool(lambda: self._plotly)
        return Response(body, media_type="text/javascript", headers={"Content-Encoding": "gzip", **FOREVER})

    @cached_property
    def _plotly(self) -> bytes:
        return gzip.compress(files("plotly").joinpath("package_data", "plotly.min.js").read_bytes(), 6)


def _not_found() -> Response:
    return JSONResponse({"error": "this race is not kept here"}, status_code=404)
