"""Several files as one zip, made in memory. Knows names and bytes, nothing of what they are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from engine.device import free_memory
from engine.errors import UnavailableError

PACKED = (".webp", ".safetensors", ".onnx")  # endings of files that do not get smaller


def pack(files: Iterable[tuple[str, bytes]], need: int) -> bytes:
    """A zip of these files, each made when its turn comes and dated 1980, so that one race gives one zip.

    `need`: bytes of memory that making them takes, about. Raises UnavailableError where so many are not free: a race beside
    it would be killed.
    """
    free = free_memory()
    if need > free:
        raise UnavailableError("refusal.take.memory", need=need / 1e9, free=free / 1e9)
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16  # else nobody may read the file once it is unpacked
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(PACKED) else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return into.getvalue()  # the buffer itself: CPython copies nothing here
