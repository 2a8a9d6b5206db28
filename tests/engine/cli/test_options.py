"""The options of the terminal: every one has a sentence, its unit, its range and its default."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields

import pytest

from engine.cli.main import parser
from engine.cli.options import GROUPS, as_text, read_plan
from engine.plan import RANGES, Plan
from engine.workspace import Workspace


def commands() -> dict[str, argparse.ArgumentParser]:
    choices = next(action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(choices)


def options() -> Iterator[tuple[str, argparse.Action]]:
    """(command and option as typed, action) for every option of every command."""
    for name, command in commands().items():
        for action in command._actions:
            if not isinstance(action, argparse._HelpAction):
                yield f"{name} {action.option_strings[0] if action.option_strings else action.dest}", action


def help_texts() -> Iterator[str]:
    yield parser().format_help()
    for command in commands().values():
        yield command.format_help()


@pytest.mark.parametrize("action", [pytest.param(action, id=name) for name, action in options()])
def test_every_option_has_a_sentence_its_unit_and_its_default(action: argparse.Action) -> None:
    assert action.help
    assert action.help[0].isupper() or action.help.startswith("torchvision")
    if not action.option_strings:
        return  # positional arguments have no default
    if isinstance(action, argparse._StoreTrueAction):
        assert action.default is False
        return
    assert "(required)" in action.help if action.required else "default: " in action.help
    if isinstance(action.default, int | float) and not isinstance(action.default, bool):
        assert f"default: {as_text(action.default)})" in action.help
        assert " to " in action.help or " or more" in action.help
    if not isinstance(action, argparse.BooleanOptionalAction):
        assert action.metavar


@pytest.mark.parametrize("name", RANGES)
def test_a_numeric_setting_shows_the_range_and_default_of_the_plan(name: str) -> None:
    if name == "trainable_stages":
        return  # `--trainable-stages` takes words: head, top2, all
    (action,) = [action for option, action in options() if option == f"race --{name.replace('_', '-')}"]
    low, high, default = RANGES[name].low, RANGES[name].high, getattr(Plan(), name)
    assert action.help
    assert action.help.endswith(f"({as_text(low)} to {as_text(high)}; default: {as_text(default)})")


def test_every_setting_of_a_plan_is_in_a_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(field.name for field in fields(Plan))


def test_every_help_can_be_printed() -> None:
    assert all("usage: python -m engine" in text for text in help_texts())


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        ([], Plan()),
        (["--no-augment", "--invert-colors"], Plan(augment=False, invert_colors=True)),
        (["--augment", "--no-invert-colors"], Plan()),
        (
            ["--extra-racers", "frozen,random", "--examples-per-class", "7"],
            Plan(extra_racers=("random", "frozen"), examples_per_class=7),
        ),
    ],
)
def test_options_are_read_as_a_plan(arguments: list[str], plan: Plan) -> None:
    assert read_plan(parser().parse_args(["race", *arguments]), Workspace()) == plan


def test_an_option_may_be_abbreviated() -> None:
    assert read_plan(parser().parse_args(["race", "--exam", "7"]), Workspace()).examples_per_class == 7
