"""The routes that make files: pictures of a race by their row, and what can be taken away from it. Starts nothing.

Like the routes of `stream.py` they only read, and live under `/gradio_api/`. What was made of one visitor's own pictures
is given to her alone: the address then holds her token as well as the race's id, and neither can be guessed.
"""

from __future__ import annotations

import asyncio
import io
from functools import lru_cache
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.hub import Hub
from demo.stream import AN_HOUR, BASE, NEVER
from engine import (
    FILES,
    LANGUAGES,
    HeadStartError,
    Line,
    Plan,
    PlanError,
    Record,
    can_take,
    cells,
    find_task,
    race_command,
    say,
    take,
)

MOST = 40  # pictures side by side in an answer
AT_ONCE = 2  # files made at the same time; a race may be running beside them
NOTES = 600  # characters; they travel in the address, and proxies take 8 kB of it
WAITING = 12  # files that may wait for their turn
GONE = Line("refusal.gone")


def routes(hub: Hub) -> list[Route]:
    """The routes that make files of this hub's races."""
    maker = Maker(hub)
    return [
        Route(BASE + "/cells/{task}/{split}", pictures),
        Route(BASE + "/races/{race}/take", maker.kinds),
        Route(BASE + "/races/{race}/take/{kind}", maker.file),
    ]


async def pictures(request: Request) -> Response:
    """Pictures of a race side by side, as the racers number them: `/cells/tabletop/heldout?rows=3,17&examples=20&seed=0`."""
    try:
        split, query = request.path_params["split"], request.query_params
        plan = Plan.from_query(urlencode({**query, "task": request.path_params["task"]}))
        rows = tuple(
            int(row) for row in query.get("rows", "").split(",") if row.isascii() and row.isdigit() and len(row) < 8
        )
        if split not in ("heldout", "training") or not 0 < len(rows) <= MOST:
            raise PlanError("refusal.rows", most=MOST)
        is_private = find_task(plan.task).is_private
        body = await run_in_threadpool(_join if is_private else _joined, plan, split, rows)
    except HeadStartError as error:
        return _refused(_language(request), error.line)
    return Response(body, media_type="image/webp", headers=NEVER if is_private else AN_HOUR)


@lru_cache(maxsize=256)
def _joined(plan: Plan, split: str, rows: tuple[int, ...]) -> bytes:
    return _join(plan, split, rows)


def _join(plan: Plan, split: str, rows: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    side_by_side = np.concatenate(list(cells(plan, "training" if split == "training" else "heldout", rows)), 1)
    Image.fromarray(side_by_side).save(out, "webp", quality=85)
    return out.getvalue()


class Maker:
    """Makes the files that are taken away from a hub's races."""

    def __init__(self, hub: Hub):
        self._hub, self._busy, self._waiting = hub, asyncio.Semaphore(AT_ONCE), 0

    async def kinds(self, request: Request) -> Response:
        """What can be taken away from this race: {"kinds": ["script", …], "command": "python -m engine race …"}."""
        record = await run_in_threadpool(self._record, request)
        if record is None:
            return _refused(_language(request), GONE)
        try:
            command = race_command(record.plan)
        except HeadStartError as error:
            return _refused(_language(request), error.line)
        return JSONResponse({"kinds": can_take(record), "command": command}, headers={"Cache-Control": "no-store"})

    async def file(self, request: Request) -> Response:
        """One file to take away: `?lang=ja&notes=…`."""
        if self._waiting >= WAITING:
            return JSONResponse({"error": say("refusal.files.busy", _language(request))}, status_code=503)
        self._waiting += 1
        try:
            async with self._busy:
                return await self._made(request)
        finally:
            self._waiting -= 1

    async def _made(self, request: Request) -> Response:
        kind, language, notes = request.path_params["kind"], _language(request), request.query_params.get("notes", "")
        record = await run_in_threadpool(self._record, request)
        if record is None:
            return _refused(language, GONE)
        try:
            name, body = await run_in_threadpool(take, kind, record, language, notes[:NOTES])
        except HeadStartError as error:
            return _refused(language, error.line)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(body, media_type=FILES[kind].media_type, headers=headers)

    def _record(self, request: Request) -> Record | None:
        return self._hub.record(request.path_params["race"], request.query_params.get("visitor", ""))


def _language(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else "en"


def _refused(language: str, why: Line) -> Response:
    return JSONResponse({"error": why.said(language)}, status_code=404)
