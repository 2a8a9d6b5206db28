"""The diagram of a network, stage by stage: output shape, parameters, frozen or trainable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from demo.markup import Template
from engine import Stage, translate

TEMPLATE = Template(Path(__file__).with_suffix(".html"))


def draw(description: str, stages: Sequence[Stage], trainable_stages: int, image_size: int, language: str) -> str:
    """A description and the row of stages, from input to head, as markup. The last `trainable_stages` are trainable."""
    first = len(stages) - trainable_stages  # index of the first trainable stage
    total, learning = sum(stage.parameters for stage in stages), sum(stage.parameters for stage in stages[first:])
    return TEMPLATE.render(
        translate=partial(translate, language=language),
        description=description,
        picture=_block((3, image_size, image_size)),
        stages=[
            {
                "name": stage.name,
                "block": _block(stage.shape),
                "parameters": _count(stage.parameters),
                "learns": index >= first,
                "state": "new" if index == len(stages) - 1 else "learning" if index >= first else "frozen",
            }
            for index, stage in enumerate(stages)
        ],
        learning=_count(learning),
        total=_count(total),
    )


def _block(shape: Sequence[int]) -> dict[str, str]:
    """Shape and CSS of a block: height is the side of its feature maps, width the channels, both on a log scale.

    shape: (channels, side, side), or (side, side, channels) as in Swin, (tokens, features), or (features,).
    """
    if len(shape) == 3:
        side, channels = (shape[0], shape[2]) if shape[0] == shape[1] != shape[2] else (shape[1], shape[0])
    else:
        side, channels = math.isqrt(shape[0]) if len(shape) == 2 else 1, shape[-1]
    style = f"height:{12 + 8 * math.log2(side):.0f}px;width:{4 + 5 * math.log2(channels):.0f}px"
    return {"shape": "×".join(map(str, shape)), "style": style}


def _count(parameters: int) -> str:
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.2f} M"
    return f"{parameters / 1e3:.1f} k" if parameters >= 1000 else str(parameters)
