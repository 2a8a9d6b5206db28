"""Read-only routes for pictures of a race: the first of each class, and pictures by row."""

from __future__ import annotations

import io
from functools import lru_cache
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.server.http import AN_HOUR, BASE, NEVER, language_of
from engine import HeadStartError, Plan, PlanError, Workspace, class_preview, evaluation_previews

MAX_ROWS = 40  # pictures in one response
PER_CLASS = 6  # pictures in the preview of a class
CLASSES, ROWS = 512, 256  # cached responses of the two routes


class PreviewRoutes:
    """Serves pictures as WebP from a cache for all visitors; pictures of a private task are not cached."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._class_preview = lru_cache(CLASSES)(class_preview_webp)
        self._side_by_side = lru_cache(ROWS)(side_by_side_webp)

    @property
    def cache_size(self) -> int:
        """Number of cached responses."""
        return self._class_preview.cache_info().currsize + self._side_by_side.cache_info().currsize

    def routes(self) -> list[Route]:
        """The two routes."""
        return [
            Route(BASE + "/pictures/{task}/{class_index:int}", self.of_class),
            Route(BASE + "/cells/{task}/{split}", self.by_row),
        ]

    async def of_class(self, request: Request) -> Response:
        """The first training pictures of a class, as the racers see them: `?examples_per_class=20&seed=0`."""
        try:
            class_index, plan = request.path_params["class_index"], _plan_of(request)
            task = self._workspace.tasks.find(plan.task)
            if not 0 <= class_index < len(task.classes):
                return JSONResponse({"error": "no such class"}, status_code=404)
            make = class_preview_webp if task.is_private else self._class_preview
            body = await run_in_threadpool(make, plan, self._workspace, class_index)
        except HeadStartError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        return _picture(body, task.is_private)

    async def by_row(self, request: Request) -> Response:
        """Pictures side by side, by rows of a split: `/cells/tabletop/heldout?rows=3,17&examples_per_class=20&seed=0`."""
        try:
            split, plan = request.path_params["split"], _plan_of(request)
            texts = request.query_params.get("rows", "").split(",")
            rows = tuple(int(row) for row in texts if row.isascii() and row.isdigit() and len(row) < 8)
            if split not in ("heldout", "training") or not 0 < len(rows) <= MAX_ROWS:
                raise PlanError("refusal.rows", most=MAX_ROWS)
            is_private = self._workspace.tasks.find(plan.task).is_private
            make = side_by_side_webp if is_private else self._side_by_side
            body = await run_in_threadpool(make, plan, self._workspace, split, rows)
        except HeadStartError as error:
            return JSONResponse({"error": error.translated(language_of(request))}, status_code=404)
        return _picture(body, is_private)


def class_preview_webp(plan: Plan, workspace: Workspace, class_index: int) -> bytes:
    """The first training pictures of a class, as WebP."""
    return _webp(class_preview(plan, workspace, class_index, PER_CLASS))


def side_by_side_webp(plan: Plan, workspace: Workspace, split: str, rows: tuple[int, ...]) -> bytes:
    """Pictures of a split, side by side in one WebP."""
    previews = evaluation_previews(plan, workspace, "training" if split == "training" else "heldout", rows)
    return _webp(np.concatenate(list(previews), 1))


def _plan_of(request: Request) -> Plan:
    return Plan.from_query(urlencode({**request.query_params, "task": request.path_params["task"]}))


def _webp(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "webp", quality=85)
    return out.getvalue()


def _picture(body: bytes, is_private: bool) -> Response:
    return Response(body, media_type="image/webp", headers=NEVER if is_private else AN_HOUR)
