"""A look inside tells what happened to the weights, and nothing else."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from torch import nn

from engine import zoo
from engine.lens import FILTERS, NUMBERS, Lens, first_filters


def small() -> nn.Sequential:
    torch.manual_seed(0)
    stem, head = nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4)), nn.Linear(4, 2)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    model = nn.Sequential()
    model.add_module("stem", stem)
    model.add_module("head", head)
    return model


def test_nothing_has_moved_at_the_start_and_batchnorms_statistics_are_no_weights() -> None:
    model = small()
    lens = Lens(model)
    model[0](torch.rand(8, 3, 9, 9))  # moves running means
    assert lens.stages == ("stem", "head")
    assert lens.moved() == (0.0, 0.0)


def test_a_stage_has_moved_by_its_distance_over_its_length_in_float64() -> None:
    model = small()
    before = np.concatenate([p.detach().double().numpy().ravel() for p in model[0].parameters()])
    lens = Lens(model)
    with torch.no_grad():
        for p in model[0].parameters():
            p.add_(torch.rand_like(p))
    after = np.concatenate([p.detach().double().numpy().ravel() for p in model[0].parameters()])
    assert lens.moved()[0] == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-5)


def test_a_head_that_began_at_zero_is_all_new() -> None:
    model = small()
    lens = Lens(model)
    with torch.no_grad():
        model[1].bias.add_(1e-3)  # type: ignore[union-attr,operator]
    assert lens.moved()[1] == 1.0


def test_filters_are_told_once_until_they_change() -> None:
    model = small()
    lens = Lens(model)
    count, side, text = lens.filters()
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(count, side, side, 3)
    weights = model[0][0].weight.detach().permute(0, 2, 3, 1).double().numpy()  # type: ignore[index,union-attr,operator]
    for drawn, real in zip(pixels, weights, strict=True):
        stretched = (real - real.min()) / (real.max() - real.min())
        assert np.abs(drawn / 255 - stretched).max() <= 0.5 / 255 + 1e-6
    assert lens.filters() == (count, side, "")
    with torch.no_grad():
        model[0][0].weight[0].neg_()  # type: ignore[index,union-attr,operator]
    assert lens.filters()[2] not in ("", text)


@pytest.mark.parametrize("name", ["resnet10", "squeezenet1_1", "shufflenet_v2_x1_0"])
def test_every_architectures_first_layer_can_be_seen(name: str) -> None:
    found = first_filters(zoo.ARCHITECTURES[name].build(2))
    assert found is not None
    assert found.dtype == torch.uint8
    assert len(found) <= FILTERS
    assert found.numel() <= NUMBERS
    assert found.flatten(1).amax(1).eq(255).all()


def test_a_network_without_filters_on_colours_has_none() -> None:
    assert Lens(nn.Sequential(nn.Linear(3, 2))).filters() == (0, 0, "")
