"""What the page's handlers answer: at once where no probe is needed, never about older settings, in one's language."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from demo import controls, page
from demo.hub import Hub
from demo.offer import Offer
from demo.rooms import Rooms
from demo.shelf import Shelf
from engine import Plan, say

Built = tuple[Hub, Shelf, gr.Blocks]


@pytest.fixture(scope="module")
def builds() -> Iterator[list[Built]]:
    """The page, once it is built: that takes longer than any answer here."""
    builds: list[Built] = []
    yield builds
    for hub, shelf, _ in builds:
        hub.close()
        shelf.close()


@pytest.fixture
def built(builds: list[Built], tiny: Path) -> Iterator[Built]:
    """A hub, a shelf and the page over them, left without a race that runs or waits."""
    if not builds:
        hub, shelf = Hub(), Shelf()
        builds.append((hub, shelf, page.build(hub, Offer(), shelf, Rooms(hub))))
    yield builds[0]
    hub = builds[0][0]
    for race, log in [*hub._logs.items()]:
        hub.stop(race, log.owner)
        while log.state != "ended":
            time.sleep(0.01)


@pytest.fixture
def hub(built: Built) -> Hub:
    return built[0]


@pytest.fixture
def handlers(built: Built) -> Callable[[str], Any]:
    """What the widgets of the page call, by name."""
    return lambda name: next(f.fn for f in built[2].fns.values() if getattr(f.fn, "__name__", "") == name)


def visit(session: str = "tab 1", language: str = "en", **link: str) -> gr.Request:
    return gr.Request(headers={"accept-language": language}, query_params=link, session_hash=session)


def values(**settings: object) -> list[object]:
    shown = controls.show_plan(Plan(examples=4, **settings))  # type: ignore[arg-type]
    return [value["value"] if isinstance(value, dict) else value for value in shown]


def is_skipped(answer: object) -> bool:
    return isinstance(answer, dict) and "value" not in answer


@pytest.mark.parametrize("odd", [10**6, -1, 2.5, "many", None, [], {"a": 1}])
def test_a_value_that_no_slider_has_is_refused_in_the_visitors_language(handlers: Callable[[str], Any], odd: object) -> None:
    """As somebody may send it who is no browser: Gradio does not look at the values of Start."""
    wrong = values()
    wrong[controls.ORDER.index("examples")] = odd
    _, told = handlers("start")(None, visit(language="ja"), *wrong)
    before, after = say("refusal.start", "ja", why="|").split("|")
    assert told["alert"].startswith(before)
    assert told["alert"].endswith(after)
    assert "race" not in told


def test_pictures_and_network_never_wait_for_a_probe(handlers: Callable[[str], Any], hub: Hub) -> None:
    sentence, fit, network, pictures, preset, why = handlers("preview")({}, visit(), *values(learning_stages=1, patches=4))
    assert say("cost.soon") in sentence
    assert say("learning.head") in sentence
    assert not fit["visible"]
    assert network.count("hs-learns") == 1
    assert "patches=4" in pictures
    assert (preset, "preset.jigsaw.why" in why) == ("jigsaw", True)


def test_an_answer_about_older_settings_is_dropped(
    handlers: Callable[[str], Any], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on, answers = threading.Event(), threading.Event(), []

    def slowly(_plan: Plan, may_probe: bool = True) -> float:
        if may_probe:
            asked.set()
            go_on.wait(10)
        return 20.0

    monkeypatch.setattr(hub, "expected_seconds", slowly)
    old, new = values(seed=1), values(seed=2)
    handlers("preview")({}, visit(), *old)
    late = threading.Thread(target=lambda: answers.append(handlers("cost")({}, visit(), *old)))
    late.start()
    asked.wait(10)
    assert not is_skipped(handlers("preview")({}, visit(), *new))
    go_on.set()
    late.join(10)
    assert is_skipped(answers[0])
    assert "About 20 s" in handlers("cost")({}, visit(), *new)[0]


def test_another_tab_does_not_make_an_answer_old(handlers: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    newest = page.Newest()
    newest.tell("tab 1", (1,))
    newest.tell("tab 2", (2,))
    assert newest.is_still("tab 1", (1,))
    assert not newest.is_still("tab 1", (2,))
    monkeypatch.setattr(page, "TABS", 2)
    newest.tell("tab 3", (3,))
    assert newest.is_still("tab 1", (2,))  # forgotten: nobody knows better


def test_the_page_is_told_over_in_the_visitors_language(handlers: Callable[[str], Any]) -> None:
    state, value, header, about, table, tasks, *_ = handlers("enter")({}, visit(language="ja"))
    assert state["visitor"]
    assert (value["race"], value["owner"]) == ("recorded", False)
    assert "事前学習" in header
    assert "評価用画像の正解率" in about
    assert "ライセンス" in table
    assert tasks["choices"] == [("卓上の物 · 3 クラス", "tabletop")]
    assert "2 つ" not in handlers("preview")({}, visit(language="ja"), *values())[0]
    assert "凍結" in handlers("preview")({}, visit(language="ja"), *values())[2]


def test_a_refusal_is_told_in_the_visitors_language(handlers: Callable[[str], Any]) -> None:
    empty = values()
    empty[controls.ORDER.index("seed")] = None
    _, value = handlers("start")({}, visit(language="ja"), *empty)
    assert value["alert"] == "レースを始められませんでした: 「シード」が空です。数を入力してください"


def test_an_owner_is_told_what_the_log_keeps_to_itself(handlers: Callable[[str], Any], hub: Hub) -> None:
    state, value = handlers("start")({}, visit(), *values(epochs=1, learning_stages=1))
    assert (value["task"], value["classes"]) == ("tabletop", ["round", "square", "stripes"])
    _, again, *_ = handlers("enter")(state, visit())
    assert (again["owner"], again["task"]) == (True, "tabletop")
    _, other, *_ = handlers("enter")({}, visit())
    assert "classes" not in other


def read(widgets: list[object]) -> Plan:
    """The plan that widgets show, whether they were told a value or an update."""
    return controls.read_plan([widget["value"] if isinstance(widget, dict) else widget for widget in widgets])


def entered(handlers: Callable[[str], Any], **link: str) -> tuple[Plan, dict[str, Any]]:
    """The plan that a link opens with, and what it locked."""
    _, _, _, _, _, *widgets = handlers("enter")({}, visit(**link))
    return read(widgets[: len(controls.ORDER)]), widgets[-1]


def test_what_a_link_locks_survives_reset_presets_and_lesson(handlers: Callable[[str], Any]) -> None:
    plan, pinned = entered(handlers, examples="5", epochs="3", lock="examples,patches")
    assert (plan.examples, plan.epochs, pinned) == (5, 3, {"examples": 5, "patches": 1})
    _, _, *widgets = handlers("reset")({}, pinned, visit())
    assert read(widgets) == Plan(examples=5)
    asked = {"plan": "examples=7&epochs=9&learning_stages=1"}
    assert read(handlers("set_up")({}, pinned, asked, visit())) == Plan(examples=5, epochs=9, learning_stages=1)
    assert handlers("broken")("jigsaw", pinned) == ["none", controls.preset_why("none"), 1, False, 0.0, "own"]
    assert handlers("broken")("negative", pinned) == ["negative", controls.preset_why("negative"), 1, True, 0.0, "own"]
    assert handlers("broken")("jigsaw", {})[0::2] == ["jigsaw", 4, 0.0]


def test_a_default_that_a_link_locks_comes_before_an_earlier_race(handlers: Callable[[str], Any], hub: Hub) -> None:
    state, _ = handlers("start")({}, visit(), *values(epochs=1, learning_stages=1))
    _, _, _, _, _, *widgets = handlers("enter")(state, visit(lock="learning_stages"))
    plan = read(widgets[: len(controls.ORDER)])
    assert (plan.epochs, plan.learning_stages) == (1, Plan().learning_stages)


def test_a_race_is_made_to_fit_around_what_is_locked(
    handlers: Callable[[str], Any], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "expected_seconds", lambda plan, may_probe=True: 200.0)
    monkeypatch.setattr(hub, "fit", lambda plan, seconds: replace(plan, epochs=15))
    asked = values(learning_stages=1)
    assert [handlers("cost")(pinned, visit("tab 3"), *asked)[1]["visible"] for pinned in ({"seed": 0}, {"epochs": 50})] == [
        True,
        False,
    ]
    assert read(handlers("make_fit")({}, {"seed": 0}, visit(), *asked)).epochs == 15
    assert read(handlers("make_fit")({}, {"epochs": 50}, visit(), *asked)).epochs == 50
