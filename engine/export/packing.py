"""Several files as one zip, made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from engine.device import free_memory
from engine.errors import UnavailableError

INCOMPRESSIBLE = (".webp", ".safetensors", ".onnx")  # files that deflate does not make smaller


def pack(files: Iterable[tuple[str, bytes]], need: int) -> bytes:
    """A zip of these files, which may be a generator. All are dated 1980, so that the same race gives the same bytes.

    `need`: the memory that this takes, in bytes, estimated. Raises UnavailableError where less is free, because a race in
    the same process would be killed.
    """
    free = free_memory()
    if need > free:
        raise UnavailableError("refusal.export.memory", need=need / 1e9, free=free / 1e9)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16  # read permission; ZipInfo sets none
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(INCOMPRESSIBLE) else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()  # CPython does not copy the buffer here
