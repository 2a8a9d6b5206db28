"""Networks as a race leaves them, without the race: of any architecture, on the tiny pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from engine import Plan, augment, breaking, chance, freezing
from engine.tasks import Drawn
from engine.trained import Trained
from engine.zoo import ARCHITECTURES

Settings = dict[str, object]
SMALL = "squeezenet1_1"  # 0.7 million parameters
BROKEN: list[Settings] = [{}, {"inverted": True}, {"patches": 3}, {"px": 48}, {"patches": 5, "inverted": True, "px": 48}]


@lru_cache(maxsize=2)
def network(name: str, seed: int = 0, classes: int = 3) -> nn.Sequential:
    """A network as a racer leaves it: dropout of ours, channels last, and every part speaks."""
    kind = ARCHITECTURES[name]
    torch.manual_seed(seed)
    stages = nn.Sequential(kind.cut(kind.build(classes)))
    chance.own(stages, augment.generator(0))
    for parameter in stages.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            nn.init.normal_(parameter, 0.5, 0.1)
    for module in stages.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
    return stages.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def trained(name: str, drawn: Drawn, lanes: tuple[str, ...] = ("scratch", "transfer"), **settings: object) -> Trained:
    """A finished race of this architecture on the tiny pictures, at the least side that it takes."""
    plan = replace(Plan(examples=4, backbone=name, px=ARCHITECTURES[name].smallest), **settings)  # type: ignore[arg-type]
    pictures = breaking.apply(plan, replace(drawn, px=plan.px))
    return Trained(plan, pictures, {lane: network(name, k, len(drawn.classes)) for k, lane in enumerate(lanes)})


def fed(race: Trained, count: int) -> tuple[Tensor, Tensor]:
    """Random pictures in 0..1, and what the racers' networks are fed of them, inverted and in patches."""
    torch.manual_seed(5)
    pixels = torch.rand(count, 3, race.px, race.px)
    return pixels, freezing.normalise(1 - pixels if race.plan.inverted else pixels, race._fed)
