"""The lesson's races can be raced, its questions have answers, and a head is judged in the visitor's language."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import gradio as gr
import pytest

from demo import lesson
from engine import LANGUAGES, Plan, PlanError, check, find_backbone, said


def test_there_are_six_steps_and_every_race_belongs_to_one() -> None:
    assert len(lesson.STEPS) == 6
    assert [race for races in lesson.STEPS.values() for race in races] == list(lesson.RACES)


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_of_the_lesson_can_be_raced_here(race: str) -> None:
    check(lesson.plan(race))


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_is_short(race: str) -> None:
    """Optimizer steps of a racer; 350 take 46 s on two idle cores (README, "How fast")."""
    plan = lesson.plan(race)
    assert plan.epochs * max(6, 10 * plan.examples / plan.batch_size) < 230


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_is_held_against_a_lane_of_its_own_or_another_race(race: str) -> None:
    against = lesson.RACES[race].against
    assert against in {lane.name for lane in lesson.plan(race).lanes()} | set(lesson.RACES) - {race}


def test_the_rate_that_is_a_hundred_times_too_high_is() -> None:
    assert lesson.plan("burn").backbone_rate == pytest.approx(100 * find_backbone("resnet10").architecture.tuning_rate)


def test_both_races_of_how_much_data_make_about_as_many_steps() -> None:
    few, many = (lesson.plan(name) for name in lesson.STEPS["data"])
    assert 6 * few.epochs == pytest.approx(10 * many.examples // many.batch_size * many.epochs, rel=0.1)


def test_a_step_asks_for_its_plan_by_the_query_of_a_link() -> None:
    asked = {"plan": lesson.known("en")["races"]["freeze"]["query"], "start": True, "turn": 1}
    assert lesson.plan_of(asked) == Plan(examples=5, epochs=30, learning_stages=1, extra_lanes=("random",))
    assert lesson.wants_start(asked)
    assert not lesson.wants_start({**asked, "start": "yes"})


@pytest.mark.parametrize(
    "value", [None, "", [], {}, {"plan": 3}, {"plan": "examples=many"}, {"plan": "examples=0"}, {"plan": "a" * 501}]
)
def test_what_is_no_plan_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(PlanError):
        lesson.plan_of(value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_says_where_to_look_and_asks_something(language: str) -> None:
    markup = lesson.markup(language)
    text = said("lesson", language)
    for step in lesson.STEPS:
        assert escape(text[f"{step}.look"]) in markup
        assert lesson.QUIZ[step]
    assert markup.count("<article") == 6
    assert "${" not in markup


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_three_answers_one_of_them_right_and_an_explanation(language: str) -> None:
    known = lesson.known(language)
    for question, right in known["answers"].items():
        assert {"text", "a", "b", "c", "why"} == set(said(f"quiz.{question}", language))
        assert right in "abc"
        assert known["why"][question]


def test_the_right_answers_stand_in_different_places() -> None:
    answers = [right for step in lesson.QUIZ.values() for right in step.values()]
    assert all(answers.count(place) >= 3 for place in "abc")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_race_has_something_to_say_of_the_outcome_it_is_there_for(language: str) -> None:
    text = said("lesson", language)
    assert all(f"race.{race}.ahead" in text and f"race.{race}.name" in text for race in lesson.RACES)
    assert {"close", "behind"} <= set(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_glossary_explains_every_word_in_one_sentence(language: str) -> None:
    words = said("glossary", language)
    terms = [key.removesuffix(".term") for key in words if key.endswith(".term")]
    assert len(terms) >= 24
    assert all(words[f"{term}.is"].endswith((".", "。")) for term in terms)
    assert all(words[f"{term}.term"] in lesson.markup(language) for term in terms)


def test_a_right_head_is_praised_with_its_numbers() -> None:
    said = lesson.verdict("resnet18", 512, 7, "model.fc = nn.Linear(512, 7)", "en")
    assert "✓ It works" in said
    assert "3,591" in said


def test_a_refused_head_shows_torchs_own_error() -> None:
    said = lesson.verdict("resnet18", 256, 7, "model.fc = nn.Linear(256, 7)", "ja")
    assert "<pre>" in said
    assert "[1, 512]" in said
    assert "PyTorch のエラー" in said


def test_nothing_that_was_typed_becomes_markup() -> None:
    said = lesson.verdict("resnet18", 512, 7, "model.fc = <img src=x onerror=alert(1)>", "en")
    assert "<img" not in said


@pytest.fixture
def blocks() -> Iterator[gr.Blocks]:
    with gr.Blocks() as app:
        lesson.build().submit(lambda: None)
        lesson.challenge()
    yield app
    app.close()


def test_the_lesson_tells_the_page_and_the_challenge_its_handler(blocks: gr.Blocks) -> None:
    assert {name for fn in blocks.fns.values() for _, name in fn.targets} == {"submit", "click", "input"}
