"""Means over seeds, from real races."""

from __future__ import annotations

import statistics

import pytest

from engine import Plan
from engine.study.sweep import summarise, sweep
from engine.workspace import Workspace
from tests.conftest import CPU


@pytest.mark.slow
def test_a_sweep_races_every_number_with_every_seed(workspace: Workspace) -> None:
    races = list(sweep(Plan(epochs=1, trainable_stages=1), [2, 4], range(2), workspace, CPU))
    assert [(r.plan.examples_per_class, r.plan.seed) for r in races] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    summary = summarise(races[:2])
    assert summary.scratch == pytest.approx(statistics.fmean(r.scratch for r in races[:2]))
    assert summary.gap == pytest.approx(summary.pretrained - summary.scratch)
    assert summary.seeds == 2
