"""Phones in a classroom, in a real browser: two follow a race, bet, lose the network and come back; one takes pictures."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pupils import jpeg
from starlette.applications import Starlette
from test_hub import until
from visitors import texture

from demo import files, viewer
from demo.hub import Hub
from demo.log import Log
from demo.room import Room
from demo.rooms import Rooms
from demo.stream import BASE
from engine import Plan, add_task, say

SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder to keep pictures of the page in
RACE = Plan(examples=4, epochs=80, batch_size=6, learning_stages=1)
pytestmark = pytest.mark.browser


class School:
    """A server with one room, and the presenter's hand on it."""

    def __init__(self) -> None:
        import uvicorn

        self.hub = Hub(grace=600)
        self.rooms = Rooms(self.hub)
        self.room: Room = self.rooms.open("ann")
        self.asked: list[str] = []
        app = Starlette(routes=[*viewer.routes(self.hub, self.rooms), *files.routes(self.hub)])
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def race(self, plan: Plan = RACE) -> Log:
        race = self.hub.start(plan, "ann")
        self.rooms.follow("ann", race)
        found = self.hub.find(race)
        assert found is not None
        return found

    def close(self) -> None:
        self.rooms.close()
        self.hub.close()
        self.server.should_exit = True
        self.thread.join(10)
        until(lambda: self.hub.running is None)


@pytest.fixture
def school(tiny: Path, guests: None) -> Iterator[School]:
    school = School()
    yield school
    school.close()


@pytest.fixture
def phone(browser: Any, school: School) -> Iterator[Callable[..., Any]]:
    """Open a room on a phone; fails if anything but the network's own absence went wrong, or anybody else was asked."""
    contexts, problems = [], []

    def note(request: Any) -> None:
        school.asked.append(request.url)
        if not request.url.startswith((school.url, "data:", "blob:")):
            problems.append(f"asked for {request.url}")

    def complain(message: Any) -> None:
        is_expected = any(text in message.text for text in ("ERR_INTERNET_DISCONNECTED", "503", "404", "403"))
        if message.type in ("error", "warning") and not is_expected:
            problems.append(message.text)

    def join(width: int = 390, scheme: str = "light", language: str = "en-GB", path: str = "", **more: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, locale=language, has_touch=True, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", complain)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", note)
        page.goto(f"{school.url}{BASE}/room{path or f'/{school.room.code}'}")
        return page

    yield join
    for context in contexts:
        context.close()
    assert problems == []


def shoot(page: Any, name: str) -> None:
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/room-{name}.png", full_page=True)
    assert fits, name


def exact(log: Log, lane: str) -> int:
    rows = [json.loads(row) for row in log.rows]
    return sum(row["event"] == "Evaluated" and row["lane"] == lane and row["is_exact"] for row in rows)


def drawn(page: Any, lane: str) -> int:
    return int(page.locator(f".curves-box [data-lane={lane}] .marker").count())


def headline(log: Log, language: str = "en") -> str:
    rows = [json.loads(row) for row in log.rows if '"event":"Standing"' in row]
    return str(rows[-1]["headline"][language])


def is_complete(page: Any, log: Log, language: str = "en") -> bool:
    counts = all(drawn(page, lane) == exact(log, lane) for lane in ("scratch", "transfer"))
    return counts and page.inner_text("#headline") == headline(log, language)


