"""The report: measurements with their targets, as a Markdown table."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence

Measurement = tuple[str, str, str]  # name, target, result


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which this fraction (0 to 1) of the values lies; 0 where there are none."""
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))] if values else 0.0


def table(measurements: Sequence[Measurement]) -> str:
    """The measurements as Markdown, below the machine, its cores and the date."""
    head = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
    rows = [f"| {' | '.join(cells)} |" for cells in [("measured", "target", "result"), *measurements]]
    return "\n".join([head, "", rows[0], "|---|---|---|", *rows[1:]])
