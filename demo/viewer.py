"""The routes of a classroom's phones: one light page, what the room tells as it happens, bets and pictures. Starts no race.

Under `/gradio_api/` like the other routes. A phone is known by a random token it made itself; it reads the room whose code
it has, and may send a bet and pictures there. However many phones watch, what a room tells is encoded once for all of them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo import look
from demo.bets import GAP, TARGET
from demo.hub import Hub
from demo.log import Log
from demo.photos import BYTES, EACH, FEWEST, SIDE, RoomError
from demo.room import NAME, OverError, Room, UnknownError
from demo.rooms import Rooms
from demo.stream import BASE, STILL, Broadcast, EventStream, index_of
from engine import EXTRAS, LANGUAGES, RANGES, RIVALS, HeadStartError, best_language, said, say

HERE = Path(__file__).parent
CURVES = HERE.parent / "engine" / "export" / "curves.js"
GUEST = re.compile(r"[A-Za-z0-9_-]{16,64}")
BET_BYTES = 2000
SEEN = b"event: still\ndata: 1\n\n"  # a comment would not reach the page, which tells from silence that the line is dead
SECURE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# What the page says by itself, besides its own sentences
GROUPS = ("lane.", "phase.", "viewer.")
KEYS = {
    *("axis.epoch", "axis.seconds", "chart.chance", "chart.rolling"),
    *(f"replay.{name}" for name in ("accuracy", "band", "read", "right", "wrong")),
    *(
        f"bet.{name}"
        for name in ("after", "crossing", "crossing_about", "gap", "gap_about", "never", "no_crossing", "place")
    ),
    *(f"bet.{name}" for name in ("points", "returned", "riding", "said", "score", "score_crossing", "score_gap")),
    *("bet.seconds_needed", "bet.worth"),
}


def routes(hub: Hub, rooms: Rooms, broadcast: Broadcast | None = None) -> list[Route]:
    """The routes of the phones in these rooms."""
    door = Door(hub, rooms, broadcast or Broadcast())
    return [
        Route(BASE + "/room", door.page),
        Route(BASE + "/room/{code}", door.page),
        Route(BASE + "/room/{code}/events", door.events),
        Route(BASE + "/room/{code}/state", door.state),
        Route(BASE + "/room/{code}/bet", door.bet, methods=["POST"]),
        Route(BASE + "/room/{code}/picture", door.picture, methods=["POST"]),
    ]


class Diary:
    """What a room tells its phones as a list that only grows, so that an index stays good: a `stream.Source`.

    It begins anew with each race, whose rows it holds; of the room's own state only the last is kept. Whoever comes with an
    index from before gets all that is kept.
    """

    def __init__(self, room: Room):
        self._room, self._lock = room, threading.Lock()
        self._first, self._entries = 0, list[str]()  # the index of the first entry that is kept, and those from there on
        self._shown: tuple[str, Log | None] = ("", None)  # the race that is told, with its log
        self._rows = 0  # how many of its rows are told
        self._version, self._state = -1, 0  # of the state that was told last, and which entry it is

    def look(self) -> tuple[int, bool]:
        """Take in what is new: how many entries there are, and whether the room is over."""
        with self._lock:
            if self._room.version != self._version:
                self._take(self._room.told())
            if log := self._shown[1]:
                rows = log.light[self._rows :]
                self._entries += rows
                self._rows += len(rows)
            return self._first + len(self._entries), self._room.is_over

    def message(self, first: int, count: int) -> bytes:
        """Entries as a JSON list."""
        return f"id: {count}\ndata: [{self.texts(first, count)}]\n\n".encode()

    def texts(self, first: int, count: int) -> str:
        """Entries side by side, as they stand in a JSON list."""
        with self._lock:
            return ",".join(filter(None, self._entries[max(0, first - self._first) : max(0, count - self._first)]))

    def _take(self, state: dict[str, Any]) -> None:
        shown = self._room.shown
        if state["race"] != shown[0]:
            return  # another race began just now; the next look finds both in step
        if shown[0] != self._shown[0]:
            self._shown, self._rows = shown, 0
            self._first += len(self._entries)
            self._entries = [json.dumps({"event": "Race", "race": shown[0]})]
        elif self._entries:
            self._entries[self._state] = ""
        self._version, self._state = state["version"], len(self._entries)
        self._entries.append(json.dumps({"event": "Room", **state}, separators=(",", ":")))


class Door:
    """Serves the phones of all rooms."""

    def __init__(self, hub: Hub, rooms: Rooms, broadcast: Broadcast):
        self._hub, self._rooms, self._broadcast, self._open = hub, rooms, broadcast, 0
        self._diaries: dict[Room, Diary] = {}

    async def page(self, request: Request) -> Response:
        """The page of any room, and of none: it asks by itself whether there is one of its code."""
        text, policy = page()
        headers = {**SECURE, "Content-Security-Policy": policy, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(_packed(), 200, {**headers, "Content-Encoding": "gzip"}, "text/html")
        return Response(text, 200, headers, "text/html")

    async def events(self, request: Request) -> Response:
        """What the room tells, from `Last-Event-ID` or `?since=N` on, as server-sent events.

        A message is a list of entries with the index of the next one as its id; "you" tells this phone alone, "still" that
        the room is quiet, "end" that it is over.
        """
        try:
            room, guest = self._enter(request)
        except RoomError as error:
            return _refused(request, error)
        if self._open >= self._hub.limits.streams:
            return _refused(request, RoomError("refusal.streams"), 503)
        diary, first = self._diary(room), index_of(request.headers.get("last-event-id") or request.query_params.get("since"))
        first = first if first <= diary.look()[0] else 0

        async def body() -> AsyncGenerator[bytes]:
            yield b"retry: 1000\n\nevent: you\ndata: " + json.dumps(room.told_to(guest)).encode() + b"\n\n"
            async with aclosing(self._broadcast.watch(diary, first)) as messages:
                async for message in messages:
                    yield SEEN if message == STILL else message
            yield b"event: end\ndata: 1\n\n"

        def arrive() -> None:
            self._open += 1
            room.enter(guest)

        def leave() -> None:
            self._open -= 1
            room.leave(guest)

        return EventStream(body(), arrive, leave)

    async def state(self, request: Request) -> Response:
        """`?since=N` -> {"entries": […], "next": M, "you": {…}}; the fallback where streams are blocked."""
        try:
            room, guest = self._enter(request)
        except RoomError as error:
            return _refused(request, error)
        room.hear(guest)
        diary = self._diary(room)
        count, since = diary.look()[0], index_of(request.query_params.get("since"))
        entries = diary.texts(since if since <= count else 0, count)
        body = f'{{"entries":[{entries}],"next":{count},"you":{json.dumps(room.told_to(guest))}}}'
        return Response(body, media_type="application/json", headers=SECURE)

    async def bet(self, request: Request) -> Response:
        """A bet: {"gap": points, "seconds": seconds or null, "name": text}."""
        try:
            room, guest = self._enter(request, posted="application/json")
            asked = json.loads(await _read(request, BET_BYTES))
            if not isinstance(asked, dict) or not isinstance(asked.get("name", ""), str):
                raise RoomError("refusal.room.odd")
            room.bet(guest, asked.get("gap", math.nan), asked.get("seconds", math.nan), asked.get("name", ""))
        except (ValueError, RecursionError):
            return _refused(request, RoomError("refusal.room.odd"))
        except RoomError as error:
            return _refused(request, error)
        return JSONResponse(room.told_to(guest), headers=SECURE)

    async def picture(self, request: Request) -> Response:
        """A JPEG of class number `?kind=k`."""
        try:
            room, guest = self._enter(request, posted="image/jpeg")
            kind = request.query_params.get("kind", "")
            jpeg = await _read(request, BYTES)
            await run_in_threadpool(room.put, guest, index_of(kind) if kind.isascii() and kind.isdigit() else -1, jpeg)
        except HeadStartError as error:
            return _refused(request, error)
        return JSONResponse(room.told_to(guest), headers=SECURE)

    def _diary(self, room: Room) -> Diary:
        if room not in self._diaries:
            self._diaries = {other: diary for other, diary in self._diaries.items() if not other.is_over}
            self._diaries[room] = Diary(room)
        return self._diaries[room]

    def _room(self, request: Request, guest: str = "") -> Room:
        address = request.client.host if request.client else ""
        return self._rooms.ask(request.path_params["code"], address, guest)

    def _enter(self, request: Request, posted: str = "") -> tuple[Room, str]:
        """The room and the phone that asks. What is `posted`, of this type, must come from the room's own page."""
        guest = request.query_params.get("guest", "")
        room = self._room(request, guest)
        if not GUEST.fullmatch(guest):
            raise RoomError("refusal.room.guest")
        if posted and not (_is_own(request) and request.headers.get("content-type", "").split(";")[0] == posted):
            raise RoomError("refusal.room.origin")
        room.join(guest)
        return room, guest