def wait(page: Any, is_so: Callable[[], bool], seconds: float = 30) -> None:
    """As `until`, but the browser's messages are heard meanwhile."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, page.inner_text("body")
        page.wait_for_timeout(50)


def place(page: Any, gap: int, seconds: float | None, name: str = "") -> None:
    page.locator("#gap").fill(str(gap))
    if seconds is None:
        page.check("#never")
    else:
        page.fill("#seconds", str(seconds))
    page.fill("#name", name)
    page.click("#bet button")
    wait(page, lambda: "Your bet" in page.inner_text("#bet-status"))


def test_two_phones_bet_and_see_the_same_race_as_the_log_also_after_a_lost_network(school: School, phone: Any) -> None:
    one, two = phone(), phone(width=430, scheme="dark")
    place(one, 40, None, "<b>Ken</b>")
    place(two, 0, 2.5)
    shoot(one, "bet-390-light")
    shoot(two, "bet-430-dark")
    assert [bet["name"] for bet in school.room.state()["bets"]] == ["<b>Ken</b>", ""]
    until(lambda: school.room.watching == 2)
    log = school.race()
    wait(one, lambda: drawn(one, "transfer") >= 2 and drawn(two, "transfer") >= 2)
    shoot(one, "race-390-light")
    two.context.set_offline(True)
    wait(two, lambda: "Connection lost" in two.inner_text("#status"))
    behind = len(log.light)
    wait(one, lambda: len(log.light) > behind + 10 or log.state == "ended")
    two.context.set_offline(False)
    until(lambda: log.state == "ended")
    for page in (one, two):
        wait(page, lambda page=page: is_complete(page, log))
        page.wait_for_selector("#score:not([hidden])")
        assert "of 200 points" in page.inner_text("#score")
        assert page.locator("#shown li").count() > 0
        assert page.inner_text("#headline")
    assert "never" in one.inner_text("#score")
    shoot(one, "over-390-light")
    shoot(two, "over-430-dark")


def test_a_page_costs_three_requests(school: School, phone: Any) -> None:
    log = school.race(Plan(examples=3, epochs=1, learning_stages=1))
    until(lambda: log.state == "ended")
    page = phone()
    wait(page, lambda: is_complete(page, log))
    page.wait_for_selector("#shown li")
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)
    kinds = [url.split(BASE)[1].split("?")[0].split("/")[1:] for url in school.asked if not url.startswith("data:")]
    assert [kind[0] for kind in kinds] == ["room", "room", "cells"]


def test_a_reload_keeps_the_phone_its_bet_and_the_whole_race(school: School, phone: Any) -> None:
    page = phone()
    place(page, 33, 4)
    log = school.race()
    wait(page, lambda: drawn(page, "transfer") >= 2)
    page.reload()
    wait(page, lambda: "33 points" in page.inner_text("#bet-status"))
    assert school.room.state()["guests"] == 1
    until(lambda: log.state == "ended")
    wait(page, lambda: is_complete(page, log))
    page.wait_for_selector("#score:not([hidden])")


def test_the_next_race_replaces_the_first_also_for_a_phone_that_was_away(school: School, phone: Any) -> None:
    one, two = phone(language="ja-JP"), phone()
    first = school.race()
    wait(two, lambda: drawn(two, "transfer") >= 2)
    two.context.set_offline(True)
    second = school.race(Plan(examples=3, epochs=2, learning_stages=1))
    until(lambda: first.state == "ended" and second.state == "ended")
    two.context.set_offline(False)
    wait(one, lambda: is_complete(one, second, "ja"))
    wait(two, lambda: is_complete(two, second))
    shoot(one, "next-390-ja")


def test_where_streams_are_blocked_the_phone_asks_once_a_second(school: School, phone: Any) -> None:
    page = phone()
    page.context.route("**/events?*", lambda route: route.fulfill(status=503, body="no"))
    page.reload()
    log = school.race(Plan(examples=3, epochs=4, learning_stages=1))
    until(lambda: log.state == "ended")
    wait(page, lambda: is_complete(page, log))
    assert any("/state?" in url for url in school.asked)


def test_a_locked_room_is_said_and_a_phone_comes_in_when_it_opens(school: School, phone: Any) -> None:
    school.room.lock(True)
    page = phone()
    wait(page, lambda: page.inner_text("#gone") == say("refusal.room.locked"))
    assert page.inner_text("#headline") == page.inner_text("#status") == ""
    shoot(page, "locked-390-light")
    school.room.lock(False)
    wait(page, lambda: page.inner_text("#headline") == say("viewer.waiting"))
    assert page.inner_text("#gone") == ""


def test_a_screen_reader_is_told_the_end_but_not_every_point(school: School, phone: Any) -> None:
    page = phone()
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(document.querySelector('#aloud').textContent))"
        ".observe(document.querySelector('#aloud'), { childList: true, characterData: true, subtree: true })"
    )
    log = school.race(Plan(examples=3, epochs=12, learning_stages=1))
    until(lambda: log.state == "ended")
    wait(page, lambda: is_complete(page, log))
    said = page.evaluate("said")
    assert said[-1] == headline(log)
    assert len(said) <= 4
    assert page.locator("#headline").evaluate("(node) => node.closest('[aria-live]')") is None


def test_a_phone_sends_pictures_of_two_classes_and_a_race_runs_on_them(school: School, phone: Any, tmp_path: Path) -> None:
    school.room.collect(["cup", "<i>pen</i>"])
    page = phone()
    page.wait_for_selector(".shoot >> nth=1")
    for kind in range(2):
        paths = []
        for n in range(5):
            path = tmp_path / f"{kind}-{n}.jpg"
            texture(10 * kind + n, 1200).save(path, "JPEG", quality=95)
            paths.append(path)
        page.locator(".shoot input").nth(kind).set_input_files(paths)
    wait(page, lambda: school.room.told_to(next(iter(school.room._phones)))["sent"] == {"cup": 5, "<i>pen</i>": 5})
    page.wait_for_selector(".shoot.enough >> nth=1")
    shoot(page, "camera-390-light")
    with Image.open(io.BytesIO(school.room.picture(1) or b"")) as picture:
        assert picture.size == (224, 224)
    bad = tmp_path / "note.jpg"
    bad.write_text("not a picture")
    page.locator(".shoot input").nth(0).set_input_files(bad)
    wait(page, lambda: "note.jpg" in page.inner_text("#camera-alert"))
    for other in range(3):
        for kind in range(2):
            for n in range(3):
                school.room.put(f"another-phone-{other}", kind, jpeg(1000 + 100 * other + 10 * kind + n))
    name = add_task("own-of-the-room", school.room.album(), is_private=True)
    school.room.made(name)
    log = school.race(Plan(task=name, examples=4, epochs=4, learning_stages=1))
    until(lambda: log.state == "ended")
    wait(page, lambda: is_complete(page, log))
    page.wait_for_selector("#shown li")
    assert "<i>pen</i>" in page.inner_text("#shown")
    shoot(page, "own-390-light")


def test_the_door_asks_for_the_code_and_says_when_it_is_wrong(school: School, phone: Any) -> None:
    page = phone(path="/WRONG9")
    wait(page, lambda: page.inner_text("#wrong") == say("refusal.room.unknown"))
    assert page.inner_text("main").count(say("refusal.room.unknown")) == 1
    assert not page.is_visible("#room")
    shoot(page, "wrong-390-light")
    page.fill("#asked", school.room.code.lower()[:3] + " " + school.room.code[3:])
    shoot(page, "door-390-light")
    page.keyboard.press("Enter")
    wait(page, lambda: page.locator("#code").text_content() == school.room.code)
    shoot(page, "waiting-390-light")
    school.rooms.end("ann")
    wait(page, lambda: page.inner_text("#gone") == say("viewer.over"))
    assert not page.is_visible("#bet")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (820, "light")])
def test_it_fits_small_phones_and_tablets(school: School, phone: Any, width: int, scheme: str) -> None:
    log = school.race(Plan(examples=3, epochs=4, learning_stages=1, extra_lanes=("random", "all")))
    until(lambda: log.state == "ended")
    school.room.collect(["a cup of tea", "w" * 30])
    page = phone(width=width, scheme=scheme)
    wait(page, lambda: is_complete(page, log))
    page.wait_for_selector("#shown li")
    shoot(page, f"all-{width}-{scheme}")
    sizes = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((n) => n.checkVisibility() && [...n.childNodes].some((c) => "
        "c.nodeType === 3 && c.textContent.trim())).map((n) => parseFloat(getComputedStyle(n).fontSize))"
    )
    assert min(sizes) >= 14
