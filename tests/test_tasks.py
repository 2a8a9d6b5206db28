"""Which pictures a race gets, and what is said when they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSES, HELDOUT, TRAIN
from visitors import TWO, Files, folder, look, shown, zipped

from engine import Plan, PlanError, Progressed, UnavailableError, embedded, pictures, strip, survey, tasks
from engine.events import finish


def draw(examples: int, seed: int) -> dict[str, torch.Tensor]:
    return finish(tasks.draw("tabletop", examples, seed, 32))


def test_a_task_says_what_it_holds(tiny: Path) -> None:
    task = tasks.find("tabletop")
    assert (task.classes, task.training, task.heldout) == (CLASSES, TRAIN, 3 * HELDOUT)


def test_a_draw_is_balanced_and_grows_with_the_number_of_examples(tiny: Path) -> None:
    few, more = draw(3, 5), draw(6, 5)
    assert few["training_labels"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    for k in range(3):
        assert torch.equal(few["training"][k * 3 : k * 3 + 3], more["training"][k * 6 : k * 6 + 3])
    assert len(few["heldout"]) == 3 * HELDOUT


def test_another_seed_draws_others(tiny: Path) -> None:
    assert not torch.equal(draw(3, 0)["training"], draw(3, 1)["training"])


def test_no_picture_is_both_trained_on_and_held_out(tiny: Path) -> None:
    drawn = draw(TRAIN, 0)
    training = {picture.numpy().tobytes() for picture in drawn["training"]}
    assert len(training) == 3 * TRAIN
    assert not training & {picture.numpy().tobytes() for picture in drawn["heldout"]}


def test_too_many_examples_are_refused(tiny: Path) -> None:
    with pytest.raises(PlanError, match="8 training pictures a class"):
        draw(9, 0)


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
    monkeypatch.setattr(embedded, "ASSETS", tmp_path)
    tasks.forget()
    with pytest.raises(UnavailableError) as refusal:
        draw(3, 0)
    assert (listing if damage == "list" else sheet).name in str(refusal.value)
    assert "python -m engine tabletop" in str(refusal.value)


def test_a_strip_shows_the_first_drawn_pictures_of_a_class(tiny: Path) -> None:
    shown = strip(Plan(examples=4), 1, 2)
    drawn = draw(4, 0)["training"]
    assert shown.shape == (32, 64, 3)
    assert (shown[:, :32] == drawn[4].permute(1, 2, 0).numpy()).all()


def bring(home: Path, files: Files = TWO) -> str:
    """Make these files a task, as a visitor's zip."""
    return tasks.add("set.zip", look(zipped(home, files)))


def test_ones_own_pictures_become_a_task(guests: None, tmp_path: Path) -> None:
    album = look(zipped(tmp_path, TWO))
    assert tasks.add("set.zip", album) == "set.zip"
    task = tasks.find("set.zip")
    assert "set.zip" in tasks.names()
    assert (task.classes, task.training, task.heldout) == (("cats", "dogs"), 6, 2 + 3)
    assert (task.is_own, task.is_open, task.is_here, task.licence) == (True, True, True, "your own")
    assert task.notes == album.notes != ()


def test_what_was_left_out_is_told_with_the_task(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path, {**TWO, "cats/a.txt": b"hello"})
    assert tasks.find(name).notes[0] == "1 of 21 pictures was left out: cats/a.txt is not a picture"


def test_ones_own_pictures_are_drawn_as_they_are(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path)
    work = tasks.draw(name, 6, 0, px=42)
    assert isinstance(next(work), Progressed)
    found = finish(work)
    album = finish(tasks.open_task(name))
    assert found["training"].shape == (12, 3, 48, 48)  # 42 * 8 / 7, and the files are as large
    assert found["training_labels"].tolist() == [0] * 6 + [1] * 6
    assert found["heldout_labels"].tolist() == [0] * 2 + [1] * 3
    as_bytes = [picture.permute(1, 2, 0).numpy().tobytes() for picture in found["training"][:6]]
    assert sorted(as_bytes) == sorted(shown(album.training[0]))


def test_more_examples_than_the_smallest_class_has_are_refused(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path)
    with pytest.raises(PlanError) as refusal:
        finish(tasks.draw(name, 7, 0, 32))
    assert str(refusal.value) == "examples is 7; 'set.zip' has 6 training pictures in its smallest class"


