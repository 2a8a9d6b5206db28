"""The language in the address is known to the page before anything else runs; other answers pass as they are."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import language
from engine import LANGUAGES

PAGE = "<html><head><title>é</title></head><body></body></html>"


async def answer(_request: Request) -> Response:
    return HTMLResponse(PAGE)


CLIENT = TestClient(
    Starlette(
        routes=[Route("/", answer, methods=["GET"]), Route("/other", answer)], middleware=[Middleware(language.InAddress)]
    )
)


def test_the_page_begins_with_the_script_and_is_whole() -> None:
    given = CLIENT.get("/?lang=ja")
    assert given.text == PAGE.replace("<head>", "<head>" + language.SCRIPT)
    assert int(given.headers["content-length"]) == len(given.content)


def test_other_answers_pass_as_they_are() -> None:
    assert CLIENT.get("/other").text == PAGE


def test_the_script_knows_every_language() -> None:
    assert all(f'"{name}"' in language.SCRIPT for name in LANGUAGES)
