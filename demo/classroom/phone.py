"""The routes of classroom phones: their page, the room's feed, bets and pictures. They start no race.

A phone identifies itself by a random token of its own (`guest`) and needs the room's code. Each entry of the feed is encoded
once for all phones.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cached_property
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.classroom.phone_page import page
from demo.classroom.photos import MAX_BYTES, RoomError
from demo.classroom.room import OverError, Room, UnknownError
from demo.classroom.room_feed import RoomFeed
from demo.classroom.rooms import Rooms
from demo.server.http import BASE, index_of
from demo.server.race_queue import RaceQueue
from demo.server.sse import STILL, Broadcast, EventStream
from engine import LANGUAGES, HeadStartError, best_language

GUEST = re.compile(r"[A-Za-z0-9_-]{16,64}")
BET_BYTES = 2000
# An event rather than a comment: scripts do not see comments, and the page takes long silence for a lost connection
HEARTBEAT = b"event: still\ndata: 1\n\n"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def routes(queue: RaceQueue, rooms: Rooms, broadcast: Broadcast | None = None) -> list[Route]:
    """The phones' routes for these rooms."""
    phone = PhoneRoutes(queue, rooms, broadcast or Broadcast())
    return [
        Route(BASE + "/room", phone.page),
        Route(BASE + "/room/{code}", phone.page),
        Route(BASE + "/room/{code}/events", phone.events),
        Route(BASE + "/room/{code}/state", phone.state),
        Route(BASE + "/room/{code}/bet", phone.bet, methods=["POST"]),
        Route(BASE + "/room/{code}/picture", phone.picture, methods=["POST"]),
    ]


class PhoneRoutes:
    """Serves the phones of all rooms."""

    def __init__(self, queue: RaceQueue, rooms: Rooms, broadcast: Broadcast):
        self._queue, self._rooms, self._broadcast, self._open = queue, rooms, broadcast, 0
        self._feeds: dict[Room, RoomFeed] = {}

    async def page(self, request: Request) -> Response:
        """The page, the same for every code: its script asks whether there is such a room."""
        text, policy = self._page
        headers = {**HEADERS, "Content-Security-Policy": policy, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self._compressed_page, 200, {**headers, "Content-Encoding": "gzip"}, "text/html")
        return Response(text, 200, headers, "text/html")

    async def events(self, request: Request) -> Response:
        """The room's feed from `Last-Event-ID` or `?since=N` on, as server-sent events.

        A message is a list of entries; its id is the index of the next one. The event "you" holds this phone's own state,
        "still" is a heartbeat, "end" says that the room is over.
        """
        try:
            room, guest = self._enter(request)
        except RoomError as error:
            return _refused(request, error)
        if self._open >= self._queue.limits.streams:
            return _refused(request, RoomError("refusal.streams"), 503)
        feed, first = self._feed(room), index_of(request.headers.get("last-event-id") or request.query_params.get("since"))
        first = first if first <= feed.poll()[0] else 0

        async def body() -> AsyncGenerator[bytes]:
            yield b"retry: 1000\n\nevent: you\ndata: " + json.dumps(room.guest_state(guest)).encode() + b"\n\n"
            async with aclosing(self._broadcast.watch(feed, first)) as messages:
                async for message in messages:
                    yield HEARTBEAT if message == STILL else message
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
        room.touch(guest)
        feed = self._feed(room)
        count, since = feed.poll()[0], index_of(request.query_params.get("since"))
        entries = feed.texts(since if since <= count else 0, count)
        body = f'{{"entries":[{entries}],"next":{count},"you":{json.dumps(room.guest_state(guest))}}}'
        return Response(body, media_type="application/json", headers=HEADERS)

    async def bet(self, request: Request) -> Response:
        """A bet: {"gap": points, "seconds": seconds or null, "name": text}."""
        try:
            room, guest = self._enter(request, posted="application/json")
            values = json.loads(await _read(request, BET_BYTES))
            if not isinstance(values, dict) or not isinstance(values.get("name", ""), str):
                raise RoomError("refusal.room.odd")
            room.bet(guest, values.get("gap", math.nan), values.get("seconds", math.nan), values.get("name", ""))
        except (ValueError, RecursionError):
            return _refused(request, RoomError("refusal.room.odd"))
        except RoomError as error:
            return _refused(request, error)
        return JSONResponse(room.guest_state(guest), headers=HEADERS)

    async def picture(self, request: Request) -> Response:
        """A JPEG of the class with index `?class_index=k`."""
        try:
            room, guest = self._enter(request, posted="image/jpeg")
            text = request.query_params.get("class_index", "")
            class_index = index_of(text) if text.isascii() and text.isdigit() else -1
            jpeg = await _read(request, MAX_BYTES)
            await run_in_threadpool(room.add_picture, guest, class_index, jpeg)
        except HeadStartError as error:
            return _refused(request, error)
        return JSONResponse(room.guest_state(guest), headers=HEADERS)

    @cached_property
    def _page(self) -> tuple[str, str]:
        return page()

    @cached_property
    def _compressed_page(self) -> bytes:
        return gzip.compress(self._page[0].encode(), 9)

    def _feed(self, room: Room) -> RoomFeed:
        if room not in self._feeds:
            self._feeds = {other: feed for other, feed in self._feeds.items() if not other.is_over}
            self._feeds[room] = RoomFeed(room)
        return self._feeds[room]

    def _enter(self, request: Request, posted: str = "") -> tuple[Room, str]:
        """The room of a request and the guest's token.

        posted: content type of a post, which must come from a page of this site.
        """
        guest = request.query_params.get("guest", "")
        address = request.client.host if request.client else ""
        room = self._rooms.enter(request.path_params["code"], address, guest)
        if not GUEST.fullmatch(guest):
            raise RoomError("refusal.room.guest")
        if posted and not (_is_same_origin(request) and request.headers.get("content-type", "").split(";")[0] == posted):
            raise RoomError("refusal.room.origin")
        room.join(guest)
        return room, guest


def _is_same_origin(request: Request) -> bool:
    """Whether a page of this host sent the request. Browsers send the Origin header with every post."""
    origin = urlsplit(request.headers.get("origin", "")).netloc
    return bool(origin) and origin in (request.headers.get("host"), request.headers.get("x-forwarded-host"))


async def _read(request: Request, most: int) -> bytes:
    """The request body. Raises RoomError as soon as it exceeds `most` bytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise RoomError("refusal.room.large", most=most // 1000)
    return body


def _status(error: HeadStartError) -> int:
    if isinstance(error, UnknownError | OverError):
        return 404 if isinstance(error, UnknownError) else 410
    return {"refusal.room.guesses": 429, "refusal.room.fast": 429, "refusal.room.large": 413}.get(error.message.key, 403)


def _refused(request: Request, error: HeadStartError, status: int = 0) -> Response:
    """The refusal in the phone's language, and its message key."""
    language = request.query_params.get("lang", "")
    if language not in LANGUAGES:
        language = best_language(request.headers.get("accept-language", ""))
    body = {"error": error.translated(language), "key": error.message.key}
    return JSONResponse(body, status_code=status or _status(error), headers=HEADERS)
