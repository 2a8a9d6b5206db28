"""The zip of the same files has the same bytes, its entries are readable, and it is refused without enough memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import pytest

from engine import UnavailableError
from engine.export import packing
from engine.export.packing import pack

FILES = (("README.txt", b"read me " * 99), ("a.safetensors", bytes(99)))


def test_the_same_files_give_the_same_bytes_and_are_readable() -> None:
    data = pack(FILES, 0)
    assert data == pack(iter(FILES), 0)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [(entry.filename, archive.read(entry)) for entry in archive.infolist()] == list(FILES)
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_text_is_compressed_and_weights_are_stored() -> None:
    text, weights = zipfile.ZipFile(io.BytesIO(pack(FILES, 0))).infolist()
    assert text.compress_size < text.file_size
    assert weights.compress_size == weights.file_size


def test_too_little_memory_is_refused_before_any_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def files() -> Iterator[tuple[str, bytes]]:
        raise AssertionError("a file was made")
        yield

    monkeypatch.setattr(packing, "free_memory", lambda: 1_000_000_000)
    with pytest.raises(UnavailableError, match=r"about 2\.5 GB of memory, and 1\.0 GB are free here"):
        pack(files(), 2_500_000_000)
