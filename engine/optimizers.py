"""Optimizers a racer may learn with, and the course of their learning rate. Knows no network and no data."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.plan import Optimizer

WARMUP = 0.15  # share of the race in which the rate rises


def schedule(progress: float) -> float:
    """The share of the full rate in force at `progress` in 0..1: a linear warm-up, then a cosine down to 0."""
    if progress < WARMUP:
        return max(progress, 1e-3) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))


def make(kind: Optimizer, groups: Iterable[tuple[nn.Module, float]], weight_decay: float) -> torch.optim.Optimizer:
    """An optimizer over (module, full rate) groups. BatchNorm and biases are not decayed.

    Muon makes the steps of the convolutions orthogonal (Jordan et al. 2024); all else takes Nesterov SGD steps with it.
    """
    matrices: list[dict[str, object]] = []
    vectors: list[dict[str, object]] = []
    for module, full in groups:
        found = [p for p in module.parameters() if p.requires_grad]
        matrices.append({"params": [p for p in found if p.ndim > 1], "full": full, "weight_decay": weight_decay})
        vectors.append({"params": [p for p in found if p.ndim <= 1], "full": full, "weight_decay": 0.0})
    groups_all = [g for g in matrices + vectors if g["params"]]
    if kind == "sgd":
        return torch.optim.SGD(groups_all, lr=0.0, momentum=0.9, nesterov=True)
    if kind == "muon":
        return Muon(groups_all)
    return torch.optim.AdamW(groups_all, lr=0.0, foreach=True)


def set_rate(optimizer: torch.optim.Optimizer, progress: float) -> float:
    """Set every group's rate for this point of the race; returns the highest one."""
    share = schedule(progress)
    for group in optimizer.param_groups:
        group["lr"] = group["full"] * share
    return max(group["lr"] for group in optimizer.param_groups)


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal for every filter bank; other parameters take Nesterov SGD steps.

    Source: Keller Jordan et al. 2024, "Muon: an optimizer for hidden layers"; Newton–Schulz coefficients from there.
    torch's own Muon takes two-dimensional parameters only, and these are convolutions.
    """

    def __init__(self, groups: list[dict[str, object]], momentum: float = 0.9):
        super().__init__(groups, {"lr": 0.0, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                buffer: Tensor = state.setdefault("momentum", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(p.grad)
                update = p.grad + group["momentum"] * buffer
                if p.ndim == 4:
                    flat = orthogonalise(update.reshape(len(p), -1))
                    update = flat.view_as(p) * max(1, flat.shape[0] / flat.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])


def orthogonalise(matrix: Tensor, steps: int = 3) -> Tensor:
    """The nearest matrix with singular values about 1, by `steps` Newton–Schulz iterations in bf16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)
