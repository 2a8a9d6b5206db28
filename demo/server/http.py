"""Shared by the HTTP routes: base path, cache headers, and readers of request values.

The base path is below `/gradio_api/`, because with server-side rendering the front end answers any other path. The routes
bypass Gradio's `auth=`.
"""

from __future__ import annotations

from starlette.requests import Request

from engine import LANGUAGES

BASE = "/gradio_api/headstart"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # for addresses that contain a version
AN_HOUR = {"Cache-Control": "public, max-age=3600"}
NO_STORE = {"Cache-Control": "no-store"}
NEVER = {"Cache-Control": "private, no-store"}


def index_of(text: str | None) -> int:
    """The row index in a request; 0 for anything that is not a short decimal number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def language_of(request: Request) -> str:
    """The language of the query `?lang=`; English where it is missing or unknown."""
    language = request.query_params.get("lang", "")
    return language if language in LANGUAGES else "en"
