"""Convolutions whose gradients are computed faster than oneDNN does in bf16 on a CPU, with the same result.

The plain layers of torch stay the reference: outside mixed precision, and in the tests, these layers are compared to them.
Which way a layer goes follows from its shape alone, never from a timing: a timing that came out differently would round
differently and change the curves of a seed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SMALL, TINY = 8, 2  # sides of output maps up to which the weight gradient, or all three passes, are matrix products


def use_fast_convolutions(model: nn.Module) -> None:
    """Exchange the classes of the convolutions in `model` that have a faster gradient, in place; weights stay the same.

    Takes effect in mixed precision on a CPU only.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            if 1 < module.groups == module.in_channels == module.out_channels and module.kernel_size[0] in (3, 5, 7):
                module.__class__ = DepthwiseConv2d
            elif module.groups == 1 and module.kernel_size[0] > 1:
                module.__class__ = SmallMapConv2d


def memory_format(model: nn.Module, device: str) -> torch.memory_format:
    """The order of dimensions in memory with which a network is quickest: channels last, but for depthwise ones on CUDA.

    For those cuDNN compiles kernels for 9 to 15 s at the first step, and EfficientNet-Lite0's first race took 49 s; in the
    plain order the first step took 0.3 s (NVIDIA H200, torch 2.11, 2026-11-28).
    """
    is_depthwise = any(isinstance(m, nn.Conv2d) and 1 < m.groups == m.in_channels for m in model.modules())
    return torch.contiguous_format if is_depthwise and device == "cuda" else torch.channels_last


def _is_plain(conv: nn.Conv2d) -> bool:
    """Whether a convolution is square, padded with zeros, and not dilated."""
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str) or conv.dilation != (1, 1):
        return False
    is_square = all(pair[0] == pair[1] for pair in (conv.kernel_size, conv.stride, conv.padding))
    return is_square and conv.padding[0] < conv.kernel_size[0]


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution. oneDNN's gradients in bf16 take up to 60 times as long as its fp32 ones; these do not."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        y: Tensor = _Depthwise.apply(x.bfloat16(), self.weight.bfloat16(), self.stride[0], self.padding[0])
        return y if self.bias is None else y + self.bias.bfloat16().view(1, -1, 1, 1)


class SmallMapConv2d(nn.Conv2d):
    """A convolution that uses matrix products where its output maps are small: oneDNN uses a tenth of a core there."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        side = (x.shape[-1] + 2 * int(self.padding[0]) - self.kernel_size[0]) // self.stride[0] + 1
        if not torch.is_autocast_enabled("cpu") or side > SMALL or x.shape[-1] != x.shape[-2]:
            return super().forward(x)
        y: Tensor = _SmallMap.apply(x.bfloat16(), self.weight.bfloat16(), self.stride[0], self.padding[0])
        return y if self.bias is None else y + self.bias.bfloat16().view(1, -1, 1, 1)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = depthwise_input_gradient(gradient, weight, x.shape, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            of_weight = depthwise_weight_gradient(gradient, x, weight, ctx.stride, ctx.padding)
        return of_x, of_weight, None, None


def depthwise_input_gradient(gradient: Tensor, weight: Tensor, shape: torch.Size, stride: int, padding: int) -> Tensor:
    """The gradient of a depthwise convolution's input: a forward pass over the gradient with the mirrored filters.

    With a stride, zeros stand between the values of the gradient (Dumoulin & Visin 2016, section 4.5). gradient: of the
    output, (N, C, H', W'), channels last; weight: (C, 1, k, k); shape: of the input, (N, C, H, W). Returns (N, C, H, W).
    """
    size = weight.shape[-1]
    if stride > 1:
        (height, width), reach = gradient.shape[2:], 2 * padding - size + 1
        stuffed = gradient.new_zeros(shape[0], shape[2] + reach, shape[3] + reach, shape[1])
        rows, columns = slice(0, (height - 1) * stride + 1, stride), slice(0, (width - 1) * stride + 1, stride)
        stuffed[:, rows, columns] = gradient.permute(0, 2, 3, 1)
        gradient = stuffed.permute(0, 3, 1, 2)
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, size - 1 - padding, 1, len(weight))


def depthwise_weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient of a depthwise convolution's filters, (C, 1, k, k), put together from overlapping 3 x 3 ones.

    oneDNN is quick at 3 x 3 only. gradient: of the output, (N, C, H', W'); x: the input, (N, C, H, W).
    """
    size, (height, width) = weight.shape[-1], gradient.shape[2:]
    if size == 3:
        return _weight_gradient(gradient, x, weight, stride, padding)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    out, filters = torch.empty_like(weight), weight[:, :, :3, :3].contiguous()
    for top in range(0, size - 1, 2):
        for left in range(0, size - 1, 2):
            window = padded[:, top : top + (height - 1) * stride + 3, left : left + (width - 1) * stride + 3]
            part = _weight_gradient(gradient, window.contiguous().permute(0, 3, 1, 2), filters, stride, 0)
            out[:, :, top : top + 3, left : left + 3] = part
    return out


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    groups = x.shape[1] // weight.shape[1]
    shape = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups
    of_weight: Tensor = torch.ops.aten.convolution_backward(gradient, x, weight, None, *shape, [False, True, False])[1]
    return of_weight


