"""The table of a visitor's races in a real browser: what is kept, what stays removed, what is copied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import pytest
from browsing import Tab

from demo import compare, look
from engine import Plan, say

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this part alone."""
    with gr.Blocks(fill_width=True) as app:
        compare.build()
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, theme=look.theme(), css=look.css(), server_name="127.0.0.1")
    yield url
    app.close()


class Page(Tab):
    """A visitor's page, and what went wrong in it."""

    def __init__(self, browser: Any, url: str):
        super().__init__(browser)
        self.open(url)

    def open(self, url: str) -> None:
        """Come, or come again."""
        self.page.goto(url)
        self.page.wait_for_function("window.headstart && window.headstart.ears.size === 1")

    def race(self, name: str, plan: Plan | None = None, gap: float = 0.4) -> None:
        """Show a race of hers from its start to its end."""
        story = {"race": name, "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": False}
        self.page.evaluate("([story, rows]) => { headstart.begin(story); headstart.tell(rows); }", [story, rows(plan, gap)])

    def keep(self, value: object) -> None:
        """Put something into the table's place in this browser's memory."""
        self.page.evaluate("(text) => localStorage.setItem('headstart.races', text)", json.dumps(value))

    def kept(self) -> list[dict[str, Any]]:
        """What this browser remembers."""
        return self.page.evaluate("JSON.parse(localStorage.getItem('headstart.races') || '[]')")

    def count(self) -> int:
        """Races in the table."""
        return self.page.locator(".hs-compare tbody tr").count()


def rows(plan: Plan | None = None, gap: float = 0.4) -> list[dict[str, Any]]:
    """A race as its log tells it, shortly."""
    told: list[dict[str, Any]] = [{"event": "RaceStarted", "plan": json.dumps(asdict(plan or Plan()))}]
    for lane, share in (("scratch", 0.4), ("transfer", 0.4 + gap)):
        end = {"lane": lane, "epoch": 1.0, "seconds": 2.0, "pictures": 9, "correct": round(1000 * share), "total": 1000}
        told += [{"event": "Evaluated", "is_exact": True, **end}, {"event": "Finished", "reason": "done", **end}]
    return [*told, {"event": "RaceFinished", "gap": gap, "gap_low": gap - 0.01, "gap_high": gap + 0.01, "wall_seconds": 9.0}]


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Page]:
    visitor = Page(browser, address)
    yield visitor
    visitor.close()


def test_a_race_that_was_removed_does_not_come_back_with_its_log(visitor: Page, address: str) -> None:
    for name in ("first", "second"):
        visitor.race(name)
    visitor.page.locator("[data-act=remove]").first.click()  # the newest stands first
    visitor.open(address)
    visitor.race("second")
    assert [race["id"] for race in visitor.kept()] == ["first"]
    visitor.page.click("[data-do=clear]")
    visitor.open(address)
    visitor.race("first")
    assert visitor.count() == 0
    visitor.race("third")
    assert visitor.count() == 1


def test_what_others_left_in_the_browser_harms_nothing(visitor: Page, address: str) -> None:
    visitor.race("mine", Plan(examples=7, extra_lanes=("frozen",)))
    (mine,) = visitor.kept()
    odd = [None, 3, {}, {"id": "x"}, {**mine, "plan": None}, {**mine, "final": {}}, {**mine, "gap": None},
           {**mine, "curves": {"scratch": [None], "transfer": []}}, {**mine, "curves": {"scratch": 1}}]  # fmt: skip
    for kept in ({}, 5, None, "races", odd):
        visitor.keep(kept)
        visitor.open(address)
        assert visitor.count() == 0
        visitor.race("new")
        assert visitor.count() == 1
    visitor.keep([*odd, mine])
    visitor.open(address)
    assert visitor.count() == 1


def test_a_race_of_another_version_is_shown_without_what_it_does_not_know(visitor: Page, address: str) -> None:
    visitor.race("old", Plan(examples=7))
    (old,) = visitor.kept()
    del old["plan"]["learning_stages"]  # which is always shown
    visitor.keep([{**old, "plan": {**old["plan"], "warp": 9, "extra_lanes": "all"}}])
    visitor.open(address)
    said = visitor.page.inner_text(".hs-compare tbody tr")
    assert "undefined" not in said
    assert f"{say('controls.learning_stages.label')}: {Plan().learning_stages}" in said
    assert visitor.page.get_attribute(".hs-compare-actions a", "href") == f"{address}?examples=7"


def test_copied_is_said_when_it_was(visitor: Page, address: str) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.race("mine", Plan(examples=7))
    visitor.page.click("[data-act=copy]")
    visitor.page.wait_for_function("document.querySelector('[data-act=copy]')?.textContent === 'Copied'")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{address}?examples=7"
    assert visitor.page.locator(".hs-compare-actions input").count() == 0


@pytest.mark.parametrize("clipboard", ["undefined", "{ writeText: () => Promise.reject(new Error('not allowed')) }"])
def test_a_link_that_may_not_be_copied_stands_there_selected(visitor: Page, address: str, clipboard: str) -> None:
    visitor.page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    visitor.race("mine", Plan(examples=7))
    for _ in range(2):
        visitor.page.click("[data-act=copy]")
        visitor.page.wait_for_selector(".hs-compare-actions input")
        assert visitor.page.evaluate("getSelection().toString()") == f"{address}?examples=7"
    assert visitor.page.locator(".hs-compare-actions label").count() == 1
    assert visitor.page.inner_text("[data-act=copy]") == "Copy link"


@pytest.mark.parametrize(("gap", "is_close"), [(0.06, True), (0.08, False)])
def test_a_gap_that_another_draw_could_turn_is_too_close_to_call(visitor: Page, gap: float, is_close: bool) -> None:
    visitor.race("mine", Plan(examples=5), gap)
    assert ("too close to call" in visitor.page.inner_text(".hs-compare tbody tr")) == is_close
