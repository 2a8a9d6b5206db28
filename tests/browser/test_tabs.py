"""The views below the race, on the real page after a real race: why, try, map, compare, downloads, lesson, links."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.components.tabs import component as tabs
from engine import EXPORT_FILES
from tests.browser.test_page import Visitor, finish, rows, server, shoot, start  # noqa: F401  # fixtures
from tests.helpers.browsing import wait_on_channel

pytestmark = pytest.mark.browser
QUICK = "/?examples_per_class=10&epochs=10&trainable_stages=2"


def view(page: Any, name: str) -> None:
    """Show one of the views, as a click on its button does."""
    page.wait_for_selector("html[data-view]")  # the page has set the view it opens at
    page.click(f"#hs-nav-{name}")
    page.wait_for_selector(f"#hs-view-{name}", state="visible")


@pytest.fixture(scope="module")
def raced(browser: Any, server: str) -> Iterator[tuple[Visitor, str]]:  # noqa: F811
    """A visitor whose first race, a short one, is over, and its id."""
    visitor = Visitor(browser, server, query=QUICK)
    visitor.page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '10'")
    race = start(visitor.page)
    finish(visitor.page)
    visitor.page.wait_for_timeout(1000)
    yield visitor, race
    visitor.close()


def test_the_confusion_matrices_match_the_log(raced: tuple[Visitor, str], server: str) -> None:  # noqa: F811
    visitor, race = raced
    page = visitor.page
    view(page, "why")
    log = rows(server, race)
    labels = next(row for row in log if row["event"] == "RaceStarted")["labels"]
    for racer in ("scratch", "pretrained"):
        predictions = next(row for row in log if row["event"] == "Predicted" and row["racer"] == racer)
        correct = sum(label == predicted for label, predicted in zip(labels, predictions["predicted"], strict=True))
        finished = next(row for row in log if row["event"] == "Finished" and row["racer"] == racer)
        assert correct == finished["correct"]
    page.wait_for_selector(".hs-why-after table")
    totals = page.locator(".hs-why-after table").evaluate_all(
        "(all) => all.map((t) => [...t.querySelectorAll('td')].reduce((sum, td) => sum + Number(td.textContent || 0), 0))"
    )
    assert totals[:2] == [len(labels)] * 2
    shoot(page, "why")


def test_finished_races_are_stored_in_the_browser_and_ranked(raced: tuple[Visitor, str], server: str) -> None:  # noqa: F811
    visitor, race = raced
    page = visitor.open("/?examples_per_class=3&epochs=4&trainable_stages=1")
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '3'")
    start(page)
    finish(page)
    view(page, "compare")
    page.wait_for_function("document.querySelectorAll('.hs-compare tbody tr').length === 2")
    finals = {row["racer"]: row for row in rows(server, race) if row["event"] == "Finished"}
    first = page.locator(".hs-compare tbody tr", has=page.locator("th b", has_text="1")).inner_text()
    for end in finals.values():
        assert f"{100 * end['correct'] / end['total']:.1f} %" in first
    assert [text[-1] for text in page.locator(".hs-compare .hs-differs").all_inner_texts()] == ["3", "1", "4"]
    page.click("[data-sort=scratch]")
    ranked = page.locator(".hs-compare tbody tr td:nth-child(4)").all_inner_texts()
    assert ranked == sorted(ranked, key=lambda text: -float(text.split()[0]))
    assert page.locator(".hs-compare th[aria-sort=descending]").inner_text().startswith("From scratch")
    link = page.locator(".hs-compare-actions a").last.get_attribute("href")
    assert "epochs=" in link
    ghosts = "document.querySelector('[data-chart=accuracy]').data.filter((t) => t.meta[0] === 'ghost').length"
    assert page.evaluate(ghosts) == 2
    page.locator(".hs-compare tbody input[type=checkbox]").first.uncheck()
    page.locator(".hs-compare tbody input[type=checkbox]").last.uncheck()
    assert page.evaluate(ghosts) == 0
    page.reload()
    page.wait_for_selector(".main-svg")
    view(page, "compare")
    assert page.locator(".hs-compare tbody tr").count() == 2
    shoot(page, "compare")
    with page.expect_download() as table:
        page.click("[data-do=csv]")
    assert Path(table.value.path()).read_text().splitlines()[0].startswith('"race","when","task"')
    page.locator("[data-act=remove]").first.click()
    page.reload()
    wait_on_channel(page, "channel.race?.state.finished")  # the log is read again
    view(page, "compare")
    assert page.locator(".hs-compare tbody tr").count() == 1
    page.close()


def test_every_file_is_downloaded_with_a_click(raced: tuple[Visitor, str]) -> None:
    page = raced[0].page
    view(page, "take")
    page.wait_for_function("!document.querySelector('[data-format=script] button').disabled")
    page.fill(".hs-take textarea", "seen by the class on Monday <b>")
    for name in (name for name in EXPORT_FILES if name != "onnx"):  # which takes half a minute and has its own test
        with page.expect_download(timeout=60_000) as download:
            page.click(f"[data-format={name}] button")
        assert download.value.suggested_filename == EXPORT_FILES[name].name
        body = Path(download.value.path()).read_bytes()
        if name in ("script", "weights"):
            names = zipfile.ZipFile(io.BytesIO(body)).namelist()
            assert any(member.endswith("race.py" if name == "script" else "pretrained.safetensors") for member in names)
        elif name == "report":
            assert b"seen by the class on Monday &lt;b&gt;" in body
        elif name == "events":
            assert json.loads(body.splitlines()[0])["headstart"]
        page.wait_for_function("/is saved/.test(document.querySelector('.hs-take-status')?.textContent)")
    shoot(page, "take")


def test_both_networks_predict_a_held_out_picture_as_in_the_log(raced: tuple[Visitor, str], server: str) -> None:  # noqa: F811
    visitor, race = raced
    page = visitor.page
    view(page, "try")
    page.click("#hs-try-race input")
    page.locator("[role=option]").nth(1).wait_for()
    page.locator("[role=option]").last.click()  # the oldest race, whatever other tests have raced meanwhile
    button = page.locator("#hs-try-heldout button[data-row]").first
    # In one step: other pictures are drawn for this race, so that between two steps the button may become another row's
    row = int(button.evaluate("(button) => { button.click(); return button.dataset.row; }"))
    page.wait_for_selector("#hs-try-said [data-racer=pretrained]", timeout=30_000)
    log = rows(server, race)
    classes = next(r for r in log if r["event"] == "RaceStarted")["classes"]
    for racer in ("scratch", "pretrained"):
        predictions = next(r for r in log if r["event"] == "Predicted" and r["racer"] == racer)
        predicted = page.locator(f"#hs-try-said [data-racer={racer}] .hs-try-named b").inner_text()
        # single predictions in fp32 may differ where the confidence was low in bf16
        assert predicted == classes[predictions["predicted"][row]] or predictions["confidence"][row] < 0.5
    shoot(page, "try")


def test_the_map_shows_every_held_out_picture_and_its_neighbours(raced: tuple[Visitor, str]) -> None:
    page = raced[0].page
    view(page, "map")
    page.click("#hs-map-draw")
    page.wait_for_selector(".hs-map-chart .main-svg", timeout=60_000)
    points = page.evaluate("[...document.querySelectorAll('.hs-map-chart')].map((node) => node.data[0].x.length)")
    assert points == [600, 600]
    page.fill(".hs-map-pick input", "7")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.hs-map-nearest li').length === 10")
    shoot(page, "map")


def test_a_step_of_the_lesson_sets_the_controls_and_starts_its_race(browser: Any, server: str) -> None:  # noqa: F811
    visitor = Visitor(browser, server, query="/?view=lesson")
    page = visitor.page
    page.wait_for_selector("#hs-view-lesson", state="visible")
    page.locator(".hs-lesson article:not([hidden]) [data-start=false]").click()
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '5'")
    assert page.input_value("#hs-learning input[type=number]") == "1"
    page.locator(".hs-lesson article:not([hidden]) [data-start=true]").click()
    page.wait_for_function("/LIVE/.test(document.querySelector('.hs-status')?.textContent)", timeout=60_000)
    page.click("#hs-stop")
    page.wait_for_function("/Stopped before/.test(document.querySelector('.hs-headline')?.textContent)", timeout=30_000)
    shoot(page, "lesson")
    visitor.close()


def test_a_link_locks_hides_and_opens_a_view(browser: Any, server: str) -> None:  # noqa: F811
    visitor = Visitor(
        browser, server, query="/?examples_per_class=7&lock=task,trainable_stages&hide=more,examples_per_class&view=compare"
    )
    page = visitor.page
    page.wait_for_selector("#hs-view-compare", state="visible")
    page.wait_for_selector("#hs-more-box", state="hidden")
    page.wait_for_selector("#hs-examples", state="hidden")
    assert page.locator("#hs-learning input[type=range]").is_disabled()
    assert page.locator("#hs-break-box").is_visible()
    visitor.close()


def test_no_button_changes_a_locked_setting(browser: Any, server: str) -> None:  # noqa: F811
    link = "/?examples_per_class=5&epochs=3&lock=examples_per_class,shuffle_grid&view=lesson"
    visitor = Visitor(browser, server, query=link)
    page, examples_per_class = visitor.page, "#hs-examples input[type=number]"
    page.wait_for_function(f"document.querySelector('{examples_per_class}')?.value === '5'")
    page.click("#hs-reset")
    page.click("#hs-more-box button")
    page.wait_for_function("document.querySelector('#hs-epochs input[type=number]')?.value === '50'")
    assert page.input_value(examples_per_class) == "5"
    assert page.locator("#hs-examples input[type=range]").is_disabled()
    page.click("#hs-break-box button.label-wrap")
    page.locator("#hs-preset label").nth(1).click()  # shuffle_grid, which is locked
    page.wait_for_function("document.querySelector('#hs-preset input')?.checked")
    assert page.input_value("#hs-patches input") == "1 × 1"
    page.click("nav [data-step=head]")
    page.click("[data-race=head] [data-start=true]")
    page.wait_for_function(
        "/Another race began/.test(document.querySelector('[data-race=head]')?.textContent)", timeout=60_000
    )
    assert page.input_value(examples_per_class) == "5"
    page.click("#hs-stop")
    page.wait_for_function("/Stopped before/.test(document.querySelector('.hs-headline')?.textContent)", timeout=30_000)
    visitor.close()


def test_a_step_whose_race_is_refused_shows_the_reason(browser: Any, server: str) -> None:  # noqa: F811
    visitor = Visitor(browser, server, query="/?extra_racers=frozen&lock=extra_racers&view=lesson")
    page = visitor.page
    page.wait_for_selector("#hs-view-lesson", state="visible")
    page.click("[data-race=general] [data-start=true]")  # its racer learns a head only, and so does the locked one
    page.wait_for_function(
        "/was not started: extra_racers/.test(document.querySelector('[data-race=general]')?.textContent)"
    )
    visitor.close()


def test_a_step_whose_race_waits_shows_its_place(browser: Any, server: str) -> None:  # noqa: F811
    ann = Visitor(browser, server, query="/?examples_per_class=5&epochs=200&trainable_stages=1")
    ann.page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '5'")
    start(ann.page)
    bob = Visitor(browser, server, query="/?view=lesson")
    bob.page.click("[data-race=general] [data-start=true]")
    result = "document.querySelector('[data-race=general] .hs-lesson-result')?.textContent"
    bob.page.wait_for_function(f"/number 1, about/.test({result})")
    ann.page.click("#hs-stop")
    bob.page.wait_for_function(f"/This race is on/.test({result})", timeout=60_000)
    bob.page.click("#hs-stop")
    bob.page.wait_for_function(f"/did not reach its end/.test({result})", timeout=30_000)
    ann.close()
    bob.close()


def test_a_teacher_makes_a_link_with_locked_controls(browser: Any, server: str) -> None:  # noqa: F811
    visitor = Visitor(browser, server)
    page = visitor.page
    page.click("#hs-link-box button.label-wrap")
    page.check("#hs-lock input[name=backbone]")
    page.check("#hs-hide input[name=more]")
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
    )  # as over plain http
    page.click("#hs-copy")
    page.wait_for_function("/address bar/.test(document.querySelector('#hs-copy')?.textContent)")
    assert re.search("lock=backbone.*hide=more", page.url)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async () => {} } })")
    page.wait_for_function("!/address bar/.test(document.querySelector('#hs-copy').textContent)")
    page.click("#hs-copy")
    page.wait_for_function("/copied/.test(document.querySelector('#hs-copy')?.textContent)")
    visitor.close()


def press_until(page: Any, selector: str, key: str = "Tab", most: int = 250) -> None:
    """Press a key until an element that matches the selector has the focus."""
    for _ in range(most):
        if page.evaluate("(s) => Boolean(document.activeElement?.matches(s))", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached by {key}")


def test_start_stop_try_and_export_by_keys_alone(browser: Any, server: str) -> None:  # noqa: F811
    visitor = Visitor(browser, server, query="/?examples_per_class=3&epochs=300&trainable_stages=1")
    page = visitor.page
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '3'")
    press_until(page, "#hs-start")
    page.keyboard.press("Enter")
    page.wait_for_function("/LIVE/.test(document.querySelector('.hs-status')?.textContent)", timeout=60_000)
    press_until(page, "#hs-stop")
    page.keyboard.press("Enter")
    page.wait_for_function("/Stopped before/.test(document.querySelector('.hs-headline')?.textContent)", timeout=30_000)
    page.goto(server + "/?examples_per_class=3&epochs=1&trainable_stages=1")
    page.wait_for_selector(".main-svg")
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '3'")
    press_until(page, "#hs-start")
    page.keyboard.press("Enter")
    finish(page)
    press_until(page, "#hs-nav [role=tab]")
    press_until(page, "#hs-nav-try", "ArrowRight", 10)
    page.wait_for_selector("#hs-try-heldout button[data-row]", state="visible")
    press_until(page, "#hs-try-heldout button[data-row]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#hs-try-said [data-racer=pretrained]", timeout=30_000)
    press_until(page, "#hs-nav [role=tab]", "Shift+Tab")
    press_until(page, "#hs-nav-take", "ArrowRight", 10)
    page.wait_for_function("!document.querySelector('[data-format=replay] button').disabled")
    press_until(page, "[data-format=replay] button")
    with page.expect_download(timeout=30_000) as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == EXPORT_FILES["replay"].name
    visitor.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, server: str, scheme: str, raced: tuple[Visitor, str]) -> None:  # noqa: F811
    """WCAG 2.2 A and AA by axe-core, in every view."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python").Axe()
    page = raced[0].page
    page.emulate_media(color_scheme=scheme)
    page.evaluate("(is) => document.body.classList.toggle('dark', is)", scheme == "dark")
    violations = []
    for name in tabs.NAMES:
        view(page, name)
        page.wait_for_timeout(300)
        tags = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
        for problem in axe.run(page, options=tags).response["violations"]:
            if problem["impact"] in ("serious", "critical"):
                violations += [f"{name}: {problem['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
                          for node in problem["nodes"]]  # fmt: skip
    page.evaluate("document.body.classList.remove('dark')")
    assert not violations, "\n".join(sorted(set(violations)))


def fill(page: Any) -> None:
    """Fill the views "try", "class" and "map", where they are empty."""
    view(page, "try")
    if not page.locator("#hs-try-said [data-racer]").count():
        page.locator("#hs-try-heldout button[data-row]").nth(4).click()
        page.wait_for_selector("#hs-try-said [data-racer=pretrained]", timeout=30_000)
    view(page, "class")
    if page.locator("#hs-room [data-do=open]").is_visible():
        page.click("#hs-room [data-do=open]")
        page.wait_for_selector(".hs-class-qr svg")
    view(page, "map")
    if not page.locator(".hs-map-chart .main-svg").count():
        page.click("#hs-map-draw")
        page.wait_for_selector(".hs-map-chart .main-svg", timeout=60_000)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_is_wider_than_the_page(raced: tuple[Visitor, str], width: int, scheme: str) -> None:
    page = raced[0].page
    fill(page)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("(is) => document.body.classList.toggle('dark', is)", scheme == "dark")
    page.wait_for_timeout(500)
    for name in tabs.NAMES:
        view(page, name)
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        shoot(page, f"view-{name}-{width}-{scheme}")
    page.evaluate("document.body.classList.remove('dark')")
    page.set_viewport_size({"width": 1440, "height": 900})
