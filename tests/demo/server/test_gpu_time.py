"""The GPU time that is requested for a race follows past races, and its cost is shown before the start."""

from __future__ import annotations

from demo.server.gpu_time import FIRST, LEAST, GpuTimeEstimator
from engine import Plan, translate
from engine.workspace import Workspace


def test_the_time_of_a_race_sets_the_request_of_the_next(workspace: Workspace) -> None:
    gpu_time = GpuTimeEstimator(workspace)
    plan = Plan(examples_per_class=8, epochs=100)
    assert gpu_time.seconds(plan) == FIRST
    gpu_time.update(plan, pictures=4800, seconds=2.0)
    assert gpu_time.seconds(plan) == 12
    assert gpu_time.seconds(Plan(examples_per_class=8, epochs=10)) == LEAST
    assert gpu_time.seconds(Plan(examples_per_class=8, epochs=500)) == 22
    gpu_time.update(plan, pictures=48, seconds=2.0)
    assert gpu_time.seconds(plan) is None
    assert gpu_time.seconds(Plan(examples_per_class=8, budget="seconds", seconds=20.0)) == 33
    assert gpu_time.seconds(Plan(examples_per_class=8, budget="seconds", seconds=100.0)) is None


def test_the_cost_names_the_limit_on_the_cpu() -> None:
    quick, long = Plan(budget="seconds", seconds=20.0), Plan(budget="seconds", seconds=100.0)
    for language, limit in (("en", "for 4.5 min at most"), ("ja", "最長 4.5 分")):
        assert limit in GpuTimeEstimator(Workspace()).cost(quick, language, 270)
        assert limit in GpuTimeEstimator(Workspace()).cost(long, language, 270)
        for key in ("quota", "busy", "long"):
            assert limit in translate(f"zerogpu.{key}", language, most=60, minutes="4.5")
