"""When a race can be taken away, in a real browser: the script asks in time, asks again, and says what the server says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from browsing import Tab

from demo import look, takeaway
from engine import FILES, say

pytestmark = pytest.mark.browser
THERE = {"kinds": list(FILES), "command": "python -m engine race"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this part alone."""
    with gr.Blocks() as app:
        takeaway.build()
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, theme=look.theme(), css=look.css(), server_name="127.0.0.1")
    yield url
    app.close()


class Page(Tab):
    """A visitor's page, and a server that gives these answers in turn, then the last one for ever."""

    def __init__(self, browser: Any, url: str, *answers: dict[str, Any]):
        super().__init__(browser)
        self.asked = 0

        def answer(route: Any) -> None:
            self.asked += 1
            told = answers[min(self.asked, len(answers)) - 1]
            route.fulfill(json=told, status=404 if "error" in told else 200)

        self.page.route(re.compile("/take\\?"), answer)
        self.page.goto(url)
        self.page.wait_for_selector(".hs-take")
        self.page.wait_for_function("window.headstart && window.headstart.ears.size")

    def begin(self, race: str, *events: str) -> None:
        """Show a race of which these events are known."""
        story = {"race": race, "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": race == "recorded"}
        self.page.evaluate("story => window.headstart.begin(story)", story)
        self.page.evaluate("rows => window.headstart.tell(rows)", [{"event": event} for event in events])

    def wait_until_there(self) -> None:
        self.page.wait_for_function("!document.querySelector('[data-kind=script] button').disabled")

    def close(self) -> None:
        """Leave; that an answer was a 404 is no problem of the page's."""
        self.problems = [problem for problem in self.problems if "404" not in problem]
        super().close()


def test_a_recorded_race_can_be_taken_before_it_has_played_out(browser: Any, address: str) -> None:
    visitor = Page(browser, address, THERE)
    visitor.begin("recorded", "RaceStarted")
    visitor.wait_until_there()
    visitor.close()


def test_a_race_is_asked_for_when_it_has_ended_and_again_while_the_server_tidies_up(browser: Any, address: str) -> None:
    early = {"error": "not over"}
    visitor = Page(browser, address, early, early, THERE)
    visitor.begin("r", "RaceStarted", "RaceFinished")
    visitor.page.wait_for_timeout(700)  # as long as it once waited after RaceFinished
    assert visitor.asked == 0
    assert visitor.page.inner_text(".hs-take-status") == say("take.waiting")
    visitor.page.evaluate("window.headstart.tell([{ event: 'Ended', reason: 'done' }])")
    visitor.wait_until_there()
    assert visitor.asked == 3
    assert visitor.page.inner_text(".hs-take-status") == ""
    visitor.close()


def test_what_the_server_refuses_is_said_in_its_own_words(browser: Any, address: str) -> None:
    visitor = Page(browser, address, {"error": "this race ended before it began"})
    visitor.begin("r", "Ended")
    visitor.page.wait_for_function("/before it began/.test(document.querySelector('.hs-take-status')?.textContent)")
    visitor.close()
