"""Tasks are found, opened and sampled; damaged or missing pictures are reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Plan, PlanError, Progressed, UnavailableError, class_preview, scan
from engine.data.image_cache import ImageCache
from engine.data.registry import TaskRegistry, anonymised
from engine.data.sampling import RaceData, sample_data, sample_rows
from engine.data.tabletop import Tabletop
from engine.progress import run_to_end
from engine.workspace import Workspace
from tests.conftest import CLASSES, HELDOUT, TRAIN
from tests.helpers.pictures import TWO, Files, folder, look, shown, zipped


def sample(workspace: Workspace, examples_per_class: int, seed: int) -> RaceData:
    return run_to_end(sample_data(workspace.tasks, "tabletop", examples_per_class, seed, 32))


def test_a_task_states_its_classes_and_counts(workspace: Workspace) -> None:
    task = workspace.tasks.find("tabletop")
    assert (task.classes, task.training, task.heldout) == (CLASSES, TRAIN, 3 * HELDOUT)


def test_a_sample_is_balanced_and_a_larger_one_contains_it(workspace: Workspace) -> None:
    small, large = sample(workspace, 3, 5), sample(workspace, 6, 5)
    assert small.training_labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    for k in range(3):
        assert torch.equal(small.training[k * 3 : k * 3 + 3], large.training[k * 6 : k * 6 + 3])
    assert len(small.heldout) == 3 * HELDOUT


def test_another_seed_samples_other_pictures(workspace: Workspace) -> None:
    assert not torch.equal(sample(workspace, 3, 0).training, sample(workspace, 3, 1).training)


def test_no_picture_is_both_trained_on_and_held_out(workspace: Workspace) -> None:
    data = sample(workspace, TRAIN, 0)
    training = {picture.numpy().tobytes() for picture in data.training}
    assert len(training) == 3 * TRAIN
    assert not training & {picture.numpy().tobytes() for picture in data.heldout}


def test_too_many_examples_are_refused(workspace: Workspace) -> None:
    with pytest.raises(PlanError, match="8 training pictures per class"):
        sample(workspace, 9, 0)


@pytest.mark.parametrize("damage", ["missing", "truncated", "list"])
def test_a_damaged_sheet_is_named_with_the_command_that_rebuilds_it(tiny_files: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(tiny_files / "tabletop", tmp_path / "tabletop")
    sheet, listing = tmp_path / "tabletop" / "square-train.webp", tmp_path / "tabletop" / "tabletop.json"
    if damage == "missing":
        sheet.unlink()
    elif damage == "truncated":
        sheet.write_bytes(sheet.read_bytes()[:200])
    else:
        listing.write_text(listing.read_text()[:50])
    workspace = Workspace(TaskRegistry(Tabletop(tmp_path / "tabletop")))
    with pytest.raises(UnavailableError) as refusal:
        sample(workspace, 3, 0)
    assert (listing if damage == "list" else sheet).name in str(refusal.value)
    assert "python -m engine tabletop" in str(refusal.value)


def test_a_class_preview_shows_the_first_sampled_pictures(workspace: Workspace) -> None:
    preview = class_preview(Plan(examples_per_class=4), workspace, 1, 2)
    data = sample(workspace, 4, 0).training
    assert preview.shape == (32, 64, 3)
    assert (preview[:, :32] == data[4].permute(1, 2, 0).numpy()).all()


def add_zip(workspace: Workspace, home: Path, files: Files = TWO) -> str:
    """Add these files as a task, like a visitor's zip."""
    return workspace.tasks.add("set.zip", look(zipped(home, files)))


def test_a_visitors_pictures_become_a_task(workspace: Workspace, tmp_path: Path) -> None:
    dataset = look(zipped(tmp_path, TWO))
    assert workspace.tasks.add("set.zip", dataset) == "set.zip"
    task = workspace.tasks.find("set.zip")
    assert "set.zip" in workspace.tasks.names()
    assert (task.classes, task.training, task.heldout) == (("cats", "dogs"), 6, 2 + 3)
    assert (task.is_own, task.is_open, task.is_here, task.licence) == (True, True, True, "your own")
    assert task.notes == dataset.notes != ()


def test_notes_of_the_dataset_are_part_of_the_task(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path, {**TWO, "cats/a.txt": b"hello"})
    assert workspace.tasks.find(name).notes[0] == "1 of 21 pictures was left out: cats/a.txt is not a picture"


def test_a_visitors_pictures_are_sampled_unchanged(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path)
    work = sample_data(workspace.tasks, name, 6, 0, 42)
    assert isinstance(next(work), Progressed)
    data = run_to_end(work)
    dataset = run_to_end(workspace.tasks.open(name))
    assert data.training.shape == (12, 3, 48, 48)  # 42 * 8 / 7, and the files are as large
    assert data.training_labels.tolist() == [0] * 6 + [1] * 6
    assert data.heldout_labels.tolist() == [0] * 2 + [1] * 3
    as_bytes = [picture.permute(1, 2, 0).numpy().tobytes() for picture in data.training[:6]]
    assert sorted(as_bytes) == sorted(shown(dataset.training[0]))


