"""The read-only routes: a race's rows as server-sent events and by plain GET, plotly.js, pictures. Starts nothing.

However many watch a race, one task looks at its log and encodes what is new, once; every stream sends the same bytes.

They bypass Gradio's `auth=`, so they only ever read, and a race's id cannot be guessed. They live under
`/gradio_api/`, because with server-side rendering any other path is answered by the front end.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Protocol
from urllib.parse import urlencode

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demo.hub import Hub
from demo.log import Log
from engine import HeadStartError, Plan, find_task, say, strip

BASE = "/gradio_api/headstart"
LOOK = 0.02  # seconds between two looks at a log that says nothing
PAUSE = 0.1  # seconds after a message before the next look; what comes meanwhile goes into one message
HEARTBEAT = 10.0  # seconds of silence after which a comment keeps proxies from closing the stream
STRIP = 6  # pictures of a class in a strip
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # plotly.js is asked for with its version
AN_HOUR = {"Cache-Control": "public, max-age=3600"}
NEVER = {"Cache-Control": "private, no-store"}
STILL = b": still here\n\n"


def routes(hub: Hub, broadcast: Broadcast | None = None) -> list[Route]:
    """The routes that read this hub; what else is streamed may share the broadcast."""
    reader = Reader(hub, broadcast or Broadcast())
    return [
        Route(BASE + "/races/{race}/events", reader.events),
        Route(BASE + "/races/{race}/rows", reader.rows),
        Route(BASE + "/plotly.js", plotly),
        Route(BASE + "/pictures/{task}/{kind:int}", pictures),
    ]


class Source(Protocol, Hashable):
    """Something that only ever grows, told in server-sent messages. Equal sources are looked at by one task."""

    def look(self) -> tuple[int, bool]:
        """How many entries there are, and whether no more will come."""

    def message(self, first: int, count: int) -> bytes:
        """The entries from `first` to before `count` as one message, whose id leads on to the next."""


@dataclass(frozen=True)
class Rows:
    """The rows of a log, all of them or those that a phone draws; `mark` goes before the index in the ids."""

    log: Log
    light: bool = False
    mark: str = ""

    def look(self) -> tuple[int, bool]:
        """Rows there are, and whether the log has ended."""
        is_over = self.log.state == "ended"  # first: the rows written before it are then all here
        return len(self._texts), is_over

    def message(self, first: int, count: int) -> bytes:
        """Rows as a JSON list."""
        return f"id: {self.mark}{count}\ndata: [{','.join(self._texts[first:count])}]\n\n".encode()

    @property
    def _texts(self) -> list[str]:
        return self.log.light if self.light else self.log.rows


class Broadcast:
    """Tells many readers what is new in what they watch: looked at and encoded once for all of them.

    Belongs to one event loop. A reader that is slow, or late, keeps nobody waiting and nothing is kept for it: when it is
    free again it gets what it missed in one message, made from its index.
    """

    def __init__(self) -> None:
        self._feeds: dict[Source, Feed] = {}

    def follow(self, log: Log, first: int, light: bool = False, mark: str = "") -> AsyncGenerator[bytes]:
        """A log's rows from index `first` on, until it has ended: `id: <mark><index of the next row>`, `data: [row, …]`.

        light: only the rows in `log.light`, by their own indexes. Between them come comments after a long silence; "retry"
        and a message at the end are the caller's.
        """
        return self.watch(Rows(log, light, mark), first)

    async def watch(self, source: Source, first: int) -> AsyncGenerator[bytes]:
        """The messages of any source from index `first` on, until it is over."""
        feed = self._feeds.get(source)
        if feed is None:
            feed = self._feeds[source] = Feed(source)
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
    """The newest message of one source, and the task that makes it while anybody reads."""

    def __init__(self, source: Source):
        self.source, self.readers = source, 0
        self.count, self.is_over = source.look()
        self.first, self.message = self.count, b""  # the newest message and the index it begins at
        self.news = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        silence = 0.0
        while not self.is_over:
            await asyncio.sleep(PAUSE if silence == 0.0 else LOOK)
            count, self.is_over = self.source.look()
            silence += LOOK
            if count > self.count:
                self.first, self.message = self.count, self.source.message(self.count, count)
                self.count, silence = count, 0.0
            elif not self.is_over and silence < HEARTBEAT:
                continue
            else:
                silence = LOOK
            self.news.set()  # those who wait are woken; who comes from now on waits for the next
            self.news.clear()


class EventStream(StreamingResponse):
    """Server-sent messages that no proxy holds back; says when the stream begins, and when it ends in whatever way."""

    def __init__(self, body: AsyncGenerator[bytes], arrive: Callable[[], None], leave: Callable[[], None]):
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(body, media_type="text/event-stream", headers=headers)
        self._body, self._arrive, self._leave = body, arrive, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, or as much as the reader stays for."""
        self._arrive()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._body.aclose()


