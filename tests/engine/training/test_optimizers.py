"""The course of the learning rate, and the parameters it is set for."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from engine.training import optimizers


def test_the_rate_rises_then_falls_to_nothing() -> None:
    course = [optimizers.schedule(k / 1000) for k in range(1001)]
    top = course.index(max(course))
    assert course[top] == pytest.approx(1.0)
    assert top == pytest.approx(1000 * optimizers.WARMUP, abs=1)
    assert course[0] > 0
    assert course[-1] == pytest.approx(0.0, abs=1e-9)
    assert all(a <= b for a, b in pairwise(course[: top + 1]))
    assert all(a >= b for a, b in pairwise(course[top:]))


def test_it_learns_a_line_and_spares_the_biases_decay() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    optimizer = optimizers.make([(model, 0.02)], 0.1)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decays) == len(list(model.parameters()))
    assert all(decays[id(p)] == (0.1 if p.ndim > 1 else 0.0) for p in model.parameters())
    x, y = torch.randn(16, 1, 4, 4), torch.randint(0, 2, (16,))
    losses = []
    for step in range(60):
        rate = optimizers.set_rate(optimizer, step / 60)
        assert rate == pytest.approx(0.02 * optimizers.schedule(step / 60))
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_each_stage_keeps_its_own_rate() -> None:
    low, high = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = optimizers.make([(low, 0.1), (high, 1.0)], 0.0)
    assert optimizers.set_rate(optimizer, optimizers.WARMUP) == pytest.approx(1.0)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert rates[id(low.weight)] == pytest.approx(0.1)
    assert rates[id(high.weight)] == pytest.approx(1.0)
