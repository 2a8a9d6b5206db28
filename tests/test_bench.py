"""The measurements measure real trainings, and choose on pictures that are neither drawn nor held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine import Plan, race, tasks
from engine.bench import naive, recipes, speed

SHORT = Plan(examples=3, epochs=2, batch_size=6)


def test_candidates_are_chosen_on_undrawn_training_pictures(tiny: Path) -> None:
    pictures = race.draw(SHORT)
    asked = recipes.with_undrawn(pictures, SHORT)
    extra = asked.heldout[len(pictures.heldout) :]
    as_bytes = lambda images: {i.numpy().tobytes() for i in images}  # noqa: E731
    assert len(extra) == 3 * (8 - 3)
    assert as_bytes(extra) <= as_bytes(tasks.load("tabletop")["train"].flatten(0, 1))
    assert not as_bytes(extra) & as_bytes(pictures.training)
    assert torch.equal(asked.heldout[: len(pictures.heldout)], pictures.heldout)


def test_every_candidate_is_a_plan_that_can_be_raced(tiny: Path) -> None:
    for plan in [*recipes.SCRATCH.values(), *recipes.TRANSFER.values()]:
        race.check(replace(plan, examples=3))


def test_a_candidate_is_trained_for_real(tiny: Path) -> None:
    (tried,) = recipes.run({"x": SHORT}, False, 1, 3)
    assert 0 <= tried.heldout <= 1
    assert tried.seconds > 0


def test_a_race_is_timed_from_its_events(tiny: Path) -> None:
    timed = speed.time_race(replace(SHORT, learning_stages=1))
    assert 0 < timed.first_accuracy <= timed.transfer_done <= timed.whole
    assert timed.scratch_done <= timed.whole
    assert all(0 < share < 1 for share in timed.evaluation_share.values())


@pytest.mark.parametrize("is_frozen", [True, False])
def test_the_baseline_trains(tiny: Path, is_frozen: bool) -> None:
    assert naive.epoch_seconds(SHORT, race.draw(SHORT), is_frozen, epochs=1) > 0
