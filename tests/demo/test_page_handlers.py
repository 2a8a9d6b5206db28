"""The page's handlers: previews never wait for a probe, outdated results are dropped, texts are translated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from demo import controls
from demo.classroom.rooms import Rooms
from demo.handlers import PageHandlers
from demo.server.race_queue import RaceQueue
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import Plan, translate
from engine.workspace import Workspace
from tests.conftest import CPU


class TimedQueue(RaceQueue):
    """A queue with a given expected time of its races, without a probe."""

    seconds = 0.0  # expected time of a race; 0: use the probe of this machine

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, CPU)
        self.is_waiting, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def expected_seconds(self, plan: Plan, may_probe: bool = True) -> float | None:
        if not self.seconds:
            return super().expected_seconds(plan, may_probe)
        if may_probe:
            self.is_waiting.set()
            self.may_answer.wait(10)
        return self.seconds

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        return replace(plan, epochs=15) if self.seconds else super().fit(plan, seconds)


@pytest.fixture
def queue(workspace: Workspace) -> Iterator[TimedQueue]:
    queue = TimedQueue(workspace)
    yield queue
    queue.close()


@pytest.fixture
def handlers(queue: TimedQueue) -> Iterator[PageHandlers]:
    uploads = UploadStore(queue.workspace)
    yield PageHandlers(queue, Availability(queue.workspace), uploads, Rooms(queue))
    uploads.close()


def visit(session: str = "tab 1", language: str = "en", **link: str) -> gr.Request:
    return gr.Request(headers={"accept-language": language}, query_params=link, session_hash=session)


def values(**settings: object) -> list[object]:
    shown = controls.show_plan(Plan(examples_per_class=4, **settings), controls.Limits(8, 6))  # type: ignore[arg-type]
    return [value["value"] if isinstance(value, dict) else value for value in shown]


def is_skipped(output: object) -> bool:
    return isinstance(output, dict) and "value" not in output


@pytest.mark.parametrize("value", [10**6, -1, 2.5, "many", None, [], {"a": 1}])
def test_an_invalid_value_is_rejected_in_the_visitors_language(handlers: PageHandlers, value: object) -> None:
    """A program may send any value: Gradio does not validate the values of Start."""
    invalid = values()
    invalid[controls.ORDER.index("examples_per_class")] = value
    _, chart = handlers.start(None, visit(language="ja"), *invalid)
    before, after = translate("refusal.start", "ja", why="|").split("|")
    assert chart["alert"].startswith(before)
    assert chart["alert"].endswith(after)
    assert "race" not in chart


def test_a_preview_never_waits_for_a_probe(handlers: PageHandlers) -> None:
    sentence, fit, network, pictures, preset, reason = handlers.preview(
        {}, visit(), *values(trainable_stages=1, shuffle_grid=4)
    )
    assert translate("cost.soon") in sentence
    assert translate("learning.head") in sentence
    assert not fit["visible"]
    assert network.count("hs-learns") == 1
    assert "shuffle_grid=4" in pictures
    assert (preset, "preset.jigsaw.why" in reason) == ("jigsaw", True)


def test_a_result_for_outdated_settings_is_dropped(handlers: PageHandlers, queue: TimedQueue) -> None:
    queue.seconds, outputs = 20.0, []
    queue.may_answer.clear()
    old, new = values(seed=1), values(seed=2)
    handlers.preview({}, visit(), *old)
    late = threading.Thread(target=lambda: outputs.append(handlers.cost({}, visit(), *old)))
    late.start()
    queue.is_waiting.wait(10)
    assert not is_skipped(handlers.preview({}, visit(), *new))
    queue.may_answer.set()
    late.join(10)
    assert is_skipped(outputs[0])
    assert "About 20 s" in handlers.cost({}, visit(), *new)[0]


def test_entering_sets_all_texts_in_the_visitors_language(handlers: PageHandlers) -> None:
    state, value, header, about, table, tasks, *_ = handlers.enter({}, visit(language="ja"))
    assert state["visitor"]
    assert (value["race"], value["owner"]) == ("recorded", False)
    assert "事前学習" in header
    assert "評価用画像の正解率" in about
    assert "ライセンス" in table
    assert tasks["choices"] == [("卓上の物 · 3 クラス", "tabletop")]
    assert "2 つ" not in handlers.preview({}, visit(language="ja"), *values())[0]
    assert "凍結" in handlers.preview({}, visit(language="ja"), *values())[2]


def test_an_error_at_start_is_in_the_visitors_language(handlers: PageHandlers) -> None:
    empty = values()
    empty[controls.ORDER.index("seed")] = None
    _, value = handlers.start({}, visit(language="ja"), *empty)
    assert value["alert"] == "レースを始められませんでした: 「シード」が空です。数を入力してください"


def test_the_owner_of_a_race_gets_task_and_class_names(handlers: PageHandlers, queue: TimedQueue) -> None:
    state, value = handlers.start({}, visit(), *values(epochs=1, trainable_stages=1))
    assert (value["task"], value["classes"]) == ("tabletop", ["round", "square", "stripes"])
    _, again, *_ = handlers.enter(state, visit())
    assert (again["owner"], again["task"]) == (True, "tabletop")
    _, other, *_ = handlers.enter({}, visit())
    assert "classes" not in other


def read(widgets: list[object]) -> Plan:
    """The plan of widgets that got a value or an update."""
    return controls.read_plan([widget["value"] if isinstance(widget, dict) else widget for widget in widgets])


def entered(handlers: PageHandlers, **link: str) -> tuple[Plan, dict[str, Any]]:
    """The plan that a link opens, and its locked settings."""
    _, _, _, _, _, *widgets = handlers.enter({}, visit(**link))
    return read(widgets[: len(controls.ORDER)]), widgets[-1]


def test_locked_settings_survive_reset_and_lesson(handlers: PageHandlers) -> None:
    plan, pinned = entered(handlers, examples_per_class="5", epochs="3", lock="examples_per_class,shuffle_grid")
    assert (plan.examples_per_class, plan.epochs, pinned) == (5, 3, {"examples_per_class": 5, "shuffle_grid": 1})
    _, _, *widgets = handlers.reset({}, pinned, visit())
    assert read(widgets) == Plan(examples_per_class=5)
    step = {"plan": "examples_per_class=7&epochs=9&trainable_stages=1"}
    assert read(handlers.set_lesson_race({}, pinned, step, visit())) == Plan(
        examples_per_class=5, epochs=9, trainable_stages=1
    )


def test_a_locked_default_overrides_the_plan_of_an_earlier_race(handlers: PageHandlers, queue: TimedQueue) -> None:
    state, _ = handlers.start({}, visit(), *values(epochs=1, trainable_stages=1))
    _, _, _, _, _, *widgets = handlers.enter(state, visit(lock="trainable_stages"))
    plan = read(widgets[: len(controls.ORDER)])
    assert (plan.epochs, plan.trainable_stages) == (1, Plan().trainable_stages)


def test_a_shorter_race_does_not_change_locked_settings(handlers: PageHandlers, queue: TimedQueue) -> None:
    queue.seconds = 200.0
    settings = values(trainable_stages=1)
    offers = [handlers.cost(pinned, visit("tab 3"), *settings)[1]["visible"] for pinned in ({"seed": 0}, {"epochs": 50})]
    assert offers == [True, False]
    assert read(handlers.fit({}, {"seed": 0}, visit(), *settings)).epochs == 15
    assert read(handlers.fit({}, {"epochs": 50}, visit(), *settings)).epochs == 50


def test_the_sliders_follow_task_and_network(handlers: PageHandlers) -> None:
    maxima = handlers.limits(Plan(examples_per_class=20, trainable_stages=3))
    assert maxima == controls.Limits(examples_per_class=8, trainable_stages=6)
    examples_per_class, learning, about = handlers.select({}, visit(), *values(trainable_stages=3))
    assert (examples_per_class["maximum"], learning["maximum"], learning["value"]) == (8, 6, 3)
    assert "held-out" in about


def test_a_link_has_the_settings_and_the_locks(handlers: PageHandlers) -> None:
    query, chart = handlers.link(visit(), ["seed"], ["more"], "lesson", *values(seed=3))
    assert query == "examples_per_class=4&seed=3&lock=seed&hide=more&view=lesson"
    assert is_skipped(chart)
    empty = values()
    empty[controls.ORDER.index("seed")] = None
    query, chart = handlers.link(visit(), [], [], "why", *empty)
    assert is_skipped(query)
    assert "is empty" in chart["alert"]


def test_a_lesson_step_starts_a_race_only_if_its_button_asks_for_it(handlers: PageHandlers) -> None:
    step = {"plan": "examples_per_class=4&epochs=1&trainable_stages=1"}
    settings = values(epochs=1, trainable_stages=1)
    assert all(is_skipped(part) for part in handlers.start_lesson_race({}, step, visit(), *settings))
    assert "race" in handlers.start_lesson_race({}, {**step, "start": True}, visit(), *settings)[1]
