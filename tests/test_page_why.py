"""Why one racer is ahead, drawn in a real browser from the rows of a real race."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gradio as gr
import numpy as np
import pytest
from browsing import Tab
from PIL import Image

from demo import look, why
from engine import Plan, Scoreboard, cells, run_race, to_row

SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder to keep pictures of the page in
PLAN = Plan(examples=5, epochs=3, learning_stages=2)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def raced() -> tuple[Scoreboard, list[dict[str, Any]]]:
    """A short real race: what it came to, and its rows."""
    events = list(run_race(PLAN))
    board = Scoreboard()
    for event in events:
        board.add(event)
    return board, [to_row(event) for event in events]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this part alone."""
    with gr.Blocks() as app:
        why.build()
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, theme=look.theme(), css=look.css(), server_name="127.0.0.1")
    yield url
    app.close()


def sprite(route: Any) -> None:
    """Answer a request for pictures with those of the race."""
    rows = [int(row) for row in parse_qs(urlsplit(route.request.url).query)["rows"][0].split(",")]
    assert len(rows) <= 40
    file = io.BytesIO()
    Image.fromarray(np.concatenate(list(cells(PLAN, "heldout", rows)), 1)).save(file, "PNG")
    route.fulfill(body=file.getvalue(), content_type="image/png")


class Page(Tab):
    """A visitor's page, and what went wrong in it."""

    def __init__(self, browser: Any, url: str, width: int = 1440, scheme: str = "light", language: str = "en"):
        super().__init__(browser, width, scheme, language)
        self.page.route(re.compile("/headstart/cells/"), sprite)
        self.page.goto(url)
        self.page.wait_for_selector(".hs-why")
        self.page.wait_for_function("window.headstart && window.headstart.ears.size")

    def begin(self, rows: list[dict[str, Any]], **story: Any) -> None:
        """Show a race from its start."""
        whole = {"race": "r", "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": False, **story}
        self.page.evaluate("story => window.headstart.begin(story)", whole)
        self.tell(rows)

    def tell(self, rows: list[dict[str, Any]]) -> None:
        """Let more rows come."""
        self.page.evaluate("rows => window.headstart.tell(rows)", rows)
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def shoot(self, name: str) -> None:
        """Keep a picture where pictures are wanted."""
        if SHOTS:
            self.page.wait_for_load_state("networkidle")
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=f"{SHOTS}/why-{name}.png", full_page=True)


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Page]:
    visitor = Page(browser, address)
    yield visitor
    visitor.close()


def in_cell(board: Scoreboard, lane: str, label: int, named: int) -> list[int]:
    """The held-out pictures of a cell of the confusion matrix."""
    pairs = zip(board.started.labels, board.curves[lane].judged.named, strict=True)
    return [row for row, pair in enumerate(pairs) if pair == (label, named)]


def gallery(page: Any, where: str) -> list[dict[str, Any]]:
    """The pictures that are listed there, with both answers."""
    return page.evaluate(
        """(where) => [...document.querySelectorAll(where + ' li')].map((item) => ({
          row: Number(item.querySelector('[data-row]').dataset.row),
          said: [...item.querySelectorAll('.hs-why-answer')].map((node) => [
            node.dataset.lane, node.querySelector('.hs-why-name').textContent,
            node.querySelector('.hs-why-share').textContent, node.querySelector('.hs-why-mark').textContent]),
        }))""",
        where,
    )


def said(board: Scoreboard, row: int) -> list[list[str]]:
    """Both answers to a picture as the page writes them."""
    told = []
    for lane in ("scratch", "transfer"):
        judged = board.curves[lane].judged
        named, sure = judged.named[row], int(100 * judged.confidence[row] + 0.5)
        told.append([lane, board.started.classes[named], f"{sure} %", "✓" if named == board.started.labels[row] else "✗"])
    return told


