"""Estimates the seconds of ZeroGPU time that a race needs: ZeroGPU refuses too many, too few end the race early."""

from __future__ import annotations

import math

from demo.server.limits import in_minutes
from engine import Plan, Workspace, input_size, translate

FIRST = 30  # seconds of GPU time requested where no such race was timed yet
LEAST, MOST = 10, 60  # seconds requested: more than the visitor's remaining quota is refused
START = 6.0  # seconds from the start of a process with a GPU to its first training step
MARGIN = 3.0  # seconds before the end of the GPU time at which a race is stopped


class GpuTimeEstimator:
    """Measured training speed on ZeroGPU, by backbone and input size."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._rates: dict[tuple[str, int], float] = {}  # backbone, input size -> pictures a second, all racers

    def seconds(self, plan: Plan) -> int | None:
        """Seconds of GPU time to request; None above MOST. Raises PlanError for an unknown task."""
        if plan.budget == "seconds":
            needed = START + 1.2 * plan.seconds
        else:
            rate = self._rates.get((plan.backbone, input_size(plan, self._workspace)))
            if rate is None:
                return FIRST
            needed = START + 1.3 * self._pictures(plan) / rate
        return max(LEAST, math.ceil(needed + MARGIN)) if needed + MARGIN <= MOST else None

    def cost(self, plan: Plan, language: str, longest: float) -> str:
        """What a race will cost, as a sentence. longest: seconds that it may take on the CPU.

        Raises PlanError for an unknown task or backbone.
        """
        seconds, minutes = self.seconds(plan), in_minutes(longest)
        if seconds is None:
            return translate("zerogpu.cost.cpu", language, most=MOST, minutes=minutes)
        return translate("zerogpu.cost", language, seconds=seconds, minutes=minutes)

    def update(self, plan: Plan, pictures: int, seconds: float) -> None:
        """Take in a timed race: pictures trained on, all racers together, and seconds."""
        if pictures and seconds > 0:
            self._rates[plan.backbone, input_size(plan, self._workspace)] = pictures / seconds

    def _pictures(self, plan: Plan) -> int:
        """Pictures that a race trains on: all racers, all epochs."""
        classes = len(self._workspace.tasks.find(plan.task).classes)
        return plan.examples_per_class * classes * plan.epochs * len(plan.racers())
