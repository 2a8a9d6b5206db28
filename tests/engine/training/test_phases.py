"""The phases of every racer, their learning rates, and the steps of an epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import Plan
from engine.models import architectures
from engine.models.architectures import ARCHITECTURES
from engine.training.phases import phases, steps_per_epoch


def test_other_rates_are_those_of_the_plan_or_of_the_network() -> None:
    swin, plan = architectures.ARCHITECTURES["swin_t"], Plan(trainable_stages=3, layer_decay=0.5)
    scratch, transfer = plan.racers()
    assert phases(scratch, plan, swin, 6)[0].rates == (swin.scratch_lr,) * 6 == (5e-4,) * 6
    assert phases(transfer, plan, swin, 6)[-1].rates == (5e-5, 1e-4, 1e-4)  # the head's is the highest below it
    changed = replace(plan, scratch_lr=0.02, backbone_lr=0.4)
    assert phases(scratch, changed, swin, 6)[0].rates == (0.02,) * 6
    assert phases(transfer, changed, swin, 6)[-1].rates == (0.2, 0.4, 0.4)


@pytest.mark.parametrize(
    ("racer", "plan", "expected"),
    [
        ("scratch", Plan(), [("training", 0, 1.0, 0.1)]),
        ("pretrained", Plan(trainable_stages=3), [("head", 1, 0.3, 0.1), ("fine-tuning", 3, 1.0, 0.1)]),
        ("pretrained", Plan(trainable_stages=3, head_only_fraction=0.0), [("fine-tuning", 3, 1.0, 0.1)]),
        ("pretrained", Plan(trainable_stages=1), [("head", 1, 1.0, 0.0)]),
        ("random", Plan(extra_racers=("random",)), [("head", 1, 1.0, 0.0)]),
        ("all", Plan(extra_racers=("all",)), [("head", 1, 0.3, 0.1), ("fine-tuning", 6, 1.0, 0.1)]),
    ],
)
def test_each_racer_has_its_phases(racer: str, plan: Plan, expected: list[tuple]) -> None:
    (one,) = (each for each in plan.racers() if each.name == racer)
    racer_phases = phases(one, plan, ARCHITECTURES["resnet10"], 6)
    assert [(phase.name, phase.trainable_stages, phase.until, phase.label_smoothing) for phase in racer_phases] == expected


@pytest.mark.parametrize(("pictures", "steps"), [(200, 7), (50, 7), (12, 3), (10_000, 313)])
def test_a_small_set_has_at_least_six_steps_in_an_epoch_or_batches_of_four(pictures: int, steps: int) -> None:
    assert steps_per_epoch(pictures, 32) == steps
