"""The lesson: six steps, each with a race, where to look, and questions; a glossary; the challenge to swap a head.

Starts nothing and knows no result: a step's button asks the page for a race, and `lesson.js` reads from the race's rows what
came out. The page wires it so, and sets its widgets to the plan:

    guide = lesson.build()
    guide.submit(handler, guide, …)     # in the handler: plan = lesson.plan_of(value); if lesson.wants_start(value): …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from demo import part, words
from engine import Plan, PlanError, check_head, model_ending, said, say

SCRIPT = Path(__file__).with_suffix(".js")
LONGEST = 500  # characters of a plan that is asked for
FLOWERS = 7  # classes of the challenge
NETWORKS = {"resnet18": "ResNet-18", "mobilenet_v2": "MobileNetV2", "densenet121": "DenseNet-121"}


@dataclass(frozen=True)
class Contest:
    """A race of the lesson, and what its pretrained racer's result is held against."""

    settings: Mapping[str, object]  # as Plan.from_mapping takes them
    against: str  # another lane, or another race of the lesson
    measure: Literal["share", "gap"] = "share"  # what is compared with another race
    is_fall: bool = False  # the lesson is that this race comes out lower than the other


# Each takes 30 s or less on two idle cores. What came out with seed 0 (two cores of an AMD EPYC, 2026-11-21), held-out
# pictures named right, pretrained / from scratch: general and few 61.3 / 19.7 %, head 74.0 / 35.3 %, freeze 61.3 / 19.7 %
# (random backbone 18.2 %), tune 83.3 / 35.3 %, burn 10.0 / 35.3 %, many 82.2 / 52.8 %, dust 11.2 / 20.5 %, glasses
# 35.7 / 37.5 %. `few` and `many` make 180 and 192 steps
_FIVE: Mapping[str, object] = {"examples": 5, "epochs": 30, "learning_stages": 1}
_TWENTY: Mapping[str, object] = {"examples": 20, "epochs": 20, "learning_stages": 1}
_TUNED: Mapping[str, object] = {"examples": 20, "epochs": 20, "learning_stages": 3}
RACES: Mapping[str, Contest] = {
    "general": Contest(_FIVE, "scratch"),
    "head": Contest(_TWENTY, "scratch"),
    "freeze": Contest({**_FIVE, "extra_lanes": ["random"]}, "random"),
    "tune": Contest(_TUNED, "head"),
    "burn": Contest({**_TUNED, "backbone_rate": 0.1}, "tune", is_fall=True),  # 100 times ResNet-10's own rate
    "few": Contest(_FIVE, "scratch"),
    "many": Contest({"examples": 50, "epochs": 12, "learning_stages": 1}, "few", "gap", is_fall=True),
    "dust": Contest({**_TWENTY, "patches": 512}, "scratch"),
    "glasses": Contest({**_TWENTY, "normalisation": "raw"}, "scratch"),
}
STEPS: Mapping[str, tuple[str, ...]] = {
    "general": ("general",),
    "head": ("head",),
    "freeze": ("freeze",),
    "tune": ("tune", "burn"),
    "data": ("few", "many"),
    "fail": ("dust", "glasses"),
}
# A step's questions, each with its right answer
QUIZ: Mapping[str, Mapping[str, str]] = {
    "general": {"filters": "b", "start": "a"},
    "head": {"replace": "c", "count": "b"},
    "freeze": {"random": "a", "cache": "b"},
    "tune": {"rate": "c", "order": "a"},
    "data": {"shrink": "b"},
    "fail": {"edges": "a", "doubt": "c"},
}


def plan(race: str) -> Plan:
    """The plan of a race of the lesson."""
    return Plan.from_mapping(RACES[race].settings)


def plan_of(value: object) -> Plan:
    """The plan that the lesson asks the page for. Raises PlanError where the value, which a browser sends, holds none."""
    query = value.get("plan") if isinstance(value, dict) else None
    if not isinstance(query, str) or len(query) > LONGEST:
        raise PlanError("refusal.lesson")
    return Plan.from_query(query)


def wants_start(value: object) -> bool:
    """Whether the race is to start at once, not only to be set up."""
    return isinstance(value, dict) and value.get("start") is True


