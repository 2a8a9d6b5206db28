"""Dropout and stochastic depth that use a racer's own random generator.

torch's layers share one generator among all threads, so that the masks of two racers would depend on their timing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth


class Dropout(nn.Module):
    """Sets each value to zero with probability `p` during training and scales the others up (Srivastava et al. 2014)."""

    def __init__(self, p: float, rng: torch.Generator):
        super().__init__()
        self.p, self._rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        if not self.training or self.p == 0:
            return x
        mask = torch.rand(self._mask_shape(x), generator=self._rng) >= self.p  # on the CPU: the same masks on a GPU
        return x * (mask.to(x.device).to(x.dtype) / (1 - self.p))

    def _mask_shape(self, x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape)


class Depth(Dropout):
    """Stochastic depth: skips a residual branch with probability `p` per picture during training (Huang et al. 2016)."""

    def _mask_shape(self, x: Tensor) -> tuple[int, ...]:
        return len(x), *[1] * (x.ndim - 1)


def replace_dropout(model: nn.Module, rng: torch.Generator) -> None:
    """Replace torch's dropout and torchvision's stochastic depth in `model`, in place, by layers that use `rng`."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(child.p, rng))
            elif isinstance(child, StochasticDepth):
                setattr(module, name, Depth(child.p, rng))
