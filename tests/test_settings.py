"""A race's settings are told as they were, and the line for a terminal runs the same race again."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest
from told import STAMP, race

from engine import backbones
from engine.__main__ import _parser, read_plan
from engine.export.report import compose
from engine.export.settings import command
from engine.plan import Plan
from engine.strings import LANGUAGES, say
from engine.telling import network


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan(), "python -m engine race"),
        (
            Plan(examples=10, epochs=8, learning_stages=1, extra_lanes=("frozen", "all"), augmented=False),
            "python -m engine race --examples 10 --learn head --epochs 8 --augmented False --extra-lanes frozen,all",
        ),
        (Plan(learning_stages=6), "python -m engine race --learn all"),
        (Plan(learning_stages=2, task="my pictures.zip"), "python -m engine race --task 'my pictures.zip' --learn top1"),
        (
            Plan(task="own-AbC_secret", backbone="resnet18+mine.pth"),
            "python -m engine race --task PICTURES.zip --backbone resnet18 --weights mine.pth",
        ),
    ],
)
def test_the_command_repeats_the_race(plan: Plan, line: str) -> None:
    assert command(plan) == line


def test_the_command_is_one_that_the_terminal_reads() -> None:
    plan = Plan(examples=7, learning_stages=2, budget="seconds", seconds=12.5, head_rate=0.003, inverted=True, patches=4)
    parsed, rest = _parser().parse_known_args(shlex.split(command(plan))[3:])
    assert not rest
    assert read_plan(parsed) == plan


def test_what_differs_from_the_defaults_is_told_in_the_words_of_the_page() -> None:
    plan = Plan(examples=4, epochs=6, scratch_rate=0.01, label_noise=0.5, inverted=True)  # two of them in rows of their own
    told = {language: dict(compose(STAMP, race(plan=plan), language).settings) for language in LANGUAGES}
    assert told["en"][say("report.changed")] == (
        "Learning rate from scratch: 0.01 (not the network's own); Colours inverted, as in a negative: yes (not no); "
        "Share of training labels shuffled: 0.5 (not 0)"
    )
    assert not re.search("[a-z]{3}", told["ja"][say("report.changed", "ja")])
    assert told["en"][say("report.budget")] == "6 epochs"


def test_pictures_and_network_are_told_in_the_readers_language() -> None:
    began = replace(race()[0][1], network=backbones.find("resnet10").description)  # type: ignore[arg-type]
    told = dict(compose(STAMP, [(0.0, began), *race()[1:]], "ja").settings)
    assert told["画像"].startswith("卓上の物：")
    assert told["ネットワーク"] == network(backbones.find("resnet10").description, "ja")


def test_a_recording_of_a_private_race_is_not_mistaken_for_a_set_called_own() -> None:
    told = compose(STAMP, race(plan=Plan(task="own")))
    assert dict(told.settings)["Pictures"].startswith("Own pictures: ")
    assert "--task PICTURES.zip" in told.command
