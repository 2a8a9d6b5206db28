"""Dropout and stochastic depth that draw from a racer's own generator. Knows no network by name.

torch's own draw from one generator for all threads, so that two racers at once would depend on who comes first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth


class Dropout(nn.Module):
    """Sets a share `p` of the numbers to zero while learning and scales the others up (Srivastava et al. 2014)."""

    def __init__(self, p: float, rng: torch.Generator):
        super().__init__()
        self.p, self._rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        if not self.training or self.p == 0:
            return x
        drawn = torch.rand(self._shape(x), generator=self._rng) >= self.p  # on the CPU, so that a GPU gives the same curve
        return x * (drawn.to(x.device).to(x.dtype) / (1 - self.p))

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        """What is drawn at once: every number by itself."""
        return tuple(x.shape)


class Depth(Dropout):
    """Leaves a residual branch out for a share `p` of the pictures while learning (Huang et al. 2016)."""

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        return len(x), *[1] * (x.ndim - 1)


def own(model: nn.Module, rng: torch.Generator) -> None:
    """Replace torch's dropout and torchvision's stochastic depth in `model`, in place, by ours drawing from `rng`."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Dropout(child.p, rng))
            elif isinstance(child, StochasticDepth):
                setattr(module, name, Depth(child.p, rng))
