"""Each known set is opened from a small archive laid out as the official one, through torchvision's own class."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from archives import HELD, LEARNED, MADE, shown
from PIL import Image
from torchvision.datasets import utils

from engine import catalogue, fetch, openers
from engine.album import Album
from engine.catalogue import KNOWN, Known
from engine.errors import DataError, UnavailableError
from engine.events import Progressed


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Known]:
    """Puts small archives of a set where the downloader looks first, and gives the set with their checksums."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADSTART_MIRROR", str(mirror))
    # The md5 of the official files stand in torchvision; place and name are checked, and what is missing is a download
    monkeypatch.setattr(utils, "check_md5", lambda path, md5, **_: True)

    def published(name: str) -> Known:
        files = MADE[name]()
        assert {Path(address.file).name for address in KNOWN[name].addresses} == set(files)
        for file, data in files.items():
            (mirror / file).write_bytes(data)
        own = {file: "sha256:" + hashlib.sha256(data).hexdigest() for file, data in files.items()}
        addresses = tuple(replace(a, size=0, checksum=own[Path(a.file).name]) for a in KNOWN[name].addresses)
        return replace(KNOWN[name], addresses=addresses)

    return published


def opened(known: Known) -> tuple[Album, list[Progressed]]:
    """The album and what was said on the way to it."""
    said, run = [], catalogue.open_known(known)
    while True:
        try:
            said.append(next(run))
        except StopIteration as end:
            return end.value, said


@pytest.mark.parametrize("name", KNOWN)
def test_a_set_opens_with_every_picture_in_its_class_and_split(name: str, publish: Callable[[str], Known]) -> None:
    known = publish(name)
    assert not catalogue.is_here(known)
    album, said = opened(known)
    assert catalogue.is_here(known)
    assert said[-1] == Progressed("survey", known.title, 0, 0, "pictures", 0.0, -1.0)
    assert len(album.classes) == len(set(album.classes)) == known.classes
    expected = {"flowers102": (2, 3), "eurosat": (4, 1)}.get(name, (5, 2) if name == "cifar10" else (3, 2))
    for split, count, blue in ((album.training, expected[0], LEARNED), (album.heldout, expected[1], HELD)):
        assert [len(readers) for readers in split] == [count] * known.classes
        for label, readers in enumerate(split):
            for read in readers:
                picture = read()
                assert isinstance(picture, Image.Image)
                assert picture.mode == "RGB"
                if name == "fashion_mnist":
                    assert np.asarray(picture)[0, 0].tolist() == [label * 8 + blue // 2] * 3
                else:
                    assert shown(picture) == (label, LEARNED if name == "eurosat" else blue)


@pytest.mark.parametrize("name", ["dtd", "hotdog", "cifar10", "stl10"])
def test_a_second_opening_unpacks_nothing(
    name: str, publish: Callable[[str], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = publish(name)
    first, _ = opened(known)
    for home in (utils, openers):
        monkeypatch.setattr(home, "extract_archive", lambda *_: pytest.fail("it was unpacked again"))
    second, said = opened(known)
    assert [len(said), second.classes] == [1, first.classes]
    assert list(map(len, second.training)) == list(map(len, first.training))
    assert not list(catalogue.folder(name).rglob("unlabeled_X.bin"))  # STL-10's, 2.8 GB


@pytest.mark.parametrize(
    ("name", "unpacked"),
    [  # the folders that torchvision takes for the whole
        ("dtd", ["dtd/dtd/labels", "dtd/dtd/images"]),
        ("oxford_pets", ["oxford-iiit-pet/images", "oxford-iiit-pet/annotations"]),
        ("gtsrb", ["gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images"]),
        ("fashion_mnist", ["FashionMNIST/processed"]),
        ("hotdog", ["hotdog/train/hotdog"]),
    ],
)
def test_half_an_unpacking_is_done_again(
    name: str, unpacked: list[str], publish: Callable[[str], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = publish(name)

    def interrupted(*_: object) -> None:
        for part in unpacked:
            (catalogue.folder(name) / part).mkdir(parents=True)
            (catalogue.folder(name) / part / "over.jpg").write_bytes(b"")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        for home in (utils, openers):
            patch.setattr(home, "extract_archive", interrupted)
        with pytest.raises(UnavailableError, match=r"became full while .* was unpacked"):
            opened(known)
    assert not list(catalogue.folder(name).rglob("over.jpg"))
    album, said = opened(known)
    assert len(said) == 1  # the archives were kept
    assert all(len(readers) == 3 for readers in album.training)
    assert not list(catalogue.folder(name).rglob("over.jpg"))


def test_a_disk_without_room_is_refused_before_anything_is_unpacked(
    publish: Callable[[str], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = publish("hotdog")
    list(fetch.fetch(known.addresses[0]))
    archive = known.addresses[0].path
    needed = 2.5 * archive.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
        patch.setattr(openers, "extract_archive", lambda *_: pytest.fail("it was unpacked"))
        with pytest.raises(UnavailableError, match=r"Unpacking hotdog needs .* MB free.* HEADSTART_HOME"):
            opened(known)
    assert [path.name for path in archive.parent.iterdir() if path.suffix != ".sha256"] == ["hotdog.zip"]
    opened(known)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    opened(known)  # what is unpacked needs no room


def test_two_who_open_a_set_at_once_both_get_it(publish: Callable[[str], Known]) -> None:
    known = publish("dtd")
    with ThreadPoolExecutor(2) as pool:
        first, second = (album for album, _ in pool.map(opened, [known, known]))
    assert first.classes == second.classes
    assert len(list(catalogue.folder("dtd").rglob("*.jpg"))) == 5 * known.classes


def test_a_set_whose_pictures_were_deleted_is_unpacked_again(publish: Callable[[str], Known]) -> None:
    known = publish("dtd")
    opened(known)
    for path in catalogue.folder("dtd").rglob("*.txt"):
        path.unlink()
    with pytest.raises(UnavailableError, match="ask again"):
        opened(known)
    album, _ = opened(known)
    assert len(album.classes) == known.classes


def test_opening_decodes_no_picture(publish: Callable[[str], Known], monkeypatch: pytest.MonkeyPatch) -> None:
    known = publish("oxford_pets")
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.open", lambda *_: pytest.fail("a picture was decoded"))
        patch.setattr("engine.pictures.read", lambda *_: pytest.fail("a picture was decoded"))
        opened(known)


def test_a_damaged_picture_is_named(publish: Callable[[str], Known]) -> None:
    album, _ = opened(publish("hotdog"))
    path = catalogue.folder("hotdog") / "hotdog" / "train" / "hotdog" / "1.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=re.escape("1.jpg ")):
        album.training[0][1]()


def test_the_share_that_is_held_out_of_eurosat_stays_the_same(publish: Callable[[str], Known]) -> None:
    known = publish("eurosat")
    first, again = opened(known)[0], opened(known)[0]

    def names(album: Album) -> list[str]:
        return [reader.args[0].name for readers in album.heldout for reader in readers]  # type: ignore[attr-defined]

    assert names(first) == names(again)
    assert names(first)[:3] == ["AnnualCrop_3.jpg", "Forest_5.jpg", "HerbaceousVegetation_1.jpg"]
    assert "one picture in 5" in first.notes[0]
