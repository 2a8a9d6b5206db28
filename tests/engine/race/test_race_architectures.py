"""Every architecture in every freeze mode: a real race of two steps, with random weights in place of the published ones."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from engine import Plan
from engine.events import Finished, Stepped
from engine.models import freezing, pretrained
from engine.models.architectures import ARCHITECTURES
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.training.loop import train
from engine.workspace import Workspace
from tests.conftest import CPU, Clock

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_two_steps_pass_in_each_freeze_mode_and_what_is_frozen_stays(
    name: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(workspace.tasks)
    seeds = pretrained.build(workspace.backbones.find(name), 3, 0, pretrained=False)  # built once: VGG takes a second
    built: list[torch.nn.Sequential] = []

    def build(*_: object) -> torch.nn.Sequential:
        built[:] = [copy.deepcopy(seeds)]
        return built[0]

    monkeypatch.setattr(pretrained, "build", build)
    plan = Plan(
        backbone=name,
        image_size=ARCHITECTURES[name].smallest,
        examples_per_class=4,
        epochs=2,
        head_only_fraction=0.5,
        augment=False,
    )
    inputs = run_to_end(sample_inputs(plan, workspace))
    whole = inputs.data
    data = replace(  # a few: ViT takes its time at 224 px
        whole,
        training=whole.training[::4],
        training_labels=whole.training_labels[::4],
        heldout=whole.heldout[::6],
        heldout_labels=whole.heldout_labels[::6],
    )
    for learning in range(1, len(seeds) + 1):
        mode = Plan(**{**vars(plan), "trainable_stages": learning})
        racers = mode.racers()[1:] if learning > 1 else mode.racers()
        for racer in racers:
            events = list(train(racer, mode, inputs.backbone, data, inputs.preprocessing, CPU, Clock(0.001)))
            (end,) = (e for e in events if isinstance(e, Finished))
            assert (end.reason, end.step, end.total) == ("done", 2, 3), end.message
            assert all(torch.isfinite(torch.tensor(e.loss)) for e in events if isinstance(e, Stepped))
            if racer.pretrained:
                still, _ = freezing.split(built[0], learning)
                for (key, before), after in zip(
                    freezing.split(seeds, learning)[0].state_dict().items(), still.state_dict().values(), strict=True
                ):
                    assert torch.equal(before, after), key
