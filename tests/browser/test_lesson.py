"""The lesson, the bets and the challenge in a real browser: by keys alone, with rows like those of a log."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import pytest

from demo import theme
from demo.components.lesson import component as lesson
from demo.components.predictions import component as predictions
from demo.i18n import labels
from demo.server import scripts
from engine import Plan
from tests.helpers.browsing import Tab

SHOTS = os.environ.get("HEADSTART_SHOTS")  # a folder for screenshots
Row = dict[str, Any]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with these components alone; the lesson's requests are written into a text box."""
    with gr.Blocks(fill_width=True) as app:
        predictions.build()
        guide = lesson.build()
        lesson.challenge()
        request = gr.Textbox(elem_id="request")
        guide.submit(
            lambda value: f"{lesson.plan_of(value).to_query()} {lesson.wants_start(value)}",
            guide, request, queue=False, show_progress="hidden", api_visibility="private",
        )  # fmt: skip
    _, url, _ = app.launch(
        prevent_thread_lock=True,
        quiet=True,
        theme=theme.theme(),
        css=theme.css(),
        server_name="127.0.0.1",
        i18n=labels.translations(),
        app_kwargs={"routes": scripts.routes()},
    )
    yield url
    app.close()


class Page(Tab):
    """A visitor's page; closing it fails if it had errors."""

    def __init__(self, browser: Any, url: str, width: int = 1440, scheme: str = "light", language: str = "en"):
        super().__init__(browser, width, scheme, language)
        self.open(url)

    def open(self, url: str) -> None:
        """Open or reload the page."""
        self.page.goto(url)
        self.page.wait_for_selector(".hs-lesson")
        self.wait_on_channel("channel.subscribers.size === 2")

    def begin(self, rows: list[Row], **race: Any) -> None:
        """Make this the race of the page and send its rows."""
        whole = {"id": "r", "task": "tabletop", "classes": None, "isOwner": True, "isRecorded": False, **race}
        self.begin_race(whole)
        self.publish(rows)

    def answer(self, **value: Any) -> None:
        """Send the server's answer to a start, as the chart does."""
        self.announce("answer", value)

    def announce(self, name: str, detail: Any) -> None:
        """Send an event of the chart to the other components."""
        self.page.evaluate(
            "([name, detail]) => window.dispatchEvent(new CustomEvent(`headstart:${name}`, { detail }))", [name, detail]
        )

    def keep(self, name: str, value: Any) -> None:
        """Store a value in this browser."""
        self.page.evaluate("([name, text]) => localStorage.setItem(name, text)", [f"headstart.{name}", json.dumps(value)])

    def bet(self, gap: int, seconds: float | None) -> None:
        """Place a bet; None is never."""
        self.page.fill("#hs-bet-gap", str(gap))
        self.page.set_checked("#hs-bet-never", seconds is None)
        if seconds is not None:
            self.page.fill("#hs-bet-seconds", str(seconds))
        self.page.click(".hs-bet-form button")


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Page]:
    visitor = Page(browser, address)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def same(browser: Any, address: str) -> Iterator[Page]:
    """One page for several tests: each shows another race."""
    visitor = Page(browser, address)
    yield visitor
    visitor.close()


def started(plan: Plan) -> Row:
    return {"event": "RaceStarted", "plan": json.dumps(asdict(plan))}


def point(seconds: float, correct: int) -> Row:
    """An exact point of the pretrained racer, of 100 pictures."""
    return {
        "event": "Evaluated",
        "racer": "pretrained",
        "seconds": seconds,
        "correct": correct,
        "total": 100,
        "is_exact": True,
    }


def ended(shares: dict[str, float], reason: str = "done") -> list[Row]:
    """The last rows of a race; shares: racer -> accuracy in percent."""
    ends = [
        {"event": "Finished", "racer": racer, "reason": reason, "correct": round(10 * share), "total": 1000}
        for racer, share in shares.items()
    ]
    return [*ends, {"event": "RaceFinished", "gap": (shares["pretrained"] - shares["scratch"]) / 100}]


def race(name: str, **shares: float) -> list[Row]:
    """The rows of a race of the lesson that ends with these accuracies in percent."""
    return [started(lesson.plan(name)), *ended(shares)]


