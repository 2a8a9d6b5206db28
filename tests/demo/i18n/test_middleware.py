"""The script that sets the language comes first in the page; other responses are not changed."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.i18n import middleware
from engine import LANGUAGES

PAGE = "<html><head><title>é</title></head><body></body></html>"


async def respond(_request: Request) -> Response:
    return HTMLResponse(PAGE)


CLIENT = TestClient(
    Starlette(
        routes=[Route("/", respond, methods=["GET"]), Route("/other", respond)],
        middleware=[Middleware(middleware.LanguageMiddleware)],
    )
)


def test_the_page_starts_with_the_script_and_has_its_new_length() -> None:
    response = CLIENT.get("/?lang=ja")
    assert response.text == PAGE.replace("<head>", "<head>" + middleware.SCRIPT)
    assert int(response.headers["content-length"]) == len(response.content)


def test_other_responses_are_not_changed() -> None:
    assert CLIENT.get("/other").text == PAGE


def test_the_script_lists_every_language() -> None:
    assert all(f'"{name}"' in middleware.SCRIPT for name in LANGUAGES)
