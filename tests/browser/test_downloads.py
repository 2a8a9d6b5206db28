"""When a race can be taken away, in a real browser: the script asks in time, asks again, and says what the server says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from demo import theme
from demo.components.downloads import component as downloads
from demo.server import scripts
from engine import EXPORT_FILES, translate
from tests.helpers.browsing import Tab

pytestmark = pytest.mark.browser
AVAILABLE = {"kinds": list(EXPORT_FILES), "command": "python -m engine race"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this part alone."""
    with gr.Blocks() as app:
        downloads.build()
    look = {"theme": theme.theme(), "css": theme.css(), "app_kwargs": {"routes": scripts.routes()}}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **look)
    yield url
    app.close()


class Page(Tab):
    """A visitor's page, and a server that sends these replies in turn, then repeats the last."""

    def __init__(self, browser: Any, url: str, *replies: dict[str, Any]):
        super().__init__(browser)
        self.requests = 0

        def answer(route: Any) -> None:
            self.requests += 1
            reply = replies[min(self.requests, len(replies)) - 1]
            route.fulfill(json=reply, status=404 if "error" in reply else 200)

        self.page.route(re.compile("/export\\?"), answer)
        self.page.goto(url)
        self.page.wait_for_selector(".hs-take")
        self.wait_on_channel("channel.subscribers.size")

    def begin(self, race: str, *events: str) -> None:
        """Publish a race with these events."""
        state = {"id": race, "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": race == "recorded"}
        self.begin_race(state)
        self.publish([{"event": event, "plan": "{}"} for event in events])

    def wait_until_available(self) -> None:
        self.page.wait_for_function("!document.querySelector('[data-format=script] button').disabled")

    def close(self) -> None:
        """Leave; that an answer was a 404 is no problem of the page's."""
        self.problems = [problem for problem in self.problems if "404" not in problem]
        super().close()


def test_a_recorded_race_can_be_downloaded_while_it_plays(browser: Any, address: str) -> None:
    visitor = Page(browser, address, AVAILABLE)
    visitor.begin("recorded", "RaceStarted")
    visitor.wait_until_available()
    visitor.close()


def test_the_formats_are_requested_at_the_end_and_again_until_the_server_is_ready(browser: Any, address: str) -> None:
    early = {"error": "not over"}
    visitor = Page(browser, address, early, early, AVAILABLE)
    visitor.begin("r", "RaceStarted", "RaceFinished")
    visitor.page.wait_for_timeout(700)  # longer than RETRY_MS: nothing may be requested before Ended
    assert visitor.requests == 0
    assert visitor.page.inner_text(".hs-take-status") == translate("download.waiting")
    visitor.publish([{"event": "Ended", "reason": "done"}])
    visitor.wait_until_available()
    assert visitor.requests == 3
    assert visitor.page.inner_text(".hs-take-status") == ""
    visitor.close()


def test_the_servers_error_message_is_shown(browser: Any, address: str) -> None:
    visitor = Page(browser, address, {"error": "this race ended before it began"})
    visitor.begin("r", "Ended")
    visitor.page.wait_for_function("/before it began/.test(document.querySelector('.hs-take-status')?.textContent)")
    visitor.close()
