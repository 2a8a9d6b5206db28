"""Visitors' own pictures: hers alone, capped, gone when they are given away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Clock
from visitors import TWO, packed, texture, zipped

from demo import shelf as shelves
from demo.shelf import Shelf
from engine import DataError, find_task, task_names
from engine.events import finish


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    yield shelf
    shelf.close()


def add(shelf: Shelf, owner: str, home: Path) -> str:
    """Bring a small zip; its title is "set"."""
    shelf.bring(owner, zipped(home, TWO))
    return finish(shelf.add_zip(owner))


def test_a_zip_becomes_a_task_of_its_owner_under_a_name_nobody_guesses(shelf: Shelf, tmp_path: Path) -> None:
    name = add(shelf, "ann", tmp_path)
    assert list(tmp_path.iterdir()) == []  # the upload is gone
    assert shelf.of("ann") == (name,)
    assert shelf.of("bob") == ()
    assert len(name) > 16
    assert find_task(name).title == "set"


def test_the_oldest_sets_are_given_away_with_their_files(shelf: Shelf, tmp_path: Path) -> None:
    names = [add(shelf, "ann", tmp_path) for _ in range(shelves.EACH + 1)]
    assert shelf.of("ann") == tuple(names[1:])
    assert names[0] not in task_names()
    assert len(list(shelf._home.iterdir())) == shelves.EACH
    shelf.close()
    assert not shelf._home.exists()
    assert not set(names) & set(task_names())


def test_a_stranger_pushes_out_only_what_was_long_unused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "SETS", 2)
    clock = Clock()
    shelf = Shelf(now=clock)
    first, second = add(shelf, "ann", tmp_path), add(shelf, "bob", tmp_path)
    clock.time = shelves.IDLE - 1
    shelf.touch(first)
    with pytest.raises(DataError, match="2 sets are kept here at the moment; try again in half an hour"):
        add(shelf, "cat", tmp_path)
    assert len(list(shelf._home.iterdir())) == 2
    clock.time = shelves.IDLE
    add(shelf, "cat", tmp_path)
    assert shelf.of("ann") == (first,)
    assert second not in task_names()
    shelf.close()


def test_forgetting_deletes_everything_of_one_visitor_and_nothing_of_another(shelf: Shelf, tmp_path: Path) -> None:
    mine, hers = add(shelf, "ann", tmp_path), add(shelf, "bob", tmp_path)
    shelf.bring("ann", zipped(tmp_path, TWO))
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    shelf.put("ann", "cup", [picture])
    shelf.forget("ann")
    assert shelf.of("ann") == ()
    assert shelf.draft("ann").groups == {}
    assert mine not in task_names()
    assert shelf.of("bob") == (hers,)
    assert len(list(shelf._home.iterdir())) == 1


def test_a_zip_that_another_visitor_took_is_asked_for_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.bring("ann", tmp_path / "gone.zip")
    with pytest.raises(DataError, match="bring it once more"):
        finish(shelf.add_zip("ann"))


def test_a_bad_zip_leaves_nothing_behind(shelf: Shelf, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"this is not a zip")
    shelf.bring("ann", bad)
    with pytest.raises(DataError):
        finish(shelf.add_zip("ann"))
    assert shelf.of("ann") == ()
    assert list(shelf._home.iterdir()) == []


def test_a_set_is_put_together_class_by_class(shelf: Shelf, tmp_path: Path) -> None:
    for first, kind in ((0, "<b>cup</b>"), (50, "猫")):
        paths = [tmp_path / f"{k}.png" for k in range(6)]
        for k, path in enumerate(paths):
            path.write_bytes(packed(texture(first + k)))
        shelf.put("ann", kind, paths)
    name = finish(shelf.finish("ann", "mine"))
    assert set(find_task(name).classes) == {"<b>cup</b>", "猫"}
    assert shelf.draft("ann").groups == {}


def test_caps_are_stated(shelf: Shelf, tmp_path: Path) -> None:
    small, big = tmp_path / "a.png", tmp_path / "big.png"
    small.write_bytes(b"x")
    with big.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(DataError, match="at most 300 pictures"):
        shelf.put("ann", "cup", [small] * 301)
    with pytest.raises(DataError, match=r"big\.png has more than 10 MB"):
        shelf.put("ann", "cup", [big])
    for k in range(shelves.CLASSES):
        shelf.put("ann", f"class {k}", [small])
    with pytest.raises(DataError, match="12 classes already"):
        shelf.put("ann", "one more", [small])
    with big.open("wb") as file:
        file.truncate(10_000_000)
    with pytest.raises(DataError, match="at most 200 MB"):
        shelf.put("ann", "class 0", [big] * 20)
    with pytest.raises(DataError, match="not all pictures arrived"):
        shelf.put("ann", "class 0", [tmp_path / "gone.png"])
