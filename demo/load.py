"""How much a classroom costs this server: `python -m demo.load`. Measures the real page from outside; nothing imports it.

A server of its own runs a default race on the CPU; streams, phones and clicks come from this process, over loopback. For
the latency the server notes when each row is appended, for its cost what its racers' threads took: see `serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import random
import re
import runpy
import secrets
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo import stream
from demo.controls import ORDER
from demo.hub import Hub
from demo.log import LIGHT, Log
from demo.rooms import Rooms
from demo.viewer import routes as phone_routes

APP = Path(__file__).parents[1] / "app.py"
LATENCY, SHARE, SLOWED, JOIN, CLICK = 0.150, 25.0, 5.0, 10.0, 1.0  # what issue 5 asks for: s, %, %, s, s
GATHER = 2.0  # seconds for all streams to be open before counting starts
BEHIND = 1.0  # seconds that a reader may be behind when it is cut off, and still be without a hole
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Print a Markdown table of what was aimed at and what was measured. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.load", description="Measures the page with a classroom on it.")
    for name, count in (("viewers", 200), ("phones", 60), ("reconnects", 20), ("starts", 100)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--epochs", type=int, help="a shorter race, to try this out")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.serve:
        serve()
        return 0
    print(table(asyncio.run(measure(asked))))
    return 0


# --- the server, in a process of its own ---------------------------------------------------------------------------


def serve() -> None:
    """Run app.py as it is, with rooms of our own and a route that says when each row was appended, and the CPU seconds."""
    times: dict[Log, list[float]] = {}
    hubs: list[Hub] = []
    rooms: list[Rooms] = []
    ended = [0.0]  # CPU seconds of racers that are over
    append, run, routes = Log.append, threading.Thread.run, stream.routes

    def noted(log: Log, row: dict[str, object]) -> None:
        times.setdefault(log, []).append(time.time())
        append(log, row)

    def counted(thread: threading.Thread) -> None:
        try:
            run(thread)
        finally:
            if thread.name.startswith("racer "):
                ended[0] += time.thread_time()

    async def told(request: Request) -> Response:
        log = hubs[0].find(request.query_params.get("race", ""))
        racers = [t for t in threading.enumerate() if t.name.startswith("racer ") and t.ident]
        live = sum(time.clock_gettime(time.pthread_getcpuclockid(t.ident)) for t in racers if t.ident)
        return JSONResponse(
            {"times": times.get(log, []) if log else [], "cpu": time.process_time(), "racers": ended[0] + live}
        )

    async def opened(request: Request) -> Response:
        room = rooms[0].open("the presenter")
        room.follow(request.query_params["race"])
        return JSONResponse(room.code)

    def more(hub: Hub, *others: Any) -> list[Route]:
        hubs.append(hub)
        rooms.append(Rooms(hub))
        mine = [Route(f"{stream.BASE}/load", told), Route(f"{stream.BASE}/load/room", opened)]
        return [*routes(hub, *others), *mine, *phone_routes(hub, rooms[0])]

    Log.append, threading.Thread.run, stream.routes = noted, counted, more  # type: ignore[assignment, method-assign]
    sys.argv = [str(APP)]
    runpy.run_path(str(APP), run_name="__main__")


# --- those who watch -----------------------------------------------------------------------------------------------


@dataclass
class Viewer:
    """One open stream: takes bytes as they come and reads them only afterwards, so that watching costs little."""

    raw: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)  # length of `raw` after each arrival
    times: list[float] = field(default_factory=list)  # of it
    opened: float = 0.0

    async def watch(self, port: int, path: str, seconds: float | None = None) -> None:
        """Read until the stream ends, or for so long."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self.opened = time.time()
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())  # 1.0: no chunks to take apart
        try:
            async with asyncio.timeout(seconds):
                while data := await reader.read(1 << 18):
                    self.raw += data
                    self.ends.append(len(self.raw))
                    self.times.append(time.time())
        except TimeoutError:
            pass
        finally:
            writer.close()

    def messages(self) -> list[tuple[float, int, list[Row]]]:
        """(time of arrival, index of the next row, rows) of every message that is complete."""
        found = []
        for match in re.finditer(rb"id: (\d+)\ndata: (\[.*\])\n\n", self.raw):
            arrived = self.times[bisect_left(self.ends, match.end())]
            found.append((arrived, int(match[1]), json.loads(match[2])))
        return found

    @property
    def is_complete(self) -> bool:
        """Whether the stream was told to its end."""
        return b"event: end\n" in self.raw


