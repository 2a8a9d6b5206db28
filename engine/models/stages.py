"""The stages of a network: their names, output shapes and sizes, without allocating its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from engine.errors import PlanError
from engine.models.architectures import ARCHITECTURES, Architecture
from engine.models.pretrained import Backbone


@dataclass(frozen=True)
class Stage:
    """One stage of a network."""

    name: str
    shape: tuple[int, ...]  # of its output for one picture: (channels, height, width), (tokens, features) or (features,)
    parameters: int
    activations: int = 0  # values in the outputs of its layers for one picture, which training keeps; not those in place


def stages(backbone: Backbone, classes: int, image_size: int = 0) -> tuple[Stage, ...]:
    """All stages of a network for an input of `image_size` pixels a side; 0 = that of its weights.

    Raises PlanError for an input size that it cannot take.
    """
    check_input_size(backbone.architecture, image_size or backbone.image_size)
    return _measure(backbone.architecture.name, classes, image_size or backbone.image_size)


def check_input_size(architecture: Architecture, image_size: int) -> None:
    """Raise PlanError where an architecture cannot take inputs of this side in pixels."""
    title, fixed, least = architecture.title, architecture.image_size, architecture.smallest
    if architecture.is_fixed and image_size != fixed:
        raise PlanError("refusal.network.fixed", image_size=image_size, network=title, fixed=fixed)
    if image_size < least:
        raise PlanError("refusal.network.small", image_size=image_size, network=title, least=least)


@lru_cache(maxsize=256)
def _measure(name: str, classes: int, image_size: int) -> tuple[Stage, ...]:
    architecture = ARCHITECTURES[name]
    with torch.device("meta"):
        model = nn.Sequential(architecture.split(architecture.build(classes))).eval()
        x = torch.empty(1, 3, image_size, image_size)
    count = 0

    def count_activations(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal count
        count += output.numel()

    for module in model.modules():
        if not list(module.children()) and not getattr(module, "inplace", False):
            module.register_forward_hook(count_activations)
    facts = []
    for stage_name, stage in model.named_children():
        count = 0
        x = stage(x)
        facts.append(Stage(stage_name, tuple(x.shape[1:]), sum(p.numel() for p in stage.parameters()), count))
    return tuple(facts)