class Reader:
    """Serves the rows of a hub's races."""

    def __init__(self, hub: Hub, broadcast: Broadcast):
        self._hub, self._broadcast, self._open = hub, broadcast, 0

    async def rows(self, request: Request) -> Response:
        """`?since=N` -> {"rows": […], "next": M, "state": "running"}; the fallback where streams are blocked."""
        log = self._hub.find(request.path_params["race"])
        if log is None:
            return _gone()
        self._hub.touch(request.query_params.get("visitor", ""))
        state, count = log.state, len(log.rows)
        first = index_of(request.query_params.get("since"))
        body = f'{{"rows":[{",".join(log.rows[first:count])}],"next":{max(first, count)},"state":{json.dumps(state)}}}'
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        """Rows from `Last-Event-ID` or `?since=N` on, in batches whose id is the index of the next row."""
        log = self._hub.find(request.path_params["race"])
        if log is None:
            return _gone()
        if self._open >= self._hub.limits.streams:
            return PlainTextResponse(say("refusal.streams"), status_code=503)
        first = index_of(request.headers.get("last-event-id") or request.query_params.get("since"))
        owner = request.query_params.get("visitor", "")

        async def body() -> AsyncGenerator[bytes]:
            yield b"retry: 1000\n\n"
            async with aclosing(self._broadcast.follow(log, first)) as messages:
                async for message in messages:
                    yield message
            end = max(first, len(log.rows))
            yield f"id: {end}\nevent: end\ndata: {end}\n\n".encode()

        def arrive() -> None:
            self._open += 1
            if owner:
                self._hub.arrive(owner)

        def leave() -> None:
            self._open -= 1
            if owner:
                self._hub.leave(owner)

        return EventStream(body(), arrive, leave)


async def plotly(_request: Request) -> Response:
    """plotly.js as it comes with the Python package, compressed once: a classroom without internet has it too."""
    body = await run_in_threadpool(_plotly_gz)
    return Response(body, media_type="text/javascript", headers={"Content-Encoding": "gzip", **FOREVER})


@lru_cache(maxsize=1)
def _plotly_gz() -> bytes:
    return gzip.compress(files("plotly").joinpath("package_data", "plotly.min.js").read_bytes(), 6)


async def pictures(request: Request) -> Response:
    """The first few pictures drawn for one class, side by side, as the racers get them: `?examples=20&seed=0`."""
    try:
        kind = request.path_params["kind"]
        plan = Plan.from_query(urlencode({**request.query_params, "task": request.path_params["task"]}))
        task = find_task(plan.task)
        if not 0 <= kind < len(task.classes):
            return JSONResponse({"error": "no such class"}, status_code=404)
        body = await run_in_threadpool(_draw_strip if task.is_private else _strip, plan, kind)
    except HeadStartError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    return Response(body, media_type="image/webp", headers=NEVER if task.is_private else AN_HOUR)


@lru_cache(maxsize=512)
def _strip(plan: Plan, kind: int) -> bytes:
    return _draw_strip(plan, kind)


def _draw_strip(plan: Plan, kind: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(strip(plan, kind, STRIP)).save(out, "webp", quality=85)
    return out.getvalue()


def index_of(text: str | None) -> int:
    """The index that a reader says it goes on from; 0 for anything odd."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def _gone() -> Response:
    return JSONResponse({"error": "this race is not kept here"}, status_code=404)
