"""The read-only routes: a race's rows as server-sent events and by plain GET, plotly.js, pictures. Starts nothing.

They bypass Gradio's `auth=`, so they only ever read, and a race's id cannot be guessed. They live under
`/gradio_api/`, because with server-side rendering any other path is answered by the front end.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from functools import lru_cache
from importlib.resources import files
from urllib.parse import urlencode

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from demo.hub import Hub
from engine import HeadStartError, Plan, find_task, strip

BASE = "/gradio_api/headstart"
TICK = 0.1  # seconds between two looks at a log
HEARTBEAT = 10.0  # seconds of silence after which a comment keeps proxies from closing the stream
STREAMS = 400  # open at once
STRIP = 6  # pictures of a class in a strip
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # plotly.js is asked for with its version
AN_HOUR = {"Cache-Control": "public, max-age=3600"}
NEVER = {"Cache-Control": "private, no-store"}


def routes(hub: Hub) -> list[Route]:
    """The routes that read this hub."""
    reader = Reader(hub)
    return [
        Route(BASE + "/races/{race}/events", reader.events),
        Route(BASE + "/races/{race}/rows", reader.rows),
        Route(BASE + "/plotly.js", plotly),
        Route(BASE + "/pictures/{task}/{kind:int}", pictures),
    ]


class Reader:
    """Serves the rows of a hub's races."""

    def __init__(self, hub: Hub):
        self._hub, self._open = hub, 0

    async def rows(self, request: Request) -> Response:
        """`?since=N` -> {"rows": […], "next": M, "state": "running"}; the fallback where streams are blocked."""
        log = self._hub.find(request.path_params["race"])
        if log is None:
            return _gone()
        self._hub.touch(request.query_params.get("visitor", ""))
        state, count = log.state, len(log.rows)
        first = _index(request.query_params.get("since"))
        body = f'{{"rows":[{",".join(log.rows[first:count])}],"next":{max(first, count)},"state":{json.dumps(state)}}}'
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        """Rows from `Last-Event-ID` or `?since=N` on, in batches whose id is the index of the next row."""
        log = self._hub.find(request.path_params["race"])
        if log is None:
            return _gone()
        if self._open >= STREAMS:
            return PlainTextResponse("too many viewers; the page asks once a second instead", status_code=503)
        first = _index(request.headers.get("last-event-id") or request.query_params.get("since"))
        owner = request.query_params.get("visitor", "")

        async def stream() -> AsyncIterator[str]:
            index, silence = first, 0.0
            self._open += 1
            if owner:
                self._hub.arrive(owner)
            try:
                yield "retry: 1000\n\n"
                while True:
                    state, count = log.state, len(log.rows)  # state first: rows written before it are then all here
                    if count > index:
                        yield f"id: {count}\ndata: [{','.join(log.rows[index:count])}]\n\n"
                        index, silence = count, 0.0
                    if state == "ended":
                        yield f"id: {index}\nevent: end\ndata: {index}\n\n"
                        return
                    await asyncio.sleep(TICK)
                    silence += TICK
                    if silence > HEARTBEAT:
                        yield ": still here\n\n"
                        silence = 0.0
            finally:
                self._open -= 1
                if owner:
                    self._hub.leave(owner)

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


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


def _index(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def _gone() -> Response:
    return JSONResponse({"error": "this race is not kept here"}, status_code=404)
