"""The language in the page's address: `?lang=ja` for a visitor whose browser asks for another. Knows no sentence.

Gradio chooses the language of its own labels by the browser's languages as soon as its script is loaded, before it looks
at `launch(head=...)`; so these few lines are put in front of everything into the page that is served.
"""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine import LANGUAGES

SCRIPT = """<script>(() => {
  const there = LANGUAGES, asked = new URLSearchParams(location.search).get("lang");
  if (there.includes(asked)) {
    Object.defineProperty(navigator, "language", { get: () => asked });
    Object.defineProperty(navigator, "languages", { get: () => [asked] });
  }
  const wanted = navigator.languages.map((tag) => tag.toLowerCase().split("-")[0]);
  document.documentElement.lang = wanted.find((tag) => there.includes(tag)) || "en";
})()</script>""".replace("LANGUAGES", json.dumps(list(LANGUAGES)))


class InAddress:
    """Middleware that puts the script first into the page at `/`, and lets everything else pass as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def hold(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                whole = body.replace(b"<head>", b"<head>" + SCRIPT.encode(), 1)
                headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", str(len(whole)).encode())]})
                await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, hold)
