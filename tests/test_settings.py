"""A race's settings are told as they were, and the line for a terminal runs the same race again."""

from __future__ import annotations

import shlex

import pytest
from told import STAMP, race

from engine.__main__ import _parser, read_plan
from engine.export.report import compose
from engine.export.settings import command
from engine.plan import Plan
from engine.strings import say


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


def test_what_differs_from_the_defaults_is_told() -> None:
    told = dict(compose(STAMP, race()).settings)
    differing = (("examples", 4, 20), ("epochs", 6, 50))
    changed = [say("report.changed_value", name=n, value=v, default=d) for n, v, d in differing]
    assert told[say("report.changed")] == "; ".join(changed)
    assert told[say("report.seed")] == "0"
