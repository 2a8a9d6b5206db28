"""Visitors' own pictures: hers alone, capped, gone when they are given away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
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


def test_a_zip_becomes_a_task_of_its_owner_under_a_name_nobody_guesses(shelf: Shelf, tmp_path: Path) -> None:
    name = finish(shelf.add_zip("ann", zipped(tmp_path, TWO), "flowers"))
    assert shelf.of("ann") == (name,)
    assert shelf.of("bob") == ()
    assert len(name) > 16
    assert find_task(name).title == "flowers"


def test_the_oldest_sets_are_given_away_with_their_files(shelf: Shelf, tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    names = [finish(shelf.add_zip("ann", path, "flowers")) for _ in range(shelves.EACH + 1)]
    assert shelf.of("ann") == tuple(names[1:])
    assert names[0] not in task_names()
    assert len(list(shelf._home.iterdir())) == shelves.EACH
    shelf.close()
    assert not shelf._home.exists()
    assert not set(names) & set(task_names())


def test_a_bad_zip_leaves_nothing_behind(shelf: Shelf, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"this is not a zip")
    with pytest.raises(DataError):
        finish(shelf.add_zip("ann", bad, "bad"))
    assert shelf.of("ann") == ()
    assert list(shelf._home.iterdir()) == []


def test_a_set_is_put_together_class_by_class(shelf: Shelf, tmp_path: Path) -> None:
    for first, kind in ((0, "<b>cup</b>"), (50, "猫")):
        shelf.put("ann", kind, [(f"{k}.png", packed(texture(first + k))) for k in range(6)])
    name = finish(shelf.finish("ann", "mine"))
    assert set(find_task(name).classes) == {"<b>cup</b>", "猫"}
    assert shelf.draft("ann").groups == {}


def test_caps_are_stated(shelf: Shelf) -> None:
    with pytest.raises(DataError, match="at most 300 pictures"):
        shelf.put("ann", "cup", [("a.png", b"x")] * 301)
    with pytest.raises(DataError, match=r"big\.png has more than 10 MB"):
        shelf.put("ann", "cup", [("big.png", b"x" * 10_000_001)])
    for k in range(shelves.CLASSES):
        shelf.put("ann", f"class {k}", [("a.png", b"x")])
    with pytest.raises(DataError, match="12 classes already"):
        shelf.put("ann", "one more", [("a.png", b"x")])
