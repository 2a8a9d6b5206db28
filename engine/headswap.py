"""Checks a new head by really building it. Knows no page and no race; what a visitor typed is read, never run.

The line is parsed with `ast`, and one form of it is understood: a place in the model, `=`, `nn.Linear` with whole numbers.
The network and the layer are then built on torch's "meta" device, which keeps shapes and no numbers: a picture goes through
all layers in a tenth of a second, whatever the size of the network or of the numbers in the line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from engine.errors import PlanError
from engine.plan import Range
from engine.strings import Line
from engine.zoo import ARCHITECTURES, Architecture

IMAGENET = 1000  # classes that a network as published answers
LONGEST = 200  # characters of a line; the longest right one has about 60
FEATURES = Range(1, 100_000, 1, Line("range.features"))

Key = Literal["right", "boxes", "unreadable", "form", "place", "range", "refused", "unused", "outputs"]


@dataclass(frozen=True)
class HeadVerdict:
    """What came of a head: whether it is right, which sentence says so, and what to fill in there."""

    is_right: bool
    key: Key
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewLayer:
    """A line that was understood: `model.<path> = nn.Linear(in_features, out_features, bias)`."""

    path: tuple[str, ...]  # names of modules, outermost first; a place in an nn.Sequential is its number
    in_features: int
    out_features: int
    bias: bool

    @property
    def place(self) -> str:
        """As torch names it: "classifier.1"."""
        return ".".join(self.path)


def check(backbone: str, in_features: int, out_features: int, line: str, classes: int = 7) -> HeadVerdict:
    """Put the line's layer into a fresh network, show that a picture, and judge the answer and the two numbers.

    Raises PlanError where there is no such network.
    """
    architecture = _find(backbone)
    layer = read(line)
    if layer is None:
        return HeadVerdict(False, "form" if _is_python(line) else "unreadable")
    if not all(FEATURES.low <= number <= FEATURES.high for number in (layer.in_features, layer.out_features)):
        return HeadVerdict(False, "range", {"low": f"{FEATURES.low:g}", "high": f"{FEATURES.high:g}"})
    model = _build(architecture)
    try:
        _replace(model, layer)
    except (KeyError, IndexError, TypeError):
        return HeadVerdict(False, "place", {"place": layer.place})
    try:
        with torch.no_grad():
            answer = model(torch.empty(1, 3, architecture.px, architecture.px, device="meta"))
    except RuntimeError as error:
        return HeadVerdict(False, "refused", {"error": str(error)})
    shape = {"shape": " × ".join(map(str, answer.shape)), "classes": str(classes)}
    if model.get_submodule(_head(architecture)) is not _at(model, layer):
        return HeadVerdict(False, "unused", {**shape, "place": layer.place})
    if tuple(answer.shape) != (1, classes):
        return HeadVerdict(False, "outputs", shape)
    if (in_features, out_features) != (layer.in_features, layer.out_features):
        return HeadVerdict(False, "boxes", {"in": str(layer.in_features), "out": str(layer.out_features)})
    new = (layer.in_features + layer.bias) * layer.out_features
    return HeadVerdict(True, "right", {**shape, "weights": f"{new:,}"})


def ending(backbone: str) -> str:
    """What `print(model)` ends with for this network as published: its head, with what goes in and comes out.

    Raises PlanError where there is no such network.
    """
    model = _build(_find(backbone))
    lines = str(model).splitlines()
    last = [name for name, _ in model.named_children()][-1]
    start = next(k for k, text in enumerate(lines) if text.startswith(f"  ({last}): "))
    return "\n".join([lines[0], "  …", *lines[start:]])


def read(line: str) -> NewLayer | None:
    """The line understood, or None. Nothing in it is ever run."""
    if not _is_python(line):
        return None
    body = ast.parse(line.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Assign) or len(body[0].targets) != 1:
        return None
    path, call = _path(body[0].targets[0]), body[0].value
    if not path or not isinstance(call, ast.Call) or ast.unparse(call.func) not in ("nn.Linear", "torch.nn.Linear"):
        return None
    names = ("in_features", "out_features", "bias")
    given = [*zip(names, call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
    values = {name: value.value for name, value in given if isinstance(value, ast.Constant)}
    if len(call.args) > len(names) or len(values) != len(given) or not set(names[:2]) <= set(values) <= set(names):
        return None
    into, out, bias = (values.get(name, True) for name in names)
    if type(into) is not int or type(out) is not int or type(bias) is not bool:
        return None
    return NewLayer(path, into, out, bias)


def _is_python(line: str) -> bool:
    """Whether it is one short statement without texts or escapes, which no line of this form needs."""
    if len(line) > LONGEST or not re.fullmatch(r"[A-Za-z0-9_.,=()\[\] \t-]+", line.strip()):
        return False
    try:
        ast.parse(line.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _path(target: ast.expr) -> tuple[str, ...]:
    """The names after `model` in `model.a[1].b`; empty where it is anything else."""
    found: list[str] = []
    while not isinstance(target, ast.Name):
        if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
            found.append(target.attr)
        elif isinstance(target, ast.Subscript) and re.fullmatch(r"-?\d{1,3}", number := ast.unparse(target.slice)):
            found.append(number)
        else:
            return ()
        target = target.value
    return tuple(reversed(found)) if target.id == "model" else ()


def _find(backbone: str) -> Architecture:
    if backbone not in ARCHITECTURES:
        raise PlanError("refusal.network.choice", name=repr(backbone), names=", ".join(ARCHITECTURES))
    return ARCHITECTURES[backbone]


def _head(architecture: Architecture) -> str:
    return architecture.head[0].removesuffix(".weight")


def _build(architecture: Architecture) -> nn.Module:
    """The network as published, without numbers in it."""
    with torch.device("meta"):
        return architecture.build(IMAGENET).eval()


def _child(home: nn.Module, name: str) -> nn.Module:
    """The module of that name, or at that place of an nn.Sequential. Raises KeyError, IndexError or TypeError."""
    if not name.lstrip("-").isdigit():
        return dict(home.named_children())[name]
    return _numbered(home)[int(name)]


def _numbered(home: nn.Module) -> nn.Sequential:
    if not isinstance(home, nn.Sequential):
        raise TypeError(f"{type(home).__name__} has no numbered places")
    return home


def _at(model: nn.Module, layer: NewLayer) -> nn.Module:
    for name in layer.path:
        model = _child(model, name)
    return model


def _replace(model: nn.Module, layer: NewLayer) -> None:
    """As Python would run the line. Raises KeyError, IndexError or TypeError where the model has no such place."""
    home, last = model, layer.path[-1]
    for name in layer.path[:-1]:
        home = _child(home, name)
    new = nn.Linear(layer.in_features, layer.out_features, layer.bias, device="meta")
    if last.lstrip("-").isdigit():
        _numbered(home)[int(last)] = new
    else:
        setattr(home, last, new)
