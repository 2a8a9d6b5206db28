"""The settings of a race as text, and the command that runs the same race again."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest

from engine.cli.main import parser
from engine.cli.options import read_plan
from engine.export.report.report import compose
from engine.export.settings import race_command
from engine.i18n.messages import LANGUAGES, translate
from engine.models.registry import BackboneRegistry
from engine.plan import Plan
from engine.sentences import fact_sentence
from engine.workspace import Workspace
from tests.helpers.recorded import STAMP, race


@pytest.mark.parametrize(
    ("plan", "command"),
    [
        (Plan(), "python -m engine race"),
        (
            Plan(examples_per_class=10, epochs=8, trainable_stages=1, extra_racers=("frozen", "all"), augment=False),
            "python -m engine race --examples-per-class 10 --trainable-stages head --epochs 8 --no-augment "
            "--extra-racers frozen,all",
        ),
        (Plan(trainable_stages=6), "python -m engine race --trainable-stages all"),
        (
            Plan(trainable_stages=2, task="my pictures.zip"),
            "python -m engine race --task 'my pictures.zip' --trainable-stages top1",
        ),
        (
            Plan(task="own-AbC_secret", backbone="resnet18+mine.pth"),
            "python -m engine race --task PICTURES.zip --backbone resnet18 --weights mine.pth",
        ),
    ],
)
def test_the_command_repeats_the_race(plan: Plan, command: str) -> None:
    assert race_command(plan, Workspace()) == command


def test_the_command_line_parses_the_command() -> None:
    plan = Plan(
        examples_per_class=7,
        trainable_stages=2,
        budget="seconds",
        seconds=12.5,
        head_lr=0.003,
        invert_colors=True,
        shuffle_grid=4,
    )
    assert read_plan(parser().parse_args(shlex.split(race_command(plan, Workspace()))[3:]), Workspace()) == plan


def test_changed_settings_have_the_labels_of_the_page() -> None:
    plan = Plan(
        examples_per_class=4, epochs=6, scratch_lr=0.01, label_noise=0.5, invert_colors=True
    )  # examples_per_class and epochs have rows of their own
    rows = {language: dict(compose(STAMP, race(plan=plan), Workspace(), language).settings) for language in LANGUAGES}
    assert rows["en"][translate("report.changed")] == (
        "Learning rate from scratch: 0.01 (not the network's own); Colours inverted, as in a negative: yes (not no); "
        "Share of training labels shuffled: 0.5 (not 0)"
    )
    assert not re.search("[a-z]{3}", rows["ja"][translate("report.changed", "ja")])
    assert rows["en"][translate("report.budget")] == "6 epochs"


def test_pictures_and_network_are_in_the_readers_language() -> None:
    began = replace(race()[0][1], network=BackboneRegistry().find("resnet10").description)  # type: ignore[arg-type]
    rows = dict(compose(STAMP, [(0.0, began), *race()[1:]], Workspace(), "ja").settings)
    assert rows["画像"].startswith("卓上の物：")
    assert rows["ネットワーク"] == fact_sentence(BackboneRegistry().find("resnet10").description, "ja")


def test_a_recording_of_a_private_race_is_not_mistaken_for_a_set_called_own() -> None:
    report = compose(STAMP, race(plan=Plan(task="own")), Workspace())
    assert dict(report.settings)["Pictures"].startswith("Own pictures: ")
    assert "--task PICTURES.zip" in report.command
