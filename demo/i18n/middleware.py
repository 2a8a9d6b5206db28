"""ASGI middleware for the language in the page's address: `?lang=ja` overrides the languages of the browser.

Gradio reads the browser's languages as soon as its script is loaded, before `launch(head=...)` takes effect; so a script
that sets them is inserted at the start of the served page.
"""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine import LANGUAGES

SCRIPT = """<script>(() => {
  const supported = LANGUAGES, requested = new URLSearchParams(location.search).get("lang");
  if (supported.includes(requested)) {
    Object.defineProperty(navigator, "language", { get: () => requested });
    Object.defineProperty(navigator, "languages", { get: () => [requested] });
  }
  const preferred = navigator.languages.map((tag) => tag.toLowerCase().split("-")[0]);
  document.documentElement.lang = preferred.find((tag) => supported.includes(tag)) || "en";
})()</script>""".replace("LANGUAGES", json.dumps(list(LANGUAGES)))


class LanguageMiddleware:
    """Inserts the script into the page at `/`; other responses are not changed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                page = body.replace(b"<head>", b"<head>" + SCRIPT.encode(), 1)
                headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", str(len(page)).encode())]})
                await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, collect)
