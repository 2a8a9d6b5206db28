"""The faster convolutions against torch's own, in float64 and in mixed precision."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn

from engine.models.architectures import ARCHITECTURES
from engine.models.convolutions import (
    DepthwiseConv2d,
    SmallMapConv2d,
    add_windows,
    depthwise_input_gradient,
    depthwise_weight_gradient,
    memory_format,
    use_fast_convolutions,
    windows,
)

SHAPES = [  # size of the filters, stride, padding, side of the input
    *[(3, stride, 1, side) for stride in (1, 2) for side in (1, 2, 8, 9)],
    *[(5, stride, 2, side) for stride in (1, 2) for side in (3, 8, 9)],
    *[(7, stride, 3, side) for stride in (1, 2) for side in (4, 9, 10)],
    (3, 2, 0, 9),
    (5, 2, 0, 12),
    (3, 3, 1, 11),
]
every_shape = pytest.mark.parametrize(("size", "stride", "padding", "side"), SHAPES)


def plain(layer: nn.Conv2d, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An input, a gradient of the output, and autograd's gradients of the input and the filters."""
    x = torch.randn(3, layer.in_channels, side, side, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    gradient = torch.randn_like(y)
    of_x, of_weight = torch.autograd.grad(y, (x, layer.weight), gradient)
    return x.detach(), gradient, of_x, of_weight


def close(x: Tensor, y: Tensor) -> bool:
    """Whether two tensors differ by rounding only."""
    return torch.allclose(x, y, rtol=1e-10, atol=1e-10)


@every_shape
def test_the_gradients_of_a_depthwise_convolution_are_autograds(size: int, stride: int, padding: int, side: int) -> None:
    layer = nn.Conv2d(6, 6, size, stride, padding, groups=6, bias=False).double()
    x, gradient, of_x, of_weight = plain(layer, side)
    weight = layer.weight.detach()
    assert close(depthwise_input_gradient(gradient, weight, x.shape, stride, padding), of_x)
    assert close(depthwise_weight_gradient(gradient, x, weight, stride, padding), of_weight)


@every_shape
def test_the_gradients_by_matrix_products_are_autograds(size: int, stride: int, padding: int, side: int) -> None:
    layer = nn.Conv2d(4, 5, size, stride, padding, bias=False).double()
    x, gradient, of_x, of_weight = plain(layer, side)
    weight, cut = layer.weight.detach().permute(0, 2, 3, 1).reshape(5, -1), windows(x, size, stride, padding)
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, 5)
    assert close((cut @ weight.t()).view(*gradient.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2), layer(x))
    assert close((rows.t() @ cut).view(5, size, size, 4).permute(0, 3, 1, 2), of_weight)
    assert close(add_windows(rows @ weight, x.shape, size, stride, padding), of_x)


@pytest.mark.parametrize("side", [2, 4, 8, 12, 30])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_in_mixed_precision_differs_by_rounding_only(side: int, stride: int, groups: int, bias: bool) -> None:
    torch.manual_seed(0)
    reference = nn.Conv2d(6, 6, 5, stride, 2, groups=groups, bias=bias)
    fast = copy.deepcopy(reference)
    use_fast_convolutions(nn.Sequential(fast))
    assert type(fast) is (SmallMapConv2d if groups == 1 else DepthwiseConv2d)
    gradients = []
    for layer in (reference, fast):
        x = torch.randn(4, 6, side, side, generator=torch.manual_seed(1)).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        gradients.append([y.detach().float(), x.grad, *(p.grad for p in layer.parameters())])
    for expected, actual in zip(*gradients, strict=True):
        assert actual.shape == expected.shape
        assert (actual - expected).norm() <= 0.02 * expected.norm()


def test_outside_mixed_precision_the_layers_are_torchs() -> None:
    for groups in (1, 6):
        layer = nn.Conv2d(6, 6, 3, padding=1, groups=groups)
        x = torch.randn(2, 6, 5, 5)
        expected = layer(x)
        use_fast_convolutions(nn.Sequential(layer))
        assert torch.equal(layer(x), expected)


def test_other_convolutions_are_left_alone() -> None:
    others = [
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, (3, 5), padding=(1, 2)),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, stride=(1, 2), padding=1),
        nn.Conv2d(4, 8, 3, padding=1, groups=2),
    ]
    use_fast_convolutions(nn.Sequential(*others))
    assert {type(layer) for layer in others} == {nn.Conv2d}


def test_a_network_keeps_its_weights_and_can_be_saved() -> None:
    model = ARCHITECTURES["efficientnet_lite0"].build(3)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    use_fast_convolutions(model)
    assert sum(isinstance(module, DepthwiseConv2d) for module in model.modules()) == 16
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert sum(isinstance(m, DepthwiseConv2d) for m in torch.load(file, weights_only=False).modules()) == 16


def test_only_depthwise_networks_on_cuda_are_in_the_plain_order() -> None:
    depthwise, dense = (ARCHITECTURES[name].build(3) for name in ("efficientnet_lite0", "resnet10"))
    assert memory_format(depthwise, "cuda") is torch.contiguous_format
    assert {memory_format(depthwise, "cpu"), memory_format(dense, "cpu"), memory_format(dense, "cuda")} == {
        torch.channels_last
    }
