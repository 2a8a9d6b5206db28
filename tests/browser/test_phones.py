"""Phones in a classroom, in a real browser: two follow a race, bet, lose the network and come back; one takes pictures."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette

from demo.classroom import phone as phone_routes
from demo.classroom.room import Room
from demo.classroom.rooms import Rooms
from demo.server.http import BASE
from demo.server.previews import PreviewRoutes
from demo.server.race_job import RaceJob
from demo.server.race_queue import RaceQueue
from engine import Plan, translate
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.classroom import jpeg
from tests.helpers.pictures import texture
from tests.helpers.races import until

SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder to keep pictures of the page in
SLOW = 300.0  # seconds that RACE may take on a busy machine
RACE = Plan(examples_per_class=4, epochs=80, batch_size=6, trainable_stages=1)
pytestmark = pytest.mark.browser


class School:
    """A server with one room, and its presenter's actions."""

    def __init__(self, workspace: Workspace) -> None:
        import uvicorn

        self.queue = RaceQueue(workspace, CPU, grace=600)
        self.rooms = Rooms(self.queue)
        self.room: Room = self.rooms.open("ann")
        self.requests: list[str] = []
        app = Starlette(routes=[*phone_routes.routes(self.queue, self.rooms), *PreviewRoutes(workspace).routes()])
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def race(self, plan: Plan = RACE) -> RaceJob:
        race = self.queue.start(plan, "ann")
        self.rooms.follow("ann", race)
        job = self.queue.find(race)
        assert job is not None
        return job

    def close(self) -> None:
        self.rooms.close()
        self.queue.close()
        self.server.should_exit = True
        self.thread.join(10)
        until(lambda: self.queue.running is None)


@pytest.fixture
def school(workspace: Workspace) -> Iterator[School]:
    school = School(workspace)
    yield school
    school.close()


@pytest.fixture
def phone(browser: Any, school: School) -> Iterator[Callable[..., Any]]:
    """Open a room on a phone; fails on errors other than network failures, and on requests to another server."""
    contexts, problems = [], []

    def note(request: Any) -> None:
        school.requests.append(request.url)
        if not request.url.startswith((school.url, "data:", "blob:")):
            problems.append(f"requested {request.url}")

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


def exact(job: RaceJob, racer: str) -> int:
    return sum(row["event"] == "Evaluated" and row["racer"] == racer and row["is_exact"] for row in job.log.rows)


def drawn(page: Any, racer: str) -> int:
    return int(page.locator(f".curves-box [data-racer={racer}] .marker").count())


def headline(job: RaceJob, language: str = "en") -> str:
    rows = [row for row in job.log.rows if row["event"] == "Standing"]
    return str(rows[-1]["headline"][language])


def is_complete(page: Any, job: RaceJob, language: str = "en") -> bool:
    counts = all(drawn(page, racer) == exact(job, racer) for racer in ("scratch", "pretrained"))
    return counts and page.inner_text("#headline") == headline(job, language)


def wait(page: Any, is_so: Callable[[], bool], seconds: float = 30) -> None:
    """As `until`, but the browser's events are handled meanwhile."""
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


# Keeps every text of the status line: rows that were on their way when the network went replace it
EVERY_STATUS = """() => {
  const status = document.querySelector("#status");
  window.statuses = [];
  const observer = new MutationObserver(() => window.statuses.push(status.textContent));
  observer.observe(status, {childList: true, characterData: true, subtree: true});
}"""


