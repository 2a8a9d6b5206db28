"""The real page in a real browser: a race from Start to verdict, a reload in the middle, a stop, keys only, no leaks."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo.server.log_writer import LogWriter
from demo.server.row_log import RowLog
from engine import PhaseStarted, Stepped
from tests.helpers.browsing import on_channel, wait_on_channel
from tests.helpers.recorded import race

HOME = Path(__file__).parents[2]
SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder for screenshots

ROLLS = "document.querySelector('[data-chart=accuracy]').data.find((t) => t.meta[1] === 'subset').x.length > 2"
pytestmark = pytest.mark.browser


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a visitor's server runs it: `python app.py` on a free port."""
    port = free_port()
    path = tmp_path_factory.mktemp("app") / "log"
    env = {**os.environ, "GRADIO_SERVER_PORT": str(port), "HEADSTART_GRACE": "5"}
    with path.open("w") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=HOME, env=env, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        assert process.poll() is None, path.read_text()
        try:
            urllib.request.urlopen(url, timeout=1).read()
            break
        except OSError:
            time.sleep(0.2)
    yield url
    process.send_signal(signal.SIGTERM)  # SIGINT is ignored where a shell started the tests in the background
    process.wait(20)
    text = path.read_text()
    assert "Traceback" not in text, text


class Visitor:
    """A browser context with the page; `problems` collects its errors and requests to other hosts."""

    def __init__(
        self,
        browser: Any,
        url: str,
        width: int = 1440,
        scheme: str = "light",
        locale: str = "en-GB",
        query: str = "",
    ):
        self.url = url
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", locale=locale
        )
        self.problems: list[str] = []
        self.page = self.open(query)

    def open(self, query: str = "") -> Any:
        """A new tab of this browser."""
        page = self.context.new_page()
        page.on("console", lambda m: self.problems.append(f"{m.text} {m.location}") if m.type == "error" else None)
        page.on("pageerror", lambda e: self.problems.append(str(e)))
        page.on("request", lambda r: self.check(r.url))
        page.goto(self.url + query)
        page.wait_for_selector(".main-svg", timeout=60_000)
        return page

    def check(self, url: str) -> None:
        """Note a request to another host."""
        if not url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"off-host request: {url}")

    def close(self) -> None:
        """Close the page, and fail on any problem."""
        self.context.close()
        assert self.problems == []


@pytest.fixture
def visitor(browser: Any, server: str) -> Iterator[Visitor]:
    visitor = Visitor(browser, server)
    yield visitor
    visitor.close()


def drawn(page: Any, racer: str, series: str = "exact") -> list[list[float]]:
    """The points on the chart: [[x …], [y …]]."""
    return page.evaluate(
        """([racer, series]) => {
          const all = document.querySelector('[data-chart=accuracy]').data;
          const t = all.find((t) => t.meta[0] === racer && t.meta[1] === series);
          return [[...t.x], [...t.y]];
        }""",
        [racer, series],
    )


def rows(url: str, race: str) -> list[dict]:
    with urllib.request.urlopen(f"{url}/gradio_api/headstart/races/{race}/rows?since=0") as answer:
        return json.load(answer)["rows"]


def watch_race(page: Any) -> list[str]:
    """The ids of races this page reads, in order of request."""
    seen: list[str] = []
    page.on("request", lambda r: seen.extend(re.findall(r"/races/([^/]+)/events", r.url)))
    return seen


def set_quick(page: Any, examples_per_class: int = 5, epochs: int = 6, learning: int = 1) -> None:
    """Set the widgets to a race of a few seconds."""
    page.fill("#hs-examples input[type=number]", str(examples_per_class))
    page.fill("#hs-learning input[type=number]", str(learning))
    page.click("#hs-more-box button")
    page.fill("#hs-epochs input[type=number]", str(epochs))
    page.keyboard.press("Tab")