def result(page: Any, name: str) -> str:
    return page.inner_text(f"[data-race={name}] .hs-lesson-result")


def test_a_step_and_its_question_need_only_keys(visitor: Page) -> None:
    page = visitor.page
    page.focus("nav [data-step=general]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "A new head"
    assert page.get_attribute("nav [data-step=head]", "aria-current") == "step"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#request textarea')?.value")
    assert page.input_value("#request textarea") == lesson.plan("head").to_query() + " True"
    for key in ("Tab", "Tab", "Tab", "Space", "Tab", "Enter"):  # past "Set this up" and the chart to an answer, "Check"
        page.keyboard.press(key)
    assert page.inner_text("[data-question=replace] .hs-quiz-answer").startswith("✗ Not quite. The old head")
    page.focus("[data-question=replace] input[value=a]")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert page.inner_text("[data-question=replace] .hs-quiz-answer").startswith("✓ Correct. The old head")


def test_a_question_without_an_answer_says_so(visitor: Page) -> None:
    visitor.page.click("[data-question=filters] button")
    assert visitor.page.inner_text("[data-question=filters] .hs-quiz-answer") == "Choose an answer first."


def test_set_this_up_does_not_start_the_race(visitor: Page) -> None:
    visitor.page.click("[data-race=general] [data-start=false]")
    visitor.page.wait_for_function("document.querySelector('#request textarea')?.value.endsWith('False')")
    assert "controls are set" in result(visitor.page, "general")


def test_a_step_shows_the_result_of_its_race(visitor: Page) -> None:
    rows = race("general", pretrained=61.3, scratch=19.7)
    visitor.begin(rows[:1])
    assert "This race is on" in result(visitor.page, "general")
    visitor.publish(rows[1:])
    assert "Pretrained: 61.3 % correct" in result(visitor.page, "general")
    assert "learnt far more" in result(visitor.page, "general")
    assert visitor.page.is_visible("nav [data-step=general] small")


@pytest.mark.parametrize(
    ("name", "shares", "text"),
    [
        ("general", {"pretrained": 25.0, "scratch": 22.0}, "too close to call"),
        ("general", {"pretrained": 15.0, "scratch": 30.0}, "other way round"),
        ("freeze", {"pretrained": 61.3, "scratch": 19.7, "random": 18.2}, "not freezing that helps"),
        ("dust", {"pretrained": 11.2, "scratch": 20.5}, "a handicap, 9 points"),
        ("glasses", {"pretrained": 35.7, "scratch": 37.5}, "head start is gone"),
        ("many", {"pretrained": 82.2, "scratch": 52.8}, "Five pictures of each"),
    ],
)
def test_the_sentence_follows_the_numbers(same: Page, name: str, shares: dict[str, float], text: str) -> None:
    same.page.click(".hs-lesson-forget")
    same.begin(race(name, **shares))
    step = next(step for step, races in lesson.STEPS.items() if name in races)
    same.page.click(f"nav [data-step={step}]")
    assert text in result(same.page, name)


def test_two_races_of_a_step_are_compared_with_each_other(visitor: Page) -> None:
    visitor.begin(race("few", pretrained=61.3, scratch=19.7), id="1")
    visitor.begin(race("many", pretrained=82.2, scratch=52.8), id="2")
    visitor.page.click("nav [data-step=data]")
    assert "shrank by 12 points" in result(visitor.page, "many")
    visitor.begin(race("head", pretrained=74.0, scratch=35.3), id="3")
    visitor.begin(race("tune", pretrained=83.3, scratch=35.3), id="4")
    visitor.begin(race("burn", pretrained=10.0, scratch=35.3), id="5")
    visitor.page.click("nav [data-step=tune]")
    assert result(visitor.page, "tune").count("9 points more than with a new head alone") == 1
    assert "73 points less" in result(visitor.page, "burn")


@pytest.mark.parametrize(("many", "text"), [(52.8 - 4.0, "too close to call"), (52.8 - 6.0, "shrank by 6 points")])
def test_a_difference_of_gaps_needs_the_uncertainty_of_all_four_accuracies(same: Page, many: float, text: str) -> None:
    """By hand: 1.96 standard deviations of 62.8 - 10 - (98.8 - 50) percent, 1,000 pictures each, are 4.7 points."""
    same.page.click(".hs-lesson-forget")
    same.begin(race("few", pretrained=62.8, scratch=10.0), id=f"few {many}")
    same.begin(race("many", pretrained=50.0 + many, scratch=50.0), id=f"many {many}")
    same.page.click("nav [data-step=data]")
    assert text in result(same.page, "many")


def test_a_racer_that_diverges_at_a_rate_too_high_is_the_result_of_that_step(visitor: Page, address: str) -> None:
    visitor.begin(race("tune", pretrained=83.3, scratch=35.3), id="1")
    scratch, over = ended({"pretrained": 0.0, "scratch": 35.3})[1:]
    diverged = {"event": "Finished", "racer": "pretrained", "reason": "diverged", "correct": 0, "total": 0}
    visitor.begin([started(lesson.plan("burn")), diverged, scratch, over], id="2")
    visitor.page.click("nav [data-step=tune]")
    for _ in range(2):
        assert "From scratch: 35.3 % correct" in result(visitor.page, "burn")
        assert "The pretrained racer diverged" in result(visitor.page, "burn")
        assert visitor.page.is_visible("nav [data-step=tune] small")
        visitor.open(address)
    visitor.begin([started(lesson.plan("general")), diverged, scratch, over], id="3")
    assert "did not reach its end" in visitor.page.text_content("[data-race=general] .hs-lesson-result")


def test_a_step_shows_the_reason_why_its_race_was_not_started(visitor: Page) -> None:
    visitor.page.click("[data-race=general] [data-start=true]")
    assert "begins in a moment" in result(visitor.page, "general")
    visitor.answer(alert="The race was not started: <b>too many</b> are waiting")
    assert result(visitor.page, "general") == "The race was not started: <b>too many</b> are waiting"
    visitor.page.click("[data-race=general] [data-start=true]")
    assert "begins in a moment" in result(visitor.page, "general")
    visitor.answer(race="recorded", owner=False)  # Reset
    assert "Not raced yet" in result(visitor.page, "general")


def test_a_step_shows_the_place_of_its_race_in_the_queue_until_it_begins(visitor: Page) -> None:
    visitor.page.click("[data-race=general] [data-start=true]")
    visitor.answer(race="visitors-race", owner=True)
    visitor.begin([started(Plan())], id="theirs", isOwner=False)  # shown meanwhile
    for place in (2, 1):
        visitor.announce("queued", {"place": place, "wait": 40 * place})
        assert f"number {place}, about {40 * place} s to go" in result(visitor.page, "general")
    visitor.answer(alert="A link cannot carry your own pictures")  # not about this race
    assert "number 1" in result(visitor.page, "general")
    visitor.publish(ended({"pretrained": 86.0, "scratch": 40.0}))
    visitor.begin([started(lesson.plan("general"))], id="visitors-race")
    assert "This race is on" in result(visitor.page, "general")
    visitor.announce("queued", {"place": 1, "wait": 40})  # of a race started with the button
    assert "This race is on" in result(visitor.page, "general")


def test_a_race_stopped_in_the_queue_ends_its_step(visitor: Page) -> None:
    visitor.page.click("[data-race=general] [data-start=true]")
    visitor.answer(race="visitors-race", owner=True)
    visitor.begin([{"event": "Ended", "reason": "stopped"}], id="visitors-race")
    assert "did not reach its end" in result(visitor.page, "general")


def test_a_step_whose_settings_were_locked_says_that_another_race_began(visitor: Page) -> None:
    visitor.page.click("[data-race=general] [data-start=true]")
    visitor.answer(race="visitors-race", owner=True)
    visitor.begin([started(Plan(examples_per_class=7)), *ended({"pretrained": 86.0, "scratch": 40.0})], id="visitors-race")
    assert "Another race began" in result(visitor.page, "general")


@pytest.mark.parametrize(
    "kept", [None, 5, [], {"step": 3, "results": None, "answers": 7}, {"results": {"general": None, "few": {"shares": 1}}},
             {"results": {"tune": {"shares": {"scratch": "x"}}}, "answers": {"filters": '"]', "start": ""}}]
)  # fmt: skip
def test_invalid_stored_values_are_ignored(same: Page, address: str, kept: Any) -> None:
    for name in ("lesson", "bet", "bets"):
        same.keep(name, kept)
    same.open(address)
    assert "Not raced yet" in result(same.page, "general")
    assert same.page.inner_text(".hs-bet-status") == ""
    same.begin(race("general", pretrained=61.3, scratch=19.7), race=json.dumps(kept))
    assert "learnt far more" in result(same.page, "general")
    same.page.click(".hs-lesson-forget")


@pytest.mark.parametrize("kept", [[None, 3, {"total": 9}], {"0": {}}, "best"])
def test_only_scored_bets_are_listed(same: Page, address: str, kept: Any) -> None:
    same.keep("bets", kept)
    same.open(address)
    assert same.page.is_hidden(".hs-bet-forget")
    same.keep("bets", [*kept, {"total": 196, "gap": 46, "examples_per_class": 20}] if isinstance(kept, list) else [])
    same.open(address)
    assert same.page.locator(".hs-bet-best li").count() == (1 if isinstance(kept, list) else 0)
    same.keep("bets", [])


def test_a_stopped_race_and_another_race_leave_no_result(visitor: Page) -> None:
    visitor.begin([started(lesson.plan("general")), *ended({"pretrained": 0, "scratch": 0}, "stopped")])
    assert "did not reach its end" in result(visitor.page, "general")
    visitor.begin([started(Plan()), *ended({"pretrained": 86, "scratch": 40})], id="2")
    visitor.begin(race("general", pretrained=61, scratch=20), id="3", isRecorded=True)
    assert "61" not in result(visitor.page, "general")


def test_progress_is_kept_over_a_reload_until_it_is_deleted(visitor: Page, address: str) -> None:
    visitor.begin(race("head", pretrained=74.0, scratch=35.3))
    visitor.page.click("nav [data-step=head]")
    visitor.page.check("[data-question=count] input[value=b]")
    visitor.page.click("[data-question=count] button")
    visitor.open(address)
    assert visitor.page.is_visible("article[data-step=head]")
    assert "74.0 %" in result(visitor.page, "head")
    assert "✓ Correct" in visitor.page.inner_text("[data-question=count] .hs-quiz-answer")
    visitor.page.click(".hs-lesson-forget")
    visitor.open(address)
    assert visitor.page.is_visible("article[data-step=general]")


def test_the_glossary_finds_words(visitor: Page) -> None:
    visitor.page.click(".hs-glossary summary")
    visitor.page.fill(".hs-glossary input", "frozen")
    shown = visitor.page.locator(".hs-glossary dl > div:visible")
    assert 0 < shown.count() < 6
    visitor.page.fill(".hs-glossary input", "banana")
    assert visitor.page.inner_text(".hs-glossary [data-none]") == "No such word here."


@pytest.mark.parametrize(
    ("gap", "seconds", "points", "scores"),
    [
        (46, 6.0, [(0, 10), (2, 60), (6, 100)], (100, 100)),  # 80 % was first measured at 6 s
        (40, 12.0, [(0, 10), (2, 60), (6, 100)], (76, 67)),
        (0, 0.5, [(0, 10), (2, 60), (6, 100)], (0, 0)),
        (46, None, [(0, 10), (6, 79)], (100, 100)),
        (46, None, [(0, 10), (6, 80)], (100, 0)),
        (46, 5.0, [(0, 10), (6, 79)], (100, 0)),
        (50, 3.0, [(6, 90)], (84, 67)),
    ],
)
def test_a_bet_is_scored_by_the_rules(
    same: Page, gap: int, seconds: float | None, points: list[tuple[float, int]], scores: tuple[int, int]
) -> None:
    same.bet(gap, seconds)
    rows = [started(Plan()), *[point(*p) for p in points], *ended({"pretrained": 86.0, "scratch": 40.0})]
    same.begin(rows, id=f"{gap} {seconds} {points}")
    score = same.page.inner_text(".hs-bet-score")
    assert [int(n) for n in re.findall(r"(\d+) of 100", score)] == list(scores)
    assert f"{sum(scores)} of 200 points" in score


def test_the_rules_in_words_match_the_formula() -> None:
    assert round(100 * (1 - abs(math.log2(1 / 2)) / 3)) == 67
    assert 100 - 4 * 25 == 0


def test_bets_can_be_changed_until_the_race_begins_and_count_for_the_next_one(visitor: Page) -> None:
    page = visitor.page
    visitor.begin([started(Plan()), *ended({"pretrained": 86.0, "scratch": 40.0})], id="over")
    visitor.bet(46, None)
    visitor.begin([started(Plan()), *ended({"pretrained": 86.0, "scratch": 40.0})], id="over")  # a reload shows it again
    assert page.inner_text(".hs-bet-score") == ""
    visitor.begin([{"event": "Queued", "place": 1}], id="visitors-race")
    visitor.bet(45, None)  # still in the queue, so the bet can change
    assert "45 points" in page.inner_text(".hs-bet-status")
    visitor.publish([started(Plan())])
    assert page.is_disabled(".hs-bet-form button")
    assert "The race is on. Your bet: gap 45 points, 80 %: never." in page.inner_text(".hs-bet-status")
    visitor.publish(ended({"pretrained": 86.0, "scratch": 40.0}))
    assert "196 of 200" in page.inner_text(".hs-bet-score")
    assert page.is_enabled(".hs-bet-form button")
    page.click(".hs-bet-best summary")
    assert "196 points: 20 pictures per class, gap 46.0 points" in page.inner_text(".hs-bet-best ol")


def test_a_bet_does_not_count_for_another_visitors_or_a_recorded_race(visitor: Page) -> None:
    visitor.bet(46, None)
    rows = [started(Plan()), *ended({"pretrained": 86.0, "scratch": 40.0})]
    visitor.begin(rows, id="theirs", isOwner=False)
    visitor.begin(rows, id="recorded", isRecorded=True)
    assert visitor.page.inner_text(".hs-bet-score") == ""
    visitor.begin(rows, id="visitors-race")
    assert "200 of 200" in visitor.page.inner_text(".hs-bet-score")


def test_a_stopped_race_is_not_scored_and_a_reload_keeps_the_bet(visitor: Page, address: str) -> None:
    visitor.bet(46, None)
    visitor.begin([started(Plan()), *ended({"pretrained": 0.0, "scratch": 0.0}, "stopped")], id="1")
    assert "not scored" in visitor.page.inner_text(".hs-bet-status")
    visitor.begin([started(Plan())], id="2")
    visitor.open(address)
    visitor.begin([started(Plan()), *ended({"pretrained": 86.0, "scratch": 40.0})], id="2")
    assert "200 of 200" in visitor.page.inner_text(".hs-bet-score")


def test_a_bet_needs_seconds_above_0(visitor: Page) -> None:
    visitor.page.fill("#hs-bet-seconds", "0")
    visitor.page.click(".hs-bet-form button")
    assert "seconds above 0" in visitor.page.inner_text(".hs-bet-status")


def test_a_head_is_built_from_the_typed_line(visitor: Page) -> None:
    page = visitor.page
    page.click("text=MobileNetV2")
    page.wait_for_function("document.querySelector('#hs-swap-printed textarea')?.value.includes('1280')")
    page.fill("#hs-swap-in input", "1280")
    page.fill("#hs-swap-out input", "7")
    page.fill("#hs-swap-line textarea", "model.classifier[1] = nn.Linear(1280, 7)")
    page.click("#hs-swap-check")
    page.wait_for_selector(".hs-swap-right")
    assert "1 × 7" in page.inner_text(".hs-swap-right")


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(1440, "light", "en"), (1440, "dark", "ja"), (390, "light", "ja"), (390, "dark", "en")],
)
def test_nothing_is_wider_than_the_page(browser: Any, address: str, width: int, scheme: str, language: str) -> None:
    visitor = Page(browser, address, width, scheme, language)
    page = visitor.page
    visitor.bet(40, 8.0)
    rows = race("freeze", pretrained=61.3, scratch=19.7, random=18.2)
    visitor.begin([rows[0], point(0, 10), point(2, 60), point(6, 100), *rows[1:]])
    page.click("nav [data-step=freeze]")
    page.check("[data-question=random] input[value=a]")
    page.click("[data-question=random] button")
    for summary in page.locator("details > summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{SHOTS}/lesson-{width}-{scheme}-{language}.png", full_page=True)
    visitor.close()
