"""A race as a script of plain PyTorch that anyone can run, a notebook of it, and a zip with its pictures and weights.

The text is `script.txt` with this plan's values filled in; what the plan does not need is left out. Knows no page, and
nothing of how a race went: only what was to be raced, and on which pictures.
"""

from __future__ import annotations

import io
import json
import pprint
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image
from safetensors.torch import save
from torch import Tensor

from engine import backbones, breaking, freezing, naming, tasks, telling
from engine.backbones import Backbone
from engine.events import RaceStarted
from engine.export.packing import pack
from engine.plan import Plan
from engine.strings import LANGUAGES, say
from engine.tasks import Drawn
from engine.training import phases
from engine.zoo import Architecture, Stages

TEMPLATE = Path(__file__).with_name("script.txt")
CELL = "# %% "  # begins a cell of the notebook; editors that know Jupyter read it in the script as well
LONGEST = 40  # characters of a class in a folder's name
# What the engine asks of torchvision's constructors, and why, is told in zoo.py; a test compares what they make
_ARGUMENTS = {
    "resnet18": "zero_init_residual=True",
    "resnet34": "zero_init_residual=True",
    "resnet50": "zero_init_residual=True",
    "inception_v3": "aux_logits=False, transform_input=True, init_weights=True",
}
_BUILDS = {
    "resnet10": (
        "blocks = models.resnet.BasicBlock, [1, 1, 1, 1]",
        "model = models.ResNet(*blocks, num_classes=len(CLASSES), zero_init_residual=True)",
    ),
    "squeezenet1_1": (
        "model = models.squeezenet1_1()",
        "model.features.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(1)])  # and an ordinary linear head",
        "model.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, len(CLASSES)))",
        "nn.init.normal_(model.classifier[1].weight, std=0.01)",
        "nn.init.zeros_(model.classifier[1].bias)",
    ),
}

_OURS = {  # what torchvision's forward does by calling a function, as zoo.py names it
    "+flatten": "nn.Flatten(1)",
    "+mean": "Mean()",
    "+pool": "nn.AdaptiveAvgPool2d(1)",
    "+relu": "nn.ReLU(inplace=True)",
    "+input": "Input()",
    "+patches": "Patches(model)",
    "+token": "ClassToken()",
}


def script(plan: Plan, started: RaceStarted) -> str:
    """This race as one file of plain PyTorch, `race.py`, to be run beside its pictures and weights.

    It draws the same orders and crops from the same seeds, so that on the same kind of machine it comes to the same end.
    Nothing that a visitor wrote stands in it other than as a quoted string. Raises PlanError for an unknown backbone.
    """
    backbone = backbones.find(plan.backbone)
    kind, lanes = backbone.architecture, plan.lanes()
    stages = _stages(kind)
    shared = " ".join(stages)
    mean, std = breaking.normalisation(plan, (backbone.mean, backbone.std))
    has = {
        plan.budget: True,
        plan.scratch_optimizer: True,
        "file": isinstance(backbone.weights, Path),
        "published": not isinstance(backbone.weights, Path),
        "augmented": plan.augmented,
        "patches": plan.patches > 1,
        "inverted": plan.inverted,
        "noise": plan.label_noise > 0,
        "random": any(lane.name == "random" for lane in lanes),
        "scaled": kind.name.startswith("convnext"),
        "mean": "Mean()" in shared,
        "input": "Input()" in shared,
        "token": "ClassToken()" in shared,
        "momentum": kind.name.startswith("mobilenet_v3"),  # torchvision's BatchNorm is too slow for a race (zoo.py says why)
        "alone": any(phase.learning_stages == 1 for lane in lanes for phase in phases(lane, plan, kind, len(stages))),
    }
    values = {
        "network": repr(naming.plain(started.network)),
        "classes": _wrapped(list(started.classes)),
        "px": started.px,
        "mean": mean,
        "std": std,
        "epochs": plan.epochs,
        "seconds": plan.seconds,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "bf16": started.precision == "bf16",
        "threads": started.threads,
        "stages": "\n".join(stages),
        "head": _attribute(_head(kind)),
        "head_prefix": repr(_head(kind) + "."),
        "phases": "\n".join(_phases(plan, kind, len(stages))),
        "pretrained": [lane.name for lane in lanes if lane.pretrained],
        "patch_count": min(plan.patches, started.px),
        "noise_share": f"{plan.label_noise:.0%}",
        "build": "\n".join(f"    {line}" for line in _build(kind)),
        "name": repr(kind.name),
        "settling": max(16, freezing.chunk(started.px)),
        "chunk": freezing.chunk(started.px),
    }
    return _fill(TEMPLATE.read_text(encoding="utf-8"), {name for name, is_so in has.items() if is_so}, values)


def notebook(plan: Plan, started: RaceStarted) -> str:
    """The same race as a Jupyter notebook (nbformat 4.5), its code the script's, a few words before each part."""
    cells: list[dict[str, object]] = []
    for code in _cells(script(plan, started)):
        name = code.partition("\n")[0].removeprefix(CELL) if code.startswith(CELL) else "start"
        words = "\n\n".join(say(f"script_export.{name}", language) for language in LANGUAGES)
        cells.append({"cell_type": "markdown", "id": f"{name}-words", "metadata": {}, "source": _lines(words)})
        cells.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": name,
                "metadata": {},
                "outputs": [],
                "source": _lines(code),
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def archive(plan: Plan, started: RaceStarted, pictures: Drawn) -> bytes:
    """A zip of everything the script needs: itself, its notebook, the drawn pictures, and weights nobody publishes.

    The pictures are as the racers got them, lossless, each in the folder of the label that was trained on. The same race
    gives the same bytes. Raises PlanError for an unknown task or backbone, UnavailableError or DataError for lost weights,
    UnavailableError for too little memory.
    """
    files = _files(plan, started, pictures, backbones.find(plan.backbone))
    return pack(files, pictures.training.nbytes + pictures.heldout.nbytes)  # lossless, they hardly take more


