"""A visitor's pictures become a dataset, or an error that says what to change."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from engine.data import dataset
from engine.errors import DataError
from engine.events import Progressed
from engine.progress import run_to_end
from tests.conftest import shared
from tests.helpers.pictures import (
    TWO,
    Files,
    folder,
    look,
    look_at,
    packed,
    pixels,
    refusal,
    shown,
    texture,
    unpacked,
    zipped,
)


@pytest.mark.parametrize("make", [zipped, unpacked])
def test_folders_of_classes_become_a_dataset(make, tmp_path: Path) -> None:  # noqa: ANN001
    result = look(make(tmp_path, TWO))
    assert (result.title, result.classes) == ("set.zip", ("cats", "dogs"))
    assert list(map(len, result.training)) == [6, 9]
    assert list(map(len, result.heldout)) == [2, 3]
    assert sorted(shown(result.training[0] + result.heldout[0])) == sorted(pixels(folder("cats", range(8))))
    assert result.notes == ("held out: 5 of 20, a quarter of each class",)


def test_a_folder_and_its_zip_give_the_same_dataset(tmp_path: Path) -> None:
    from_folder, from_zip = (
        look(unpacked(tmp_path, TWO)),
        look(zipped(tmp_path, {f"outer/set/{name}": data for name, data in TWO.items()})),
    )
    assert [shown(k) for k in from_folder.training] == [shown(k) for k in from_zip.training]
    assert [shown(k) for k in from_folder.heldout] == [shown(k) for k in from_zip.heldout]


def test_classes_come_in_natural_order(tmp_path: Path) -> None:
    files = {}
    for k in (10, 2, 1):
        files |= folder(f"digit_{k}", range(10 * k, 10 * k + 5))
    assert look_at(tmp_path, files).classes == ("digit_1", "digit_2", "digit_10")


def test_unreadable_pictures_are_left_out_and_the_others_are_used(tmp_path: Path) -> None:
    bad = {"cats/a.txt": b"hello", "cats/b.png": b"", "dogs/c.png": packed(texture(1))[:900]}
    result = look_at(tmp_path, {**TWO, **bad})
    assert [len(k) + len(h) for k, h in zip(result.training, result.heldout, strict=True)] == [8, 12]
    assert result.notes[0] == (
        "3 of 23 pictures were left out: cats/a.txt is not a picture; cats/b.png is empty; dogs/c.png is cut short"
    )


def test_at_most_five_unreadable_pictures_are_named(tmp_path: Path) -> None:
    result = look_at(tmp_path, {**TWO, **{f"cats/x{k:02}.png": b"" for k in range(12)}})
    assert result.notes[0].startswith("12 of 32 pictures were left out: cats/x00.png is empty; ")
    assert result.notes[0].endswith("cats/x04.png is empty; and 7 more")


def test_a_class_with_too_few_pictures_is_left_out(tmp_path: Path) -> None:
    result = look_at(tmp_path, {**TWO, **folder("eels", range(300, 304))})
    assert result.classes == ("cats", "dogs")
    assert result.notes[0] == "'eels' was left out: it has 4 good pictures, and needs 5"


def test_a_class_without_heldout_pictures_is_left_out(tmp_path: Path) -> None:
    files = {}
    for k, name in enumerate("abc"):
        files |= folder(f"train/{name}", range(100 * k, 100 * k + 6)) | folder(
            f"test/{name}", range(100 * k + 50, 100 * k + 52)
        )
    result = look_at(tmp_path, {name: data for name, data in files.items() if not name.startswith("test/c")})
    assert result.classes == ("a", "b")
    assert result.notes[0] == "'c' was left out: it has 6 to learn from and 0 held out, and needs 2 and 1"


def test_at_most_five_small_classes_are_named(tmp_path: Path) -> None:
    small = {f"x{k}/a.png": packed(texture(300 + k)) for k in range(12)}
    note = look_at(tmp_path, {**TWO, **small}).notes[0]
    assert note.startswith("'x0' was left out: it has 1 good picture, and needs 5; 'x1' was left out: ")
    assert note.endswith("; and 7 more")


def test_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    needs = "enough pictures; a race needs two classes with at least 5 in each"
    assert refusal(zipped(tmp_path, folder("cats", range(8)))) == f"set.zip: only 'cats' has {needs}"
    assert refusal(zipped(tmp_path, {**folder("cats", range(8)), **folder("dogs", range(20, 22))})) == (
        f"set.zip: only 'cats' has {needs}. 'dogs' was left out: it has 2 good pictures, and needs 5"
    )
    assert refusal(zipped(tmp_path, {"a.png": packed(texture(1))})) == (
        f"set.zip: no class has {needs}. 1 picture outside of the class folders was left out"
    )
    assert refusal(zipped(tmp_path, {})) == f"set.zip: no class has {needs}"


def test_a_class_of_identical_pictures_is_still_split(tmp_path: Path) -> None:
    result = look_at(tmp_path, {**TWO, **{f"eels/{k}.png": packed(texture(300)) for k in range(8)}})
    assert (len(result.training[2]), len(result.heldout[2])) == (6, 2)
    assert result.notes[0] == "the pictures of 'eels' are all alike, so that near-duplicates are on both sides"


def test_the_split_depends_on_names_and_seed_but_not_on_file_order(tmp_path: Path) -> None:
    def split(files: Files, seed: int) -> list[list[bytes]]:
        result = look_at(tmp_path, files, seed)
        return [shown(readers) for readers in result.training + result.heldout]

    names = list(TWO)
    random.Random(0).shuffle(names)
    first = split(TWO, 3)
    assert split({name: TWO[name] for name in names}, 3) == first
    assert any(split(TWO, seed) != first for seed in (4, 5))


def test_adding_a_picture_keeps_most_of_the_split(tmp_path: Path) -> None:
    def heldout(files: Files) -> set[bytes]:
        return set(shown(look_at(tmp_path, files).heldout[0]))

    few = folder("cats", range(40)) | folder("dogs", range(100, 105))
    assert len(heldout(few) - heldout(few | folder("cats", [40]))) <= 1


def test_a_picture_that_becomes_unreadable_later_is_named(tmp_path: Path) -> None:
    home = unpacked(tmp_path, TWO)
    result = look(home)
    (home / "cats" / "000.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"cats/000.png is empty; when the set was scanned, it could be read"):
        shown(result.training[0] + result.heldout[0])


@pytest.mark.parametrize(("count", "held"), [(5, 1), (6, 2), (9, 2), (10, 3)])
def test_a_quarter_is_held_out(count: int, held: int, tmp_path: Path) -> None:
    assert len(look_at(tmp_path, {**TWO, **folder("eels", range(200, 200 + count))}).heldout[2]) == held


def test_of_a_large_set_equally_many_pictures_per_class_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path, {**TWO, **folder("eels", range(200, 205))})
    result = run_to_end(dataset.scan(path, "set.zip", max_pictures=18))
    assert [len(k) + len(h) for k, h in zip(result.training, result.heldout, strict=True)] == [7, 6, 5]
    assert result.notes[0] == "18 of 25 pictures were looked at: as many of each class, chosen at random"


def test_pictures_in_memory_become_a_dataset() -> None:
    groups = {
        "left\u0000 ": [("webcam.png", packed(texture(k))) for k in range(6)],
        "right": [("x.jpg", packed(texture(k))) for k in range(20, 25)],
    }
    steps = dataset.from_groups("photos", {**groups, "none": [], "bad": [("a.png", b"")]})
    reports = []
    while True:
        try:
            reports.append(next(steps))
        except StopIteration as end:
            result = end.value
            break
    assert result.classes == ("left", "right")
    assert sorted(shown(result.training[0] + result.heldout[0])) == sorted(
        np.asarray(texture(k)).tobytes() for k in range(6)
    )
    assert result.notes == (
        "'none' was left out: it has no pictures",
        "1 of 12 pictures was left out: bad/a.png is empty",
        "'bad' was left out: it has 0 good pictures, and needs 5",
        "held out: 3 of 11, a quarter of each class",
    )
    assert reports[-1] == Progressed(
        work="scan", name="photos", done=12, total=12, unit="pictures", rate=reports[-1].rate, left=0.0
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "training", "heldout"),
    [("sign_digits", 10, 1544, 518), ("hymenoptera", 2, 244, 153), ("omniglot5", 5, 1600, 400)],
)
def test_real_sets_are_read_completely(name: str, classes: int, training: int, heldout: int) -> None:
    result = look(shared("data", f"{name}.zip"))
    assert len(result.classes) == classes
    assert (sum(map(len, result.training)), sum(map(len, result.heldout))) == (training, heldout)
    assert not any("left out" in note for note in result.notes)


def test_a_given_split_of_pictures_in_memory_is_kept() -> None:
    groups = {label: [(f"{n}.png", packed(texture(100 * k + n))) for n in range(6)] for k, label in enumerate(("a", "b"))}
    result = run_to_end(dataset.from_groups("photos", groups, heldout={"1.png", "4.png"}))
    for files, readers in zip(groups.values(), result.heldout, strict=True):
        assert shown(readers) == pixels(dict(files[n] for n in (1, 4)))
    assert [len(readers) for readers in result.training] == [4, 4]
