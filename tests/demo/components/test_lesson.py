"""The lesson's races are valid, its questions have answers, and the challenge checks heads in the visitor's language."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest
from markupsafe import escape

from demo.components.lesson import component as lesson
from engine import LANGUAGES, Plan, PlanError, Workspace, messages_under, validate
from tests.conftest import CPU


def test_there_are_six_steps_and_every_race_belongs_to_one() -> None:
    assert len(lesson.STEPS) == 6
    assert [race for races in lesson.STEPS.values() for race in races] == list(lesson.RACES)


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_of_the_lesson_is_valid(race: str) -> None:
    validate(lesson.plan(race), Workspace(), CPU)


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_is_short(race: str) -> None:
    """Optimizer steps of a racer; 350 take 46 s on two idle cores (README, "How fast")."""
    plan = lesson.plan(race)
    assert plan.epochs * max(6, 10 * plan.examples_per_class / plan.batch_size) < 230


@pytest.mark.parametrize("race", lesson.RACES)
def test_every_race_is_compared_with_one_of_its_racers_or_another_race(race: str) -> None:
    against = lesson.RACES[race].against
    assert against in {racer.name for racer in lesson.plan(race).racers()} | set(lesson.RACES) - {race}


def test_the_learning_rate_of_burn_is_100_times_the_default() -> None:
    assert lesson.plan("burn").backbone_lr == pytest.approx(
        100 * Workspace().backbones.find("resnet10").architecture.fine_tuning_lr
    )


def test_both_races_of_the_data_step_have_about_as_many_optimizer_steps() -> None:
    few, many = (lesson.plan(name) for name in lesson.STEPS["data"])
    assert 6 * few.epochs == pytest.approx(10 * many.examples_per_class // many.batch_size * many.epochs, rel=0.1)


def test_a_step_sends_its_plan_as_the_query_of_a_link() -> None:
    value = {"plan": lesson.known("en")["races"]["freeze"]["query"], "start": True, "turn": 1}
    assert lesson.plan_of(value) == Plan(examples_per_class=5, epochs=30, trainable_stages=1, extra_racers=("random",))
    assert lesson.wants_start(value)
    assert not lesson.wants_start({**value, "start": "yes"})


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        [],
        {},
        {"plan": 3},
        {"plan": "examples_per_class=many"},
        {"plan": "examples_per_class=0"},
        {"plan": "a" * 501},
    ],
)
def test_an_invalid_plan_is_rejected(value: object) -> None:
    with pytest.raises(PlanError):
        lesson.plan_of(value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_a_hint_and_a_question(language: str) -> None:
    markup = lesson.markup(language)
    text = messages_under("lesson", language)
    for step in lesson.STEPS:
        assert escape(text[f"{step}.look"]) in markup
        assert lesson.QUIZ[step]
    assert markup.count("<article") == 6
    assert "${" not in markup


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_three_options_a_correct_one_and_an_explanation(language: str) -> None:
    known = lesson.known(language)
    for question, correct in known["answers"].items():
        assert {"text", "a", "b", "c", "why"} == set(messages_under(f"quiz.{question}", language))
        assert correct in "abc"
        assert known["why"][question]


def test_correct_answers_are_spread_over_the_options() -> None:
    answers = [correct for step in lesson.QUIZ.values() for correct in step.values()]
    assert all(answers.count(option) >= 3 for option in "abc")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_race_has_a_name_and_a_text_for_its_expected_result(language: str) -> None:
    text = messages_under("lesson", language)
    assert all(f"race.{race}.ahead" in text and f"race.{race}.name" in text for race in lesson.RACES)
    assert {"close", "behind"} <= set(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_glossary_explains_every_term_in_one_sentence(language: str) -> None:
    words = messages_under("glossary", language)
    terms = [key.removesuffix(".term") for key in words if key.endswith(".term")]
    assert len(terms) >= 24
    assert all(words[f"{term}.is"].endswith((".", "。")) for term in terms)
    assert all(words[f"{term}.term"] in lesson.markup(language) for term in terms)


def test_a_correct_head_is_confirmed_with_its_parameters() -> None:
    markup = lesson.verdict("resnet18", 512, 7, "model.fc = nn.Linear(512, 7)", "en")
    assert "✓ It works" in markup
    assert "3,591" in markup


def test_an_incorrect_head_shows_the_error_of_pytorch() -> None:
    markup = lesson.verdict("resnet18", 256, 7, "model.fc = nn.Linear(256, 7)", "ja")
    assert "<pre>" in markup
    assert "[1, 512]" in markup
    assert "PyTorch のエラー" in markup


def test_the_typed_line_is_escaped() -> None:
    markup = lesson.verdict("resnet18", 512, 7, "model.fc = <img src=x onerror=alert(1)>", "en")
    assert "<img" not in markup


@pytest.fixture
def blocks() -> Iterator[gr.Blocks]:
    with gr.Blocks() as app:
        lesson.build().submit(lambda: None)
        lesson.challenge()
    yield app
    app.close()


def test_the_lesson_and_the_challenge_fire_their_events(blocks: gr.Blocks) -> None:
    assert {name for fn in blocks.fns.values() for _, name in fn.targets} == {"submit", "click", "input"}
