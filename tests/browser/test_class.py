"""A class on the real page: a room is opened, a phone joins, bets, and follows the presenter's race to its verdict."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_page import Visitor, finish, headline, server, shoot, start  # noqa: F401  # fixtures

pytestmark = pytest.mark.browser


def test_a_phone_follows_the_presenters_race(browser: Any, server: str) -> None:  # noqa: F811
    presenter = Visitor(browser, server, query="/?examples_per_class=5&epochs=8&trainable_stages=1&view=class")
    page = presenter.page
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '5'")
    page.wait_for_selector("#hs-view-class", state="visible")
    page.click("#hs-room [data-do=open]")
    page.wait_for_function("/^[A-Z0-9]{6}$/.test(document.querySelector('#hs-room [data-say=code]')?.textContent.trim())")
    code = page.inner_text("#hs-room .hs-class-code [data-say=code]").strip()
    phone = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB", reduced_motion="reduce")
    problems: list[str] = []
    small = phone.new_page()
    small.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    small.on("pageerror", lambda e: problems.append(str(e)))
    requests: list[str] = []
    small.on("request", lambda r: requests.append(r.url))
    small.goto(f"{server}/gradio_api/headstart/room/{code}")
    page.wait_for_function("/1/.test(document.querySelector('#hs-room [data-say=watching]')?.textContent)", timeout=15_000)
    start(page)
    finish(page)
    verdict = headline(page)
    small.wait_for_function("(text) => document.body.innerText.includes(text)", arg=verdict, timeout=15_000)
    assert len([url for url in requests if not url.startswith(("data:", "blob:"))]) <= 3
    assert small.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, "class")
    shoot(small, "phone")
    assert problems == []
    phone.close()
    presenter.close()
