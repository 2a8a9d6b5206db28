"""AdamW with a learning rate for each stage, and the schedule of the rates within a phase."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

WARMUP = 0.15  # share of a phase in which the rate rises


def schedule(progress: float) -> float:
    """The share of the full rate at `progress` in 0..1 of a phase: a linear warm-up, then a cosine down to 0."""
    if progress < WARMUP:
        return max(progress, 1e-3) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))


def make(groups: Iterable[tuple[nn.Module, float]], weight_decay: float) -> torch.optim.AdamW:
    """AdamW over (module, full rate) groups. BatchNorm and biases are not decayed."""
    matrices: list[dict[str, object]] = []
    vectors: list[dict[str, object]] = []
    for module, full in groups:
        parameters = [p for p in module.parameters() if p.requires_grad]
        matrices.append({"params": [p for p in parameters if p.ndim > 1], "full": full, "weight_decay": weight_decay})
        vectors.append({"params": [p for p in parameters if p.ndim <= 1], "full": full, "weight_decay": 0.0})
    return AdamW([g for g in matrices + vectors if g["params"]], lr=0.0, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, progress: float) -> float:
    """Set every group's rate for this point of the phase; returns the highest one."""
    share = schedule(progress)
    for group in optimizer.param_groups:
        group["lr"] = group["full"] * share
    return max(group["lr"] for group in optimizer.param_groups)


class AdamW(torch.optim.AdamW):
    """torch's AdamW without its check at every step whether a CUDA graph is being captured; none ever is here.

    The check calls CUDA, which a process without a GPU must not do on ZeroGPU.
    """

    def _cuda_graph_capture_health_check(self) -> None:  # its name in torch up to 2.11
        pass

    def _accelerator_graph_capture_health_check(self) -> None:  # its name in later versions
        pass
