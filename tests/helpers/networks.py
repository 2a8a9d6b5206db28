"""Networks like those of a finished race, without training: of any architecture, on the tiny pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from engine import Plan
from engine.analysis.trained import Trained
from engine.data import corruptions
from engine.models import dropout, freezing
from engine.models.architectures import ARCHITECTURES
from engine.race.inputs import RaceInputs
from engine.rng import generator

Settings = dict[str, object]
SMALL = "squeezenet1_1"  # 0.7 million parameters
BROKEN: list[Settings] = [
    {},
    {"invert_colors": True},
    {"shuffle_grid": 3},
    {"image_size": 48},
    {"shuffle_grid": 5, "invert_colors": True, "image_size": 48},
]


@lru_cache(maxsize=2)
def network(name: str, seed: int = 0, classes: int = 3) -> nn.Sequential:
    """A network like that of a finished racer: random weights that are nowhere 0, our dropout, channels last."""
    architecture = ARCHITECTURES[name]
    torch.manual_seed(seed)
    stages = nn.Sequential(architecture.split(architecture.build(classes)))
    dropout.replace_dropout(stages, generator(0))
    for parameter in stages.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            nn.init.normal_(parameter, 0.5, 0.1)
    for module in stages.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
    return stages.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def trained(
    name: str, drawn: RaceInputs, racers: tuple[str, ...] = ("scratch", "pretrained"), **settings: object
) -> Trained:
    """A finished race of this architecture on the tiny pictures, at its smallest input size."""
    plan = replace(Plan(examples_per_class=4, backbone=name, image_size=ARCHITECTURES[name].smallest), **settings)  # type: ignore[arg-type]
    preprocessing = corruptions.preprocessing(plan, plan.image_size, (drawn.preprocessing.mean, drawn.preprocessing.std))
    return Trained(
        plan,
        corruptions.corrupt(plan, drawn.data),
        preprocessing,
        {racer: network(name, k, len(drawn.data.classes)) for k, racer in enumerate(racers)},
    )


def fed(race: Trained, count: int) -> tuple[Tensor, Tensor]:
    """Random pictures with values in 0..1, (N, 3, H, W), and the normalised input that the networks get of them."""
    torch.manual_seed(5)
    pixels = torch.rand(count, 3, race.preprocessing.image_size, race.preprocessing.image_size)
    return pixels, freezing.normalise(1 - pixels if race.plan.invert_colors else pixels, race.preprocessing)