def _files(plan: Plan, started: RaceStarted, pictures: Drawn, backbone: Backbone) -> Iterator[tuple[str, bytes]]:
    folders = folder_names(pictures.classes)
    yield "README.txt", "\n\n".join(_readme(plan, started, pictures, language) for language in LANGUAGES).encode() + b"\n"
    yield "race.py", script(plan, started).encode()
    yield "race.ipynb", notebook(plan, started).encode()
    if isinstance(backbone.weights, Path):
        yield "weights.safetensors", _weights(backbone)
    for split, images, labels in (
        ("train", pictures.training, pictures.training_labels),
        ("heldout", pictures.heldout, pictures.heldout_labels),
    ):
        digits = len(str(len(images)))
        for row, label in enumerate(labels.tolist()):
            yield f"pictures/{split}/{folders[label]}/{row + 1:0{digits}d}.webp", _picture(images[row])


def _readme(plan: Plan, started: RaceStarted, pictures: Drawn, language: str) -> str:
    return say(
        "script_export.readme",
        language,
        network=telling.network(naming.plain(started.network), language),
        classes=len(started.classes),
        training=len(pictures.training),
        heldout=len(pictures.heldout),
        licence=telling.fact(tasks.find(plan.task).licence, language),
    )


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder for each class that sorts in the order of the classes and is safe on any disk: `03_mug`."""
    digits = len(str(len(classes) - 1))
    plain = ["".join(c if c.isalnum() else "_" for c in unicodedata.normalize("NFC", name)) for name in classes]
    return [f"{k:0{digits}d}_{name[:LONGEST]}" for k, name in enumerate(plain)]


def _fill(template: str, has: set[str], values: Mapping[str, object]) -> str:
    """The template without the parts this race does not have, and with its values.

    `#if name` or `#if not name` up to `#end` is such a part, `{{name}}` is a value. What is filled in is not read again.
    """
    kept, conditions = [], []
    for line in template.splitlines(keepends=True):
        words = line.split()
        if words[:1] == ["#if"]:
            conditions.append((words[-1] in has) is ("not" not in words))
        elif words == ["#end"]:
            conditions.pop()
        elif all(conditions):
            kept.append(line)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: str(values[found[1]]), "".join(kept))


def _stages(kind: Architecture) -> list[str]:
    """The lines that cut torchvision's network into the stages of zoo.py's table."""
    table: Stages = kind.cut.args[0]  # type: ignore[attr-defined]  # a partial of `zoo.cut`
    lines = []
    for stage, names in table.items():
        parts = [_OURS.get(name) or _attribute(name) for name in names.split()]
        is_one = len(parts) == 1 and not parts[0].startswith("*")
        lines.append(f"        {parts[0] if is_one else 'nn.Sequential(' + ', '.join(parts) + ')'},  # {stage}")
    return lines


def _attribute(name: str) -> str:
    """A name in zoo.py's tables as code: "features.0:2" -> "*model.features[0:2]"."""
    steps = [f"[{step}]" if step[0].isdigit() else f".{step}" for step in name.split(".")]
    return ("*" if ":" in name else "") + "model" + "".join(steps)


def _build(kind: Architecture) -> Sequence[str]:
    """The lines that make torchvision's network with a new head, as from scratch."""
    more = f", {_ARGUMENTS[kind.name]}" if kind.name in _ARGUMENTS else ""
    usual = f"model = models.get_model({kind.name!r}, weights=None, num_classes=len(CLASSES){more})"
    return _BUILDS.get(kind.name, (usual,))


def _head(kind: Architecture) -> str:
    """torchvision's name of the last linear layer."""
    return kind.head[0].removesuffix(".weight")


def _phases(plan: Plan, kind: Architecture, stage_count: int) -> list[str]:
    """The lines of the table of what each racer does."""
    lines = []
    for lane in plan.lanes():
        rows = []
        for phase in phases(lane, plan, kind, stage_count):
            rates = [float(f"{rate:.12g}") for rate in phase.rates]
            row = (phase.name, phase.learning_stages or stage_count, rates, phase.weight_decay, phase.until)
            rows.append(f"        {row!r},  # <--")
        lines += [f"    {lane.name!r}: [", *rows, "    ],"]
    return lines


def _wrapped(names: list[str]) -> str:
    """A list of strings in lines that fit."""
    return pprint.pformat(names, width=118, compact=True)


def _cells(code: str) -> list[str]:
    """The script cut before each marked line, without the line breaks in between."""
    return re.split(rf"\n(?={re.escape(CELL)})", code.removesuffix("\n"))


def _lines(text: str) -> list[str]:
    """Text as a notebook holds it: a list of lines."""
    return text.splitlines(keepends=True)


def _weights(backbone: Backbone) -> bytes:
    """The pretrained tensors as safetensors: the embedded file, or one's own, all but the head, under today's names."""
    if isinstance(backbone.weights, Path) and not backbone.is_own:
        return backbone.weights.read_bytes()
    model = backbone.architecture.build(2)
    backbones.load_weights(model, backbone)
    head = set(backbone.architecture.head)
    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items() if name not in head})


def _picture(image: Tensor) -> bytes:
    """One picture, (3, H, W) uint8, as lossless WebP: a quarter smaller than PNG, and quicker to write."""
    out = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).cpu().numpy()).save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()
