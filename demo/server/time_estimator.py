"""Estimates the time of a race: by a probe of this machine, corrected by past races, or in ZeroGPU time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from demo.server import zerogpu
from demo.server.gpu_time import GpuTimeEstimator
from demo.server.limits import in_minutes
from engine import CostEstimator, HeadStartError, Plan, PlanError


class TimeEstimator:
    """Estimates the seconds of a race, and shortens plans."""

    def __init__(self, cost_estimator: CostEstimator, gpu_time: GpuTimeEstimator, least_seconds: float = 5.0) -> None:
        """least_seconds: shorter races do not correct the estimate."""
        self.gpu_time, self._cost, self._least_seconds = gpu_time, cost_estimator, least_seconds
        # backbone, number of racers -> measured / estimated seconds of the last such race
        self._corrections: dict[tuple[str, int], float] = {}

    def seconds(self, plan: Plan, may_probe: Callable[[], bool]) -> float | None:
        """Estimated seconds of a race; None where unknown. `may_probe` is called just before a probe.

        Raises PlanError for an unknown task or backbone.
        """
        if zerogpu.is_lending():  # no probe: this process may not use torch's CUDA
            return self.gpu_time.seconds(plan)
        expected = self._cost.estimate(plan, may_probe)
        return None if expected is None else expected * self._correction(plan)

    def uncorrected(self, plan: Plan) -> float | None:
        """The estimate from the probes made so far, without correction; None where unknown. Raises as `seconds`."""
        return self._cost.estimate(plan, lambda: False)

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        """The plan shortened to end within `seconds`; None where it already does or its time is unknown. Never probes."""
        if zerogpu.is_lending() or self.seconds(plan, lambda: False) is None:
            return None
        return self._cost.fit(plan, seconds / self._correction(plan))

    def refuse_long(self, plan: Plan, longest: float) -> float | None:
        """The expected seconds, None where unknown. Raises PlanError above `longest`, naming a plan that would fit."""
        expected = self.seconds(plan, lambda: False)
        if expected is None or expected <= longest:
            return expected
        facts = {"minutes": in_minutes(expected), "most": in_minutes(longest)}
        shortened = self.fit(plan, longest)
        if shortened is None or (self.seconds(shortened, lambda: False) or 0) > longest:
            raise PlanError("refusal.long", **facts)
        if shortened.budget != plan.budget or shortened.budget == "seconds":
            raise PlanError("refusal.long.seconds", **facts, seconds=round(shortened.seconds))
        size = "size" if shortened.image_size != plan.image_size else "epochs"
        raise PlanError(f"refusal.long.{size}", **facts, epochs=shortened.epochs, image_size=shortened.image_size)

    def update(self, plan: Plan, seconds: float) -> None:
        """Take in the measured seconds of a race, as the correction of similar ones."""
        if seconds <= self._least_seconds:
            return
        with contextlib.suppress(HeadStartError):  # its pictures may have been deleted meanwhile
            expected = self.uncorrected(plan) or seconds
            self._corrections[_group(plan)] = min(3.0, max(0.3, seconds / expected))

    def _correction(self, plan: Plan) -> float:
        return self._corrections.get(_group(plan), 1.0)


def _group(plan: Plan) -> tuple[str, int]:
    """Key of the races that correct each other's estimate."""
    return plan.backbone, len(plan.racers())
