"""The weight probe: relative change of each stage, and the filters of the first layer."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from torch import nn

from engine.models import architectures
from engine.training.probes import MAX_FILTERS, MAX_VALUES, WeightProbe, first_filters


def small() -> nn.Sequential:
    torch.manual_seed(0)
    stem, head = nn.Sequential(nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4)), nn.Linear(4, 2)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    model = nn.Sequential()
    model.add_module("stem", stem)
    model.add_module("head", head)
    return model


def test_the_change_at_the_start_is_zero_and_ignores_batchnorm_statistics() -> None:
    model = small()
    probe = WeightProbe(model)
    model[0](torch.rand(8, 3, 9, 9))  # moves running means
    assert probe.stages == ("stem", "head")
    assert probe.relative_weight_change() == (0.0, 0.0)


def test_the_change_is_the_distance_over_the_initial_norm_as_in_float64() -> None:
    model = small()
    before = np.concatenate([p.detach().double().numpy().ravel() for p in model[0].parameters()])
    probe = WeightProbe(model)
    with torch.no_grad():
        for p in model[0].parameters():
            p.add_(torch.rand_like(p))
    after = np.concatenate([p.detach().double().numpy().ravel() for p in model[0].parameters()])
    assert probe.relative_weight_change()[0] == pytest.approx(
        np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-5
    )


def test_the_change_of_a_head_that_started_at_zero_is_one() -> None:
    model = small()
    probe = WeightProbe(model)
    with torch.no_grad():
        model[1].bias.add_(1e-3)  # type: ignore[union-attr,operator]
    assert probe.relative_weight_change()[1] == 1.0


def test_filters_are_reported_once_until_they_change() -> None:
    model = small()
    probe = WeightProbe(model)
    count, side, text = probe.filters()
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(count, side, side, 3)
    weights = model[0][0].weight.detach().permute(0, 2, 3, 1).double().numpy()  # type: ignore[index,union-attr,operator]
    for reported, real in zip(pixels, weights, strict=True):
        scaled = (real - real.min()) / (real.max() - real.min())
        assert np.abs(reported / 255 - scaled).max() <= 0.5 / 255 + 1e-6
    assert probe.filters() == (count, side, "")
    with torch.no_grad():
        model[0][0].weight[0].neg_()  # type: ignore[index,union-attr,operator]
    assert probe.filters()[2] not in ("", text)


@pytest.mark.parametrize("name", ["resnet10", "squeezenet1_1", "shufflenet_v2_x1_0"])
def test_every_architecture_has_filters_in_its_first_layer(name: str) -> None:
    filters = first_filters(architectures.ARCHITECTURES[name].build(2))
    assert filters is not None
    assert filters.dtype == torch.uint8
    assert len(filters) <= MAX_FILTERS
    assert filters.numel() <= MAX_VALUES
    assert filters.flatten(1).amax(1).eq(255).all()


def test_a_network_without_filters_on_colours_has_none() -> None:
    assert WeightProbe(nn.Sequential(nn.Linear(3, 2))).filters() == (0, 0, "")