def test_two_phones_bet_and_show_every_row_of_the_race_also_after_losing_the_network(school: School, phone: Any) -> None:
    one, two = phone(), phone(width=430, scheme="dark")
    place(one, 40, None, "<b>Ken</b>")
    place(two, 0, 2.5)
    shoot(one, "bet-390-light")
    shoot(two, "bet-430-dark")
    assert [bet["name"] for bet in school.room.state()["bets"]] == ["<b>Ken</b>", ""]
    until(lambda: school.room.watching == 2)
    job = school.race()
    wait(one, lambda: drawn(one, "pretrained") >= 2 and drawn(two, "pretrained") >= 2)
    shoot(one, "race-390-light")
    two.evaluate(EVERY_STATUS)
    two.context.set_offline(True)
    wait(two, lambda: "Connection lost" in two.evaluate("window.statuses.join()"))
    behind = len(job.log.light)
    wait(one, lambda: len(job.log.light) > behind + 10 or job.state == "ended")
    two.context.set_offline(False)
    until(lambda: job.state == "ended", SLOW)
    for page in (one, two):
        wait(page, lambda page=page: is_complete(page, job))
        page.wait_for_selector("#score:not([hidden])")
        assert "of 200 points" in page.inner_text("#score")
        assert page.locator("#shown li").count() > 0
        assert page.inner_text("#headline")
    assert "never" in one.inner_text("#score")
    shoot(one, "over-390-light")
    shoot(two, "over-430-dark")


def test_a_page_costs_three_requests(school: School, phone: Any) -> None:
    job = school.race(Plan(examples_per_class=3, epochs=1, trainable_stages=1))
    until(lambda: job.state == "ended")
    page = phone()
    wait(page, lambda: is_complete(page, job))
    page.wait_for_selector("#shown li")
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)
    paths = [url.split(BASE)[1].split("?")[0].split("/")[1:] for url in school.requests if not url.startswith("data:")]
    assert [path[0] for path in paths] == ["room", "room", "cells"]


def test_a_reload_keeps_the_phone_its_bet_and_the_whole_race(school: School, phone: Any) -> None:
    page = phone()
    place(page, 33, 4)
    job = school.race()
    wait(page, lambda: drawn(page, "pretrained") >= 2)
    page.reload()
    wait(page, lambda: "33 points" in page.inner_text("#bet-status"))
    assert school.room.state()["guests"] == 1
    until(lambda: job.state == "ended", SLOW)
    wait(page, lambda: is_complete(page, job))
    page.wait_for_selector("#score:not([hidden])")


def test_the_next_race_replaces_the_first_also_for_a_phone_that_was_away(school: School, phone: Any) -> None:
    one, two = phone(language="ja-JP"), phone()
    first = school.race()
    wait(two, lambda: drawn(two, "pretrained") >= 2)
    two.context.set_offline(True)
    second = school.race(Plan(examples_per_class=3, epochs=2, trainable_stages=1))
    until(lambda: first.state == "ended" and second.state == "ended")
    two.context.set_offline(False)
    wait(one, lambda: is_complete(one, second, "ja"))
    wait(two, lambda: is_complete(two, second))
    shoot(one, "next-390-ja")


def test_where_streams_are_blocked_the_phone_polls_once_a_second(school: School, phone: Any) -> None:
    page = phone()
    page.context.route("**/events?*", lambda route: route.fulfill(status=503, body="no"))
    page.reload()
    job = school.race(Plan(examples_per_class=3, epochs=4, trainable_stages=1))
    until(lambda: job.state == "ended")
    wait(page, lambda: is_complete(page, job))
    assert any("/state?" in url for url in school.requests)


def test_a_locked_room_shows_a_message_and_a_phone_joins_when_it_opens(school: School, phone: Any) -> None:
    school.room.lock(True)
    page = phone()
    wait(page, lambda: page.inner_text("#gone") == translate("refusal.room.locked"))
    wait(page, lambda: page.inner_text("#headline") == page.inner_text("#status") == "")  # painted with the next frame
    shoot(page, "locked-390-light")
    school.room.lock(False)
    wait(page, lambda: page.inner_text("#headline") == translate("phone.waiting"))
    assert page.inner_text("#gone") == ""


