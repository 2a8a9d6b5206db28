"""The view "why" in a real browser, with the rows of a real race."""

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
from PIL import Image

from demo import theme
from demo.components.explain import component as explain
from demo.server import scripts
from engine import Plan, Scoreboard, evaluation_previews, run_race, to_row
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.browsing import Tab

SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder for screenshots
PLAN = Plan(examples_per_class=5, epochs=3, trainable_stages=2)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def raced() -> tuple[Scoreboard, list[dict[str, Any]]]:
    """A short real race: its scoreboard and its rows."""
    events = list(run_race(PLAN, Workspace(), CPU))
    board = Scoreboard()
    for event in events:
        board.add(event)
    return board, [to_row(event) for event in events]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with this component alone."""
    with gr.Blocks() as app:
        explain.build()
    look = {"theme": theme.theme(), "css": theme.css(), "app_kwargs": {"routes": scripts.routes()}}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **look)
    yield url
    app.close()


def sprite(route: Any) -> None:
    """Answer a request for pictures with those of the race."""
    rows = [int(row) for row in parse_qs(urlsplit(route.request.url).query)["rows"][0].split(",")]
    assert len(rows) <= 40
    file = io.BytesIO()
    Image.fromarray(np.concatenate(list(evaluation_previews(PLAN, Workspace(), "heldout", rows)), 1)).save(file, "PNG")
    route.fulfill(body=file.getvalue(), content_type="image/png")


class Page(Tab):
    """A visitor's page; closing it fails if it had errors."""

    def __init__(self, browser: Any, url: str, width: int = 1440, scheme: str = "light", language: str = "en"):
        super().__init__(browser, width, scheme, language)
        self.page.route(re.compile("/headstart/cells/"), sprite)
        self.page.goto(url)
        self.page.wait_for_selector(".hs-why")
        self.wait_on_channel("channel.subscribers.size")

    def begin(self, rows: list[dict[str, Any]], **race: Any) -> None:
        """Make this the race of the page and send its rows."""
        whole = {"id": "r", "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": False, **race}
        self.begin_race(whole)
        self.send(rows)

    def send(self, rows: list[dict[str, Any]]) -> None:
        """Send more rows and wait until they are rendered."""
        self.publish(rows)
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def shoot(self, name: str) -> None:
        """Save a screenshot where HEADSTART_SHOTS is set."""
        if SHOTS:
            self.page.wait_for_load_state("networkidle")
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=f"{SHOTS}/why-{name}.png", full_page=True)


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Page]:
    visitor = Page(browser, address)
    yield visitor
    visitor.close()


def in_cell(board: Scoreboard, racer: str, label: int, predicted: int) -> list[int]:
    """The held-out pictures of a cell of the confusion matrix."""
    pairs = zip(board.started.labels, board.curves[racer].predictions.predicted, strict=True)
    return [row for row, pair in enumerate(pairs) if pair == (label, predicted)]


def gallery(page: Any, where: str) -> list[dict[str, Any]]:
    """The pictures listed there, with both predictions."""
    return page.evaluate(
        """(where) => [...document.querySelectorAll(where + ' li')].map((item) => ({
          row: Number(item.querySelector('[data-row]').dataset.row),
          predictions: [...item.querySelectorAll('.hs-why-answer')].map((node) => [
            node.dataset.racer, node.querySelector('.hs-why-name').textContent,
            node.querySelector('.hs-why-share').textContent, node.querySelector('.hs-why-mark').textContent]),
        }))""",
        where,
    )


def predictions_of(board: Scoreboard, row: int) -> list[list[str]]:
    """Both predictions for a picture as the page writes them."""
    texts = []
    for racer in ("scratch", "pretrained"):
        predictions = board.curves[racer].predictions
        predicted, confidence = predictions.predicted[row], int(100 * predictions.confidence[row] + 0.5)
        mark = "✓" if predicted == board.started.labels[row] else "✗"
        texts.append([racer, board.started.classes[predicted], f"{confidence} %", mark])
    return texts


