"""Random generators that depend on counters alone, so that a seed gives the same numbers in any thread and order."""

from __future__ import annotations

import torch


def generator(*counters: int) -> torch.Generator:
    """A CPU random generator that depends only on the counters given, in their order.

    The counters are mixed with SplitMix64 (Steele, Lea & Flood 2014), so that neighbouring seeds and epochs do not
    give related streams.
    """
    state = 0x9E3779B97F4A7C15
    for counter in counters:
        state = (state ^ (counter & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return torch.Generator().manual_seed(state & 0x7FFFFFFFFFFFFFFF)
