"""Which pictures a race gets, and what is said when they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from conftest import CLASSES, HELDOUT, TRAIN, forget

from engine import PlanError, UnavailableError, tasks


def test_a_task_says_what_it_holds(tiny: Path) -> None:
    task = tasks.find("tabletop")
    assert (task.classes, task.training, task.heldout) == (CLASSES, TRAIN, HELDOUT)


def test_a_draw_is_balanced_and_grows_with_the_number_of_examples(tiny: Path) -> None:
    few, more = tasks.draw("tabletop", 3, 5), tasks.draw("tabletop", 6, 5)
    assert few["training_labels"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    for k in range(3):
        assert torch.equal(few["training"][k * 3 : k * 3 + 3], more["training"][k * 6 : k * 6 + 3])
    assert len(few["heldout"]) == 3 * HELDOUT


def test_another_seed_draws_others(tiny: Path) -> None:
    assert not torch.equal(tasks.draw("tabletop", 3, 0)["training"], tasks.draw("tabletop", 3, 1)["training"])


def test_no_picture_is_both_trained_on_and_held_out(tiny: Path) -> None:
    drawn = tasks.draw("tabletop", TRAIN, 0)
    training = {picture.numpy().tobytes() for picture in drawn["training"]}
    assert len(training) == 3 * TRAIN
    assert not training & {picture.numpy().tobytes() for picture in drawn["heldout"]}


def test_too_many_examples_are_refused(tiny: Path) -> None:
    with pytest.raises(PlanError, match="8 training pictures a class"):
        tasks.draw("tabletop", 9, 0)


@pytest.mark.parametrize("damage", ["missing", "truncated", "list"])
def test_a_damaged_sheet_is_named_with_the_command_that_remakes_it(
    tiny: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny / "tabletop", tmp_path / "tabletop")
    sheet, listing = tmp_path / "tabletop" / "square-train.webp", tmp_path / "tabletop" / "tabletop.json"
    if damage == "missing":
        sheet.unlink()
    elif damage == "truncated":
        sheet.write_bytes(sheet.read_bytes()[:200])
    else:
        listing.write_text(listing.read_text()[:50])
    monkeypatch.setattr(tasks, "ASSETS", tmp_path)
    forget()
    with pytest.raises(UnavailableError) as refusal:
        tasks.load("tabletop")
    assert (listing if damage == "list" else sheet).name in str(refusal.value)
    assert "python -m engine tabletop" in str(refusal.value)


def test_a_strip_shows_the_first_drawn_pictures_of_a_class(tiny: Path) -> None:
    strip = tasks.strip("tabletop", 1, 4, 0, 2)
    drawn = tasks.draw("tabletop", 4, 0)["training"]
    assert strip.shape == (32, 64, 3)
    assert (strip[:, :32] == drawn[4].permute(1, 2, 0).numpy()).all()
