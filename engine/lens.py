"""A look into a network while it learns: how far each stage is from its start, and what its first layer's filters look like.

Knows no race and no pictures.
"""

from __future__ import annotations

import base64

import torch
from torch import Tensor, nn

FILTERS, NUMBERS = 32, 12_288  # filters of the first layer that are told of at most, and numbers in them


class Lens:
    """Remembers how a network of stages began, and tells how it is now."""

    def __init__(self, model: nn.Sequential):
        self._model, self._told = model, ""
        self._start = [[p.detach().clone() for p in stage.parameters()] for stage in model]
        self._lengths = [_length(start) for start in self._start]

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages, from the picture up."""
        return tuple(name for name, _ in self._model.named_children())

    def moved(self) -> tuple[float, ...]:
        """How far each stage is from its start: |weights - start| / |start|; 1 where it started at zero and moved.

        Frozen stages are compared too: theirs must be exactly 0.
        """
        stages = zip(self._model, self._start, self._lengths, strict=True)
        return tuple(_moved(list(stage.parameters()), start, length) for stage, start, length in stages)

    def filters(self) -> tuple[int, int, str]:
        """How many filters of the first layer there are to see, their side, and (count, side, side, 3) uint8 as base64.

        Each filter is stretched over 0..255 by itself. The text is empty where they are as last told, and where the first
        layer has no filters on colours.
        """
        found = first_filters(self._model)
        if found is None:
            return 0, 0, ""
        text = base64.b64encode(found.contiguous().numpy().tobytes()).decode("ascii")
        is_news, self._told = text != self._told, text
        return len(found), found.shape[1], text if is_news else ""


def first_filters(model: nn.Module) -> Tensor | None:
    """The filters of the first convolution over colours, stretched over 0..255: (n, side, side, 3) uint8 on the CPU."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            weights = module.weight.detach().float().cpu()
            weights = weights[: min(FILTERS, max(1, NUMBERS // weights[0].numel()))]
            low, high = weights.amin((1, 2, 3), keepdim=True), weights.amax((1, 2, 3), keepdim=True)
            stretched = (weights - low) / (high - low).clamp_min(1e-12)
            return (255 * stretched).round().byte().permute(0, 2, 3, 1)
    return None


def _moved(now: list[nn.Parameter], start: list[Tensor], length: float) -> float:
    with torch.no_grad():  # most stages of most racers are frozen, and equality is quickly seen
        far = _length([p - s for p, s in zip(now, start, strict=True) if not torch.equal(p, s)])
    return far / length if length > 0 else float(far > 0)


def _length(tensors: list[Tensor]) -> float:
    """The Euclidean length of all their numbers together."""
    return sum(float(torch.linalg.vector_norm(t)) ** 2 for t in tensors) ** 0.5
