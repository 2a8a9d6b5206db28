"""A stranger's pictures become classes to race on, or a sentence that says what to mend."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from conftest import shared
from visitors import TWO, Files, folder, look, look_at, packed, pixels, refusal, shown, texture, unpacked, zipped

from engine import album
from engine.errors import DataError
from engine.events import Progressed, finish


@pytest.mark.parametrize("make", [zipped, unpacked])
def test_folders_of_classes_become_an_album(make, tmp_path: Path) -> None:  # noqa: ANN001
    found = look(make(tmp_path, TWO))
    assert (found.title, found.classes) == ("set.zip", ("cats", "dogs"))
    assert [len(one) for one in found.training] == [6, 9]
    assert [len(one) for one in found.heldout] == [2, 3]
    assert sorted(shown(found.training[0] + found.heldout[0])) == sorted(pixels(folder("cats", range(8))))
    assert found.notes == ("held out: 5 of 20, a quarter of each class",)


def test_a_folder_and_its_zip_are_the_same_album(tmp_path: Path) -> None:
    one, two = (
        look(unpacked(tmp_path, TWO)),
        look(zipped(tmp_path, {f"mine/set/{name}": data for name, data in TWO.items()})),
    )
    assert [shown(k) for k in one.training] == [shown(k) for k in two.training]
    assert [shown(k) for k in one.heldout] == [shown(k) for k in two.heldout]


def test_classes_come_in_natural_order(tmp_path: Path) -> None:
    files = {}
    for k in (10, 2, 1):
        files |= folder(f"digit_{k}", range(10 * k, 10 * k + 5))
    assert look_at(tmp_path, files).classes == ("digit_1", "digit_2", "digit_10")


def test_the_good_pictures_of_a_partly_bad_set_are_used(tmp_path: Path) -> None:
    bad = {"cats/a.txt": b"hello", "cats/b.png": b"", "dogs/c.png": packed(texture(1))[:900]}
    found = look_at(tmp_path, {**TWO, **bad})
    assert [len(k) + len(h) for k, h in zip(found.training, found.heldout, strict=True)] == [8, 12]
    assert found.notes[0] == (
        "3 of 23 pictures were left out: cats/a.txt is not a picture; cats/b.png is empty; dogs/c.png is cut short"
    )


def test_of_many_bad_pictures_five_are_named(tmp_path: Path) -> None:
    found = look_at(tmp_path, {**TWO, **{f"cats/x{k:02}.png": b"" for k in range(12)}})
    assert found.notes[0].startswith("12 of 32 pictures were left out: cats/x00.png is empty; ")
    assert found.notes[0].endswith("cats/x04.png is empty; and 7 more")


def test_a_class_with_too_few_pictures_is_left_out(tmp_path: Path) -> None:
    found = look_at(tmp_path, {**TWO, **folder("eels", range(300, 304))})
    assert found.classes == ("cats", "dogs")
    assert found.notes[0] == "'eels' was left out: it has 4 good pictures, and needs 5"


def test_a_class_that_is_only_learnt_from_is_left_out(tmp_path: Path) -> None:
    files = {}
    for k, name in enumerate("abc"):
        files |= folder(f"train/{name}", range(100 * k, 100 * k + 6)) | folder(
            f"test/{name}", range(100 * k + 50, 100 * k + 52)
        )
    found = look_at(tmp_path, {name: data for name, data in files.items() if not name.startswith("test/c")})
    assert found.classes == ("a", "b")
    assert found.notes[0] == "'c' was left out: it has 6 to learn from and 0 held out, and needs 2 and 1"


def test_of_many_small_classes_five_are_named(tmp_path: Path) -> None:
    small = {f"x{k}/a.png": packed(texture(300 + k)) for k in range(12)}
    note = look_at(tmp_path, {**TWO, **small}).notes[0]
    assert note.startswith("'x0' was left out: it has 1 good picture, and needs 5; 'x1' was left out: ")
    assert note.endswith("; and 7 more")


def test_one_class_is_no_race(tmp_path: Path) -> None:
    needs = "enough pictures; a race needs two classes with at least 5 in each"
    assert refusal(zipped(tmp_path, folder("cats", range(8)))) == f"set.zip: only 'cats' has {needs}"
    assert refusal(zipped(tmp_path, {**folder("cats", range(8)), **folder("dogs", range(20, 22))})) == (
        f"set.zip: only 'cats' has {needs}. 'dogs' was left out: it has 2 good pictures, and needs 5"
    )
    assert refusal(zipped(tmp_path, {"a.png": packed(texture(1))})) == (
        f"set.zip: no class has {needs}. 1 picture outside of the class folders was left out"
    )
    assert refusal(zipped(tmp_path, {})) == f"set.zip: no class has {needs}"


def test_a_class_of_one_picture_is_split_all_the_same(tmp_path: Path) -> None:
    found = look_at(tmp_path, {**TWO, **{f"eels/{k}.png": packed(texture(300)) for k in range(8)}})
    assert (len(found.training[2]), len(found.heldout[2])) == (6, 2)
    assert found.notes[0] == "the pictures of 'eels' are all alike, so that near-duplicates are on both sides"


def test_the_split_depends_on_names_and_seed_and_not_on_the_order_of_files(tmp_path: Path) -> None:
    def split(files: Files, seed: int) -> list[list[bytes]]:
        found = look_at(tmp_path, files, seed)
        return [shown(readers) for readers in found.training + found.heldout]

    names = list(TWO)
    random.Random(0).shuffle(names)
    first = split(TWO, 3)
    assert split({name: TWO[name] for name in names}, 3) == first
    assert any(split(TWO, seed) != first for seed in (4, 5))


def test_one_more_picture_moves_few_others(tmp_path: Path) -> None:
    def held(files: Files) -> set[bytes]:
        return set(shown(look_at(tmp_path, files).heldout[0]))

    few = folder("cats", range(40)) | folder("dogs", range(100, 105))
    assert len(held(few) - held(few | folder("cats", [40]))) <= 1


def test_a_picture_that_went_bad_later_is_named(tmp_path: Path) -> None:
    home = unpacked(tmp_path, TWO)
    found = look(home)
    (home / "cats" / "000.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"cats/000.png is empty; when the set was looked through, it was good"):
        shown(found.training[0] + found.heldout[0])


@pytest.mark.parametrize(("count", "held"), [(5, 1), (6, 2), (9, 2), (10, 3)])
def test_a_quarter_is_held_out(count: int, held: int, tmp_path: Path) -> None:
    assert len(look_at(tmp_path, {**TWO, **folder("eels", range(200, 200 + count))}).heldout[2]) == held


def test_of_a_huge_set_as_many_of_each_class_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(album, "MOST_PICTURES", 18)
    found = look_at(tmp_path, {**TWO, **folder("eels", range(200, 205))})
    assert [len(k) + len(h) for k, h in zip(found.training, found.heldout, strict=True)] == [7, 6, 5]
    assert found.notes[0] == "18 of 25 pictures were looked at: as many of each class, chosen at random"


def test_pictures_in_memory_become_an_album() -> None:
    groups = {
        "left\u0000 ": [("webcam.png", packed(texture(k))) for k in range(6)],
        "right": [("x.jpg", packed(texture(k))) for k in range(20, 25)],
    }
    steps = album.from_groups("mine", {**groups, "none": [], "bad": [("a.png", b"")]})
    said = []
    while True:
        try:
            said.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert found.classes == ("left", "right")
    assert sorted(shown(found.training[0] + found.heldout[0])) == sorted(np.asarray(texture(k)).tobytes() for k in range(6))
    assert found.notes == (
        "'none' was left out: it has no pictures",
        "1 of 12 pictures was left out: bad/a.png is empty",
        "'bad' was left out: it has 0 good pictures, and needs 5",
        "held out: 3 of 11, a quarter of each class",
    )
    assert said[-1] == Progressed("survey", "mine", 12, 12, "pictures", said[-1].rate, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "training", "heldout"),
    [("sign_digits", 10, 1544, 518), ("hymenoptera", 2, 244, 153), ("omniglot5", 5, 1600, 400)],
)
def test_real_sets_are_read_as_they_are(name: str, classes: int, training: int, heldout: int) -> None:
    found = look(shared("data", f"{name}.zip"))
    assert len(found.classes) == classes
    assert (sum(map(len, found.training)), sum(map(len, found.heldout))) == (training, heldout)
    assert not any("left out" in note for note in found.notes)


def test_who_brings_a_split_along_keeps_it() -> None:
    groups = {kind: [(f"{n}.png", packed(texture(100 * k + n))) for n in range(6)] for k, kind in enumerate(("a", "b"))}
    found = finish(album.from_groups("mine", groups, heldout={"1.png", "4.png"}))
    for kind, held in zip(groups.values(), found.heldout, strict=True):
        assert shown(held) == pixels(dict(kind[n] for n in (1, 4)))
    assert [len(kind) for kind in found.training] == [4, 4]