def delays(viewer: Viewer, appended: Sequence[float], since: float) -> list[float]:
    """Seconds from the append of each row to its arrival, of the rows appended after `since`."""
    found = []
    for arrived, count, rows in viewer.messages():
        found += [arrived - told for told in appended[count - len(rows) : count] if told >= since]
    return found


def is_whole(got: Sequence[Row], told: Sequence[Row], appended: Sequence[float], until: float) -> bool:
    """Whether a reader that was cut off at `until` has every row appended by then, but for the last moment, in order."""
    return list(got) == list(told[: len(got)]) and len(got) >= max(1, bisect_left(appended, until - BEHIND))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; 0 where there are none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Page:
    """The page as a browser talks to it: its own endpoints, with the values its widgets start with."""

    def __init__(self, client: httpx.AsyncClient, config: Row, epochs: int | None):
        self._client = client
        parts = {part["id"]: part["props"].get("value") for part in config["components"]}
        names = ("start", "stop", "preview")
        self._handlers = {each["api_name"]: each for each in config["dependencies"] if each["api_name"] in names}
        values = [parts[k] for k in self._handlers["preview"]["inputs"]][-len(ORDER) :]  # the widgets come last
        self._values = [epochs if epochs and name == "epochs" else v for name, v in zip(ORDER, values, strict=True)]

    async def start(self, visitor: str) -> tuple[str, str, float]:
        """Click Start: (race id or "", the sentence where it was refused, seconds until the answer)."""
        seconds, (_, value) = await self._click(self._handlers["start"], [{"visitor": visitor}, *self._values], visitor)
        return value.get("race", ""), value.get("alert", ""), seconds

    async def stop(self, visitor: str, race: str) -> None:
        """Click Stop."""
        await self._click(self._handlers["stop"], [{"visitor": visitor, "race": race}], visitor)

    async def change(self, visitor: str) -> float:
        """Move a slider; seconds until the page has its new sentences and drawings. A page does it as soon as it is open."""
        return (await self._click(self._handlers["preview"], self._values, visitor))[0]

    async def rows(self, race: str) -> list[Row]:
        """What is in the log."""
        return (await self._client.get(f"{stream.BASE}/races/{race}/rows")).json()["rows"]  # type: ignore[no-any-return]

    async def room(self, race: str) -> str:
        """The code of a room that shows this race."""
        return (await self._client.get(f"{stream.BASE}/load/room", params={"race": race})).json()  # type: ignore[no-any-return]

    async def load(self, race: str = "") -> Row:
        """What the server notes of itself."""
        return (await self._client.get(f"{stream.BASE}/load", params={"race": race})).json()  # type: ignore[no-any-return]

    async def _click(self, handler: Row, values: list[Any], visitor: str) -> tuple[float, list[Any]]:
        began = time.perf_counter()
        own = [None] * (len(handler["inputs"]) - len(values))  # what the server keeps of the session comes first
        body = {"data": own + values, "fn_index": handler["id"], "session_hash": visitor}
        answer = await self._client.post("/gradio_api/run/predict", json=body)
        return time.perf_counter() - began, answer.raise_for_status().json()["data"]