def _is_own(request: Request) -> bool:
    """Whether a page of this very host sent it. A browser names the origin of everything that is posted."""
    origin = urlsplit(request.headers.get("origin", "")).netloc
    return bool(origin) and origin in (request.headers.get("host"), request.headers.get("x-forwarded-host"))


async def _read(request: Request, most: int) -> bytes:
    """What was posted. Raises RoomError where it is too much, before all of it is here."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise RoomError("refusal.room.large", most=most // 1000)
    return body


def _status(error: HeadStartError) -> int:
    if isinstance(error, UnknownError | OverError):
        return 404 if isinstance(error, UnknownError) else 410
    return {"refusal.room.guesses": 429, "refusal.room.fast": 429, "refusal.room.large": 413}.get(error.line.key, 403)


def _refused(request: Request, error: HeadStartError, status: int = 0) -> Response:
    """The sentence in the phone's language; by its `why` the page knows whether asking again helps."""
    asked = request.query_params.get("lang", "")
    language = asked if asked in LANGUAGES else best_language(request.headers.get("accept-language", ""))
    told = {"error": error.said(language), "why": error.line.key}
    return JSONResponse(told, status_code=status or _status(error), headers=SECURE)


# --- the page ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _packed() -> bytes:
    return gzip.compress(page()[0].encode(), 9)


