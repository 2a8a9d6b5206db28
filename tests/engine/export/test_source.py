"""Source code of the engine runs in a program that does not import the engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from engine import rng
from engine.data import augmentation
from engine.export.source import call, source
from engine.models import freezing
from engine.models.architectures import ARCHITECTURES, resnet10, squeezenet
from engine.training import optimizers, phases

IMPORTS = "import math\nimport torch\nfrom torch import Tensor, nn\nfrom torchvision import models\n"


def run(*objects: Callable[..., object]) -> dict[str, Any]:
    """The namespace of a program of these objects with the imports of the exported programs."""
    space: dict[str, Any] = {}
    exec(IMPORTS + source(*objects), space)
    return space


def test_a_function_is_preceded_by_the_constants_it_uses() -> None:
    schedule = run(optimizers.schedule)["schedule"]
    assert [schedule(k / 10) for k in range(11)] == [optimizers.schedule(k / 10) for k in range(11)]


def test_the_functions_of_the_script_run_by_themselves() -> None:
    pictures = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8)
    space = run(
        rng.generator,
        augmentation.draw_boxes,
        augmentation.bilinear,
        augmentation.crop,
        augmentation.resize,
        augmentation.shuffle_patches,
    )
    boxes = space["draw_boxes"](3, space["generator"](1, 2))
    assert torch.equal(boxes, augmentation.draw_boxes(3, rng.generator(1, 2)))
    flips = torch.tensor([True, False, True])
    assert torch.equal(space["crop"](pictures, boxes, flips, 16), augmentation.crop(pictures, boxes, flips, 16))
    assert torch.equal(space["resize"](pictures, 24), augmentation.resize(pictures, 24))
    patch_order = torch.tensor([3, 1, 0, 2])
    assert torch.equal(space["shuffle_patches"](pictures, patch_order), augmentation.shuffle_patches(pictures, patch_order))
    assert run(phases.steps_per_epoch)["steps_per_epoch"](50, 32) == math.ceil(50 / 8)


def test_stages_are_frozen_and_trained_by_the_same_code() -> None:
    space = run(freezing.split, freezing.freeze, freezing.unfreeze, freezing.zero_init_head)
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    frozen, learning = space["split"](model, 2)
    space["freeze"](frozen)
    space["unfreeze"](learning, True)
    space["zero_init_head"](learning[-1])
    assert [p.requires_grad for p in model.parameters()] == [False] * 2 + [True] * 4
    assert not learning[-1].weight.any()


@pytest.mark.parametrize("build", [resnet10, squeezenet])
def test_a_network_is_built_by_itself(build: Callable[[int], nn.Module]) -> None:
    theirs = run(build)[build.__name__](3)
    assert [p.shape for p in theirs.parameters()] == [p.shape for p in build(3).parameters()]


def test_comments_for_mypy_are_removed() -> None:
    assert "type: ignore" not in source(freezing.split)


def test_a_call_is_written_as_code() -> None:
    assert call(partial(nn.Flatten, 1)) == "nn.Flatten(1)"
    assert call(partial(nn.ReLU, inplace=True)) == "nn.ReLU(inplace=True)"
    build = ARCHITECTURES["resnet50"].build
    assert call(build, "len(CLASSES)") == "from_torchvision('resnet50', len(CLASSES), zero_init_residual=True)"
