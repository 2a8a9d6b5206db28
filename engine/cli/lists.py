"""The commands `tasks` and `backbones`: which picture sets and networks there are, and which are on this machine."""

from __future__ import annotations

import argparse

from rich.table import Table

import engine
from engine import Workspace
from engine.cli import display
from engine.cli.exit_codes import OK
from engine.cli.options import Commands


def add_commands(commands: Commands) -> None:
    """Add both commands to the parser; they have no options."""
    commands.add_parser("tasks", help="list the pictures a race can be run on").set_defaults(run=_tasks)
    commands.add_parser("backbones", help="list the pretrained networks").set_defaults(run=_backbones)


def _tasks(_parsed: argparse.Namespace, workspace: Workspace) -> int:
    grid = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("task", "pictures", "classes", "training", "held-out", "licence", "here", "overlap with ImageNet"):
        grid.add_column(column, overflow="fold")
    for task in map(workspace.tasks.find, workspace.tasks.names()):
        download = f"{task.size / 1e6:,.0f} MB to fetch" if task.size else "to fetch"
        state = "yes" if task.is_here else download
        grid.add_row(
            task.name, f"{task.title}: {task.about}", str(len(task.classes)), f"{task.training} a class",
            str(task.heldout), task.licence, state, task.overlap or "none known",
        )  # fmt: skip
    display.console().print(grid)
    print("Your own: --task FOLDER or --task FILE.zip, one folder per class")
    return OK


def _backbones(_parsed: argparse.Namespace, workspace: Workspace) -> int:
    grid = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("backbone", "pretrained network", "input", "parameters", "stages", "here"):
        grid.add_column(column, overflow="fold")
    for backbone in map(workspace.backbones.find, workspace.backbones.names()):
        stages = engine.stages(backbone, 10)
        parameters = sum(stage.parameters for stage in stages)
        state = "yes" if engine.weights_are_here(backbone) else f"{backbone.size / 1e6:,.0f} MB to fetch"
        if backbone.remake and state != "yes":
            state = f"missing; `{backbone.remake}` makes it"
        grid.add_row(
            backbone.name, str(backbone.description), f"{backbone.image_size} px", f"{parameters / 1e6:.1f} M",
            " ".join(stage.name for stage in stages), state,
        )  # fmt: skip
    display.console().print(grid)
    print("Your own: --backbone NAME --weights FILE, a state dict as safetensors or in torchvision's layout")
    return OK
