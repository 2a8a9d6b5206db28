"""Uploading pictures to the real page in a real browser; corruptions, and more racers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_page import Visitor, finish, rows, server, set_quick, shoot, start, visitor  # noqa: F401
from tests.conftest import shared
from tests.helpers.pictures import TWO, packed, texture, zipped

pytestmark = pytest.mark.browser


def upload(page: Any, path: Path) -> None:
    """Upload a zip."""
    page.click("#hs-own-box button.label-wrap")
    page.set_input_files("#hs-zip input[type=file]", str(path))


def is_ready(page: Any) -> None:
    page.wait_for_function("/Ready to race/.test(document.querySelector('#hs-own')?.textContent)", timeout=60_000)


def last_plan(url: str, race: str) -> dict:
    return json.loads(next(r for r in rows(url, race) if r["event"] == "RaceStarted")["plan"])


def test_sign_digits_are_uploaded_and_raced(visitor: Visitor, server: str) -> None:  # noqa: F811
    page = visitor.page
    upload(page, shared("data", "sign_digits.zip"))
    is_ready(page)
    page.wait_for_function("/sign_digits/.test(document.querySelector('#hs-task input')?.value)")
    assert "518" in page.inner_text("#hs-own")
    page.wait_for_function("document.querySelectorAll('.hs-strip img').length === 10")
    set_quick(page, examples_per_class=20, epochs=6)
    race = start(page)
    finish(page)
    log = rows(server, race)
    started = next(r for r in log if r["event"] == "RaceStarted")
    assert (started["training"], started["heldout"], started["classes"][3]) == (200, 518, "class 4")
    assert "digit" not in json.dumps(log)
    ends = {r["racer"]: r["correct"] / r["total"] for r in log if r["event"] == "Finished"}
    assert ends["pretrained"] > 0.5
    page.wait_for_timeout(500)
    shoot(page, "sign-digits")


def test_another_visitor_cannot_race_with_them(visitor: Visitor, browser: Any, server: str, tmp_path: Path) -> None:  # noqa: F811
    upload(visitor.page, zipped(tmp_path, TWO))
    is_ready(visitor.page)
    set_quick(visitor.page, examples_per_class=4, epochs=1)
    race = start(visitor.page)
    finish(visitor.page)
    assert last_plan(server, race)["task"] == "own"
    name = visitor.page.get_attribute(".hs-strip img", "src").split("/")[-2]
    assert name.startswith("own-")
    bob = Visitor(browser, server)
    page = bob.open(f"/?task={name}")
    page.wait_for_selector("text=cannot be raced with here")
    bob.close()


def test_pictures_are_uploaded_class_by_class(visitor: Visitor, tmp_path: Path) -> None:  # noqa: F811
    page = visitor.page
    page.click("#hs-own-box button.label-wrap")
    page.click("#hs-way label:has-text('photographs')")
    for first, name in ((0, "cups & <b>mugs</b>"), (50, "\u732b")):
        paths = [tmp_path / f"{first + k}.png" for k in range(6)]
        for k, path in enumerate(paths):
            path.write_bytes(packed(texture(first + k)))
        page.fill("#hs-class textarea, #hs-class input", name)
        page.keyboard.press("Tab")
        page.set_input_files("#hs-files input[type=file]", [str(path) for path in paths])
        page.wait_for_function(f"document.querySelectorAll('#hs-own li').length === {1 + bool(first)}")
    assert "6 pictures of \u201ccups & <b>mugs</b>\u201d" in page.inner_text("#hs-own")
    page.click("#hs-finish")
    is_ready(page)
    set_quick(page, examples_per_class=3, epochs=2)
    start(page)
    finish(page)


def test_deleted_pictures_are_no_longer_selected(visitor: Visitor, tmp_path: Path) -> None:  # noqa: F811
    page = visitor.page
    upload(page, zipped(tmp_path, TWO))
    is_ready(page)
    page.wait_for_function("/yours/.test(document.querySelector('#hs-task input')?.value)")
    page.click("#hs-forget")
    page.wait_for_function("/Your pictures are deleted/.test(document.querySelector('#hs-own')?.textContent)")
    page.wait_for_function("/Tabletop/.test(document.querySelector('#hs-task input')?.value)")


def test_an_invalid_zip_shows_an_error_message(visitor: Visitor, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "holiday.zip"
    path.write_bytes(b"this is not a zip at all")
    upload(visitor.page, path)
    visitor.page.wait_for_selector("#hs-own [role=alert]")
    assert "zip" in visitor.page.inner_text("#hs-own")
    assert "Tabletop" in visitor.page.input_value("#hs-task input")


def test_a_preset_sets_the_corruption_of_the_race(visitor: Visitor, server: str) -> None:  # noqa: F811
    page = visitor.page
    page.click("#hs-break-box button.label-wrap")
    page.click("text=Jigsaw")
    page.wait_for_function("/Sixteen patches/.test(document.querySelector('#hs-preset-why')?.textContent)")
    page.wait_for_function("document.querySelector('.hs-strip img').src.includes('shuffle_grid=4')")
    set_quick(page, epochs=2)
    race = start(page)
    finish(page)
    assert last_plan(server, race)["shuffle_grid"] == 4


def test_more_racers_join_on_the_same_chart(visitor: Visitor, server: str) -> None:  # noqa: F811
    page = visitor.page
    page.click("#hs-racers-box button.label-wrap")
    page.click("#hs-racers-box label:has-text('Random backbone')")
    page.click("#hs-racers-box label:has-text('everything')")
    set_quick(page, epochs=2)
    race = start(page)
    finish(page)
    assert last_plan(server, race)["extra_racers"] == ["random", "all"]
    assert page.locator(".hs-small:visible").count() == 2
    racers = page.evaluate(
        "[...new Set(document.querySelector('[data-chart=accuracy]').data.map((t) => t.meta[0]))].sort().join()"
    )
    assert racers == "all,pretrained,random,scratch"


def test_unavailable_networks_are_greyed_with_the_reason(visitor: Visitor) -> None:  # noqa: F811
    page = visitor.page
    page.click("#hs-nav-network")
    page.click(".hs-offer summary")
    assert page.locator(".hs-offer tr.hs-away").count() > 20
    assert "ResNet-50" in page.inner_text(".hs-offer")
    shoot(page, "offer")
