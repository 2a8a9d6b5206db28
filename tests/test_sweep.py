"""Means over seeds, from real races."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from engine import Plan
from engine.sweep import summarise, sweep


@pytest.mark.slow
def test_a_sweep_races_every_number_with_every_seed(tiny: Path) -> None:
    races = list(sweep(Plan(epochs=1, learning_stages=1), [2, 4], range(2)))
    assert [(r.plan.examples, r.plan.seed) for r in races] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    summary = summarise(races[:2])
    assert summary.scratch == pytest.approx(statistics.fmean(r.scratch for r in races[:2]))
    assert summary.gap == pytest.approx(summary.transfer - summary.scratch)
    assert summary.seeds == 2
