"""What is said of the known sets is whole, and a set is fetched before it is opened."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from archives import MADE
from torchvision import datasets

from engine import catalogue
from engine.catalogue import KNOWN, Known
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.fetch import Address


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    """A set like hotdog whose small archive is published on this machine."""
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    path = tmp_path / "hotdog.zip"
    path.write_bytes(MADE["hotdog"]()["hotdog.zip"])
    return replace(KNOWN["hotdog"], addresses=(Address(path.as_uri(), "sets/hotdog/hotdog.zip", path.stat().st_size, ""),))


def test_a_set_is_fetched_and_then_opened(own: Known) -> None:
    assert not catalogue.is_here(own)
    said, steps = [], catalogue.open_known(own)
    while True:
        try:
            said.append(next(steps))
        except StopIteration as end:
            album = end.value
            break
    assert catalogue.is_here(own)
    assert catalogue.folder("hotdog") == own.addresses[0].path.parent
    assert {one.work for one in said[:-1]} == {"download"}
    assert said[-1] == Progressed("survey", own.title, 0, 0, "pictures", 0.0, -1.0)
    assert (album.title, album.classes, album.notes) == (own.title, ("hotdog", "not-hotdog"), own.notes)


def test_a_missing_package_is_named_before_anything_is_fetched(own: Known) -> None:
    with pytest.raises(UnavailableError, match="pip install no_such_package"):
        list(catalogue.open_known(replace(own, needs="no_such_package")))
    assert not catalogue.is_here(own)


def test_an_archive_that_cannot_be_opened_says_where_it_lies(own: Known, tmp_path: Path) -> None:
    (tmp_path / "hotdog.zip").write_bytes(b"x" * own.size)
    with pytest.raises(UnavailableError, match=r"Hotdog or not could not be opened .*ask again") as refusal:
        list(catalogue.open_known(own))
    assert str(catalogue.folder("hotdog")) in str(refusal.value)


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_the_facts_of_a_set_are_whole(known: Known) -> None:
    assert KNOWN[known.name] is known
    assert known.classes >= 2
    assert known.training >= 2
    assert known.heldout >= known.classes
    assert known.px >= 0
    assert known.title
    assert known.licence
    assert known.about
    assert known.about[-1] != "."
    assert "http" in known.source
    assert known.size == sum(address.size for address in known.addresses)
    assert known.addresses
    for address in known.addresses:
        assert address.file.startswith(f"sets/{known.name}/")
        assert address.url.startswith(("https://", "http://"))
        digits = {"md5": 32, "sha1": 40, "sha256": 64}
        kind, _, digest = address.checksum.partition(":")
        assert (not address.checksum and not address.size) or re.fullmatch(f"[0-9a-f]{{{digits[kind]}}}", digest)


def test_only_one_set_has_no_published_checksum() -> None:
    assert [known.name for known in KNOWN.values() if not all(a.checksum for a in known.addresses)] == ["pizza_steak_sushi"]


@pytest.mark.parametrize(("name", "kind"), [("eurosat", datasets.EuroSAT), ("gtsrb", datasets.GTSRB)])
def test_what_was_copied_from_torchvision_is_what_it_says(name: str, kind: type) -> None:
    source = inspect.getsource(kind.download)  # type: ignore[attr-defined]
    for address in KNOWN[name].addresses:
        assert address.checksum.removeprefix("md5:") in source
        assert address.url.rsplit("/", 1)[0] in source
        assert address.url.rsplit("/", 1)[1] in source
