"""The server under test: app.py in a process of its own, with two routes that measure it.

It replaces methods of the server's classes, which no other module does.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.classroom.phone import routes as phone_routes
from demo.classroom.rooms import Rooms
from demo.server import sse
from demo.server.http import BASE
from demo.server.race_queue import RaceQueue
from demo.server.row_log import Row, RowLog
from engine import Event

APP = Path(__file__).parents[2] / "app.py"
WARM_UP = 8.0  # seconds in which the server probes its machine


def serve() -> None:
    """Run app.py, unchanged but for two more routes.

    `/load?race=…` returns {"times": Unix time of the append of each row, "cpu": CPU seconds of the process, "racers": those
    of the racers' threads}; `/load/room?race=…` opens a room that shows a race and returns its code.
    """
    times: dict[RowLog, list[float]] = {}
    queues: list[RaceQueue] = []
    rooms: list[Rooms] = []
    ended = [0.0]  # CPU seconds of the racers' threads that have ended
    append, run, routes = RowLog.append, threading.Thread.run, sse.routes

    def timed_append(log: RowLog, row: Row, event: Event | None = None) -> None:
        times.setdefault(log, []).append(time.time())
        append(log, row, event)

    def timed_run(thread: threading.Thread) -> None:
        try:
            run(thread)
        finally:
            if thread.name.startswith("racer "):
                ended[0] += time.thread_time()

    async def load(request: Request) -> Response:
        job = queues[0].find(request.query_params.get("race", ""))
        racers = [t for t in threading.enumerate() if t.name.startswith("racer ") and t.ident]
        live = sum(time.clock_gettime(time.pthread_getcpuclockid(t.ident)) for t in racers if t.ident)
        return JSONResponse(
            {"times": times.get(job.log, []) if job else [], "cpu": time.process_time(), "racers": ended[0] + live}
        )

    async def open_room(request: Request) -> Response:
        room = rooms[0].open("the presenter")
        room.follow(request.query_params["race"])
        return JSONResponse(room.code)

    def more_routes(queue: RaceQueue, *others: Any) -> list[Route]:
        queues.append(queue)
        rooms.append(Rooms(queue))
        added = [Route(f"{BASE}/load", load), Route(f"{BASE}/load/room", open_room)]
        return [*routes(queue, *others), *added, *phone_routes(queue, rooms[0])]

    RowLog.append, threading.Thread.run, sse.routes = (  # type: ignore[method-assign]
        timed_append,  # type: ignore[assignment]
        timed_run,  # type: ignore[assignment]
        more_routes,  # type: ignore[assignment]
    )
    sys.argv = [str(APP)]
    runpy.run_path(str(APP), run_name="__main__")


@asynccontextmanager
async def running_server() -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """(HTTP client, port) of a server that runs as long as the block."""
    command = [sys.executable, "-m", "demo.load", "--serve"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=APP.parent, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = next(line for line in process.stdout if "Running on" in line)
        port = int(line.strip().rsplit(":", 1)[1])
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
            await asyncio.sleep(WARM_UP)
            yield client, port
    finally:
        process.terminate()
        process.wait(30)
