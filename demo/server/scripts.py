"""Serves the JavaScript modules of the page, one file each, without a build step.

Modules import each other by relative paths, so addresses below `BASE` repeat the folders of this repository. Only modules
listed at start are served, by exact name: a path from a request is never opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import engine
from demo.server.http import BASE as ROUTES

HOME = Path(__file__).parents[2]
ENGINE = Path(engine.__file__).parent / "export"
FOLDERS = (HOME / "demo" / "components", HOME / "demo" / "classroom", ENGINE / "lib")
BASE = ROUTES + "/js"


def routes() -> list[Route]:
    """The one route, for all modules."""
    modules = {path_of(file): file for folder in FOLDERS for file in sorted(folder.rglob("*.js"))}
    return [Route(BASE + "/{path:path}", partial(module, modules))]


def path_of(file: Path) -> str:
    """A module's path below `BASE`."""
    return file.relative_to(HOME).as_posix()


async def module(modules: Mapping[str, Path], request: Request) -> Response:
    """One module. `no-cache` makes the browser revalidate it, so that all modules are of the same version."""
    file = modules.get(request.path_params["path"])
    if file is None:
        return Response(status_code=404)
    code = await run_in_threadpool(file.read_bytes)
    tag = f'"{hashlib.sha256(code).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag, "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(code, media_type="text/javascript", headers=headers)
