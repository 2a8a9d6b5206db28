"""Each catalogue set is opened through torchvision from a small archive in the official layout."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import utils

from engine.data import catalog, loaders
from engine.data.catalog import CATALOG, CatalogEntry
from engine.data.dataset import Dataset
from engine.download import fetch, mirrors
from engine.errors import DataError, UnavailableError
from engine.events import Progressed
from tests.helpers.archives import HELD, LEARNED, MADE, shown, tar


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], CatalogEntry]:
    """Write small archives of a set to a mirror folder, and return the entry with their checksums."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADSTART_MIRROR", str(mirror))
    # torchvision checks the md5 of the official files; names and folders are still checked
    monkeypatch.setattr(utils, "check_md5", lambda path, md5, **_: True)

    def published(name: str) -> CatalogEntry:
        files = MADE[name]()
        assert {Path(address.file).name for address in CATALOG[name].addresses} == set(files)
        for file, data in files.items():
            (mirror / file).write_bytes(data)
        checksums = {file: "sha256:" + hashlib.sha256(data).hexdigest() for file, data in files.items()}
        addresses = tuple(replace(a, size=0, checksum=checksums[Path(a.file).name]) for a in CATALOG[name].addresses)
        return replace(CATALOG[name], addresses=addresses)

    return published


def opened(entry: CatalogEntry) -> tuple[Dataset, list[Progressed]]:
    """The dataset and the progress reports on the way to it."""
    reports, run = [], catalog.open_entry(entry)
    while True:
        try:
            reports.append(next(run))
        except StopIteration as end:
            return end.value, reports


@pytest.mark.parametrize("name", CATALOG)
def test_a_set_opens_with_every_picture_in_its_class_and_split(name: str, publish: Callable[[str], CatalogEntry]) -> None:
    entry = publish(name)
    assert not catalog.is_here(entry)
    dataset, reports = opened(entry)
    assert catalog.is_here(entry)
    assert reports[-1] == Progressed(work="scan", name=entry.title, done=0, total=0, unit="pictures", rate=0.0, left=-1.0)
    assert len(dataset.classes) == len(set(dataset.classes)) == entry.classes
    expected = {"flowers102": (2, 3), "eurosat": (4, 1)}.get(name, (5, 2) if name == "cifar10" else (3, 2))
    for split, count, blue in ((dataset.training, expected[0], LEARNED), (dataset.heldout, expected[1], HELD)):
        assert [len(readers) for readers in split] == [count] * entry.classes
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
    name: str, publish: Callable[[str], CatalogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = publish(name)
    first, _ = opened(entry)
    monkeypatch.setattr(loaders, "unpack", lambda *_: pytest.fail("it was unpacked again"))
    second, reports = opened(entry)
    assert [len(reports), second.classes] == [1, first.classes]
    assert list(map(len, second.training)) == list(map(len, first.training))
    assert not list(catalog.folder(name).rglob("unlabeled_X.bin"))  # STL-10's, 2.8 GB


@pytest.mark.parametrize(
    ("name", "unpacked"),
    [  # the folders whose existence torchvision checks
        ("dtd", ["dtd/dtd/labels", "dtd/dtd/images"]),
        ("oxford_pets", ["oxford-iiit-pet/images", "oxford-iiit-pet/annotations"]),
        ("gtsrb", ["gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images"]),
        ("fashion_mnist", ["FashionMNIST/processed"]),
        ("hotdog", ["hotdog/train/hotdog"]),
    ],
)
def test_an_interrupted_unpacking_is_repeated(
    name: str, unpacked: list[str], publish: Callable[[str], CatalogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = publish(name)

    def interrupted(*_: object) -> None:
        for part in unpacked:
            (catalog.folder(name) / part).mkdir(parents=True)
            (catalog.folder(name) / part / "over.jpg").write_bytes(b"")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(loaders, "unpack", interrupted)
        with pytest.raises(UnavailableError, match=r"became full while .* was unpacked"):
            opened(entry)
    assert not list(catalog.folder(name).rglob("over.jpg"))
    dataset, reports = opened(entry)
    assert len(reports) == 1  # the archives were kept
    assert all(len(readers) == 3 for readers in dataset.training)
    assert not list(catalog.folder(name).rglob("over.jpg"))


def test_a_disk_without_space_is_refused_before_unpacking(
    publish: Callable[[str], CatalogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = publish("hotdog")
    list(fetch.fetch(entry.addresses[0]))
    archive = entry.addresses[0].path
    needed = 2.5 * archive.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
        patch.setattr(loaders, "unpack", lambda *_: pytest.fail("it was unpacked"))
        with pytest.raises(UnavailableError, match=r"Unpacking hotdog needs .* MB free.* HEADSTART_HOME"):
            opened(entry)
    assert [path.name for path in archive.parent.iterdir() if path.suffix != ".sha256"] == ["hotdog.zip"]
    opened(entry)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    opened(entry)  # an unpacked set needs no more space


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="this Python, older than 3.11.4, cannot refuse it")
def test_a_tar_file_that_writes_outside_of_its_folder_is_refused(
    publish: Callable[[str], CatalogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    official = MADE["cifar10"]
    monkeypatch.setitem(MADE, "cifar10", lambda: {name: tar({"../climbed.txt": b""}) for name in official()})
    entry = publish("cifar10")
    with pytest.raises(UnavailableError, match="outside"):
        opened(entry)
    assert not list(mirrors.home().rglob("climbed.txt"))


def test_two_threads_can_open_a_set_at_once(publish: Callable[[str], CatalogEntry]) -> None:
    entry = publish("dtd")
    with ThreadPoolExecutor(2) as pool:
        first, second = (dataset for dataset, _ in pool.map(opened, [entry, entry]))
    assert first.classes == second.classes
    assert len(list(catalog.folder("dtd").rglob("*.jpg"))) == 5 * entry.classes


def test_a_set_whose_pictures_were_deleted_is_unpacked_again(publish: Callable[[str], CatalogEntry]) -> None:
    entry = publish("dtd")
    opened(entry)
    for path in catalog.folder("dtd").rglob("*.txt"):
        path.unlink()
    with pytest.raises(UnavailableError, match="try again"):
        opened(entry)
    dataset, _ = opened(entry)
    assert len(dataset.classes) == entry.classes


def test_opening_decodes_no_picture(publish: Callable[[str], CatalogEntry], monkeypatch: pytest.MonkeyPatch) -> None:
    entry = publish("oxford_pets")
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.open", lambda *_: pytest.fail("a picture was decoded"))
        patch.setattr("engine.data.image.read_image", lambda *_: pytest.fail("a picture was decoded"))
        opened(entry)


def test_a_damaged_picture_is_named(publish: Callable[[str], CatalogEntry]) -> None:
    dataset, _ = opened(publish("hotdog"))
    path = catalog.folder("hotdog") / "hotdog" / "train" / "hotdog" / "1.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=re.escape("1.jpg ")):
        dataset.training[0][1]()


def test_the_heldout_split_of_eurosat_is_stable(publish: Callable[[str], CatalogEntry]) -> None:
    entry = publish("eurosat")
    first, again = opened(entry)[0], opened(entry)[0]

    def names(dataset: Dataset) -> list[str]:
        return [reader.args[0].name for readers in dataset.heldout for reader in readers]  # type: ignore[attr-defined]

    assert names(first) == names(again)
    assert names(first)[:3] == ["AnnualCrop_3.jpg", "Forest_5.jpg", "HerbaceousVegetation_1.jpg"]
    assert "one picture in 5" in first.notes[0]