def wait_until_drawn(page: Any) -> None:
    """Wait for two frames: the chart appends new points once a frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def headline(page: Any) -> str:
    return page.inner_text(".hs-headline")


def start(page: Any) -> str:
    """Press Start, wait until the race runs, and return its id."""
    races = watch_race(page)
    page.click("#hs-start")
    page.wait_for_function("/LIVE/.test(document.querySelector('.hs-status')?.textContent)", timeout=60_000)
    return races[-1]


def finish(page: Any, seconds: float = 120) -> None:
    page.wait_for_function(
        "document.querySelector('.hs-status')?.textContent === 'finished'"
        " && /wins by|Too close/.test(document.querySelector('.hs-headline')?.textContent)",
        timeout=seconds * 1000,
    )


def test_before_the_first_start_a_recorded_race_is_shown_and_marked(visitor: Visitor) -> None:
    page = visitor.page
    page.wait_for_function("!document.querySelector('.hs-stamp').hidden")
    assert page.inner_text(".hs-stamp").startswith("RECORDED · ")
    page.wait_for_function("document.querySelector('[data-chart=accuracy]').data.some((t) => t.x.length > 3)")
    shoot(page, "recorded")


def test_a_real_race_is_drawn_point_by_point_from_the_log(visitor: Visitor, server: str) -> None:
    page = visitor.page
    set_quick(page, epochs=12)
    race = start(page)
    finish(page)
    wait_on_channel(page, "channel.race?.state.ended")
    wait_until_drawn(page)
    log = rows(server, race)
    for racer in ("scratch", "pretrained"):
        exact = [r for r in log if r["event"] == "Evaluated" and r["racer"] == racer and r["is_exact"]]
        subset = [r for r in log if r["event"] == "Evaluated" and r["racer"] == racer and not r["is_exact"]]
        assert drawn(page, racer) == [[r["epoch"] for r in exact], [r["correct"] / r["total"] for r in exact]]
        assert len(drawn(page, racer, "subset")[0]) == len(subset)
    plan = json.loads(next(r for r in log if r["event"] == "RaceStarted")["plan"])
    assert (plan["examples_per_class"], plan["epochs"], plan["trainable_stages"]) == (5, 12, 1)
    page.check("input[name=hs-axis][value=seconds]")
    page.wait_for_function("document.querySelector('[data-chart=accuracy]').layout.xaxis.title.text === 'seconds'")
    exact = [r for r in log if r["event"] == "Evaluated" and r["racer"] == "scratch" and r["is_exact"]]
    assert drawn(page, "scratch")[0] == [r["seconds"] for r in exact]
    page.click("#hs-tab-loss")
    page.wait_for_selector("[data-chart=loss] .main-svg")
    steps = [r for r in log if r["event"] == "Stepped" and r["racer"] == "scratch"]
    counted = page.evaluate("document.querySelector('[data-chart=loss]').data.find((t) => t.meta[0] === 'scratch').x.length")
    assert counted == len(steps)
    shoot(page, "loss")


def test_the_loss_curve_of_a_diverged_racer_ends_at_the_nan(visitor: Visitor) -> None:
    log = RowLog()
    writer = LogWriter(log)
    writer.write(0.0, PhaseStarted(racer="pretrained", phase="training", trainable_stages=3, epoch=0.0, seconds=0.0))
    for k, (_, event) in enumerate(race(reason="diverged")):
        is_last = isinstance(event, Stepped) and event.step == 4
        writer.write(float(k), replace(event, loss=math.nan) if is_last else event)
    stream = f"id: {len(log.texts)}\ndata: [{','.join(log.texts)}]\n\nevent: end\ndata:\n\n"
    visitor.context.route(
        re.compile("/races/recorded/events"), lambda route: route.fulfill(body=stream, content_type="text/event-stream")
    )
    page = visitor.open()
    page.wait_for_function("/^No verdict/.test(document.querySelector('.hs-headline')?.textContent)")
    assert page.inner_text(".hs-card.hs-pretrained [data-field=phase]") == "diverged"
    page.click("#hs-tab-loss")
    page.wait_for_selector("[data-chart=loss] .main-svg")
    losses = "document.querySelector('[data-chart=loss]').data.find((t) => t.meta.join() === 'pretrained,loss').y"
    assert page.evaluate(f"[...{losses}]") == [1.0, 1.0, 1.0, None]
    shoot(page, "diverged")


def test_a_reload_in_the_middle_and_a_second_tab_show_the_same_race(visitor: Visitor, server: str) -> None:
    page = visitor.page
    set_quick(page, epochs=40)
    race = start(page)
    page.wait_for_function(ROLLS)
    page.reload()
    page.wait_for_selector(".main-svg")
    second = visitor.open()
    for tab in (page, second):
        tab.wait_for_function("document.querySelector('.hs-stamp').hidden")
        assert tab.input_value("#hs-examples input[type=number]") == "5"
    finish(page)
    finish(second)
    for tab in (page, second):
        wait_on_channel(tab, "channel.race?.state.ended")
        wait_until_drawn(tab)
    log = rows(server, race)
    exact = [r["epoch"] for r in log if r["event"] == "Evaluated" and r["racer"] == "scratch" and r["is_exact"]]
    assert drawn(page, "scratch")[0] == exact
    assert drawn(second, "scratch")[0] == exact
    assert headline(page) == headline(second)


class Cable:
    """A TCP relay to the server that can be disconnected and connected again."""

    def __init__(self, port: int):
        self._target, self._pulled, self._ends = port, False, set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        """Close every connection, and every new one, until `put_back`."""
        self._pulled = True
        for end in list(self._ends):
            self._close(end)

    def put_back(self) -> None:
        """Let new connections through again."""
        self._pulled = False

    def close(self) -> None:
        """Close every connection and the port."""
        self.pull()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._pulled:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=(a, b), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        self._close(source)
        self._close(target)

    def _close(self, end: socket.socket) -> None:
        self._ends.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def test_after_a_lost_connection_no_points_are_missing(browser: Any, server: str) -> None:
    cable = Cable(int(server.rsplit(":", 1)[1]))
    visitor = Visitor(browser, cable.url)
    page = visitor.page
    set_quick(page, epochs=60)
    race = start(page)
    page.wait_for_function(ROLLS)
    cable.pull()
    page.wait_for_function("/connection is lost/.test(document.querySelector('.hs-status')?.textContent)", timeout=20_000)
    page.wait_for_timeout(1500)
    cable.put_back()
    finish(page)
    wait_on_channel(page, "channel.race?.state.ended")
    wait_until_drawn(page)
    log = rows(server, race)
    exact = [r["epoch"] for r in log if r["event"] == "Evaluated" and r["racer"] == "scratch" and r["is_exact"]]
    assert drawn(page, "scratch")[0] == exact
    assert all("ERR_" in problem for problem in visitor.problems)  # the browser's error messages
    visitor.problems.clear()
    visitor.close()
    cable.close()


def test_stop_ends_the_race_and_frees_the_machine(visitor: Visitor, server: str) -> None:
    page = visitor.page
    set_quick(page, epochs=200)
    race = start(page)
    page.wait_for_function(ROLLS)
    page.click("#hs-stop")
    page.wait_for_function(
        "/Stopped before the end/.test(document.querySelector('.hs-headline')?.textContent)", timeout=20_000
    )
    log = rows(server, race)
    assert log[-1] == {"event": "Ended", "reason": "stopped"}
    assert {r["reason"] for r in log if r["event"] == "Finished"} <= {"stopped", "done"}


def test_another_visitor_sees_the_race_and_waits_in_the_queue(browser: Any, server: str) -> None:
    ann, bob = Visitor(browser, server), None
    try:
        set_quick(ann.page, epochs=200)
        start(ann.page)
        bob = Visitor(browser, server)
        bob.page.wait_for_function("/another visitor/.test(document.querySelector('.hs-status')?.textContent)")
        set_quick(bob.page, epochs=2)
        bob.page.click("#hs-start")
        bob.page.wait_for_function("/Number 1 in the queue/.test(document.querySelector('.hs-status')?.textContent)")
        ann.context.close()  # the tab is closed: after the grace time the machine is free
        finish(bob.page)
        assert ann.problems == []
    finally:
        if bob:
            bob.close()


def test_an_earlier_race_stays_as_a_ghost_until_cleared(visitor: Visitor) -> None:
    page = visitor.page
    set_quick(page, epochs=4)
    ghosts = "document.querySelector('[data-chart=accuracy]').data.filter((t) => t.meta[0] === 'ghost').length"
    start(page)
    finish(page)
    assert page.evaluate(ghosts) == 0
    start(page)
    page.wait_for_function(f"{ghosts} === 2")
    finish(page)
    page.click(".hs-clear")
    assert page.evaluate(ghosts) == 0


def test_the_page_can_be_used_by_keys_alone(visitor: Visitor) -> None:
    page = visitor.page
    set_quick(page, epochs=200)
    page.focus("#hs-start")
    page.keyboard.press("Enter")
    page.wait_for_function("/LIVE/.test(document.querySelector('.hs-status')?.textContent)")
    page.focus("#hs-tab-accuracy")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#hs-tab-loss", "aria-selected") == "true"
    page.focus("#hs-stop")
    page.keyboard.press("Enter")
    page.wait_for_function("/Stopped before/.test(document.querySelector('.hs-headline')?.textContent)", timeout=20_000)


def test_a_setting_out_of_range_is_refused_with_a_message_and_the_others_are_kept(visitor: Visitor) -> None:
    page = visitor.page
    page.click("#hs-more-box button")
    page.fill("#hs-seed input", "")
    page.click("#hs-start")
    page.wait_for_selector("text=Seed is empty: enter a number")
    page.fill("#hs-seed input", "-5")
    page.click("#hs-start")
    page.wait_for_selector("text=seed is -5; it must be from 0 to")
    assert page.input_value("#hs-examples input[type=number]") == "20"


def test_a_link_sets_the_controls_and_the_network_follows(visitor: Visitor) -> None:
    page = visitor.open("/?examples_per_class=7&trainable_stages=2")
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '7'")
    page.wait_for_function("document.querySelectorAll('.hs-stage.hs-learns').length === 2")
    assert page.locator(".hs-stage.hs-frozen").count() == 4


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_page(browser: Any, server: str, width: int, scheme: str) -> None:
    visitor = Visitor(browser, server, width, scheme)
    visitor.page.wait_for_function("document.querySelector('[data-chart=accuracy]')?.data?.some((t) => t.x.length > 3)")
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert ("dark" in visitor.page.evaluate("document.body.className")) == (scheme == "dark")
    shoot(visitor.page, f"{width}-{scheme}")
    visitor.close()


# Names, descriptions of a machine, reasons from the engine, and Gradio's one text without a translation
ENGLISH = re.compile(
    r"Head Start|Hugging Face|SGD one-cycle|Click to Access Webcam|AMD [^·]*|Intel[^·]*|\d+ cores?|CC BY[- \w.]*|Swin-T|"
    r"no network is used[^\t]*|ConvNeXt-Tiny|Inception v3|ShuffleNetV2 x1.0|Wilson|McNemar|Cloudflare[^\t]*|no answer[^\t]*"
)


@pytest.mark.parametrize(("locale", "query"), [("ja-JP", ""), ("en-GB", "/?lang=ja")])
def test_a_japanese_visitor_reads_japanese(browser: Any, server: str, locale: str, query: str) -> None:
    visitor = Visitor(browser, server, locale=locale, query=query)
    page = visitor.page
    page.wait_for_function("/ポイント/.test(document.querySelector('.hs-headline')?.textContent)")
    page.wait_for_function("/ここでは|所要時間/.test(document.querySelector('#hs-choice')?.textContent)")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.inner_text("#hs-start") == "レースを始める"
    assert "事前学習" in page.inner_text(".hs-header")
    assert "クラスあたりの学習用画像" in page.inner_text("#hs-examples")
    assert "卓上の物" in page.input_value("#hs-task input")
    for button in page.locator("#hs-side button.label-wrap").all():
        if button.is_visible():
            button.click()
    page.wait_for_selector("#hs-way")
    page.click("#hs-way label >> nth=1")
    page.wait_for_timeout(500)
    table = page.locator("#hs-offer-box")  # contains answers of hosts, which are not translated
    hidden = table.inner_text().splitlines() if table.count() else []
    lines = {line for line in page.inner_text("body").splitlines() if line not in hidden}
    assert not [line for line in lines if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", ENGLISH.sub("", line))]
    page.fill("#hs-examples input[type=number]", "5")
    page.fill("#hs-epochs input[type=number]", "2")
    page.keyboard.press("Tab")
    page.click("#hs-start")
    page.wait_for_function("document.querySelector('.hs-status')?.textContent === '終了'", timeout=120_000)
    assert re.search("勝ち|僅差", headline(page))
    shoot(page, f"japanese-{locale}")
    visitor.close()


def test_every_subscriber_receives_every_row_of_the_race_on_the_page(visitor: Visitor, server: str) -> None:
    page = visitor.page
    wait_on_channel(page, "channel.race?.state.finished")
    assert on_channel(page, "[channel.race.isRecorded, channel.race.isOwner]") == [True, False]
    on_channel(
        page, "channel.subscribe(document.body, (race, rows) => (window.received ??= []).push([race.id, rows.length]))"
    )
    set_quick(page, epochs=3)
    race = start(page)
    finish(page)
    wait_on_channel(page, "channel.race?.state.ended")
    log = [row for row in rows(server, race) if row["event"] != "Queued"]
    shown = on_channel(page, "({ ...channel.race, rows: channel.race.rows.length, state: null })")
    assert (shown["id"], shown["rows"]) == (race, len(log))
    assert (shown["task"], len(shown["classes"])) == ("tabletop", 10)
    assert (shown["isOwner"], shown["isRecorded"]) == (True, False)
    received = [count for name, count in page.evaluate("received") if name == race]
    assert sum(received) == len(log)


@pytest.mark.skipif(not SHOTS, reason="draws the README's moving picture, which takes as long as the recorded race")
def test_the_recorded_race_moves(browser: Any, server: str) -> None:
    """The README's picture and thumbnail: HEADSTART_SHOTS=assets/readme python -m pytest -m browser -k race_moves."""
    time.sleep(6)  # the program measures the machine when it starts; a browser on the same cores would slow it down
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference", locale="en-GB")
    page = context.new_page()
    page.goto(server)
    page.wait_for_selector(".main-svg", timeout=60_000)
    frames: list[Image.Image] = []
    times = [time.perf_counter()]
    while not frames or "wins by" not in page.inner_text(".hs-headline"):
        frames.append(frame(page.locator(".hs-race").screenshot()))
        page.wait_for_timeout(300)
        times.append(time.perf_counter())
        assert len(frames) < 300
    frames.append(frame(page.locator(".hs-race").screenshot()))
    page.set_viewport_size({"width": 1200, "height": 630})
    page.wait_for_timeout(500)  # Plotly draws the chart in its new size
    thumbnail = page.screenshot()
    context.close()
    assert sum(first.tobytes() != second.tobytes() for first, second in itertools.pairwise(frames)) > 10
    durations = [round(1000 * (after - before)) for before, after in itertools.pairwise(times)]
    path = Path(str(SHOTS), "race.webp")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name("thumbnail.png").write_bytes(thumbnail)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[*durations, 3000], loop=0, quality=60, method=6)


def frame(screenshot: bytes) -> Image.Image:
    """A screenshot, scaled to 820 pixels wide, on white paper 850 pixels high: the race grows by a line at its end."""
    paper = Image.new("RGB", (820, 850), "white")
    with Image.open(io.BytesIO(screenshot)) as picture:
        paper.paste(picture.convert("RGB").resize((820, round(820 * picture.height / picture.width))))
    return paper


def shoot(page: Any, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        with Image.open(io.BytesIO(page.screenshot(full_page=True))) as picture:
            picture.save(f"{SHOTS}/{name}.webp", quality=80)
