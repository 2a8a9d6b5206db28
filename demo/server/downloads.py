"""The routes that export the files of an ended race.

Files of a race on a visitor's own pictures are served to that visitor only: the request then carries their token as well as
the race's id, and neither can be guessed.
"""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.server.http import BASE, NO_STORE, language_of
from demo.server.race_queue import RaceQueue
from engine import EXPORT_FILES, HeadStartError, Message, Record, can_export, export_file, race_command, translate

CONCURRENT = 2  # exports at the same time; a race may be running beside them
NOTES = 600  # characters of notes; they are part of the address, which proxies limit to 8 kB
WAITING = 12  # exports that may wait, those that run included
GONE = Message("refusal.gone")


def routes(queue: RaceQueue) -> list[Route]:
    """The export routes for the races of this queue."""
    download = DownloadRoutes(queue)
    return [
        Route(BASE + "/races/{race}/export", download.formats),
        Route(BASE + "/races/{race}/export/{file_format}", download.file),
    ]


class DownloadRoutes:
    """Exports the files of a queue's races."""

    def __init__(self, queue: RaceQueue):
        self._queue, self._busy, self._waiting = queue, asyncio.Semaphore(CONCURRENT), 0

    async def formats(self, request: Request) -> Response:
        """Formats and command line of a race:

        {"kinds": ["script", …], "command": "python -m engine race …"}.
        """
        record = await run_in_threadpool(self._record, request)
        if record is None:
            return _refused(language_of(request), GONE)
        try:
            command = race_command(record.plan, record.workspace)
        except HeadStartError as error:
            return _refused(language_of(request), error.message)
        return JSONResponse({"kinds": can_export(record), "command": command}, headers=NO_STORE)

    async def file(self, request: Request) -> Response:
        """One file: `?lang=ja&notes=…`. 503 where too many exports wait, 404 where it cannot be made."""
        if self._waiting >= WAITING:
            return JSONResponse({"error": translate("refusal.files.busy", language_of(request))}, status_code=503)
        self._waiting += 1
        try:
            async with self._busy:
                return await self._export(request)
        finally:
            self._waiting -= 1

    async def _export(self, request: Request) -> Response:
        file_format, language = request.path_params["file_format"], language_of(request)
        notes = request.query_params.get("notes", "")[:NOTES]
        record = await run_in_threadpool(self._record, request)
        if record is None:
            return _refused(language, GONE)
        try:
            filename, body = await run_in_threadpool(export_file, file_format, record, language, notes)
        except HeadStartError as error:
            return _refused(language, error.message)
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{filename}"'}
        return Response(body, media_type=EXPORT_FILES[file_format].media_type, headers=headers)

    def _record(self, request: Request) -> Record | None:
        return self._queue.record(request.path_params["race"], request.query_params.get("visitor", ""))


def _refused(language: str, reason: Message) -> Response:
    return JSONResponse({"error": reason.translated(language)}, status_code=404)
