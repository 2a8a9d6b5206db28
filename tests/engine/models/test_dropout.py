"""Dropout that depends on its racer's generator alone, and is otherwise torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from engine.models.architectures import ARCHITECTURES
from engine.models.dropout import Depth, Dropout, replace_dropout
from engine.rng import generator


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_keeps_its_share_and_the_mean(p: float) -> None:
    x = torch.ones(100_000)
    left = Dropout(p, generator(0))(x)
    assert (left != 0).float().mean() == pytest.approx(1 - p, abs=0.01)  # six standard deviations
    assert left.mean() == pytest.approx(1, abs=0.02)
    assert left.unique().tolist() == pytest.approx([0, 1 / (1 - p)])


@pytest.mark.parametrize("kind", [Dropout, Depth])
def test_a_generator_has_one_course_of_masks(kind: type[Dropout | Depth]) -> None:
    x, (one, same, other) = torch.randn(64, 3), (kind(0.5, generator(seed)) for seed in (1, 1, 2))
    first = [one(x), one(x)]
    torch.manual_seed(5)  # whoever else draws in between
    assert all(torch.equal(a, same(x)) for a in first)
    assert not torch.equal(*first)
    assert not torch.equal(first[0], other(x))


@pytest.mark.parametrize("kind", [Dropout, Depth])
def test_masks_leave_torchs_own_generator_alone(kind: type[Dropout | Depth]) -> None:
    before = torch.get_rng_state()
    kind(0.5, generator(0))(torch.randn(8, 4, generator=generator(1)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", [Dropout, Depth])
def test_who_does_not_learn_passes_everything_on_and_draws_nothing(kind: type[Dropout | Depth]) -> None:
    rng, x = generator(0), torch.randn(8, 4)
    before = rng.get_state()
    assert torch.equal(kind(0.5, rng).eval()(x), x)
    assert torch.equal(kind(0.0, rng)(x), x)
    assert torch.equal(rng.get_state(), before)


def test_depth_leaves_out_whole_pictures_and_keeps_the_mean() -> None:
    left = Depth(0.25, generator(0))(torch.ones(4000, 2, 3, 3)).flatten(1)
    assert torch.equal(left, left[:, :1].expand_as(left))
    assert (left[:, 0] > 0).float().mean() == pytest.approx(0.75, abs=0.04)
    assert left.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("kind", [Dropout, Depth])
def test_what_is_dropped_gets_no_gradient(kind: type[Dropout | Depth]) -> None:
    x = torch.ones(200, 3, requires_grad=True)
    left = kind(0.5, generator(0))(x)
    left.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, left.detach())  # of ones: what is left is what it was multiplied by


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v3_large", "efficientnet_b0", "swin_t", "vit_b_16"])
def test_a_racer_owns_every_dropout_of_its_network(name: str) -> None:
    with torch.device("meta"):
        model = nn.Sequential(ARCHITECTURES[name].split(ARCHITECTURES[name].build(3)))
    before = [
        (path, type(module).__name__.removeprefix("Stochastic"), module.p)
        for path, module in model.named_modules()
        if isinstance(module, nn.Dropout | StochasticDepth)
    ]
    replace_dropout(model, generator(0))
    after = list(model.named_modules())
    assert not [path for path, module in after if isinstance(module, nn.modules.dropout._DropoutNd | StochasticDepth)]
    assert [(path, type(m).__name__, m.p) for path, m in after if isinstance(m, Dropout | Depth)] == before
    assert bool(before) == (name != "resnet18")