def test_before_a_race_and_before_its_end_the_view_says_what_it_will_show(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    assert page.locator(".hs-why-empty:visible").count() == 2
    visitor.shoot("empty")
    visitor.begin([row for row in rows if row["event"] not in ("Predicted", "Finished", "RaceFinished")])
    assert page.locator(".hs-why-after .hs-why-empty").is_visible()
    assert not page.locator(".hs-why-live .hs-why-empty").is_visible()


def test_the_previews_show_the_latest_predictions_and_keep_their_size(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    started = next(k for k, row in enumerate(rows) if row["event"] == "RaceStarted")
    visitor.begin(rows[: started + 1])
    box = page.locator(".hs-why-strip").bounding_box()
    for row in rows[started + 1 :]:
        if row["event"] == "PreviewPredicted":
            visitor.send([row])
    assert page.locator(".hs-why-strip").bounding_box() == box
    for racer in ("scratch", "pretrained"):
        last = board.curves[racer].previews[-1]
        names = page.locator(f".hs-why-strip [role=cell][data-racer={racer}] .hs-why-name").all_inner_texts()
        assert names == [board.started.classes[predicted] for predicted in last.predicted]
        marks = page.locator(f".hs-why-strip [role=cell][data-racer={racer}] .hs-why-mark").all_inner_texts()
        labels = [board.started.labels[row] for row in board.started.shown]
        assert marks == ["✓" if a == b else "✗" for a, b in zip(last.predicted, labels, strict=True)]


def test_filters_are_drawn_pixel_by_pixel(visitor: Page, raced: Any) -> None:
    import base64

    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    for racer in ("scratch", "pretrained"):
        probe = next(one for one in reversed(board.curves[racer].weight_probes) if one.filters)
        side = probe.side
        expected = np.frombuffer(base64.b64decode(probe.filters), np.uint8).reshape(probe.count, side, side, 3)
        drawn = page.evaluate(
            """([racer, side]) => {
              const canvas = document.querySelector(`.hs-why-filters [data-racer=${racer}] canvas`);
              const scale = Math.round(26 / side), pen = canvas.getContext('2d'), all = [];
              for (let y = 0; y < side; y++) for (let x = 0; x < side; x++)
                all.push(...pen.getImageData((side * scale + 2) + x * scale, y * scale, 1, 1).data.slice(0, 3));
              return all;
            }""",
            [racer, side],
        )
        assert drawn == expected[1].flatten().tolist()


def test_frozen_stages_show_zero_and_the_new_head_shows_new(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    visitor.begin(rows)
    changes = page.locator(".hs-why-moved td[data-racer=pretrained] .hs-why-value").all_inner_texts()
    assert changes[:4] == ["❄ 0"] * 4
    assert changes[4].endswith("%")
    assert changes[5] == "new"
    assert "❄ 0" not in page.locator(".hs-why-moved td[data-racer=scratch] .hs-why-value").all_inner_texts()


def test_a_diverged_racer_is_shown_as_diverged_without_numbers(visitor: Page, raced: Any) -> None:
    """A loss that is not a number is null in the rows."""
    page, (_, rows) = visitor.page, raced
    rows = [dict(row) for row in rows if not (row["event"] == "Predicted" and row["racer"] == "pretrained")]
    for row in (row for row in rows if row.get("racer") == "pretrained"):
        if row["event"] == "PreviewPredicted":
            row["confidence"] = [None] * len(row["confidence"])
        elif row["event"] == "WeightsProbed":
            row["relative_weight_change"] = [None] * len(row["relative_weight_change"])
        elif row["event"] == "Finished":
            row |= {"reason": "diverged", "correct": 0, "total": 0, "answers": ""}
    visitor.begin(rows)
    assert set(page.locator(".hs-why-strip [data-racer=pretrained] .hs-why-share").all_inner_texts()) == {"–"}
    assert set(page.locator(".hs-why-moved td[data-racer=pretrained] .hs-why-value").all_inner_texts()) == {"diverged"}
    assert page.inner_text(".hs-why-halves [data-racer=pretrained] p").startswith("diverged: its loss")
    for name in ("classes", "mistakes", "only"):
        page.click(f"[data-view={name}]")
    assert page.inner_text("#hs-why-panel-only p >> nth=1") == "This needs the final answers of both racers."


def test_the_tables_hold_the_scoreboards_numbers(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    for racer in ("scratch", "pretrained"):
        shown = page.evaluate(
            """(racer) => [...document.querySelector(`.hs-why-halves [data-racer=${racer}] .hs-why-matrix`).tBodies[0].rows]
              .map((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))""",
            racer,
        )
        assert shown == board.confusion(racer)


def test_a_cell_lists_its_pictures_with_both_predictions_by_mouse_and_by_keyboard(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    counts = board.confusion("scratch")
    most = max((n, a, b) for a, row in enumerate(counts) for b, n in enumerate(row) if a != b)[1:]
    page.click(f"[data-of=scratch][data-label='{most[0]}'][data-predicted='{most[1]}']")
    rows_in_cell = in_cell(board, "scratch", *most)
    pictures = gallery(page, ".hs-why-cell")
    assert [item["row"] for item in pictures] == rows_in_cell[:24]
    assert [item["predictions"] for item in pictures] == [predictions_of(board, row) for row in rows_in_cell[:24]]
    assert (page.locator(".hs-why-more").count() == 1) == (len(rows_in_cell) > 24)
    page.wait_for_function("[...document.querySelectorAll('.hs-why-cell [data-row]')].every((n) => n.style.backgroundImage)")
    visitor.shoot("confusion")

    first = page.locator(".hs-why-halves [data-racer=pretrained] .hs-why-matrix button[tabindex='0']")
    first.focus()
    page.keyboard.press("ArrowDown")
    at = page.evaluate("[Number(document.activeElement.dataset.label), Number(document.activeElement.dataset.predicted)]")
    assert at != [0, 0]
    page.keyboard.press("Enter")
    assert [item["row"] for item in gallery(page, ".hs-why-cell")] == in_cell(board, "pretrained", *at)[:24]
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_the_pictures_only_one_racer_classifies_correctly_match_the_races_count(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.click("[data-view=only]")
    titles = page.locator("#hs-why-panel-only h3").all_inner_texts()
    counted = [board.finished.only_scratch, board.finished.only_pretrained]
    assert [int(re.findall(r"\d+", title)[-1]) for title in titles] == counted
    labels, ends = board.started.labels, {racer: board.curves[racer].predictions for racer in ("scratch", "pretrained")}
    for racer, other in (("scratch", "pretrained"), ("pretrained", "scratch")):
        only_correct = [k for k, label in enumerate(labels) if ends[racer].predicted[k] == label != ends[other].predicted[k]]
        most_confident = sorted(only_correct, key=lambda row: -ends[racer].confidence[row])[:24]
        pictures = gallery(page, f"#hs-why-panel-only [data-racer={racer}] .hs-why-gallery")
        assert [item["row"] for item in pictures] == most_confident
    visitor.shoot("only")


def test_the_most_confident_mistakes_come_first_and_every_class_has_its_accuracy(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.focus("[data-view=confusion]")
    page.keyboard.press("ArrowRight")
    shares = page.locator("#hs-why-panel-classes td[data-racer=pretrained] .hs-why-value").all_inner_texts()
    counts = board.confusion("pretrained")
    assert shares == [f"{int(100 * row[k] / sum(row) + 0.5)} %" for k, row in enumerate(counts)]
    page.click("[data-gap=true]")
    gaps = [(t[k] - s[k], k) for k, (s, t) in enumerate(zip(board.confusion("scratch"), counts, strict=True))]
    names = page.locator("#hs-why-panel-classes tbody th").all_inner_texts()
    assert names == [board.started.classes[k] for _, k in sorted(gaps, key=lambda pair: -pair[0])]
    visitor.shoot("classes")

    page.click("[data-view=mistakes]")
    predictions, labels = board.curves["pretrained"].predictions, board.started.labels
    incorrect = [row for row, predicted in enumerate(predictions.predicted) if predicted != labels[row]]
    most_confident = sorted(incorrect, key=lambda row: -predictions.confidence[row])[:8]
    assert [item["row"] for item in gallery(page, "#hs-why-panel-mistakes [data-racer=pretrained]")] == most_confident
    visitor.shoot("mistakes")


def test_pictures_of_another_visitor_are_not_requested(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "/cells/" in request.url else None)
    visitor.begin(rows, task=None, isOwner=False)
    assert page.locator(".hs-why-strip .hs-why-picture").first.inner_text() == "another visitor’s own pictures"
    assert requests == []


def test_names_from_a_visitor_are_shown_as_text(visitor: Page, raced: Any) -> None:
    page, (_, rows) = visitor.page, raced
    visitor.begin(rows, classes=["<img src=x onerror=alert(1)>", *"bcdefghij"])
    assert page.locator(".hs-why img").count() == 0
    assert "<img" in page.locator(".hs-why-strip").inner_text()


def test_another_race_clears_the_view_and_a_hidden_component_renders_when_shown(visitor: Page, raced: Any) -> None:
    page, (board, rows) = visitor.page, raced
    visitor.begin(rows)
    page.evaluate("document.querySelector('#hs-why').style.display = 'none'")
    visitor.begin([row for row in rows if row["event"] == "RaceStarted"], id="second")
    assert page.locator(".hs-why-matrix").count() == 2  # nothing is rendered while hidden
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
def test_the_view_fits_the_page(browser: Any, address: str, raced: Any, width: int, scheme: str, language: str) -> None:
    visitor, (_, rows) = Page(browser, address, width, scheme, language), raced
    visitor.begin(rows)
    page = visitor.page
    title = page.locator(".hs-why-live h2").inner_text()
    assert title == {"en": "While they race", "ja": "レース中"}[language]
    page.locator("[data-of=scratch]").nth(3).click()
    for view in explain.VIEWS:
        page.click(f"[data-view={view}]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        visitor.shoot(f"{width}-{scheme}-{view}")
    small = page.evaluate(
        """[...document.querySelectorAll('.hs-why *')].filter((node) => node.offsetParent && node.textContent.trim() &&
          !node.children.length && parseFloat(getComputedStyle(node).fontSize) < 14).map((node) => node.outerHTML)"""
    )
    assert small == []
    visitor.close()
