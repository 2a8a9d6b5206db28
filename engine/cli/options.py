"""The options of a race: one for every setting of a plan, and the plan that parsed options describe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias, get_args, get_type_hints

import engine
from engine import EXTRA_RACERS, RANGES, Backbone, Dataset, Plan, PlanError, UnavailableError, Workspace, translate
from engine.cli import display
from engine.i18n.messages import strings
from engine.plan import read_setting

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what `add_subparsers` returns

GROUPS: Mapping[str, tuple[str, ...]] = {  # title -> settings
    "pictures and network": ("task", "examples_per_class", "backbone", "image_size", "seed"),
    "length of the race": ("budget", "epochs", "seconds"),
    "pretrained racer": ("trainable_stages", "head_lr", "backbone_lr", "layer_decay", "head_only_fraction"),
    "racer from scratch": ("scratch_lr",),
    "all racers": ("batch_size", "augment", "extra_racers"),
    "corruptions": ("shuffle_grid", "invert_colors", "label_noise", "normalisation"),
}
UNITS: Mapping[str, str] = {
    "examples_per_class": "PICTURES",
    "epochs": "EPOCHS",
    "seconds": "SECONDS",
    "scratch_lr": "RATE",
    "head_lr": "RATE",
    "backbone_lr": "RATE",
    "layer_decay": "FACTOR",
    "head_only_fraction": "SHARE",
    "batch_size": "PICTURES",
    "image_size": "PIXELS",
    "shuffle_grid": "PATCHES",
    "label_noise": "SHARE",
    "seed": "SEED",
}
TERMINAL_HELP: Mapping[str, str] = {  # setting -> what the terminal accepts in addition to the page
    "task": "A name that `tasks` lists, a folder or a zip with one folder per class, or OWNER/SET@hub.",
    "backbone": "A name that `backbones` lists.",
    "extra_racers": f"Any of {', '.join(EXTRA_RACERS)}, separated by commas.",
}


def add_plan_options(parser: argparse.ArgumentParser, exclude: Container[str] = ()) -> None:
    """Add an option for every setting of a plan but those of `exclude`, in groups."""
    for title, names in GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            if name == "trainable_stages":
                group.add_argument("--trainable-stages", dest="stages", metavar="head|topK|all", help=_stages_help())
            elif name not in exclude:
                _add_setting(group, name)
            if name == "backbone":
                _add_weights(group)


def _add_setting(group: argparse._ArgumentGroup, name: str) -> None:
    option, default = "--" + name.replace("_", "-"), getattr(Plan, name)
    if isinstance(default, bool):
        group.add_argument(option, action=argparse.BooleanOptionalAction, help=_help(name, "yes" if default else "no"))
        return
    choices = get_args(get_type_hints(Plan)[name])
    if name in RANGES:
        metavar, default_text = UNITS[name], as_text(default)
    elif isinstance(default, tuple):
        metavar, default_text = "NAMES", ",".join(default) or "none"
    else:
        metavar, default_text = "|".join(choices) or "NAME", default
    group.add_argument(option, metavar=metavar, help=_help(name, default_text))


def _add_weights(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="A checkpoint of your own for --backbone: a state dict as safetensors or in torchvision's layout. "
        "(default: the network's own weights)",
    )
    group.add_argument(
        "--weights-normalisation",
        default="imagenet",
        metavar="imagenet|symmetric",
        help="How pictures were normalised when that checkpoint was trained. (default: imagenet)",
    )


def _help(name: str, default: str) -> str:
    """The page's label and hint of a setting, what the terminal accepts in addition, the range and the default."""
    parts = [translate(f"controls.{name}.label") + ("." if name != "budget" else " epochs or seconds.")]
    if f"controls.{name}.info" in strings():
        parts.append(translate(f"controls.{name}.info"))
    if name in TERMINAL_HELP:
        parts.append(TERMINAL_HELP[name])
    range_part = f"{range_text(name)}; " if name in RANGES else ""
    return " ".join([*parts, f"({range_part}default: {default})"]).replace("%", "%%")


def _stages_help() -> str:
    default = f"top{Plan.trainable_stages - 1}"
    return (
        f"{translate('controls.trainable_stages.label')}: head = only the new head, topK = also the K stages below it, "
        f"all = everything. (head to all; default: {default})"
    )


def range_text(name: str) -> str:
    """The range of a setting: "2 to 5000"."""
    return f"{as_text(RANGES[name].low)} to {as_text(RANGES[name].high)}"


def as_text(value: float) -> str:
    """A number as a user types it: 4, not 4.0."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def at_least_one(text: str) -> int:
    """A whole number from 1, for options that are not settings of a plan. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def read_plan(parsed: argparse.Namespace, workspace: Workspace) -> Plan:
    """The plan that the options describe.

    A checkpoint or pictures of the user's own are added to `workspace`. Raises PlanError, DataError or UnavailableError.
    """
    settings: dict[str, object] = {}
    for field in fields(Plan):
        value = getattr(parsed, field.name, None)
        if isinstance(value, str):
            settings[field.name] = read_setting(field.name, value, type(field.default))
        elif value is not None:
            settings[field.name] = value
    if parsed.weights is not None:
        architecture = str(settings.get("backbone", Plan().backbone))
        settings["backbone"] = workspace.backbones.add(parsed.weights, architecture, 0, parsed.weights_normalisation)
    if "task" in settings:
        settings["task"] = _open_task(str(settings["task"]), settings, workspace)
    if parsed.stages is not None:
        settings["trainable_stages"] = _trainable_stages(
            parsed.stages, workspace.backbones.find(str(settings.get("backbone", Plan().backbone)))
        )
    return Plan.from_mapping(settings)


def _open_task(text: str, settings: Mapping[str, object], workspace: Workspace) -> str:
    """The name of a task: `text` itself, or that of a new task of the folder, zip or Hub set it names.

    A folder or zip is scanned. Of a Hub set, "owner/set@hub", as many pictures are fetched as the settings need.
    """
    path = Path(text)
    if text.endswith("@hub"):
        examples_per_class = settings.get("examples_per_class", Plan().examples_per_class)
        count = examples_per_class if isinstance(examples_per_class, int) else Plan().examples_per_class
        return _add_task(workspace, text, display.run_with_progress(engine.open_set(text, count)))
    if text in workspace.tasks.names() or not (path.exists() or path.suffix == ".zip" or "/" in text):
        return text
    if not path.exists():
        raise UnavailableError("refusal.terminal.path", path=path)
    return _add_task(workspace, path.name, display.run_with_progress(engine.scan(path, path.stem)))


def _add_task(workspace: Workspace, name: str, dataset: Dataset) -> str:
    for note in dataset.notes:
        print(note, file=sys.stderr)
    return workspace.tasks.add(name, dataset)


def _trainable_stages(text: str, backbone: Backbone) -> int:
    count = len(engine.stages(backbone, 2))
    choices = {"head": 1, "all": count} | {f"top{k}": k + 1 for k in range(1, count)}
    if text not in choices:
        raise PlanError("refusal.terminal.learn", text=repr(text), names=", ".join(choices))
    return choices[text]
