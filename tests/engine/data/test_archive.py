"""An untrusted folder or zip is listed with classes and splits, or refused with a reason."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data import image
from engine.data.archive import list_folder, list_zip
from engine.errors import DataError
from tests.helpers.pictures import TWO, folder, look, look_at, packed, pixels, refusal, shown, texture, unpacked, zipped


def test_where_there_is_a_test_split_the_validation_split_is_left_out(tmp_path: Path) -> None:
    files = {}
    for k, split in enumerate(("train", "val", "test")):
        files |= {
            **folder(f"{split}/a", range(100 * k, 100 * k + 5)),
            **folder(f"{split}/b", range(100 * k + 50, 100 * k + 55)),
        }
    dataset = look_at(tmp_path, files)
    assert shown(dataset.heldout[0]) == pixels(folder("a", range(200, 205)))
    assert dataset.notes == ("the folder 'val' was left out, with 10 files", "held out: 10 of 20, as the set itself says")


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "VAL"), ("TRAIN", "validation"), ("train", "Eval")])
def test_an_existing_split_is_kept(names: tuple[str, str], tmp_path: Path) -> None:
    training, heldout = (f"my data/v2/{name}" for name in names)
    sets = {**folder(f"{training}/a", range(6)), **folder(f"{training}/b", range(10, 15))}
    dataset = look_at(tmp_path, {**sets, **folder(f"{heldout}/a", range(20, 22)), **folder(f"{heldout}/b", range(30, 33))})
    assert shown(dataset.training[0]) == pixels(folder("a", range(6)))
    assert shown(dataset.heldout[1]) == pixels(folder("b", range(30, 33)))
    assert dataset.notes == ("held out: 5 of 16, as the set itself says",)


def test_a_test_folder_without_classes_is_no_split(tmp_path: Path) -> None:
    files = {f"train/{name}": data for name, data in TWO.items()} | folder("test", range(500, 503))
    dataset = look_at(tmp_path, files)
    assert dataset.classes == ("cats", "dogs")
    assert dataset.notes == ("the folder 'test' was left out, with 3 files", "held out: 5 of 20, a quarter of each class")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert look_at(tmp_path, {**folder("train", range(5)), **folder("test", range(10, 15))}).classes == ("test", "train")


def test_files_of_the_operating_system_are_ignored(tmp_path: Path) -> None:
    system_files = {
        "__MACOSX/cats/._000.png": b"x",
        "cats/.DS_Store": b"x",
        "dogs/Thumbs.db": b"x",
        "cats/desktop.ini": b"x",
    }
    dataset = look_at(tmp_path, {**TWO, **system_files, "SOURCE.txt": b"from the web", "README": b"x", ".git/a/b.png": b"x"})
    assert dataset.notes == ("held out: 5 of 20, a quarter of each class",)


def test_folders_inside_a_class_count_as_the_class(tmp_path: Path) -> None:
    dataset = look_at(
        tmp_path, {**folder("cats/tabby", range(4)), **folder("cats/black", range(10, 14)), **folder("dogs", range(20, 25))}
    )
    assert [len(k) + len(h) for k, h in zip(dataset.training, dataset.heldout, strict=True)] == [8, 5]


def test_empty_folders_and_pictures_outside_of_classes_are_reported(tmp_path: Path) -> None:
    dataset = look_at(tmp_path, {**TWO, "birds/": b"", "loose.png": packed(texture(900))})
    assert dataset.notes[:2] == (
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


def test_utf8_names_without_the_utf8_flag_are_decoded(tmp_path: Path) -> None:
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


def test_folders_with_the_same_normalised_name_are_merged(tmp_path: Path) -> None:
    dataset = look_at(
        tmp_path, {**folder("caf\u00e9", range(5)), **folder("cafe\u0301", range(10, 15)), **folder("tea", range(20, 25))}
    )
    assert [len(k) + len(h) for k, h in zip(dataset.training, dataset.heldout, strict=True)] == [10, 5]
    assert dataset.notes[0] == "2 folders are called 'café' and were put together"


@pytest.mark.parametrize(
    "name", ["../evil.png", "cats/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png", "c:evil.png"]
)
def test_a_zip_with_a_path_outside_of_it_is_refused(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path, {**TWO, name: packed(texture(1))})
    assert refusal(path) == f"set.zip is refused: '{name.replace(chr(92), '/')}' in it points to a place outside of it"
    assert os.listdir(tmp_path) == ["set.zip"]


def test_backslashes_separate_folders(tmp_path: Path) -> None:
    assert look_at(tmp_path, {name.replace("/", "\\"): data for name, data in TWO.items()}).classes == ("cats", "dogs")


def test_a_zip_bomb_is_refused_by_its_compression_ratio(tmp_path: Path) -> None:
    message = refusal(zipped(tmp_path, {**TWO, "cats/bomb.png": bytes(5_000_000)}))
    assert message.startswith("set.zip is refused: 'cats/bomb.png' in it grows from 4,")
    assert message.endswith("to 5,000,000 bytes, as no picture does")


def test_a_zip_bomb_with_a_false_size_is_not_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path, {**TWO, "cats/bomb.png": bytes(5_000_000)})
    data = bytearray(path.read_bytes())
    true_size = (5_000_000).to_bytes(4, "little")
    assert data.count(true_size) == 2
    path.write_bytes(data.replace(true_size, (700).to_bytes(4, "little")))
    assert look(path).notes[0] == "1 of 21 pictures was left out: cats/bomb.png is damaged in the zip"


def zip_refusal(path: Path, **limits: int) -> str:
    with pytest.raises(DataError) as refused:
        list_zip(path, "set.zip", **limits)
    return str(refused.value)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    assert zip_refusal(zipped(tmp_path, TWO), max_files=19) == "set.zip has 20 files; at most 19 are looked at"
    with pytest.raises(DataError) as refused:
        list_folder(unpacked(tmp_path, TWO), "set.zip", max_files=19)
    assert str(refused.value) == "set.zip has more than 19 files: choose the folder that holds the classes"


@pytest.mark.parametrize(("declared", "is_ordinary_record"), [(20, True), (20, False), (3, True), (3, False)])
def test_too_many_files_are_refused_before_their_list_is_read(
    declared: int, is_ordinary_record: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, TWO)
    data = path.read_bytes()
    at = data.index(b"PK\5\6")
    listed = int.from_bytes(data[at + 12 : at + 16], "little")
    if is_ordinary_record:
        data = data[: at + 8] + struct.pack("<HH", declared, declared) + data[at + 12 :]
    else:  # in a 64-bit record, behind an ordinary one without numbers
        large = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, declared, declared, listed, at - listed)
        end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 3) + b"bye"
        data = data[:at] + large + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + end
    path.write_bytes(data)
    assert look(path).classes == ("cats", "dogs")
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the whole list was read"))
    assert zip_refusal(path, max_files=19) == "set.zip has 20 files; at most 19 are looked at"
    assert zip_refusal(path, max_directory=listed - 1) == (
        "set.zip is refused: its list of files alone has 0 MB; at most 0 MB are read"
    )


def test_a_zip_with_too_many_unpacked_bytes_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24  # the declared size of the first file
    data[at : at + 4] = (4_200_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    assert refusal(path) == "set.zip is 4.2 GB unpacked; at most 4 GB are read"


def test_a_file_that_is_too_large_for_a_picture_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_BYTES", 100_000)
    dataset = look_at(tmp_path, {**TWO, "cats/large.png": np.random.default_rng(0).bytes(200_000)})
    assert dataset.notes[0] == "1 of 21 pictures was left out: cats/large.png is larger than 0 MB"


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert refusal(path) == "set.zip is locked with a password: pack it again without one"


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, TWO)
    path.write_bytes(path.read_bytes()[:-2000])
    assert refusal(path) == ("set.zip is cut short or damaged: its list of files cannot be read; copy or upload it again")


def test_a_file_that_is_not_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert refusal(tmp_path / "a") == "set.zip is not a zip: pack the folders of pictures, one per class, as a zip"
    (tmp_path / "b").write_bytes(b"")
    assert "is not a zip" in refusal(tmp_path / "b")
    assert refusal(tmp_path / "c").startswith("set.zip is not there")


def test_an_archive_inside_the_archive_is_left_out(tmp_path: Path) -> None:
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


def test_an_unsupported_compression_method_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in TWO.items():
            archive.writestr(name, data)
    assert "cats/000.png is packed in a way that is not read; pack it as an ordinary zip; " in refusal(path)
