"""A race as a script of plain PyTorch that runs without the engine.

`script.txt` is its template; parts that a plan does not need are left out. Functions that build a network, crop a picture or
schedule the learning rate are copied from the source of the engine.
"""

from __future__ import annotations

import pprint
from pathlib import Path

from torch import nn

from engine import rng
from engine.data import augmentation, corruptions
from engine.download.fetch import Address
from engine.events import RaceStarted
from engine.export.source import call, source
from engine.export.templates import render_program
from engine.i18n import display_names
from engine.models import freezing
from engine.models.architectures import OURS, Architecture, Patches
from engine.models.pretrained import Backbone
from engine.plan import Plan
from engine.training import optimizers, phases

TEMPLATE = Path(__file__).with_name("script.txt")


def script(plan: Plan, started: RaceStarted, backbone: Backbone) -> str:
    """This race as one file of plain PyTorch, `race.py`, which runs in the folder of its pictures and weights.

    It draws the same orders and crops from the same seeds, so that its results are those of the race: in fp32 exactly, in
    bf16 but for rounding. Text written by visitors appears only in string literals.
    """
    architecture, racers = backbone.architecture, plan.racers()
    stage_count = len(architecture.stages)
    mean, std = corruptions.normalisation(plan, (backbone.mean, backbone.std))
    return render_program(
        TEMPLATE,
        **_plan_values(plan),
        source=source,
        augmentation=augmentation,
        freezing=freezing,
        rng=rng,
        phases=phases,
        optimizers=optimizers,
        file=not isinstance(backbone.weights, Address),
        timm=architecture.is_from_timm,
        random=any(racer.name == "random" for racer in racers),
        scaled=architecture.name.startswith("convnext"),
        alone=any(
            phase.trainable_stages == 1
            for racer in racers
            for phase in phases.phases(racer, plan, architecture, stage_count)
        ),
        network=repr(display_names.plain(started.network)),
        classes=pprint.pformat(list(started.classes), width=118, compact=True),
        image_size=started.image_size,
        mean=mean,
        std=std,
        bf16=started.precision == "bf16",
        threads=started.threads,
        patch_count=min(plan.shuffle_grid, started.image_size),
        phase_table="\n".join(_phases(plan, architecture, stage_count)),
        pretrained=[racer.name for racer in racers if racer.pretrained],
        parts=_parts(architecture),
        build=call(architecture.build, "len(CLASSES)"),
        stages="\n".join(_stages(architecture)),
        head=_attribute(architecture.head_layer),
        head_prefix=repr(architecture.head_layer + "."),
        name=repr(architecture.name),
        chunk=freezing.chunk(started.image_size),
        calibration_chunk=max(16, freezing.chunk(started.image_size)),
    )


def _plan_values(plan: Plan) -> dict[str, object]:
    """Which optional parts of the template this plan needs, and its numbers."""
    return {
        "by_epochs": plan.budget == "epochs",
        "augment": plan.augment,
        "shuffle_grid": plan.shuffle_grid > 1,
        "invert_colors": plan.invert_colors,
        "noise": plan.label_noise > 0,
        "noise_share": f"{plan.label_noise:.0%}",
        "epochs": plan.epochs,
        "seconds": plan.seconds,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
    }


def _parts(architecture: Architecture) -> list[type[nn.Module]]:
    """The function that builds torchvision's network, and the modules in its stages that are not torchvision's."""
    used = {OURS[name].func: None for names in architecture.stages.values() for name in names.split() if name in OURS}
    return [architecture.build.func, *(module for module in used if module.__module__ == Patches.__module__)]  # type: ignore[list-item]


def _stages(architecture: Architecture) -> list[str]:
    """The lines that split torchvision's network into the stages of architectures.py."""
    lines = []
    for stage, names in architecture.stages.items():
        parts = [_module(name) for name in names.split()]
        is_one = len(parts) == 1 and not parts[0].startswith("*")
        lines.append(f"        {parts[0] if is_one else 'nn.Sequential(' + ', '.join(parts) + ')'},  # {stage}")
    return lines


def _module(name: str) -> str:
    """A module name of architectures.py as code: "+flatten" -> "nn.Flatten(1)"."""
    if name not in OURS:
        return _attribute(name)
    make = OURS[name]
    return call(make, *(["model"] if make.func is Patches else []))


def _attribute(name: str) -> str:
    """A module name of torchvision as code: "features.0:2" -> "*model.features[0:2]"."""
    steps = [f"[{step}]" if step[0].isdigit() else f".{step}" for step in name.split(".")]
    return ("*" if ":" in name else "") + "model" + "".join(steps)


def _phases(plan: Plan, architecture: Architecture, stage_count: int) -> list[str]:
    """The lines of the PHASES table."""
    lines = []
    for racer in plan.racers():
        rows = []
        for phase in phases.phases(racer, plan, architecture, stage_count):
            rates = [float(f"{rate:.12g}") for rate in phase.rates]
            row = (phase.name, phase.trainable_stages or stage_count, rates, phase.weight_decay, phase.until)
            rows.append(f"        {row!r},  # <--")
        lines += [f"    {racer.name!r}: [", *rows, "    ],"]
    return lines
