"""Catalogue entries are complete, and a set is downloaded before it is opened."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from torchvision import datasets

from engine.data import catalog
from engine.data.catalog import CATALOG, CatalogEntry
from engine.download.fetch import Address
from engine.errors import UnavailableError
from engine.events import Progressed
from tests.helpers.archives import MADE


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogEntry:
    """The entry of hotdog with a small archive published on this machine."""
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    path = tmp_path / "hotdog.zip"
    path.write_bytes(MADE["hotdog"]()["hotdog.zip"])
    return replace(CATALOG["hotdog"], addresses=(Address(path.as_uri(), "sets/hotdog/hotdog.zip", path.stat().st_size, ""),))


def test_a_set_is_downloaded_and_then_opened(entry: CatalogEntry) -> None:
    assert not catalog.is_here(entry)
    reports, steps = [], catalog.open_entry(entry)
    while True:
        try:
            reports.append(next(steps))
        except StopIteration as end:
            dataset = end.value
            break
    assert catalog.is_here(entry)
    assert catalog.folder("hotdog") == entry.addresses[0].path.parent
    assert {report.work for report in reports[:-1]} == {"download"}
    assert reports[-1] == Progressed(work="scan", name=entry.title, done=0, total=0, unit="pictures", rate=0.0, left=-1.0)
    assert (dataset.title, dataset.classes, dataset.notes) == (entry.title, ("hotdog", "not-hotdog"), entry.notes)


def test_a_missing_package_is_named_before_the_download(entry: CatalogEntry) -> None:
    with pytest.raises(UnavailableError, match="pip install no_such_package"):
        list(catalog.open_entry(replace(entry, needs="no_such_package")))
    assert not catalog.is_here(entry)


def test_the_error_for_a_damaged_archive_names_its_folder(entry: CatalogEntry, tmp_path: Path) -> None:
    (tmp_path / "hotdog.zip").write_bytes(b"x" * entry.size)
    with pytest.raises(UnavailableError, match=r"Hotdog or not could not be opened .*try again") as refusal:
        list(catalog.open_entry(entry))
    assert str(catalog.folder("hotdog")) in str(refusal.value)


@pytest.mark.parametrize("entry", CATALOG.values(), ids=CATALOG)
def test_a_catalogue_entry_is_complete(entry: CatalogEntry) -> None:
    assert CATALOG[entry.name] is entry
    assert entry.classes >= 2
    assert entry.training >= 2
    assert entry.heldout >= entry.classes
    assert entry.image_size >= 0
    assert entry.title
    assert entry.licence
    assert entry.about
    assert entry.about[-1] != "."
    assert "http" in entry.source
    assert entry.size == sum(address.size for address in entry.addresses)
    assert entry.addresses
    for address in entry.addresses:
        assert address.file.startswith(f"sets/{entry.name}/")
        assert address.url.startswith(("https://", "http://"))
        digits = {"md5": 32, "sha1": 40, "sha256": 64}
        algorithm, _, digest = address.checksum.partition(":")
        assert (not address.checksum and not address.size) or re.fullmatch(f"[0-9a-f]{{{digits[algorithm]}}}", digest)


def test_only_one_set_has_no_published_checksum() -> None:
    assert [entry.name for entry in CATALOG.values() if not all(a.checksum for a in entry.addresses)] == [
        "pizza_steak_sushi"
    ]


@pytest.mark.parametrize(("name", "torchvision_class"), [("eurosat", datasets.EuroSAT), ("gtsrb", datasets.GTSRB)])
def test_addresses_copied_from_torchvision_are_unchanged(name: str, torchvision_class: type) -> None:
    source = inspect.getsource(torchvision_class.download)  # type: ignore[attr-defined]
    for address in CATALOG[name].addresses:
        assert address.checksum.removeprefix("md5:") in source
        assert address.url.rsplit("/", 1)[0] in source
        assert address.url.rsplit("/", 1)[1] in source