def test_a_screen_reader_hears_the_end_but_not_every_point(school: School, phone: Any) -> None:
    page = phone()
    page.evaluate(
        "window.announced = []; new MutationObserver(() => announced.push(document.querySelector('#aloud').textContent))"
        ".observe(document.querySelector('#aloud'), { childList: true, characterData: true, subtree: true })"
    )
    job = school.race(Plan(examples_per_class=3, epochs=12, trainable_stages=1))
    until(lambda: job.state == "ended")
    wait(page, lambda: is_complete(page, job))
    announced = page.evaluate("announced")
    assert announced[-1] == headline(job)
    assert len(announced) <= 4
    assert page.locator("#headline").evaluate("(node) => node.closest('[aria-live]')") is None


def test_a_phone_sends_pictures_of_two_classes_and_a_race_runs_on_them(school: School, phone: Any, tmp_path: Path) -> None:
    school.room.collect(["cup", "<i>pen</i>"])
    page = phone()
    page.wait_for_selector(".shoot >> nth=1")
    for class_index in range(2):
        paths = []
        for n in range(5):
            path = tmp_path / f"{class_index}-{n}.jpg"
            texture(10 * class_index + n, 1200).save(path, "JPEG", quality=95)
            paths.append(path)
        page.locator(".shoot input").nth(class_index).set_input_files(paths)
    guest = page.evaluate("JSON.parse(localStorage.getItem('headstart.guest'))")
    wait(page, lambda: school.room.guest_state(guest)["sent"] == {"cup": 5, "<i>pen</i>": 5})
    page.wait_for_selector(".shoot.enough >> nth=1")
    shoot(page, "camera-390-light")
    with Image.open(io.BytesIO(school.room.picture(1) or b"")) as picture:
        assert picture.size == (224, 224)
    bad = tmp_path / "note.jpg"
    bad.write_text("not a picture")
    page.locator(".shoot input").nth(0).set_input_files(bad)
    wait(page, lambda: "note.jpg" in page.inner_text("#camera-alert"))
    for other in range(3):
        for class_index in range(2):
            for n in range(3):
                school.room.add_picture(
                    f"another-phone-{other}", class_index, jpeg(1000 + 100 * other + 10 * class_index + n)
                )
    name = school.queue.workspace.tasks.add("own-of-the-room", school.room.dataset())
    school.room.add_task(name)
    job = school.race(Plan(task=name, examples_per_class=4, epochs=4, trainable_stages=1))
    until(lambda: job.state == "ended")
    wait(page, lambda: is_complete(page, job))
    page.wait_for_selector("#shown li")
    assert "<i>pen</i>" in page.inner_text("#shown")
    shoot(page, "own-390-light")


def test_the_form_asks_for_the_code_and_says_when_it_is_wrong(school: School, phone: Any) -> None:
    page = phone(path="/WRONG9")
    wait(page, lambda: page.inner_text("#wrong") == translate("refusal.room.unknown"))
    assert page.inner_text("main").count(translate("refusal.room.unknown")) == 1
    assert not page.is_visible("#room")
    shoot(page, "wrong-390-light")
    page.fill("#typed", school.room.code.lower()[:3] + " " + school.room.code[3:])
    shoot(page, "code-form-390-light")
    page.keyboard.press("Enter")
    wait(page, lambda: page.locator("#code").text_content() == school.room.code)
    shoot(page, "waiting-390-light")
    school.rooms.end("ann")
    wait(page, lambda: page.inner_text("#gone") == translate("phone.over"))
    assert not page.is_visible("#bet")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (820, "light")])
def test_it_fits_small_phones_and_tablets(school: School, phone: Any, width: int, scheme: str) -> None:
    job = school.race(Plan(examples_per_class=3, epochs=4, trainable_stages=1, extra_racers=("random", "all")))
    until(lambda: job.state == "ended")
    school.room.collect(["a cup of tea", "w" * 30])
    page = phone(width=width, scheme=scheme)
    wait(page, lambda: is_complete(page, job))
    page.wait_for_selector("#shown li")
    shoot(page, f"all-{width}-{scheme}")
    sizes = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((n) => n.checkVisibility() && [...n.childNodes].some((c) => "
        "c.nodeType === 3 && c.textContent.trim())).map((n) => parseFloat(getComputedStyle(n).fontSize))"
    )
    assert min(sizes) >= 14
