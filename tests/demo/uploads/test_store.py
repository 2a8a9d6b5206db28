"""Uploaded sets are private to their owner and limited; their files are deleted with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.uploads.store import UploadLimits, UploadStore
from engine import DataError
from engine.progress import run_to_end
from engine.workspace import Workspace
from tests.conftest import Clock
from tests.helpers.pictures import TWO, packed, texture, zipped


@pytest.fixture
def uploads() -> Iterator[UploadStore]:
    uploads = UploadStore(Workspace())
    yield uploads
    uploads.close()


def add(uploads: UploadStore, owner: str, folder: Path) -> str:
    """Upload a small zip; the task's title is "set"."""
    uploads.receive_zip(owner, zipped(folder, TWO))
    return run_to_end(uploads.add_zip(owner))


def test_a_zip_becomes_a_task_of_its_owner_with_a_random_name(uploads: UploadStore, tmp_path: Path) -> None:
    name = add(uploads, "ann", tmp_path)
    assert list(tmp_path.iterdir()) == []  # the upload was moved
    assert uploads.of("ann") == (name,)
    assert uploads.of("bob") == ()
    assert len(name) > 16
    assert uploads.workspace.tasks.find(name).title == "set"


def test_a_visitors_oldest_set_is_deleted_with_its_files(uploads: UploadStore, tmp_path: Path) -> None:
    names = [add(uploads, "ann", tmp_path) for _ in range(uploads.limits.sets_each + 1)]
    assert uploads.of("ann") == tuple(names[1:])
    assert names[0] not in uploads.workspace.tasks.names()
    assert len(list(uploads.folder.iterdir())) == uploads.limits.sets_each
    uploads.close()
    assert not uploads.folder.exists()
    assert not set(names) & set(uploads.workspace.tasks.names())


def test_only_an_idle_set_makes_room_for_another_visitors(tmp_path: Path) -> None:
    clock = Clock()
    uploads = UploadStore(Workspace(), clock, UploadLimits(sets=2))
    first, second = add(uploads, "ann", tmp_path), add(uploads, "bob", tmp_path)
    clock.time = uploads.limits.idle_seconds - 1
    uploads.mark_used(first)
    with pytest.raises(DataError, match="2 sets are kept here at the moment; try again in half an hour"):
        add(uploads, "cat", tmp_path)
    assert len(list(uploads.folder.iterdir())) == 2
    clock.time = uploads.limits.idle_seconds
    add(uploads, "cat", tmp_path)
    assert uploads.of("ann") == (first,)
    assert second not in uploads.workspace.tasks.names()
    uploads.close()


def test_forget_deletes_all_uploads_of_one_visitor_only(uploads: UploadStore, tmp_path: Path) -> None:
    ann_set, bob_set = add(uploads, "ann", tmp_path), add(uploads, "bob", tmp_path)
    uploads.receive_zip("ann", zipped(tmp_path, TWO))
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    uploads.add_pictures("ann", "cup", [picture])
    uploads.forget("ann")
    assert uploads.of("ann") == ()
    assert uploads.draft("ann").groups == {}
    assert ann_set not in uploads.workspace.tasks.names()
    assert uploads.of("bob") == (bob_set,)
    assert len(list(uploads.folder.iterdir())) == 1


def test_a_zip_that_was_moved_by_another_upload_has_to_be_uploaded_again(uploads: UploadStore, tmp_path: Path) -> None:
    uploads.receive_zip("ann", tmp_path / "gone.zip")
    with pytest.raises(DataError, match="bring it once more"):
        run_to_end(uploads.add_zip("ann"))


def test_an_invalid_zip_leaves_no_files(uploads: UploadStore, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"this is not a zip")
    uploads.receive_zip("ann", bad)
    with pytest.raises(DataError):
        run_to_end(uploads.add_zip("ann"))
    assert uploads.of("ann") == ()
    assert list(uploads.folder.iterdir()) == []


def test_a_draft_is_filled_class_by_class_and_becomes_a_task(uploads: UploadStore, tmp_path: Path) -> None:
    for first, class_name in ((0, "<b>cup</b>"), (50, "猫")):
        paths = [tmp_path / f"{k}.png" for k in range(6)]
        for k, path in enumerate(paths):
            path.write_bytes(packed(texture(first + k)))
        uploads.add_pictures("ann", class_name, paths)
    name = run_to_end(uploads.add_draft("ann", "drawings"))
    assert set(uploads.workspace.tasks.find(name).classes) == {"<b>cup</b>", "猫"}
    assert uploads.draft("ann").groups == {}


def test_limits_are_stated_in_the_error(uploads: UploadStore, tmp_path: Path) -> None:
    small, big = tmp_path / "a.png", tmp_path / "big.png"
    small.write_bytes(b"x")
    with big.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(DataError, match="at most 300 pictures"):
        uploads.add_pictures("ann", "cup", [small] * 301)
    with pytest.raises(DataError, match=r"big\.png has more than 10 MB"):
        uploads.add_pictures("ann", "cup", [big])
    for k in range(uploads.limits.classes):
        uploads.add_pictures("ann", f"class {k}", [small])
    with pytest.raises(DataError, match="12 classes already"):
        uploads.add_pictures("ann", "one more", [small])
    with big.open("wb") as file:
        file.truncate(10_000_000)
    with pytest.raises(DataError, match="at most 200 MB"):
        uploads.add_pictures("ann", "class 0", [big] * 20)
    with pytest.raises(DataError, match="not all pictures arrived"):
        uploads.add_pictures("ann", "class 0", [tmp_path / "gone.png"])
