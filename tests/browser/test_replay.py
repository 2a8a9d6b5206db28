"""A replay opened from a file, without a network: it plays, is scrubbed and read by keys, and looks right on any screen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Stamp, Workspace, replay
from engine.events import Evaluated, RaceStarted
from engine.export.gallery.gallery import gallery
from engine.export.replay import player

RECORDED = Path(__file__).parents[2] / "assets" / "races" / "default.jsonl"
SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder to keep pictures of the page in
pytestmark = pytest.mark.browser
Opener = Callable[..., Any]


@pytest.fixture(scope="module")
def pairs() -> list[Any]:
    return replay(RECORDED)[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, pairs: list[Any]) -> Path:
    """A folder with a replay and its gallery. The pictures are made up: colours, one a class."""
    folder = tmp_path_factory.mktemp("replays")
    started = next(e for _, e in pairs if isinstance(e, RaceStarted))
    pictures = np.random.default_rng(0).integers(0, 255, (len(started.shown), 1, 1, 3)).astype(np.uint8)
    workspace, stamp = Workspace(), Stamp("a machine of some length, 2 cores", "2026-11-21")
    text = player.page(stamp, pairs, workspace, pictures.repeat(64, 1).repeat(64, 2))
    (folder / "race.html").write_text(text, encoding="utf-8")
    (folder / "second.html").write_text(player.page(Stamp("another", "2026-11-20"), pairs, workspace), encoding="utf-8")
    gallery(folder, workspace)
    return folder


@pytest.fixture
def opened(browser: Any, files: Path) -> Iterator[Opener]:
    """Open a file with the network shut; fails on any request or error."""
    contexts, problems = [], []

    def note(request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            problems.append(f"requested {request.url}")

    def open_file(
        name: str = "race.html", width: int = 1440, scheme: str = "light", motion: str = "reduce", **more: Any
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion=motion, offline=True, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: problems.append(str(e)))
        page.on("request", note)
        page.goto((files / name).as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert problems == []


def position(page: Any) -> float:
    return float(page.input_value("#at"))


def scrub(page: Any, to: float) -> None:
    page.evaluate(
        "(to) => { const at = document.querySelector('#at'); at.value = to; at.dispatchEvent(new Event('input')); }", to
    )


def points(page: Any) -> int:
    return page.locator("#accuracy .curves-box .marker").count()


def test_with_less_motion_it_opens_at_the_end(opened: Opener, pairs: list[Any]) -> None:
    page = opened()
    assert re.search(r"Pretrained wins by \d+ points", page.inner_text("#headline"))
    assert points(page) == sum(isinstance(e, Evaluated) and e.is_exact for _, e in pairs)
    assert "RECORDED · a machine of some length, 2 cores · seed 0 · 2026-11-21" in page.inner_text(".stamp")


def test_scrubbing_back_shows_fewer_points_and_no_verdict(opened: Opener) -> None:
    page = opened()
    everything = points(page)
    scrub(page, 0.6 * position(page))
    assert 0 < points(page) < everything
    assert "leads by" in page.inner_text("#headline")
    scrub(page, 0)
    assert points(page) == 0
    assert page.inner_text("#headline") == "The racers are getting ready"
    page.keyboard.press("End")
    assert points(page) == everything
    assert "wins by" in page.inner_text("#headline")


def test_it_plays_at_four_times_the_speed_of_the_race(opened: Opener) -> None:
    page = opened(motion="no-preference")
    began = position(page)
    page.wait_for_timeout(1500)
    passed = position(page) - began
    assert 3 < passed < 9
    page.click("#play")
    stood = position(page)
    page.wait_for_timeout(300)
    assert position(page) == stood
    page.click("[data-speed='16']")
    assert page.get_attribute("[data-speed='16']", "aria-pressed") == "true"
    page.click("#play")
    page.wait_for_function("(least) => Number(document.querySelector('#at').value) > least", arg=stood + 3, timeout=1500)


def test_at_the_end_it_stops_and_plays_again(opened: Opener) -> None:
    page = opened(motion="no-preference")
    page.keyboard.press("End")
    assert page.inner_text("#play") == "Play again"
    page.click("#play")
    page.wait_for_function("Number(document.querySelector('#at').value) > 0")
    assert position(page) < 5


def test_keys_move_through_the_race(opened: Opener) -> None:
    page = opened()
    page.keyboard.press("Home")
    assert position(page) == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert position(page) == 6
    page.keyboard.press("ArrowLeft")
    assert position(page) == 5
    page.focus("#at")
    page.keyboard.press("ArrowRight")
    assert position(page) == 6
    assert page.get_attribute("#at", "aria-valuetext").startswith("6 of ")
    page.keyboard.press("Space")
    page.wait_for_function("Number(document.querySelector('#at').value) > 6")
    page.keyboard.press("Space")
    stood = position(page)
    page.wait_for_timeout(200)
    assert position(page) == stood


def test_the_chart_is_read_by_keys_and_by_the_pointer(opened: Opener) -> None:
    page = opened()
    page.focus("#accuracy .curves-box")
    page.keyboard.press("End")
    assert re.search(r"epochs: 50\s+From scratch [\d.]+ % \(\d+–\d+\)", page.inner_text("#accuracy .curves-readout"))
    end = position(page)
    page.keyboard.press("ArrowLeft")
    assert position(page) == end
    page.keyboard.press("Escape")
    assert page.is_hidden("#accuracy .curves-readout")
    page.hover("#loss .curves-box > svg")
    assert "Pretrained" in page.inner_text("#loss .curves-readout")


def test_the_axis_can_be_seconds_or_pictures(opened: Opener) -> None:
    page = opened()
    everything = points(page)
    for name in ("seconds", "pictures seen"):
        page.get_by_label(name, exact=True).check()
        assert page.text_content("#accuracy text.title") == name
        assert points(page) == everything


def test_predictions_are_marked_correct_or_incorrect_without_colour(opened: Opener) -> None:
    page = opened()
    marks = page.locator("#shown .mark")
    assert marks.count() == 20
    assert set(marks.all_inner_texts()) == {"✓", "✗"}
    page.keyboard.press("Home")
    assert page.locator("#shown .mark").count() == 0


def test_the_browsers_language_decides(opened: Opener) -> None:
    page = opened(locale="ja-JP")
    assert page.get_attribute("html", "lang") == "ja"
    assert "ポイント差で勝ち" in page.inner_text("#headline")
    assert page.inner_text("#play") == "もう一度再生"


def test_without_scripts_it_still_says_how_it_ended(opened: Opener) -> None:
    page = opened(java_script_enabled=False)
    assert "The result: Pretrained wins by" in page.inner_text("noscript")


def test_a_gallery_finds_races_and_opens_them(opened: Opener) -> None:
    page = opened("index.html")
    assert page.locator(".races > li:visible").count() == 2
    page.fill("#find", "ANOTHER 2026-11-20")
    assert page.locator(".races > li:visible").count() == 1
    assert page.inner_text("#count") == "1 of 2"
    page.fill("#find", "nothing like it")
    assert page.inner_text("#count") == "No race here has these words."
    page.fill("#find", "")
    page.click(".races a >> nth=0")
    assert "wins by" in page.inner_text("#headline")


@pytest.mark.parametrize("name", ["race", "index"])
@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_wider_than_the_page(opened: Opener, name: str, width: int, scheme: str, locale: str) -> None:
    page = opened(f"{name}.html", width, scheme, locale=locale)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/replay-{name}-{width}-{scheme}-{locale[:2]}.png", full_page=True)
