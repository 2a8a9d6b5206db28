"""A stranger's folder or zip is listed with classes and splits, or refused in a sentence that says why."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from visitors import TWO, folder, look, look_at, packed, pixels, refusal, shown, texture, unpacked, zipped

from engine import listing, pictures


def test_of_validation_and_test_the_test_is_held_out(tmp_path: Path) -> None:
    files = {}
    for k, split in enumerate(("train", "val", "test")):
        files |= {
            **folder(f"{split}/a", range(100 * k, 100 * k + 5)),
            **folder(f"{split}/b", range(100 * k + 50, 100 * k + 55)),
        }
    found = look_at(tmp_path, files)
    assert shown(found.heldout[0]) == pixels(folder("a", range(200, 205)))
    assert found.notes == ("the folder 'val' was left out, with 10 files", "held out: 10 of 20, as the set itself says")


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "VAL"), ("TRAIN", "validation"), ("train", "Eval")])
def test_a_split_that_is_there_is_kept(names: tuple[str, str], tmp_path: Path) -> None:
    learn, test = (f"my data/v2/{name}" for name in names)
    sets = {**folder(f"{learn}/a", range(6)), **folder(f"{learn}/b", range(10, 15))}
    found = look_at(tmp_path, {**sets, **folder(f"{test}/a", range(20, 22)), **folder(f"{test}/b", range(30, 33))})
    assert shown(found.training[0]) == pixels(folder("a", range(6)))
    assert shown(found.heldout[1]) == pixels(folder("b", range(30, 33)))
    assert found.notes == ("held out: 5 of 16, as the set itself says",)


def test_a_test_folder_without_classes_is_no_split(tmp_path: Path) -> None:
    files = {f"train/{name}": data for name, data in TWO.items()} | folder("test", range(500, 503))
    found = look_at(tmp_path, files)
    assert found.classes == ("cats", "dogs")
    assert found.notes == ("the folder 'test' was left out, with 3 files", "held out: 5 of 20, a quarter of each class")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert look_at(tmp_path, {**folder("train", range(5)), **folder("test", range(10, 15))}).classes == ("test", "train")


def test_what_systems_leave_behind_is_not_seen(tmp_path: Path) -> None:
    dust = {"__MACOSX/cats/._000.png": b"x", "cats/.DS_Store": b"x", "dogs/Thumbs.db": b"x", "cats/desktop.ini": b"x"}
    found = look_at(tmp_path, {**TWO, **dust, "SOURCE.txt": b"from the web", "README": b"x", ".git/a/b.png": b"x"})
    assert found.notes == ("held out: 5 of 20, a quarter of each class",)


def test_folders_inside_a_class_count_as_the_class(tmp_path: Path) -> None:
    found = look_at(
        tmp_path, {**folder("cats/tabby", range(4)), **folder("cats/black", range(10, 14)), **folder("dogs", range(20, 25))}
    )
    assert [len(k) + len(h) for k, h in zip(found.training, found.heldout, strict=True)] == [8, 5]


def test_empty_folders_and_loose_pictures_are_said(tmp_path: Path) -> None:
    found = look_at(tmp_path, {**TWO, "birds/": b"", "loose.png": packed(texture(900))})
    assert found.notes[:2] == (
        "'birds' was left out: it has no pictures",
        "1 picture outside of the class folders was left out",
    )


def test_class_names_may_be_in_any_script_and_stay_text(tmp_path: Path) -> None:
    names = ["<b>犬&</b>", "ねこ", "قطة", "naïve \U0001f469\u200d\U0001f680"]
    files = {}
    for k, name in enumerate(names):
        files |= folder(name.replace("/", "|"), range(10 * k, 10 * k + 5))
    assert set(look_at(tmp_path, files).classes) == {"<b>犬&<|b>", *names[1:]}
    assert set(look(unpacked(tmp_path, files)).classes) == {"<b>犬&<|b>", *names[1:]}


def test_utf8_names_that_a_mac_does_not_mark_are_read_as_such(tmp_path: Path) -> None:
    path = zipped(tmp_path, {**folder("ねこ", range(5)), **folder("いぬ", range(10, 15))})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            data[member.header_offset + 7] &= ~0x08 & 0xFF
        at = archive.start_dir
    while (at := data.find(b"PK\1\2", at)) >= 0:
        data[at + 9] &= ~0x08 & 0xFF
        at += 4
    path.write_bytes(data)
    assert set(look(path).classes) == {"ねこ", "いぬ"}


def test_folders_whose_names_become_one_are_merged(tmp_path: Path) -> None:
    found = look_at(
        tmp_path, {**folder("caf\u00e9", range(5)), **folder("cafe\u0301", range(10, 15)), **folder("tea", range(20, 25))}
    )
    assert [len(k) + len(h) for k, h in zip(found.training, found.heldout, strict=True)] == [10, 5]
    assert found.notes[0] == "2 folders are called 'café' and were put together"


@pytest.mark.parametrize(
    "name", ["../evil.png", "cats/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png", "c:evil.png"]
)
def test_a_zip_that_climbs_out_is_refused(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path, {**TWO, name: packed(texture(1))})
    assert refusal(path) == f"set.zip is refused: '{name.replace(chr(92), '/')}' in it points to a place outside of it"
    assert os.listdir(tmp_path) == ["set.zip"]


def test_backslashes_are_folders(tmp_path: Path) -> None:
    assert look_at(tmp_path, {name.replace("/", "\\"): data for name, data in TWO.items()}).classes == ("cats", "dogs")


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    said = refusal(zipped(tmp_path, {**TWO, "cats/bomb.png": bytes(5_000_000)}))
    assert said.startswith("set.zip is refused: 'cats/bomb.png' in it grows from 4,")
    assert said.endswith("to 5,000,000 bytes, as no picture does")


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path, {**TWO, "cats/bomb.png": bytes(5_000_000)})
    data = bytearray(path.read_bytes())
    true = (5_000_000).to_bytes(4, "little")
    assert data.count(true) == 2
    path.write_bytes(data.replace(true, (700).to_bytes(4, "little")))
    assert look(path).notes[0] == "1 of 21 pictures was left out: cats/bomb.png is damaged in the zip"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_FILES", 19)
    assert refusal(zipped(tmp_path, TWO)) == "set.zip has 20 files; at most 19 are looked at"
    assert refusal(unpacked(tmp_path, TWO)) == "set.zip has more than 19 files: choose the folder that holds the classes"


@pytest.mark.parametrize(("said", "honest"), [(20, True), (20, False), (3, True), (3, False)])
def test_too_many_files_are_refused_before_their_list_is_read(
    said: int, honest: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, TWO)
    data = path.read_bytes()
    at = data.index(b"PK\5\6")
    listed = int.from_bytes(data[at + 12 : at + 16], "little")
    if honest:
        data = data[: at + 8] + struct.pack("<HH", said, said) + data[at + 12 :]
    else:  # in a 64-bit record, behind an ordinary one that says nothing
        large = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, said, said, listed, at - listed)
        end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 3) + b"bye"
        data = data[:at] + large + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + end
    path.write_bytes(data)
    assert look(path).classes == ("cats", "dogs")
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the whole list was read"))
    with monkeypatch.context() as patch:
        patch.setattr(listing, "MOST_FILES", 19)
        assert refusal(path) == "set.zip has 20 files; at most 19 are looked at"
    monkeypatch.setattr(listing, "MOST_LISTED", listed - 1)
    assert refusal(path) == ("set.zip is refused: its list of files alone has 0 MB; at most 100,000 files are looked at")


def test_too_much_to_unpack_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24  # where the list of contents says how large the first file is
    data[at : at + 4] = (4_200_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    assert refusal(path) == "set.zip is 4.2 GB unpacked; at most 4 GB are read"


def test_a_file_too_large_for_a_picture_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 100_000)
    found = look_at(tmp_path, {**TWO, "cats/large.png": np.random.default_rng(0).bytes(200_000)})
    assert found.notes[0] == "1 of 21 pictures was left out: cats/large.png is larger than 0 MB"


def test_a_locked_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert refusal(path) == "set.zip is locked with a password: pack it again without one"


def test_a_zip_cut_short_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    path.write_bytes(path.read_bytes()[:-2000])
    assert refusal(path) == ("set.zip is cut short or damaged: its list of files cannot be read; copy or upload it again")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert refusal(tmp_path / "a") == "set.zip is not a zip: pack the folders of pictures, one a class, as a zip"
    (tmp_path / "b").write_bytes(b"")
    assert "is not a zip" in refusal(tmp_path / "b")
    assert refusal(tmp_path / "c").startswith("set.zip is not there")


def test_an_archive_in_the_archive_is_left_out(tmp_path: Path) -> None:
    inner = zipped(tmp_path, TWO).read_bytes()
    assert look_at(tmp_path, {**TWO, "cats/more.zip": inner}).notes[0] == (
        "1 of 21 pictures was left out: cats/more.zip is an archive; unpack it first"
    )
    assert refusal(zipped(tmp_path, {"inner.ZIP": inner})) == (
        "set.zip: no class has enough pictures; a race needs two classes with at least 5 in each. "
        "1 of 1 picture was left out: inner.ZIP is an archive; unpack it first"
    )


def test_links_in_a_zip_are_left_out(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cats/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert look(path).notes[0] == "1 of 21 pictures was left out: cats/link.png is a link"


def test_links_out_of_a_folder_are_left_out(tmp_path: Path) -> None:
    home = unpacked(tmp_path, TWO)
    (tmp_path / "secret.png").write_bytes(packed(texture(999)))
    (home / "cats" / "out.png").symlink_to(tmp_path / "secret.png")
    (home / "more").symlink_to(tmp_path)
    (home / "cats" / "round.png").symlink_to(home / "cats" / "round.png")
    assert look(home).notes[0] == "2 of 22 pictures were left out: cats/out.png is a link out of the folder; more is a link"


def test_a_damaged_member_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in TWO.items():
            archive.writestr(name, data)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    assert look(path).notes[0] == "1 of 20 pictures was left out: cats/000.png is damaged in the zip"


def test_a_zip_packed_in_an_unusual_way_says_so(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in TWO.items():
            archive.writestr(name, data)
    assert "cats/000.png is packed in a way that is not read; pack it as an ordinary zip; " in refusal(path)