def test_what_is_removed_is_gone_with_its_decoded_pictures(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path)
    finish(tasks.draw(name, 3, 0, 32))
    assert [key for key in tasks._resident if key[0] == name]
    tasks.remove(name)
    assert not [key for key in tasks._resident if key[0] == name]
    assert name not in tasks.names()
    with pytest.raises(PlanError, match=r"task is 'set\.zip'; there is tabletop, "):
        tasks.find(name)
    tasks.remove(name)  # what is not there is no error


def test_other_pictures_of_the_same_name_take_their_place(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path)
    first = finish(tasks.draw(name, 5, 0, 32))["training"]
    bring(tmp_path, {**folder("ants", range(200, 208)), **folder("bees", range(300, 308))})
    assert tasks.find(name).classes == ("ants", "bees")
    assert not torch.equal(finish(tasks.draw(name, 5, 0, 32))["training"], first)


@pytest.mark.parametrize("name", ["tabletop", "cifar10"])
def test_a_name_that_is_taken_is_refused(guests: None, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match=f"'{name}' is a task that comes with Head Start; give your pictures another name"):
        tasks.add(name, look(zipped(tmp_path, TWO)))


@pytest.mark.parametrize(("most", "each"), [(6, [2, 2, 2]), (8, [3, 3, 2]), (100, [6, 6, 6])])
def test_the_held_out_pictures_of_a_large_set_are_spread_over_its_classes(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, most: int, each: list[int]
) -> None:
    monkeypatch.setattr(tasks, "HELDOUT", most)
    found = draw(3, 0)
    assert found["heldout_labels"].bincount().tolist() == each
    assert torch.equal(found["heldout"], draw(5, 1)["heldout"])  # the same in every race


def test_a_small_class_is_asked_about_as_a_whole(guests: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {**folder("cats", range(5)), **folder("dogs", range(100, 132))}
    name = bring(tmp_path, files)
    assert [len(held) for held in finish(tasks.open_task(name)).heldout] == [1, 8]
    monkeypatch.setattr(tasks, "HELDOUT", 4)
    assert tasks.find(name).heldout == 4
    assert finish(tasks.draw(name, 2, 0, 32))["heldout_labels"].tolist() == [0, 1, 1, 1]


def test_a_strip_of_ones_own_pictures_is_what_a_race_would_get(guests: None, tmp_path: Path) -> None:
    name = bring(tmp_path)
    plan = Plan(task=name, examples=4, px=84)
    drawn = finish(tasks.draw(name, 4, plan.seed, 84))["training"]
    assert np.array_equal(strip(plan, 1, 1), drawn[4].permute(1, 2, 0).numpy())


def test_pictures_that_do_not_fit_into_memory_are_refused_before_they_are_read(
    guests: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bring(tmp_path)
    monkeypatch.setattr(pictures.device, "free_memory", lambda: 1000)
    with pytest.raises(UnavailableError, match="choose fewer pictures or a smaller input"):
        finish(tasks.draw(name, 4, 0, 32))


@pytest.mark.parametrize("split", ["heldout", "training"])
def test_pictures_to_look_at_are_the_ones_of_the_draw(tiny: Path, split: str) -> None:
    drawn = finish(tasks.draw("tabletop", 4, 3, 32))
    assert torch.equal(tasks.look("tabletop", split, 4, 3, [7, 0]), drawn[split][[7, 0]])


@pytest.mark.parametrize("row", [-1, 18])
def test_a_row_that_is_not_there_is_refused(tiny: Path, row: int) -> None:
    with pytest.raises(PlanError, match="there are 18 heldout pictures"):
        tasks.look("tabletop", "heldout", 4, 0, [row])


def test_photographs_to_be_asked_about_again_are_as_large_as_in_the_race(guests: None, tmp_path: Path) -> None:
    name = tasks.add("mine", finish(survey(zipped(tmp_path, TWO), "mine")))
    drawn = finish(tasks.draw(name, 3, 0, 128))
    assert torch.equal(tasks.look(name, "heldout", 3, 0, [1], 128), drawn["heldout"][[1]])
    assert tasks.look(name, "heldout", 3, 0, [1]).shape[-1] < drawn["heldout"].shape[-1]


def test_a_plan_is_told_without_the_name_that_opens_ones_own_pictures() -> None:
    assert tasks.nameless(Plan(task="own-secret")).task == "own"
    assert tasks.nameless(Plan()) == Plan()