@asynccontextmanager
async def server(epochs: int | None) -> Any:
    """(page, port) of a server that lives as long as the block."""
    command = [sys.executable, "-m", "demo.load", "--serve"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=APP.parent, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said = next(line for line in process.stdout if "Running on" in line)
        port = int(said.strip().rsplit(":", 1)[1])
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
            await asyncio.sleep(8)  # the server times its machine while the first visitor would look around
            yield Page(client, (await client.get("/config")).json(), epochs), port
    finally:
        process.terminate()
        process.wait(30)


# --- what is measured ----------------------------------------------------------------------------------------------

Line = tuple[str, str, str]  # what, target, measured


@dataclass(frozen=True)
class Watched:
    """A race and all who watched it."""

    rows: list[Row]
    viewers: list[Viewer]
    appended: list[float]
    share: float  # of one core, %, that the server took beyond its racers
    racing: dict[str, float]  # lane -> its seconds of compute


async def measure(asked: argparse.Namespace) -> list[Line]:
    """The whole session: a race alone, one with viewers, one alone again, one with phones, and many clicks at once."""
    async with server(asked.epochs) as (page, port):
        races = []
        for count in (0, asked.viewers, 0):
            races.append(await watch(page, port, count))
            told = ", ".join(f"{lane} {seconds:.1f} s" for lane, seconds in races[-1].racing.items())
            print(f"a race with {count} viewers besides its owner: {told}", file=sys.stderr, flush=True)
        before, full, after = races
        lines = told_of_viewers(full, [before, after])
        lines += await phones(page, port, asked.phones, asked.reconnects)
        return lines + await clicks(page, asked.starts)


async def watch(page: Page, port: int, count: int) -> Watched:
    """Run one race with its owner's stream and so many others."""
    visitor = secrets.token_urlsafe(8)
    race, alert, _ = await page.start(visitor)
    if alert:
        raise RuntimeError(alert)
    viewers = [Viewer() for _ in range(count + 1)]
    began, first = time.perf_counter(), await page.load()
    owners = f"{stream.BASE}/races/{race}/events?visitor={visitor}"
    paths = [owners, *[f"{stream.BASE}/races/{race}/events"] * count]
    await asyncio.gather(*(viewer.watch(port, path) for viewer, path in zip(viewers, paths, strict=True)))
    wall, last = time.perf_counter() - began, await page.load(race)
    beyond = (last["cpu"] - first["cpu"]) - (last["racers"] - first["racers"])
    rows = await page.rows(race)
    racing = {row["lane"]: row["seconds"] for row in rows if row["event"] == "Finished"}
    return Watched(rows, viewers, last["times"], 100 * beyond / wall, racing)


def told_of_viewers(full: Watched, alone: Sequence[Watched]) -> list[Line]:
    """What many viewers get, and what they cost."""
    got = [[row for _, _, rows in viewer.messages() for row in rows] for viewer in full.viewers]
    whole = sum(viewer.is_complete and mine == full.rows for viewer, mine in zip(full.viewers, got, strict=True))
    since = max(viewer.opened for viewer in full.viewers) + GATHER
    late = [delay for viewer in full.viewers for delay in delays(viewer, full.appended, since)]
    messages = full.viewers[-1].messages()
    rate = (len(messages) - 1) / max(1e-9, messages[-1][0] - messages[0][0])
    base = {lane: sum(race.racing[lane] for race in alone) / len(alone) for lane in full.racing}
    slowed = 100 * (sum(full.racing.values()) / sum(base.values()) - 1)
    spread = 100 * abs(sum(alone[0].racing.values()) - sum(alone[-1].racing.values())) / sum(base.values())
    quiet = sum(race.share for race in alone) / len(alone)
    count = len(full.viewers)
    return [
        (f"every row delivered to {count} viewers", f"{count}", f"{whole} ({len(full.rows):,} rows each)"),
        ("updates a second to each", "≥ 5", f"{rate:.1f}"),
        ("from a row's append to its arrival, p50", "", f"{1000 * percentile(late, 0.5):.0f} ms"),
        ("the same, p95", f"≤ {1000 * LATENCY:.0f} ms", f"{1000 * percentile(late, 0.95):.0f} ms"),
        ("server beyond the training", f"≤ {SHARE:.0f} % of a core", f"{full.share:.0f} % (without viewers {quiet:.0f} %)"),
        ("training slowed", f"≤ {SLOWED:.0f} %", f"{slowed:.1f} % (two races alone differ by {spread:.1f} %)"),
    ]


async def phones(page: Page, port: int, count: int, cuts: int) -> list[Line]:
    """Phones that come within ten seconds, some of which then lose the connection for a moment."""
    visitor = secrets.token_urlsafe(8)
    race, _, _ = await page.start(visitor)
    path = f"{stream.BASE}/races/{race}/events"
    room = f"{stream.BASE}/room/{await page.room(race)}"
    owner = asyncio.create_task(Viewer().watch(port, f"{path}?visitor={visitor}"))
    await asyncio.sleep(2)
    draw = random.Random(0)
    last = 1.5 * JOIN

    async def join(k: int) -> tuple[float, list[Row], float]:
        """(seconds to the first rows, rows, when it left)."""
        await asyncio.sleep(JOIN * k / count)
        began, page, events = time.time(), Viewer(), Viewer()
        await page.watch(port, room)
        await events.watch(port, f"{room}/events?guest={secrets.token_urlsafe(16)}", last - JOIN * k / count)
        drawn = [(arrived, row) for arrived, _, rows in events.messages() for row in rows if row["event"] in LIGHT]
        return (drawn[0][0] - began if drawn else math.inf), [row for _, row in drawn], time.time()

    async def cut(_: int) -> tuple[list[Row], float]:
        """(rows of three connections, each going on where the one before broke off; when it left)."""
        rows: list[Row] = []
        guest, index = secrets.token_urlsafe(16), 0
        for pause in (0.0, draw.uniform(0.1, 1), draw.uniform(0.1, 1)):
            await asyncio.sleep(pause)
            viewer = Viewer()
            await viewer.watch(port, f"{room}/events?guest={guest}&since={index}", draw.uniform(2, 5))
            messages = viewer.messages()
            rows += [row for _, _, batch in messages for row in batch if row["event"] in LIGHT]
            index = messages[-1][1] if messages else index
        return rows, time.time()

    joined, again = await asyncio.gather(
        asyncio.gather(*(join(k) for k in range(count))), asyncio.gather(*(cut(k) for k in range(cuts)))
    )
    rows, times = await page.rows(race), (await page.load(race))["times"]
    await page.stop(visitor, race)
    await owner
    light = [(row, when) for row, when in zip(rows, times, strict=False) if row["event"] in LIGHT]
    told, appended = [row for row, _ in light], [when for _, when in light]
    whole_phones = sum(is_whole(mine, told, appended, left) for _, mine, left in joined)
    slowest = max((wait for wait, _, _ in joined), default=0.0)
    whole = sum(is_whole(mine, told, appended, left) for mine, left in again)
    return [
        (
            f"{count} phones join within {JOIN:.0f} s",
            f"{count}",
            f"{whole_phones} without a hole; page and first rows in {1000 * slowest:.0f} ms at most",
        ),
        (f"{cuts} phones, each cut off twice, without a hole", f"{cuts}", f"{whole}"),
    ]


async def clicks(page: Page, count: int) -> list[Line]:
    """Many Start clicks by different visitors at once, and one who moves a slider meanwhile."""
    visitors = [secrets.token_urlsafe(8) for _ in range(count + 1)]
    for visitor in visitors:  # all have their pages open
        await page.change(visitor)
    starts = asyncio.gather(*(page.start(visitor) for visitor in visitors[1:]))
    await asyncio.sleep(0.05)  # all others are in front
    slid = await page.change(visitors[0])
    answers = await starts
    await asyncio.sleep(1)
    races = [race for race, _, _ in answers if race]
    logs = [await page.rows(race) for race in races]
    running = sum(any(row["event"] == "RaceStarted" for row in log) and log[-1]["event"] != "Ended" for log in logs)
    refused = [alert for race, alert, _ in answers if not race and alert]
    slowest = max(seconds for _, _, seconds in answers)
    lost = count - len(races) - len(refused)
    return [
        (
            f"{count} Start clicks at once",
            "one race, the rest queued or refused with a sentence",
            f"{running} race, {len(races) - running} queued, {len(refused)} refused, {lost} lost",
        ),
        ("a click meanwhile", f"≤ {CLICK:.0f} s", f"{slid:.2f} s; the slowest Start {slowest:.2f} s"),
    ]


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown, under the machine and its cores."""
    head = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
    rows = [f"| {' | '.join(line)} |" for line in [("measured", "target", "result"), *lines]]
    return "\n".join([head, "", rows[0], "|---|---|---|", *rows[1:]])


if __name__ == "__main__":
    sys.exit(main())
