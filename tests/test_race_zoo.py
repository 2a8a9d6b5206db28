"""Every architecture in every freeze mode: a real race of two steps, with random weights in place of the published ones."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU, Clock

from engine import Plan, backbones, freezing, race
from engine.events import Finished, Stepped, finish
from engine.training import train
from engine.zoo import ARCHITECTURES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_two_steps_pass_in_each_freeze_mode_and_what_is_frozen_stays(
    name: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {n: backbones._published(a) for n, a in ARCHITECTURES.items() if n != "resnet10"}
    monkeypatch.setattr(backbones, "_known", lambda: {"resnet10": backbones._embedded(), **every})
    seeds = backbones.build(name, 3, 0, pretrained=False)  # built once: VGG takes a second
    built: list[torch.nn.Sequential] = []

    def build(*_: object) -> torch.nn.Sequential:
        built[:] = [copy.deepcopy(seeds)]
        return built[0]

    monkeypatch.setattr(backbones, "build", build)
    plan = Plan(backbone=name, px=ARCHITECTURES[name].smallest, examples=4, epochs=2, head_share=0.5, augmented=False)
    whole = finish(race.draw(plan))
    pictures = replace(  # a few: ViT takes its time at 224 px
        whole,
        training=whole.training[::4],
        training_labels=whole.training_labels[::4],
        heldout=whole.heldout[::6],
        heldout_labels=whole.heldout_labels[::6],
    )
    for learning in range(1, len(seeds) + 1):
        mode = Plan(**{**vars(plan), "learning_stages": learning})
        lanes = mode.lanes()[1:] if learning > 1 else mode.lanes()
        for lane in lanes:
            events = list(train(lane, mode, pictures, CPU, Clock(0.001)))
            (end,) = (e for e in events if isinstance(e, Finished))
            assert (end.reason, end.step, end.total) == ("done", 2, 3), end.message
            assert all(torch.isfinite(torch.tensor(e.loss)) for e in events if isinstance(e, Stepped))
            if lane.pretrained:
                still, _ = freezing.split(built[0], learning)
                for (key, before), after in zip(
                    freezing.split(seeds, learning)[0].state_dict().items(), still.state_dict().values(), strict=True
                ):
                    assert torch.equal(before, after), key
