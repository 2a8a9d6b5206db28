"""The table of a visitor's races in a real browser: stored races, removed races, copied links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import pytest

from demo import theme
from demo.components.comparison import component as comparison
from demo.server import scripts
from engine import Plan, translate
from tests.helpers.browsing import Tab

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this component alone."""
    with gr.Blocks(fill_width=True) as app:
        comparison.build({})
    options = {"theme": theme.theme(), "css": theme.css(), "app_kwargs": {"routes": scripts.routes()}}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **options)
    yield url
    app.close()


class Page(Tab):
    """A visitor's page; closing it fails if it had errors."""

    def __init__(self, browser: Any, url: str):
        super().__init__(browser)
        self.open(url)

    def open(self, url: str) -> None:
        """Open or reload the page."""
        self.page.goto(url)
        self.wait_on_channel("channel.subscribers.size === 1")

    def race(self, name: str, plan: Plan | None = None, gap: float = 0.4) -> None:
        """Publish a whole race of this visitor."""
        race = {"id": name, "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": False}
        self.begin_race(race)
        self.publish(rows(plan, gap))

    def store(self, value: object) -> None:
        """Store a value as the table's races in this browser."""
        self.page.evaluate("(text) => localStorage.setItem('headstart.races', text)", json.dumps(value))

    def stored(self) -> list[dict[str, Any]]:
        """The races stored in this browser."""
        return self.page.evaluate("JSON.parse(localStorage.getItem('headstart.races') || '[]')")

    def count(self) -> int:
        """Races in the table."""
        return self.page.locator(".hs-compare tbody tr").count()


def rows(plan: Plan | None = None, gap: float = 0.4) -> list[dict[str, Any]]:
    """The rows of a short race."""
    events: list[dict[str, Any]] = [{"event": "RaceStarted", "plan": json.dumps(asdict(plan or Plan()))}]
    for racer, share in (("scratch", 0.4), ("pretrained", 0.4 + gap)):
        end = {"racer": racer, "epoch": 1.0, "seconds": 2.0, "pictures": 9, "correct": round(1000 * share), "total": 1000}
        events += [{"event": "Evaluated", "is_exact": True, **end}, {"event": "Finished", "reason": "done", **end}]
    return [
        *events,
        {"event": "RaceFinished", "gap": gap, "gap_low": gap - 0.01, "gap_high": gap + 0.01, "wall_seconds": 9.0},
    ]


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
    assert [race["id"] for race in visitor.stored()] == ["first"]
    visitor.page.click("[data-do=clear]")
    visitor.open(address)
    visitor.race("first")
    assert visitor.count() == 0
    visitor.race("third")
    assert visitor.count() == 1


def test_invalid_stored_races_are_ignored(visitor: Page, address: str) -> None:
    visitor.race("first", Plan(examples_per_class=7, extra_racers=("frozen",)))
    (first,) = visitor.stored()
    invalid = [None, 3, {}, {"id": "x"}, {**first, "plan": None}, {**first, "final": {}}, {**first, "gap": None},
           {**first, "curves": {"scratch": [None], "pretrained": []}}, {**first, "curves": {"scratch": 1}}]  # fmt: skip
    for value in ({}, 5, None, "races", invalid):
        visitor.store(value)
        visitor.open(address)
        assert visitor.count() == 0
        visitor.race("new")
        assert visitor.count() == 1
    visitor.store([*invalid, first])
    visitor.open(address)
    assert visitor.count() == 1


def test_a_race_stored_by_another_version_is_shown_without_unknown_settings(visitor: Page, address: str) -> None:
    visitor.race("old", Plan(examples_per_class=7))
    (old,) = visitor.stored()
    del old["plan"]["trainable_stages"]  # which is always shown
    visitor.store([{**old, "plan": {**old["plan"], "warp": 9, "extra_racers": "all"}}])
    visitor.open(address)
    text = visitor.page.inner_text(".hs-compare tbody tr")
    assert "undefined" not in text
    assert f"{translate('controls.trainable_stages.label')}: {Plan().trainable_stages}" in text
    assert visitor.page.get_attribute(".hs-compare-actions a", "href") == f"{address}?examples_per_class=7"


def test_the_button_says_copied_after_copying(visitor: Page, address: str) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.race("first", Plan(examples_per_class=7))
    visitor.page.click("[data-act=copy]")
    visitor.page.wait_for_function("document.querySelector('[data-act=copy]')?.textContent === 'Copied'")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{address}?examples_per_class=7"
    assert visitor.page.locator(".hs-compare-actions input").count() == 0


@pytest.mark.parametrize("clipboard", ["undefined", "{ writeText: () => Promise.reject(new Error('not allowed')) }"])
def test_a_link_that_cannot_be_copied_is_shown_selected(visitor: Page, address: str, clipboard: str) -> None:
    visitor.page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    visitor.race("first", Plan(examples_per_class=7))
    for _ in range(2):
        visitor.page.click("[data-act=copy]")
        visitor.page.wait_for_selector(".hs-compare-actions input")
        assert visitor.page.evaluate("getSelection().toString()") == f"{address}?examples_per_class=7"
    assert visitor.page.locator(".hs-compare-actions label").count() == 1
    assert visitor.page.inner_text("[data-act=copy]") == "Copy link"


@pytest.mark.parametrize(("gap", "is_close"), [(0.009, True), (0.02, False)])
def test_a_gap_whose_interval_contains_zero_is_too_close_to_call(visitor: Page, gap: float, is_close: bool) -> None:
    visitor.race("first", Plan(examples_per_class=5), gap)
    assert ("too close to call" in visitor.page.inner_text(".hs-compare tbody tr")) == is_close