class _SmallMap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        if _output_side(x, weight, stride, padding) > TINY:
            return F.conv2d(x, weight, None, stride, padding)
        side = _output_side(x, weight, stride, padding)
        y = windows(x, weight.shape[-1], stride, padding) @ _as_matrix(weight).t()
        return y.view(len(x), side, side, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (x, weight), stride, padding = ctx.saved_tensors, ctx.stride, ctx.padding
        gradient, size, of_x = gradient.contiguous(memory_format=torch.channels_last), weight.shape[-1], None
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
        if ctx.needs_input_grad[0] and gradient.shape[-1] <= TINY:
            of_x = add_windows(rows @ _as_matrix(weight), x.shape, size, stride, padding)
        elif ctx.needs_input_grad[0]:
            shape = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1
            of_x = torch.ops.aten.convolution_backward(gradient, x, weight, None, *shape, [True, False, False])[0]
        of_weight = rows.t() @ windows(x, size, stride, padding)
        return of_x, of_weight.view(len(weight), size, size, -1).permute(0, 3, 1, 2), None, None


def windows(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Every window that a filter sees, one a row ("im2col"): (N, C, H, W) -> (N * H' * W', size * size * C)."""
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    seen = padded.unfold(1, size, stride).unfold(2, size, stride)  # (N, H', W', C, size, size)
    return seen.permute(0, 1, 2, 4, 5, 3).reshape(-1, size * size * x.shape[1])


def add_windows(rows: Tensor, shape: torch.Size, size: int, stride: int, padding: int) -> Tensor:
    """The reverse of `windows`: the sum, at every pixel, of the windows that contain it. shape: (N, C, H, W), returned."""
    count, channels, height, width = shape
    high, wide = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
    parts = rows.view(count, high, wide, size, size, channels)
    out = rows.new_zeros(count, height + 2 * padding, width + 2 * padding, channels)
    for top in range(size):
        for left in range(size):
            out[:, top : top + high * stride : stride, left : left + wide * stride : stride] += parts[:, :, :, top, left]
    return out[:, padding : padding + height, padding : padding + width].permute(0, 3, 1, 2)


def _as_matrix(weight: Tensor) -> Tensor:
    """Filters (C', C, k, k) as rows of `windows`' columns: (C', k * k * C)."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _output_side(x: Tensor, weight: Tensor, stride: int, padding: int) -> int:
    return (x.shape[-1] + 2 * padding - weight.shape[-1]) // stride + 1