@lru_cache(maxsize=1)
def page() -> tuple[str, str]:
    """The page of every room, and the policy under which only its own script runs.

    It is the same for every room: the script reads the code from the address. Both languages are in it.
    """
    style = _css() + "".join(path.read_text(encoding="utf-8") for path in (CURVES.with_suffix(".css"), HERE / "viewer.css"))
    script = "".join(path.read_text(encoding="utf-8") for path in (CURVES, HERE / "score.js", HERE / "viewer.js"))
    known = {
        "said": {language: _words(language) for language in LANGUAGES},
        "rivals": RIVALS,
        "extras": EXTRAS,
        "target": TARGET,
        "gaps": GAP,
        "seconds": RANGES["seconds"].high,
        "name": NAME,
        "side": SIDE,
        "bytes": BYTES,
        "fewest": FEWEST,
        "each": EACH,
    }
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    parts = {
        "style": style,
        "script": script,
        "known": json.dumps(known, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "noscript": " ".join(f'<span lang="{name}">{escape(say("viewer.noscript", name))}</span>' for name in LANGUAGES),
    }
    text = (HERE / "viewer.html").read_text(encoding="utf-8")
    # In one pass: what was filled in is not looked through again
    return re.sub("__([A-Z]+)__", lambda found: parts[found[1].lower()], text), policy


def _words(language: str) -> dict[str, str]:
    return {key: text for key, text in said("", language).items() if key in KEYS or key.startswith(GROUPS)}


def _css() -> str:
    """The racers' colours, light and dark."""
    light = "".join(f"--{name}:{ink.light};" for name, ink in look.LANES.items())
    dark = "".join(f"--{name}:{ink.dark};" for name, ink in look.LANES.items())
    lanes = "".join(f".lane-{name}{{--lane:var(--{name})}}" for name in look.LANES)
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{lanes}\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
