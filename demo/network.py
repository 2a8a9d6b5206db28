"""The picture of the network, stage by stage: shapes, sizes, frozen or learning. Pure: facts in, markup out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from engine import Stage, say


def draw(stages: Sequence[Stage], learning_stages: int, px: int, language: str) -> str:
    """The stages in a row, from the picture to the answer; the last `learning_stages` of them learn."""
    boxes = [
        f'<li class="hs-stage hs-input"><b>{escape(say("network.picture", language))}</b>'
        f'<span class="hs-block" style="{_size((3, px, px))}"></span><span>3×{px}×{px}</span></li>'
    ]
    learning = 0
    for index, stage in enumerate(stages):
        is_head, learns = index == len(stages) - 1, index >= len(stages) - learning_stages
        learning += stage.parameters if learns else 0
        state = say("network.new" if is_head else "network.learning" if learns else "network.frozen", language)
        boxes.append(
            f'<li class="hs-stage {"hs-learns" if learns else "hs-frozen"}"><b>{escape(stage.name)}</b>'
            f'<span class="hs-block" style="{_size(stage.shape)}"></span>'
            f"<span>{'×'.join(map(str, stage.shape))}</span><span>{_count(stage.parameters)}</span>"
            f'<span class="hs-state">{state}</span></li>'
        )
    total = sum(stage.parameters for stage in stages)
    note = say("network.share", language, learning=_count(learning), total=_count(total))
    return f'<ol class="hs-network" aria-label="{escape(say("page.network", language))}">{"".join(boxes)}</ol><p>{note}</p>'


def _size(shape: Sequence[int]) -> str:
    """A block's height shows the side of its maps, its width the number of channels, both on a log scale.

    shape: (channels, side, side), or (side, side, channels) as in Swin, (tokens, features), or (features,).
    """
    if len(shape) == 3:
        side, channels = (shape[0], shape[2]) if shape[0] == shape[1] != shape[2] else (shape[1], shape[0])
    else:
        side, channels = math.isqrt(shape[0]) if len(shape) == 2 else 1, shape[-1]
    return f"height:{12 + 8 * math.log2(side):.0f}px;width:{4 + 5 * math.log2(channels):.0f}px"


def _count(parameters: int) -> str:
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.2f} M"
    return f"{parameters / 1e3:.1f} k" if parameters >= 1000 else str(parameters)
