"""Probes a network during training: how far the weights of each stage are from their start, and the first filters."""

from __future__ import annotations

import base64

import torch
from torch import Tensor, nn

MAX_FILTERS, MAX_VALUES = 32, 12_288  # the most filters of the first layer that are reported, and values in them


class WeightProbe:
    """Compares the weights of a network with a copy from the construction of this probe."""

    def __init__(self, model: nn.Sequential):
        self._model, self._reported = model, ""
        self._start = [[p.detach().clone() for p in stage.parameters()] for stage in model]
        self._norms = [_norm(start) for start in self._start]

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages, input first."""
        return tuple(name for name, _ in self._model.named_children())

    def relative_weight_change(self) -> tuple[float, ...]:
        """|weights - start| / |start| for each stage; 1 for a stage that changed from all zeros.

        Frozen stages are compared too: theirs must be exactly 0.
        """
        stages = zip(self._model, self._start, self._norms, strict=True)
        return tuple(_relative_change(list(stage.parameters()), start, norm) for stage, start, norm in stages)

    def filters(self) -> tuple[int, int, str]:
        """The number of filters of the first layer, their side in pixels, and (count, side, side, 3) uint8 as base64.

        Each filter is scaled to 0..255 by itself. The text is "" where the filters are unchanged since the last call, and
        where the first layer has no filters over colours.
        """
        filters = first_filters(self._model)
        if filters is None:
            return 0, 0, ""
        text = base64.b64encode(filters.contiguous().numpy().tobytes()).decode("ascii")
        is_changed, self._reported = text != self._reported, text
        return len(filters), filters.shape[1], text if is_changed else ""


def first_filters(model: nn.Module) -> Tensor | None:
    """The filters of the first convolution over colours, scaled to 0..255: (n, side, side, 3) uint8 on the CPU."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            weights = module.weight.detach().float().cpu()
            weights = weights[: min(MAX_FILTERS, max(1, MAX_VALUES // weights[0].numel()))]
            low, high = weights.amin((1, 2, 3), keepdim=True), weights.amax((1, 2, 3), keepdim=True)
            scaled = (weights - low) / (high - low).clamp_min(1e-12)
            return (255 * scaled).round().byte().permute(0, 2, 3, 1)
    return None


def _relative_change(now: list[nn.Parameter], start: list[Tensor], start_norm: float) -> float:
    with torch.no_grad():  # most stages of most racers are frozen, and testing equality is fast
        change = _norm([p - s for p, s in zip(now, start, strict=True) if not torch.equal(p, s)])
    return change / start_norm if start_norm > 0 else float(change > 0)


def _norm(tensors: list[Tensor]) -> float:
    """The Euclidean norm of all their values together."""
    return sum(float(torch.linalg.vector_norm(t)) ** 2 for t in tensors) ** 0.5
