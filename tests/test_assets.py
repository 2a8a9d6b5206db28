"""The embedded pictures, weights and recorded race are complete and match their cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine import Plan, Scoreboard, replay, run_race
from engine.build import pretrain
from engine.data.registry import TaskRegistry
from engine.data.tabletop import Tabletop
from engine.device import this_machine
from engine.events import Finished
from engine.models import architectures
from engine.models.registry import BackboneRegistry
from engine.workspace import Workspace
from tests.conftest import shared

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.mark.slow
def test_tabletop_has_enough_classes_and_pictures() -> None:
    task = TaskRegistry().find("tabletop")
    assert len(task.classes) >= 10
    assert (task.training, task.heldout, task.image_size) == (300, 600, 96)
    pictures = Tabletop().sheets()
    assert pictures["train"].shape == (len(task.classes), 300, 96, 96, 3)
    assert pictures["heldout"].shape == (len(task.classes), 60, 96, 96, 3)


def test_the_weights_have_every_tensor_of_the_backbone() -> None:
    state = load_file(BackboneRegistry().find("resnet10").weights)
    expected = {k: v.shape for k, v in architectures.resnet10(10).state_dict().items() if not k.startswith("fc.")}
    assert {k: v.shape for k, v in state.items()} == expected
    assert all(torch.isfinite(v).all() for v in state.values() if v.is_floating_point())


def test_the_model_card_states_the_measured_accuracy() -> None:
    facts = json.loads((ASSETS / "backbone" / "resnet10.json").read_text())["validation"]
    card = (ASSETS / "backbone" / "README.md").read_text(encoding="utf-8")
    assert f"{facts['correct']:,} / {facts['total']:,}" in card


@pytest.mark.slow
def test_the_stored_weights_reach_the_stated_accuracy() -> None:
    images = shared("tiny-imagenet-200")
    *_, last = pretrain.read_pictures(images, "val")
    assert isinstance(last, tuple)
    home = ASSETS / "backbone"
    state = load_file(home / "resnet10.safetensors") | load_file(home / "resnet10-head.safetensors")
    model = architectures.resnet10(200)
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    correct, total = pretrain.validate(model, *last, torch.device("cpu"))
    stated = json.loads((home / "resnet10.json").read_text())["validation"]
    assert total == stated["total"]
    assert abs(correct - stated["correct"]) <= 0.003 * total  # fp16 weights, another machine's bf16


def test_the_recorded_race_is_a_complete_one_of_the_default_plan() -> None:
    stamp, pairs = replay(ASSETS / "races" / "default.jsonl")
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    assert board.plan == Plan()
    assert board.started is not None
    task = TaskRegistry().find("tabletop")
    assert (board.started.classes, board.started.heldout) == (task.classes, task.heldout)
    assert stamp.machine
    assert stamp.date
    assert board.verdict().outcome == "pretrained"


@pytest.mark.slow
def test_with_the_embedded_pictures_a_frozen_backbone_beats_a_short_training_from_scratch() -> None:
    ends = {
        e.racer: e
        for e in run_race(Plan(trainable_stages=1, epochs=12), Workspace(), this_machine())
        if isinstance(e, Finished)
    }
    share = {name: end.correct / end.total for name, end in ends.items()}
    assert share["pretrained"] > 0.5
    assert share["pretrained"] > share["scratch"] + 0.15
