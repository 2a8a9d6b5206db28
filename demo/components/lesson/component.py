"""The lesson: six steps with races and questions, a glossary, and the challenge to replace a head.

A step's button sends its plan to the page, which sets its widgets and starts the race; `component.js` reads the result from
the rows of the race. The page connects it so:

    guide = lesson.build()
    guide.submit(handler, guide, …)     # in the handler: plan = lesson.plan_of(value); if lesson.wants_start(value): …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from demo.components import base
from demo.i18n import labels
from demo.markup import Template
from engine import Plan, PlanError, check_head, messages_under, model_ending, translate

SCRIPT = Path(__file__).with_suffix(".js")
TEMPLATE = Template(Path(__file__).with_suffix(".html"))
VERDICT = Template(Path(__file__).with_name("verdict.html"))
MAX_QUERY = 500  # characters of the query of a plan
CHALLENGE_CLASSES = 7
NETWORKS = {"resnet18": "ResNet-18", "mobilenet_v2": "MobileNetV2", "densenet121": "DenseNet-121"}


@dataclass(frozen=True)
class Contest:
    """A race of the lesson, and what the result of its pretrained racer is compared with."""

    settings: Mapping[str, object]  # as Plan.from_mapping takes them
    against: str  # name of another racer or of another race of the lesson
    measure: Literal["share", "gap"] = "share"  # what is compared: accuracy, or the gap between both racers
    is_fall: bool = False  # this race is expected to be lower than the other


# Each takes 30 s or less on two idle cores. Held-out accuracy with seed 0 (two cores of an AMD EPYC, 2026-11-28), pretrained
# / from scratch: general and few 61.3 / 28.8 %, head 74.0 / 48.8 %, freeze 61.3 / 28.8 % (random backbone 18.2 %), tune
# 83.8 / 48.8 %, burn 10.0 / 48.8 %, many 82.2 / 68.2 %, dust 11.2 / 24.2 %, glasses 35.7 / 47.3 %. `few`
# and `many` make 180 and 192 steps
_FIVE: Mapping[str, object] = {"examples_per_class": 5, "epochs": 30, "trainable_stages": 1}
_TWENTY: Mapping[str, object] = {"examples_per_class": 20, "epochs": 20, "trainable_stages": 1}
_TUNED: Mapping[str, object] = {"examples_per_class": 20, "epochs": 20, "trainable_stages": 3}
RACES: Mapping[str, Contest] = {
    "general": Contest(_FIVE, "scratch"),
    "head": Contest(_TWENTY, "scratch"),
    "freeze": Contest({**_FIVE, "extra_racers": ["random"]}, "random"),
    "tune": Contest(_TUNED, "head"),
    "burn": Contest({**_TUNED, "backbone_lr": 0.1}, "tune", is_fall=True),  # 100 times the learning rate of ResNet-10
    "few": Contest(_FIVE, "scratch"),
    "many": Contest({"examples_per_class": 50, "epochs": 12, "trainable_stages": 1}, "few", "gap", is_fall=True),
    "dust": Contest({**_TWENTY, "shuffle_grid": 512}, "scratch"),
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
# Step -> question -> its correct answer
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
    """The plan in the lesson's value, which a browser sends. Raises PlanError if there is no valid plan."""
    query = value.get("plan") if isinstance(value, dict) else None
    if not isinstance(query, str) or len(query) > MAX_QUERY:
        raise PlanError("refusal.lesson")
    return Plan.from_query(query)


def wants_start(value: object) -> bool:
    """Whether the race should start, not only be set."""
    return isinstance(value, dict) and value.get("start") is True


def build() -> gr.HTML:
    """Add the steps and the glossary. On `submit` the value is `{"plan": query, "start": bool, "turn": number}`."""
    return base.build("hs-lesson", SCRIPT, markup, known)


def known(language: str) -> dict[str, Any]:
    """The texts for the script, the steps with their races, and the correct answers."""
    races = {
        name: {"query": plan(name).to_query(), "plan": asdict(plan(name)), "against": contest.against,
               "measure": contest.measure, "is_fall": contest.is_fall}
        for name, contest in RACES.items()
    }  # fmt: skip
    answers = {question: answer for step in QUIZ.values() for question, answer in step.items()}
    names = messages_under("racer", language)
    return {"words": messages_under("lesson", language), "why": {q: translate(f"quiz.{q}.why", language) for q in answers},
            "names": names, "races": races, "steps": STEPS, "answers": answers}  # fmt: skip


def markup(language: str) -> str:
    """All steps as markup; the script shows one at a time."""
    glossary = messages_under("glossary", language)
    terms = [key.removesuffix(".term") for key in glossary if key.endswith(".term")]
    return TEMPLATE.render(
        language=language,
        translate=partial(translate, language=language),
        text=messages_under("lesson", language),
        steps=STEPS,
        quiz=QUIZ,
        glossary=glossary,
        terms=sorted(terms, key=lambda term: glossary[f"{term}.term"]),
    )


def challenge() -> None:
    """Add the challenge: two numbers and a line of code, checked by building the head."""
    with gr.Column(elem_id="hs-swap"):
        gr.Markdown(labels.text("swap.title"), elem_id="hs-swap-title")
        gr.Markdown(labels.text("swap.about"))
        names = [(title, name) for name, title in NETWORKS.items()]
        network = gr.Radio(names, value="resnet18", elem_id="hs-swap-network", label=labels.text("swap.network"))
        first = model_ending("resnet18")
        printed = gr.Textbox(first, lines=3, interactive=False, elem_id="hs-swap-printed", label=labels.text("swap.printed"))
        with gr.Row():
            into, out = (
                gr.Number(precision=0, elem_id=f"hs-swap-{way}", **_texts(f"swap.{way}"), value=None)
                for way in ("in", "out")
            )
        line = gr.Textbox(max_length=200, elem_id="hs-swap-line", **_texts("swap.line"))
        button = gr.Button(labels.text("swap.check"), variant="primary", elem_id="hs-swap-check")
        result = gr.HTML(_verdict(), apply_default_css=False, elem_id="hs-swap-result")

    unqueued: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on([button.click, line.submit], check_line, [network, into, out, line], result, **unqueued)
    network.input(select_network, network, [printed, result], **unqueued)


def _texts(key: str) -> dict[str, Any]:
    return {"label": labels.text(key), "info": labels.text(f"{key}_info")}


def select_network(name: str) -> tuple[str, str]:
    """The last layers of the network as PyTorch prints them, and an empty verdict."""
    return model_ending(name), _verdict()


def check_line(network: str, into: float | None, out: float | None, line: str | None, request: gr.Request) -> str:
    """The verdict on a line of code, in the visitor's language."""
    return verdict(network, int(into or 0), int(out or 0), line or "", labels.language_of(request))


def verdict(network: str, into: int, out: int, line: str, language: str) -> str:
    """Whether a head fits, as markup. The line is parsed and escaped, never executed."""
    check = check_head(network, into, out, line, CHALLENGE_CLASSES)
    text = translate(f"swap.{check.key}", language, **check.detail)
    return _verdict(text, check.is_correct, translate("swap.torch", language), check.detail.get("error", ""))


def _verdict(text: str = "", is_correct: bool = False, intro: str = "", error: str = "") -> str:
    return VERDICT.render(text=text, is_correct=is_correct, intro=intro, error=error)
