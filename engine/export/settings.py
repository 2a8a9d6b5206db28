"""What was raced, as a reader is told it and as a terminal takes it. Knows no result."""

from __future__ import annotations

import shlex
from dataclasses import fields
from functools import partial

from engine import backbones, tasks
from engine.errors import HeadStartError
from engine.events import RaceStarted
from engine.plan import Plan
from engine.recording import Stamp
from engine.strings import say
from engine.telling import fact, network

OWN = "own"  # the task of a private race, as `tasks.nameless` calls it in what others may read
# Settings that have rows of their own
TOLD = ("task", "backbone", "examples", "learning_stages", "budget", "epochs", "seconds", "px", "seed")
SUITED = ("scratch_rate", "backbone_rate")  # settings of which 0 is whatever suits the network


def settings(plan: Plan, started: RaceStarted, stamp: Stamp, language: str = "en") -> list[tuple[str, str]]:
    """What was raced, where and when; then every further setting that is not as it comes. (name, value) pairs."""
    default, text = Plan(), partial(say, language=language)
    top = plan.learning_stages
    learns = text("report.learns_head") if top == 1 else text("report.learns_top", count=top)
    length = plan.epochs if plan.budget == "epochs" else f"{plan.seconds:g}"
    changed = [
        text(
            "report.changed_value",
            name=label(f.name, language),
            value=written(plan, f.name, language),
            default=written(default, f.name, language),
        )
        for f in fields(Plan)
        if f.name not in TOLD and getattr(plan, f.name) != getattr(default, f.name)
    ]
    threads = "machine_value" if started.threads == 0 else "threads_one" if started.threads == 1 else "threads"
    facts = {"machine": stamp.machine, "precision": started.precision, "date": stamp.date}
    name, training, heldout = title(plan, language), f"{started.training:,}", f"{started.heldout:,}"
    return [
        (text("report.task"), text("report.task_value", name=name, classes=len(started.classes), heldout=heldout)),
        (text("report.examples"), text("report.examples_value", each=plan.examples, count=training, px=started.px)),
        (text("report.backbone"), network(started.network, language)),
        (text("report.learns"), learns),
        (text("report.budget"), text(f"report.budget_{plan.budget}", count=length)),
        (text("report.seed"), str(plan.seed)),
        (text("report.changed"), "; ".join(changed) or text("report.unchanged")),
        (text("report.machine"), text(f"report.{threads}", count=started.threads, **facts)),
    ]


def title(plan: Plan, language: str = "en") -> str:
    """What the pictures of a race are called. The name of a private set is its key: it is never told."""
    try:
        return fact(tasks.find(plan.task).title, language)
    except HeadStartError:
        return say("report.own", language) if is_private(plan) else plan.task


def is_private(plan: Plan) -> bool:
    """Whether this was raced on one visitor's own pictures; also where only that is left of their name."""
    return tasks.is_private(plan.task) or (plan.task == OWN and OWN not in tasks.names())


def label(name: str, language: str = "en") -> str:
    """What a setting is called: the label of its control."""
    return say(f"controls.{name}.label", language)


def written(plan: Plan, name: str, language: str = "en") -> str:
    """A setting as a reader reads it."""
    value, text = getattr(plan, name), partial(say, language=language)
    if name == "task":
        return title(plan, language)
    if name in SUITED and value == 0:
        return text("report.suited")
    if name == "budget":
        return text("axis.epoch" if value == "epochs" else "axis.seconds")
    if name in ("scratch_optimizer", "normalisation"):
        return text(f"{name.removeprefix('scratch_')}.{value}")
    if isinstance(value, bool):
        return text("replay.settings.yes" if value else "replay.settings.no")
    if isinstance(value, tuple):
        return ", ".join(text(f"lane.{lane}") for lane in value) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def command(plan: Plan) -> str:
    """The line for a terminal that runs this race again: `python -m engine race --examples 10 --learn head`.

    A visitor's own pictures and checkpoints are named as files to be given again, not as this server keeps them.
    """
    default, words = Plan(), ["python", "-m", "engine", "race"]
    for field in fields(Plan):
        value = getattr(plan, field.name)
        if value == getattr(default, field.name):
            continue
        if field.name == "task":
            words += ["--task", "PICTURES.zip" if is_private(plan) else plan.task]
        elif field.name == "backbone":
            words += _network_options(plan)
        elif field.name == "learning_stages":
            words += ["--learn", _learn(plan)]
        else:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            words += ["--" + field.name.replace("_", "-"), text]
    return shlex.join(words)


def _network_options(plan: Plan) -> list[str]:
    """`mobilenet_v2+mine.pth` was made of an architecture and a file, perhaps for an input of its own."""
    architecture, _, file = plan.backbone.partition("+")
    if not file:
        return ["--backbone", architecture]
    options = ["--backbone", architecture, "--weights", file]
    try:
        own = backbones.find(plan.backbone)
    except HeadStartError:
        return options  # it is gone from here, and what it was made for with it
    normalisation = next((n for n, (mean, _) in backbones.NORMALISATIONS.items() if mean == own.mean), "imagenet")
    options += [] if normalisation == "imagenet" else ["--weights-normalisation", normalisation]
    return options + ([] if plan.px or own.px == own.architecture.px else ["--px", str(own.px)])


def _learn(plan: Plan) -> str:
    if plan.learning_stages == 1:
        return "head"
    try:
        count = len(backbones.stages(plan.backbone, 2))
    except HeadStartError:
        count = 0
    return "all" if plan.learning_stages == count else f"top{plan.learning_stages - 1}"
