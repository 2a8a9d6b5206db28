"""Confidence interval of an accuracy, and the comparison of two racers on the same pictures; counts in, floats out."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054  # 97.5 % point of the normal distribution


def wilson_interval(correct: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of correct / total (Wilson 1927); (0, 1) where total is 0."""
    if total == 0:
        return 0.0, 1.0
    share, spread = correct / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Paired:
    """Two racers on the same held-out pictures: counts, the gap (second minus first), its interval and p-value."""

    both_correct: int
    only_first: int
    only_second: int
    both_incorrect: int
    p_value: float
    gap: float
    low: float
    high: float


def compare_paired(first: str, second: str) -> Paired:
    """Compare two strings of 1 (correct) and 0 picture by picture: exact McNemar test and the gap's 95 % interval.

    The interval is the adjusted Wald interval for paired proportions (Agresti & Min 2005): half a picture is added to each
    of the four cells, which keeps its coverage for small counts. Raises ValueError where the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError("the racers were not evaluated on the same pictures")
    pairs = [first[k] + second[k] for k in range(len(first))]
    both, only_first, only_second = (pairs.count(p) for p in ("11", "10", "01"))
    neither = len(pairs) - both - only_first - only_second
    if not pairs:
        return Paired(0, 0, 0, 0, 1.0, 0.0, 0.0, 0.0)
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    p_value = min(1.0, 2 * tail / 2**discordant)
    n, b, c = len(pairs) + 2.0, only_first + 0.5, only_second + 0.5
    middle = (c - b) / n
    half = Z95 * math.sqrt(b + c - (c - b) ** 2 / n) / n
    gap = (only_second - only_first) / len(pairs)
    return Paired(both, only_first, only_second, neither, p_value, gap, middle - half, middle + half)