def test_before_a_race_and_before_its_end_the_page_says_what_will_be_here(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    assert page.locator(".hs-why-empty:visible").count() == 2
    visitor.shoot("empty")
    visitor.begin([row for row in rows if row["event"] not in ("Judged", "Finished", "RaceFinished")])
    assert page.locator(".hs-why-after .hs-why-empty").is_visible()
    assert not page.locator(".hs-why-live .hs-why-empty").is_visible()


def test_the_strip_shows_the_latest_answers_and_nothing_moves_when_they_change(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    started = next(k for k, row in enumerate(rows) if row["event"] == "RaceStarted")
    visitor.begin(rows[: started + 1])
    box = page.locator(".hs-why-strip").bounding_box()
    for row in rows[started + 1 :]:
        if row["event"] == "Answered":
            visitor.tell([row])
    assert page.locator(".hs-why-strip").bounding_box() == box
    for lane in ("scratch", "transfer"):
        last = board.curves[lane].answers[-1]
        names = page.locator(f".hs-why-strip [role=cell][data-lane={lane}] .hs-why-name").all_inner_texts()
        assert names == [board.started.classes[named] for named in last.named]
        marks = page.locator(f".hs-why-strip [role=cell][data-lane={lane}] .hs-why-mark").all_inner_texts()
        right = [n == board.started.labels[row] for n, row in zip(last.named, board.started.shown, strict=True)]
        assert marks == ["✓" if is_right else "✗" for is_right in right]


def test_filters_are_drawn_pixel_by_pixel(visitor: Page, raced: Any) -> None:
    import base64

    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    for lane in ("scratch", "transfer"):
        look_at = next(one for one in reversed(board.curves[lane].looks) if one.filters)
        side = look_at.side
        wanted = np.frombuffer(base64.b64decode(look_at.filters), np.uint8).reshape(look_at.count, side, side, 3)
        drawn = page.evaluate(
            """([lane, side]) => {
              const canvas = document.querySelector(`.hs-why-filters [data-lane=${lane}] canvas`);
              const scale = Math.round(26 / side), pen = canvas.getContext('2d'), all = [];
              for (let y = 0; y < side; y++) for (let x = 0; x < side; x++)
                all.push(...pen.getImageData((side * scale + 2) + x * scale, y * scale, 1, 1).data.slice(0, 3));
              return all;
            }""",
            [lane, side],
        )
        assert drawn == wanted[1].flatten().tolist()


def test_frozen_stages_stand_at_zero_and_the_new_head_is_called_new(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    visitor.begin(rows)
    told = page.locator(".hs-why-moved td[data-lane=transfer] .hs-why-value").all_inner_texts()
    assert told[:4] == ["❄ 0"] * 4
    assert told[4].endswith("%")
    assert told[5] == "new"
    assert "❄ 0" not in page.locator(".hs-why-moved td[data-lane=scratch] .hs-why-value").all_inner_texts()


def test_a_racer_that_diverged_is_said_to_have_and_shown_without_numbers(visitor: Page, raced: Any) -> None:
    """What is not a number is null in the rows."""
    page, (_, rows) = visitor.page, raced
    rows = [dict(row) for row in rows if not (row["event"] == "Judged" and row["lane"] == "transfer")]
    for row in (row for row in rows if row.get("lane") == "transfer"):
        if row["event"] == "Answered":
            row["confidence"] = [None] * len(row["confidence"])
        elif row["event"] == "Looked":
            row["moved"] = [None] * len(row["moved"])
        elif row["event"] == "Finished":
            row |= {"reason": "diverged", "correct": 0, "total": 0, "answers": ""}
    visitor.begin(rows)
    assert set(page.locator(".hs-why-strip [data-lane=transfer] .hs-why-share").all_inner_texts()) == {"–"}
    assert set(page.locator(".hs-why-moved td[data-lane=transfer] .hs-why-value").all_inner_texts()) == {"diverged"}
    assert page.inner_text(".hs-why-halves [data-lane=transfer] p").startswith("diverged: its loss")
    for name in ("classes", "mistakes", "only"):
        page.click(f"[data-view={name}]")
    assert page.inner_text("#hs-why-panel-only p >> nth=1") == "This needs the final answers of both racers."


def test_the_tables_hold_the_scoreboards_numbers(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    for lane in ("scratch", "transfer"):
        shown = page.evaluate(
            """(lane) => [...document.querySelector(`.hs-why-halves [data-lane=${lane}] .hs-why-matrix`).tBodies[0].rows]
              .map((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))""",
            lane,
        )
        assert shown == board.confusion(lane)


def test_a_cell_lists_its_pictures_with_both_answers_by_mouse_and_by_keyboard(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    counts = board.confusion("scratch")
    most = max((n, a, b) for a, row in enumerate(counts) for b, n in enumerate(row) if a != b)[1:]
    page.click(f"[data-of=scratch][data-label='{most[0]}'][data-named='{most[1]}']")
    wanted = in_cell(board, "scratch", *most)
    told = gallery(page, ".hs-why-cell")
    assert [item["row"] for item in told] == wanted[:24]
    assert [item["said"] for item in told] == [said(board, row) for row in wanted[:24]]
    assert (page.locator(".hs-why-more").count() == 1) == (len(wanted) > 24)
    page.wait_for_function("[...document.querySelectorAll('.hs-why-cell [data-row]')].every((n) => n.style.backgroundImage)")
    visitor.shoot("confusion")

    first = page.locator(".hs-why-halves [data-lane=transfer] .hs-why-matrix button[tabindex='0']")
    first.focus()
    page.keyboard.press("ArrowDown")
    at = page.evaluate("[Number(document.activeElement.dataset.label), Number(document.activeElement.dataset.named)]")
    assert at != [0, 0]
    page.keyboard.press("Enter")
    assert [item["row"] for item in gallery(page, ".hs-why-cell")] == in_cell(board, "transfer", *at)[:24]
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_only_one_right_is_what_the_race_counted(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.click("[data-view=only]")
    titles = page.locator("#hs-why-panel-only h3").all_inner_texts()
    counted = [board.finished.only_scratch, board.finished.only_transfer]
    assert [int(re.findall(r"\d+", title)[-1]) for title in titles] == counted
    labels, ends = board.started.labels, {lane: board.curves[lane].judged for lane in ("scratch", "transfer")}
    for lane, other in (("scratch", "transfer"), ("transfer", "scratch")):
        mine = [k for k, label in enumerate(labels) if ends[lane].named[k] == label != ends[other].named[k]]
        surest = sorted(mine, key=lambda row: -ends[lane].confidence[row])[:24]
        told = gallery(page, f"#hs-why-panel-only [data-lane={lane}] .hs-why-gallery")
        assert [item["row"] for item in told] == surest
    visitor.shoot("only")


def test_the_surest_mistakes_come_first_and_every_class_has_its_share(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.focus("[data-view=confusion]")
    page.keyboard.press("ArrowRight")
    shares = page.locator("#hs-why-panel-classes td[data-lane=transfer] .hs-why-value").all_inner_texts()
    counts = board.confusion("transfer")
    assert shares == [f"{int(100 * row[k] / sum(row) + 0.5)} %" for k, row in enumerate(counts)]
    page.click("[data-gap=true]")
    gaps = [(t[k] - s[k], k) for k, (s, t) in enumerate(zip(board.confusion("scratch"), counts, strict=True))]
    names = page.locator("#hs-why-panel-classes tbody th").all_inner_texts()
    assert names == [board.started.classes[k] for _, k in sorted(gaps, key=lambda pair: -pair[0])]
    visitor.shoot("classes")

    page.click("[data-view=mistakes]")
    judged, labels = board.curves["transfer"].judged, board.started.labels
    wrong = [row for row, named in enumerate(judged.named) if named != labels[row]]
    surest = sorted(wrong, key=lambda row: -judged.confidence[row])[:8]
    assert [item["row"] for item in gallery(page, "#hs-why-panel-mistakes [data-lane=transfer]")] == surest
    visitor.shoot("mistakes")


def test_pictures_of_another_visitor_are_not_asked_for(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/cells/" in request.url else None)
    visitor.begin(rows, task=None, isOwner=False)
    assert page.locator(".hs-why-strip .hs-why-picture").first.inner_text() == "another visitor’s own pictures"
    assert asked == []


def test_what_a_visitor_named_stays_text(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    visitor.begin(rows, classes=["<img src=x onerror=alert(1)>", *"bcdefghij"])
    assert page.locator(".hs-why img").count() == 0
    assert "<img" in page.locator(".hs-why-strip").inner_text()


def test_another_race_starts_afresh_and_a_hidden_part_catches_up(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.evaluate("document.querySelector('#hs-why').style.display = 'none'")
    visitor.begin([row for row in rows if row["event"] == "RaceStarted"], race="second")
    assert page.locator(".hs-why-matrix").count() == 2  # nobody could see it
    page.evaluate("document.querySelector('#hs-why').style.display = ''")
    page.wait_for_function("document.querySelectorAll('.hs-why-matrix').length === 0")
    assert page.locator(".hs-why-after .hs-why-empty").is_visible()
    assert page.locator(".hs-why-strip .hs-why-name").all_inner_texts() == ["–"] * 2 * len(board.started.shown)


@pytest.mark.parametrize("classes", [40, 41])
def test_many_classes_stay_on_the_page(visitor: Page, raced: Any, classes: int) -> None:
    """More classes than a table can hold are listed as the pairs most confused."""
    page, (_, rows) = visitor.page, raced
    wide = json.loads(json.dumps(rows))
    for row in wide:
        if row["event"] == "RaceStarted":
            row["classes"] = [f"class {k}" for k in range(classes)]
    visitor.begin(wide)
    assert page.locator(".hs-why-matrix").count() == (2 if classes == 40 else 0)
    assert page.locator(".hs-why-pairs li").count() == (24 if classes == 41 else 0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if classes == 41:
        page.locator(".hs-why-pairs button").first.click()
        assert page.locator(".hs-why-cell li").count() > 0


@pytest.mark.parametrize(("width", "scheme", "language"), [
    (1440, "light", "en"), (1440, "dark", "ja"), (390, "light", "ja"), (390, "dark", "en"),
])  # fmt: skip
def test_nothing_is_cut_off(browser: Any, address: str, raced: Any, width: int, scheme: str, language: str) -> None:
    visitor, (_, rows) = Page(browser, address, width, scheme, language), raced
    visitor.begin(rows)
    page = visitor.page
    title = page.locator(".hs-why-live h2").inner_text()
    assert title == {"en": "While they race", "ja": "レース中"}[language]
    page.locator("[data-of=scratch]").nth(3).click()
    for view in why.VIEWS:
        page.click(f"[data-view={view}]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        visitor.shoot(f"{width}-{scheme}-{view}")
    small = page.evaluate(
        """[...document.querySelectorAll('.hs-why *')].filter((node) => node.offsetParent && node.textContent.trim() &&
          !node.children.length && parseFloat(getComputedStyle(node).fontSize) < 14).map((node) => node.outerHTML)"""
    )
    assert small == []
    visitor.close()
