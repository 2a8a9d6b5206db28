"""Checks a line of code that replaces a network's head, by building the network. The line is parsed, never run.

The line is parsed with `ast`; only one form is accepted: a module of the model, `=`, `nn.Linear` with whole numbers. The
network and the layer are then built on torch's "meta" device, which keeps shapes without values: a forward pass takes a
tenth of a second, whatever the size of the network or of the numbers in the line.
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
from engine.i18n.messages import Message
from engine.models.architectures import ARCHITECTURES, Architecture
from engine.plan import Range

IMAGENET = 1000  # classes of a published network
LONGEST = 200  # characters of a line; the longest correct one has about 60
FEATURES = Range(1, 100_000, 1, Message("range.features"))

Key = Literal["right", "boxes", "unreadable", "form", "place", "range", "refused", "unused", "outputs"]


@dataclass(frozen=True)
class HeadVerdict:
    """The result of a check."""

    is_correct: bool
    key: Key  # of the message
    detail: Mapping[str, str] = field(default_factory=dict)  # the values of its placeholders


@dataclass(frozen=True)
class NewLayer:
    """A parsed line: `model.<path> = nn.Linear(in_features, out_features, bias)`."""

    path: tuple[str, ...]  # names of modules, outermost first; an index in an nn.Sequential as a number
    in_features: int
    out_features: int
    bias: bool

    @property
    def place(self) -> str:
        """The name of the module in torch: "classifier.1"."""
        return ".".join(self.path)


def check_head(backbone: str, in_features: int, out_features: int, line: str, classes: int = 7) -> HeadVerdict:
    """Put the layer of a line into a new network, run a forward pass, and check the output shape and the two numbers.

    `in_features` and `out_features`: what the visitor entered beside the line. Raises PlanError for an unknown network.
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
            output = model(torch.empty(1, 3, architecture.image_size, architecture.image_size, device="meta"))
    except RuntimeError as error:
        return HeadVerdict(False, "refused", {"error": str(error)})
    shape = {"shape": " × ".join(map(str, output.shape)), "classes": str(classes)}
    if model.get_submodule(architecture.head_layer) is not _at(model, layer):
        return HeadVerdict(False, "unused", {**shape, "place": layer.place})
    if tuple(output.shape) != (1, classes):
        return HeadVerdict(False, "outputs", shape)
    if (in_features, out_features) != (layer.in_features, layer.out_features):
        return HeadVerdict(False, "boxes", {"in": str(layer.in_features), "out": str(layer.out_features)})
    parameters = (layer.in_features + layer.bias) * layer.out_features
    return HeadVerdict(True, "right", {**shape, "weights": f"{parameters:,}"})


def model_ending(backbone: str) -> str:
    """The end of `print(model)` for this published network: its head, with its input and output features.

    Raises PlanError for an unknown network.
    """
    model = _build(_find(backbone))
    lines = str(model).splitlines()
    last = [name for name, _ in model.named_children()][-1]
    start = next(k for k, text in enumerate(lines) if text.startswith(f"  ({last}): "))
    return "\n".join([lines[0], "  …", *lines[start:]])


def read(line: str) -> NewLayer | None:
    """The parsed line, or None where it has another form. Nothing in it is run."""
    if not _is_python(line):
        return None
    body = ast.parse(line.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Assign) or len(body[0].targets) != 1:
        return None
    path, call = _path(body[0].targets[0]), body[0].value
    if not path or not isinstance(call, ast.Call) or ast.unparse(call.func) not in ("nn.Linear", "torch.nn.Linear"):
        return None
    names = ("in_features", "out_features", "bias")
    arguments = [*zip(names, call.args, strict=False), *((keyword.arg, keyword.value) for keyword in call.keywords)]
    values = {name: value.value for name, value in arguments if isinstance(value, ast.Constant)}
    if len(call.args) > len(names) or len(values) != len(arguments) or not set(names[:2]) <= set(values) <= set(names):
        return None
    in_features, out_features, bias = (values.get(name, True) for name in names)
    if type(in_features) is not int or type(out_features) is not int or type(bias) is not bool:
        return None
    return NewLayer(path, in_features, out_features, bias)


def _is_python(line: str) -> bool:
    """Whether this is short Python without strings or escapes, which no accepted line needs."""
    if len(line) > LONGEST or not re.fullmatch(r"[A-Za-z0-9_.,=()\[\] \t-]+", line.strip()):
        return False
    try:
        ast.parse(line.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _path(target: ast.expr) -> tuple[str, ...]:
    """The names after `model` in `model.a[1].b`; () for anything else."""
    names: list[str] = []
    while not isinstance(target, ast.Name):
        if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
            names.append(target.attr)
        elif isinstance(target, ast.Subscript) and re.fullmatch(r"-?\d{1,3}", number := ast.unparse(target.slice)):
            names.append(number)
        else:
            return ()
        target = target.value
    return tuple(reversed(names)) if target.id == "model" else ()


def _find(backbone: str) -> Architecture:
    if backbone not in ARCHITECTURES:
        raise PlanError("refusal.network.choice", name=repr(backbone), names=", ".join(ARCHITECTURES))
    return ARCHITECTURES[backbone]


def _build(architecture: Architecture) -> nn.Module:
    """The published network, without values."""
    with torch.device("meta"):
        return architecture.build(IMAGENET).eval()


def _child(parent: nn.Module, name: str) -> nn.Module:
    """The child of that name, or at that index of an nn.Sequential. Raises KeyError, IndexError or TypeError."""
    if not name.lstrip("-").isdigit():
        return dict(parent.named_children())[name]
    return _sequential(parent)[int(name)]


def _sequential(module: nn.Module) -> nn.Sequential:
    if not isinstance(module, nn.Sequential):
        raise TypeError(f"{type(module).__name__} cannot be indexed")
    return module


def _at(model: nn.Module, layer: NewLayer) -> nn.Module:
    for name in layer.path:
        model = _child(model, name)
    return model


def _replace(model: nn.Module, layer: NewLayer) -> None:
    """Do what the line would do. Raises KeyError, IndexError or TypeError where the model has no such module."""
    parent, last = model, layer.path[-1]
    for name in layer.path[:-1]:
        parent = _child(parent, name)
    new = nn.Linear(layer.in_features, layer.out_features, layer.bias, device="meta")
    if last.lstrip("-").isdigit():
        _sequential(parent)[int(last)] = new
    else:
        setattr(parent, last, new)