def build() -> gr.HTML:
    """The steps and the glossary. Tells `submit`; its value is then `{"plan": query, "start": bool, "turn": number}`."""
    return part.build("hs-lesson", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """What the script is told: sentences, the steps with their races, and the right answers."""
    races = {
        name: {"query": plan(name).to_query(), "plan": asdict(plan(name)), "against": contest.against,
               "measure": contest.measure, "is_fall": contest.is_fall}
        for name, contest in RACES.items()
    }  # fmt: skip
    answers = {question: right for step in QUIZ.values() for question, right in step.items()}
    names = said("lane", language)
    return {"words": said("lesson", language), "why": {q: say(f"quiz.{q}.why", language) for q in answers},
            "names": names, "races": races, "steps": STEPS, "answers": answers}  # fmt: skip


def markup(language: str) -> str:
    """The lesson in one language, all steps; the script shows one at a time."""
    text = {key: escape(sentence) for key, sentence in said("lesson", language).items()}
    tabs = "".join(
        f'<li><button type="button" data-step="{step}"><span class="hs-lesson-number">{number}</span> '
        f"<span>{text[f'{step}.title']}</span> <small hidden>✓ {text['raced']}</small></button></li>"
        for number, step in enumerate(STEPS, 1)
    )
    steps = "".join(_step(step, number, text, language) for number, step in enumerate(STEPS, 1))
    return f"""<section class="hs-lesson" lang="{language}" aria-labelledby="hs-lesson-heading">
<h2 id="hs-lesson-heading">{text["heading"]}</h2>
<p>{text["intro"]}</p>
<div class="hs-lesson-body">
<nav aria-label="{text["steps"]}"><ol>{tabs}</ol></nav>
<div class="hs-lesson-page">{steps}
<div class="hs-lesson-turn"><button type="button" data-turn="-1">← {text["previous"]}</button>
<button type="button" data-turn="1">{text["next"]} →</button>
<button type="button" class="hs-lesson-forget">{text["forget"]}</button></div>
</div></div>
{_glossary(language)}
</section>"""


def _step(step: str, number: int, text: dict[str, str], language: str) -> str:
    place = say("lesson.step", language, number=number, count=len(STEPS))
    races = "".join(
        f'<div class="hs-lesson-race" data-race="{race}"><h4>{text[f"race.{race}.name"]}</h4>'
        f'<div class="hs-lesson-buttons">'
        f'<button type="button" class="hs-lesson-main" data-start="true">{text["start"]}</button>'
        f'<button type="button" data-start="false">{text["set"]}</button></div>'
        f'<div class="hs-lesson-result" aria-live="polite"></div></div>'
        for race in STEPS[step]
    )
    questions = "".join(_question(name, text, language) for name in QUIZ[step])
    return (
        f'<article data-step="{step}" hidden aria-labelledby="hs-lesson-{step}">'
        f'<p class="hs-lesson-place">{escape(place)}</p>'
        f'<h3 id="hs-lesson-{step}" tabindex="-1">{text[f"{step}.title"]}</h3><p>{text[f"{step}.about"]}</p>'
        f'<p class="hs-lesson-look"><b>{text["look"]}</b> {text[f"{step}.look"]}</p>{races}'
        f"<h4>{text['questions']}</h4>{questions}</article>"
    )


def _question(name: str, text: dict[str, str], language: str) -> str:
    quiz = {key: escape(sentence) for key, sentence in said(f"quiz.{name}", language).items()}
    options = "".join(
        f'<label><input type="radio" name="hs-quiz-{name}" value="{option}"><span>{quiz[option]}</span></label>'
        for option in "abc"
    )
    return (
        f'<form class="hs-quiz" data-question="{name}"><fieldset><legend>{quiz["text"]}</legend>{options}</fieldset>'
        f'<button type="submit">{text["check"]}</button><p class="hs-quiz-answer" role="status"></p></form>'
    )


def _glossary(language: str) -> str:
    terms = said("glossary", language)
    names = sorted((key.removesuffix(".term") for key in terms if key.endswith(".term")), key=lambda n: terms[f"{n}.term"])
    rows = "".join(f"<div><dt>{escape(terms[f'{n}.term'])}</dt><dd>{escape(terms[f'{n}.is'])}</dd></div>" for n in names)
    return (
        f'<details class="hs-glossary"><summary>{escape(terms["title"])}</summary>'
        f'<label>{escape(terms["filter"])} <input type="search" autocomplete="off"></label>'
        f'<dl>{rows}</dl><p role="status" data-none="{escape(terms["none"])}"></p></details>'
    )


def challenge() -> None:
    """Draw the challenge where the caller stands: two numbers and a line of code, checked by building it."""
    with gr.Column(elem_id="hs-swap"):
        gr.Markdown(words.text("swap.title"), elem_id="hs-swap-title")
        gr.Markdown(words.text("swap.about"))
        names = [(title, name) for name, title in NETWORKS.items()]
        network = gr.Radio(names, value="resnet18", elem_id="hs-swap-network", label=words.text("swap.network"))
        first = model_ending("resnet18")
        printed = gr.Textbox(first, lines=3, interactive=False, elem_id="hs-swap-printed", label=words.text("swap.printed"))
        with gr.Row():
            into, out = (
                gr.Number(precision=0, elem_id=f"hs-swap-{way}", **_texts(f"swap.{way}"), value=None)
                for way in ("in", "out")
            )
        line = gr.Textbox(max_length=200, elem_id="hs-swap-line", **_texts("swap.line"))
        button = gr.Button(words.text("swap.check"), variant="primary", elem_id="hs-swap-check")
        result = gr.HTML(_SAID.format(""), apply_default_css=False, elem_id="hs-swap-result")

    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on([button.click, line.submit], judge, [network, into, out, line], result, **quiet)
    network.input(lambda name: (model_ending(name), _SAID.format("")), network, [printed, result], **quiet)


def _texts(key: str) -> dict[str, Any]:
    return {"label": words.text(key), "info": words.text(f"{key}_info")}


_SAID = '<div class="hs-swap-said" aria-live="polite">{}</div>'


def judge(network: str, into: float | None, out: float | None, line: str | None, request: gr.Request) -> str:
    """Build the line's head and say, in the visitor's language, what came of it."""
    return verdict(network, int(into or 0), int(out or 0), line or "", words.language_of(request))


def verdict(network: str, into: int, out: int, line: str, language: str) -> str:
    """What came of a head as markup. Nothing of the line is ever markup or run."""
    came = check_head(network, into, out, line, FLOWERS)
    text = escape(say(f"swap.{came.key}", language, **came.detail))
    mark = "✓ " if came.is_right else ""
    error = came.detail.get("error")
    torch = f"<p>{escape(say('swap.torch', language))}</p><pre>{escape(error)}</pre>" if error else ""
    return _SAID.format(f'<p class="hs-swap-{"right" if came.is_right else "wrong"}">{mark}{text}</p>{torch}')
