"""The commands `pretrain` and `tabletop`, which make the files in assets/ again, and `bench`, which measures."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine import Plan, Workspace, home
from engine.build import pretrain
from engine.build.tabletop import render
from engine.cli.exit_codes import OK
from engine.cli.options import Commands, at_least_one, range_text


def add_commands(commands: Commands) -> None:
    """Add the commands with their options."""
    _add_pretrain(commands)
    tabletop = commands.add_parser("tabletop", help="render the embedded pictures again", description=render.__doc__)
    render.add_options(tabletop)
    tabletop.set_defaults(run=_tabletop)
    _add_bench(commands)


def _add_pretrain(commands: Commands) -> None:
    work_folder = home() / "pretrain"
    parser = commands.add_parser("pretrain", help="make the embedded backbone again")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="Tiny ImageNet: train-*.zip and val.zip. (required)"
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="torchvision's MobileNetV2 weights to distil from. (default: none, labels only)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=work_folder,
        metavar="DIR",
        help=f"Checkpoints; an interrupted run goes on from them. (default: {work_folder})",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("assets/backbone"),
        metavar="DIR",
        help="Where the weights are written. (default: assets/backbone)",
    )
    parser.add_argument(
        "--epochs",
        type=at_least_one,
        default=pretrain.Recipe.epochs,
        metavar="EPOCHS",
        help=f"Passes over all training pictures. (1 or more; default: {pretrain.Recipe.epochs})",
    )
    parser.set_defaults(run=_pretrain)


def _add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="measure: training recipes, speed, transfer to your pictures")
    bench.add_argument("measurement", choices=("recipes", "speed", "transfer"), help="What to measure.")
    bench.add_argument(
        "--seeds",
        type=at_least_one,
        default=5,
        metavar="SEEDS",
        help="Seeds 0 to SEEDS - 1 of every race. (1 or more; default: 5)",
    )
    group = bench.add_argument_group("transfer")
    group.add_argument(
        "--epochs",
        type=int,
        default=Plan.epochs,
        metavar="EPOCHS",
        help=f"Epochs of every race. ({range_text('epochs')}; default: {Plan.epochs})",
    )
    group.add_argument(
        "--pictures", type=Path, nargs="+", default=[], metavar="PATH", help="Folders or zips to race on. (default: none)"
    )
    group.add_argument(
        "--weights",
        nargs="*",
        default=[],
        metavar="NAME=FILE:PX:NORMALISATION",
        help="Networks to race in addition to the embedded one. (default: none)",
    )
    group.add_argument(
        "--out",
        type=Path,
        default=Path("transfer.jsonl"),
        metavar="FILE",
        help="Results, a line per race; an interrupted run goes on from it. (default: transfer.jsonl)",
    )
    bench.set_defaults(run=_bench)


def _tabletop(parsed: argparse.Namespace, _workspace: Workspace) -> int:
    return render.run(parsed)


def _pretrain(parsed: argparse.Namespace, _workspace: Workspace) -> int:
    recipe = pretrain.Recipe(epochs=parsed.epochs)
    note = TextColumn("{task.fields[note]}")
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note) as bar:
        tasks = {}
        for event in pretrain.make(parsed.images, parsed.work, parsed.out, recipe, parsed.teacher):
            if isinstance(event, pretrain.PretrainFinished):
                bar.console.print(f"validation {event.correct}/{event.total} = {event.correct / event.total:.1%}")
                continue
            if event.part not in tasks:
                tasks[event.part] = bar.add_task(event.part, total=event.total, note="")
            bar.update(tasks[event.part], completed=event.done, total=event.total, note=event.note)
            if event.part == "validation":
                bar.console.print(event.note)
    return OK


def _bench(parsed: argparse.Namespace, workspace: Workspace) -> int:
    from engine.bench import recipes, speed, transfer

    if parsed.measurement == "transfer":
        return transfer.main(workspace, parsed.pictures, parsed.weights, parsed.seeds, parsed.epochs, parsed.out)
    return recipes.main(workspace, parsed.seeds) if parsed.measurement == "recipes" else speed.main(workspace)
