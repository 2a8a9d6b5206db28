"""The sentences of a replay about its race, in one language."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from engine.errors import HeadStartError
from engine.events import RaceStarted
from engine.export.settings import label, setting_text, title
from engine.i18n.messages import translate
from engine.plan import MAIN_RACERS, Plan
from engine.recording import Stamp
from engine.scoreboard import Curve, Scoreboard
from engine.sentences import detail_sentence, fact_sentence, verdict_sentence
from engine.workspace import Workspace

ALWAYS = ("task", "examples_per_class", "seed")  # settings that are listed even where they are the defaults


def texts(
    board: Scoreboard, started: RaceStarted, plan: Plan, stamp: Stamp, workspace: Workspace, language: str
) -> dict[str, Any]:
    """The title, settings and verdict of this race in one language; messages common to all replays are not among them."""
    second = board.curves.get(MAIN_RACERS[1], Curve())
    is_all = 0 < second.parameters == second.learning
    extent = "all" if is_all else "head" if plan.trainable_stages == 1 else "top"
    learns, short = (
        translate(f"replay.{key}.{extent}", language, count=plan.trainable_stages) for key in ("learns", "learning")
    )
    task = title(plan, workspace, language)
    return {
        "title": translate("replay.title", language, task=task, examples_per_class=plan.examples_per_class),
        "names": [task, _backbone(plan, workspace)],
        "about": translate("replay.about", language, network=fact_sentence(started.network, language), learns=learns),
        "short": translate("gallery.settings", language, examples_per_class=plan.examples_per_class, learning=short),
        "stamp": translate("replay.recorded", language, machine=stamp.machine, seed=plan.seed, date=stamp.date),
        "verdict": verdict_sentence(board, language),
        "detail": detail_sentence(board, language),
        "settings": _settings(started, plan, short, workspace, language),
    }


def _backbone(plan: Plan, workspace: Workspace) -> str:
    """The title of the backbone; its name where it is not in the registry."""
    try:
        return workspace.backbones.find(plan.backbone).title
    except HeadStartError:
        return plan.backbone


def _settings(started: RaceStarted, plan: Plan, learning: str, workspace: Workspace, language: str) -> list[tuple[str, str]]:
    """The settings in ALWAYS, those that differ from their default, the network and the machine, as (name, value) pairs."""

    def facts(*names: tuple[str, str]) -> list[tuple[str, str]]:
        return [(translate(f"replay.settings.{name}", language), value) for name, value in names]

    default = asdict(Plan())
    changed = [
        (label(field.name, language), setting_text(plan, field.name, workspace, language))
        for field in fields(Plan)
        if field.name in ALWAYS or getattr(plan, field.name) != default[field.name]
        if field.name not in ("backbone", "trainable_stages", "image_size")  # in the rows below
    ]
    return [
        *facts(("network", fact_sentence(started.network, language)), ("learning", learning)),
        *changed,
        *facts(
            ("classes", f"{len(started.classes)}"),
            ("training", f"{started.training:,}"),
            ("heldout", f"{started.heldout:,}"),
            ("size", f"{started.image_size} px"),
            ("machine", f"{started.machine}, {started.precision}"),
        ),
    ]
