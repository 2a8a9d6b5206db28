"""The command `sweep`: one race for every number of training pictures and every seed."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time

import engine
from engine import Workspace
from engine.cli.exit_codes import OK
from engine.cli.options import Commands, add_plan_options, at_least_one, range_text, read_plan


def add_command(commands: Commands) -> None:
    """Add the command with its options."""
    sweep = commands.add_parser("sweep", help="race several numbers of pictures with several seeds")
    add_plan_options(sweep, exclude={"examples_per_class", "seed"})
    group = sweep.add_argument_group("races and output")
    group.add_argument(
        "--examples-per-class",
        type=int,
        nargs="+",
        default=[5, 20, 50],
        metavar="PICTURES",
        help=f"Training pictures per class, one or more numbers. ({range_text('examples_per_class')}; default: 5 20 50)",
    )
    group.add_argument(
        "--seeds",
        type=at_least_one,
        default=5,
        metavar="SEEDS",
        help="Races per number of pictures, with the seeds 0 to SEEDS - 1. (1 or more; default: 5)",
    )
    group.add_argument("--json", action="store_true", help="Print every race as a line of JSON instead of a table.")
    sweep.set_defaults(run=_sweep)


def _sweep(parsed: argparse.Namespace, workspace: Workspace) -> int:
    from engine.study.sweep import Raced, summarise, sweep

    machine = engine.this_machine()
    plan = read_plan(
        argparse.Namespace(**{**vars(parsed), "examples_per_class": str(max(parsed.examples_per_class))}), workspace
    )
    for count in parsed.examples_per_class:
        engine.validate(dataclasses.replace(plan, examples_per_class=count), workspace, machine)
    races: dict[int, list[Raced]] = {}  # pictures per class -> its races
    total, began = len(parsed.examples_per_class) * parsed.seeds, time.monotonic()
    for done, raced in enumerate(sweep(plan, parsed.examples_per_class, range(parsed.seeds), workspace, machine), 1):
        races.setdefault(raced.plan.examples_per_class, []).append(raced)
        if parsed.json:
            print(json.dumps(dataclasses.asdict(raced)), flush=True)
        else:
            left = (time.monotonic() - began) / done * (total - done)
            print(
                f"{done}/{total}  {raced.plan.examples_per_class:4d} a class, seed {raced.plan.seed}: "
                f"scratch {raced.scratch:.1%}, "
                f"pretrained {raced.pretrained:.1%}, {raced.wall_seconds:.0f} s  ({left:.0f} s left)",
                flush=True,
            )
    if not parsed.json:
        print("\n| a class | from scratch | pretrained | gap | races |\n|---|---|---|---|---|")
        for count, results in races.items():
            mean = summarise(results)
            print(
                f"| {count} | {mean.scratch:.1%} ± {mean.scratch_sd:.1%} | {mean.pretrained:.1%} ± {mean.pretrained_sd:.1%} "
                f"| {mean.gap:+.1%} ± {mean.gap_sd:.1%} | {mean.seeds} |"
            )
    return OK
