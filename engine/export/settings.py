"""The settings of a race, as text for a reader and as a command for a terminal."""

from __future__ import annotations

import shlex
from dataclasses import fields
from functools import partial

from engine.data.preprocessing import NORMALISATIONS
from engine.data.registry import ANONYMOUS
from engine.data.registry import is_private as is_private_name
from engine.errors import HeadStartError
from engine.events import RaceStarted
from engine.i18n.messages import translate
from engine.models.stages import stages
from engine.plan import Plan
from engine.recording import Stamp
from engine.sentences import fact_sentence
from engine.workspace import Workspace

# Settings that have a row each
SEPARATE_ROWS = (
    "task",
    "backbone",
    "examples_per_class",
    "trainable_stages",
    "budget",
    "epochs",
    "seconds",
    "image_size",
    "seed",
)
AUTOMATIC = ("scratch_lr", "backbone_lr")  # settings for which 0 means the default of the network


def settings(
    plan: Plan, started: RaceStarted, stamp: Stamp, workspace: Workspace, language: str = "en"
) -> list[tuple[str, str]]:
    """The main settings, every other setting that differs from its default, machine and date, as (name, value) pairs."""
    default, text = Plan(), partial(translate, language=language)
    top = plan.trainable_stages
    learns = text("report.learns_head") if top == 1 else text("report.learns_top", count=top)
    length = plan.epochs if plan.budget == "epochs" else f"{plan.seconds:g}"
    changed = [
        text(
            "report.changed_value",
            name=label(f.name, language),
            value=setting_text(plan, f.name, workspace, language),
            default=setting_text(default, f.name, workspace, language),
        )
        for f in fields(Plan)
        if f.name not in SEPARATE_ROWS and getattr(plan, f.name) != getattr(default, f.name)
    ]
    threads = "machine_value" if started.threads == 0 else "threads_one" if started.threads == 1 else "threads"
    facts = {"machine": stamp.machine, "precision": started.precision, "date": stamp.date}
    name, training, heldout = title(plan, workspace, language), f"{started.training:,}", f"{started.heldout:,}"
    return [
        (text("report.task"), text("report.task_value", name=name, classes=len(started.classes), heldout=heldout)),
        (
            text("report.examples_per_class"),
            text("report.examples_value", each=plan.examples_per_class, count=training, image_size=started.image_size),
        ),
        (text("report.backbone"), fact_sentence(started.network, language)),
        (text("report.learns"), learns),
        (text("report.budget"), text(f"report.budget_{plan.budget}", count=length)),
        (text("report.seed"), str(plan.seed)),
        (text("report.changed"), "; ".join(changed) or text("report.unchanged")),
        (text("report.machine"), text(f"report.{threads}", count=started.threads, **facts)),
    ]


def title(plan: Plan, workspace: Workspace, language: str = "en") -> str:
    """The title of the pictures of a race. The name of a private set gives access to it, so it is never shown."""
    try:
        return fact_sentence(workspace.tasks.find(plan.task).title, language)
    except HeadStartError:
        return translate("report.own", language) if is_private(plan) else plan.task


def is_private(plan: Plan) -> bool:
    """Whether the race used a visitor's own pictures, also where the name of the set has been anonymised."""
    return is_private_name(plan.task) or plan.task == ANONYMOUS


def label(name: str, language: str = "en") -> str:
    """The name of a setting: the label of its control."""
    return translate(f"controls.{name}.label", language)


def setting_text(plan: Plan, name: str, workspace: Workspace, language: str = "en") -> str:
    """The value of a setting as text."""
    value, text = getattr(plan, name), partial(translate, language=language)
    if name == "task":
        return title(plan, workspace, language)
    if name in AUTOMATIC and value == 0:
        return text("report.suited")
    if name == "budget":
        return text("axis.epoch" if value == "epochs" else "axis.seconds")
    if name == "normalisation":
        return text(f"normalisation.{value}")
    if isinstance(value, bool):
        return text("replay.settings.yes" if value else "replay.settings.no")
    if isinstance(value, tuple):
        return ", ".join(text(f"racer.{racer}") for racer in value) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def race_command(plan: Plan, workspace: Workspace) -> str:
    """The command that runs this race again: `python -m engine race --examples-per-class 10 --trainable-stages head`.

    A visitor's own pictures and checkpoint appear as file names, which the reader replaces by the path of their own copy.
    """
    default, words = Plan(), ["python", "-m", "engine", "race"]
    for field in fields(Plan):
        value = getattr(plan, field.name)
        if value == getattr(default, field.name):
            continue
        if field.name == "task":
            words += ["--task", "PICTURES.zip" if is_private(plan) else plan.task]
        elif field.name == "backbone":
            words += _network_options(plan, workspace)
        elif field.name == "trainable_stages":
            words += ["--trainable-stages", _trainable_stages(plan, workspace)]
        elif isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{field.name.replace('_', '-')}")
        else:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            words += ["--" + field.name.replace("_", "-"), text]
    return shlex.join(words)


def _network_options(plan: Plan, workspace: Workspace) -> list[str]:
    """The options for a backbone: `mobilenet_v2+mine.pth` is an architecture and the file of its weights."""
    architecture, _, file = plan.backbone.partition("+")
    if not file:
        return ["--backbone", architecture]
    options = ["--backbone", architecture, "--weights", file]
    try:
        backbone = workspace.backbones.find(plan.backbone)
    except HeadStartError:
        return options  # the checkpoint was deleted, and its normalisation and image size with it
    normalisation = next((n for n, (mean, _) in NORMALISATIONS.items() if mean == backbone.mean), "imagenet")
    options += [] if normalisation == "imagenet" else ["--weights-normalisation", normalisation]
    is_usual_size = backbone.image_size == backbone.architecture.image_size
    return options + ([] if plan.image_size or is_usual_size else ["--image-size", str(backbone.image_size)])


def _trainable_stages(plan: Plan, workspace: Workspace) -> str:
    if plan.trainable_stages == 1:
        return "head"
    try:
        count = len(stages(workspace.backbones.find(plan.backbone), 2))
    except HeadStartError:
        count = 0
    return "all" if plan.trainable_stages == count else f"top{plan.trainable_stages - 1}"