def test_more_examples_than_the_smallest_class_has_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path)
    with pytest.raises(PlanError) as refusal:
        run_to_end(sample_data(workspace.tasks, name, 7, 0, 32))
    assert str(refusal.value) == "examples_per_class is 7; 'set.zip' has 6 training pictures in its smallest class"


def test_removing_a_task_removes_its_decoded_pictures(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path)
    run_to_end(sample_data(workspace.tasks, name, 3, 0, 32))
    assert name in workspace.tasks.images.names()
    workspace.tasks.remove(name)
    assert name not in workspace.tasks.images.names()
    assert name not in workspace.tasks.names()
    with pytest.raises(PlanError, match=r"task is 'set\.zip'; there is tabletop, "):
        workspace.tasks.find(name)
    workspace.tasks.remove(name)  # removing it again is no error


def test_a_new_set_of_the_same_name_replaces_the_old_one(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path)
    first = run_to_end(sample_data(workspace.tasks, name, 5, 0, 32)).training
    add_zip(workspace, tmp_path, {**folder("ants", range(200, 208)), **folder("bees", range(300, 308))})
    assert workspace.tasks.find(name).classes == ("ants", "bees")
    assert not torch.equal(run_to_end(sample_data(workspace.tasks, name, 5, 0, 32)).training, first)


@pytest.mark.parametrize("name", ["tabletop", "cifar10"])
def test_the_name_of_a_built_in_task_is_refused(workspace: Workspace, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match=f"'{name}' is a task that comes with Head Start; give your pictures another name"):
        workspace.tasks.add(name, look(zipped(tmp_path, TWO)))


@pytest.mark.parametrize(("max_heldout", "per_class"), [(6, [2, 2, 2]), (8, [3, 3, 2]), (100, [6, 6, 6])])
def test_the_heldout_pictures_of_a_large_set_are_spread_over_its_classes(
    tiny_files: Path, max_heldout: int, per_class: list[int]
) -> None:
    workspace = Workspace(TaskRegistry(Tabletop(tiny_files / "tabletop"), max_heldout=max_heldout))
    data = sample(workspace, 3, 0)
    assert data.heldout_labels.bincount().tolist() == per_class
    assert torch.equal(data.heldout, sample(workspace, 5, 1).heldout)  # the same in every race


def test_a_small_class_is_evaluated_completely(tmp_path: Path) -> None:
    workspace = Workspace(TaskRegistry(max_heldout=4))
    files = {**folder("cats", range(5)), **folder("dogs", range(100, 132))}
    name = add_zip(workspace, tmp_path, files)
    assert [len(readers) for readers in run_to_end(workspace.tasks.open(name)).heldout] == [1, 8]
    assert workspace.tasks.find(name).heldout == 4
    assert run_to_end(sample_data(workspace.tasks, name, 2, 0, 32)).heldout_labels.tolist() == [0, 1, 1, 1]


def test_a_class_preview_of_a_visitors_pictures_equals_the_sample(workspace: Workspace, tmp_path: Path) -> None:
    name = add_zip(workspace, tmp_path)
    plan = Plan(task=name, examples_per_class=4, image_size=84)
    data = run_to_end(sample_data(workspace.tasks, name, 4, plan.seed, 84)).training
    assert np.array_equal(class_preview(plan, workspace, 1, 1), data[4].permute(1, 2, 0).numpy())


def test_pictures_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path: Path) -> None:
    workspace = Workspace(TaskRegistry(images=ImageCache(free_memory=lambda: 1000)))
    name = add_zip(workspace, tmp_path)
    with pytest.raises(UnavailableError, match="choose fewer pictures or a smaller input"):
        run_to_end(sample_data(workspace.tasks, name, 4, 0, 32))


@pytest.mark.parametrize("split", ["heldout", "training"])
def test_sampled_rows_are_rows_of_the_race_data(workspace: Workspace, split: str) -> None:
    data = run_to_end(sample_data(workspace.tasks, "tabletop", 4, 3, 32))
    assert torch.equal(sample_rows(workspace.tasks, "tabletop", split, 4, 3, [7, 0]), getattr(data, split)[[7, 0]])


@pytest.mark.parametrize("row", [-1, 18])
def test_a_row_out_of_range_is_refused(workspace: Workspace, row: int) -> None:
    with pytest.raises(PlanError, match="there are 18 heldout pictures"):
        sample_rows(workspace.tasks, "tabletop", "heldout", 4, 0, [row])


def test_rows_with_the_image_size_of_the_race_equal_the_race_data(workspace: Workspace, tmp_path: Path) -> None:
    name = workspace.tasks.add("photos", run_to_end(scan(zipped(tmp_path, TWO), "photos")))
    data = run_to_end(sample_data(workspace.tasks, name, 3, 0, 128))
    assert torch.equal(sample_rows(workspace.tasks, name, "heldout", 3, 0, [1], 128), data.heldout[[1]])
    assert sample_rows(workspace.tasks, name, "heldout", 3, 0, [1]).shape[-1] < data.heldout.shape[-1]


def test_a_published_plan_hides_the_name_of_a_visitors_pictures() -> None:
    assert anonymised(Plan(task="own-secret")).task == "own"
    assert anonymised(Plan()) == Plan()
