"""What a folder or a zip holds: how each file is read, and which class and split it belongs to. Decodes no picture.

A zip comes from a stranger: nothing of it is written to disk, and no more of a member is unpacked than it declares.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from engine import pictures
from engine.errors import DataError
from engine.naming import class_name, count, left_out_of, natural, quoted, some
from engine.pictures import FileReader
from engine.strings import Line, counted

MOST_FILES = 100_000  # in one folder or zip
MOST_UNPACKED = 4_000_000_000  # bytes that a zip may declare
MOST_LISTED = 64_000_000  # bytes of a zip's own list of files
MOST_RATIO = 200  # unpacked to packed, from 1 MB up: deflate reaches 1,000 on zeros and hardly 20 on pictures
DEEPEST = 30  # folders below each other

SPLITS = {"train": "training", "training": "training", "test": "test", "testing": "test", "val": "val", "valid": "val"}
SPLITS |= {"validation": "val", "eval": "eval", "evaluation": "eval"}
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic")
HIDDEN = ("__macosx", "thumbs.db", "desktop.ini")

# What ends a zip: the record (files, bytes of their list), its 64-bit form, and where the latter is
END, END64, LOCATOR = struct.Struct("<10xHI6x"), struct.Struct("<32xQQ8x"), struct.Struct("<8xQ4x")

Listing = dict[str, FileReader | str | None]  # path -> how to read it, or why it is left out, or None for a folder


@dataclass(frozen=True)
class Member:
    """A file that may be a picture."""

    name: str  # path below the wrapping folders
    kind: str
    split: str  # "training", "heldout", or "" where the set has no split of its own
    read: FileReader


def list_folder(root: Path, title: str) -> Listing:
    """All files below a folder, links out of it left out. Raises DataError, beginning with `title`, for too many."""
    root, listing = Path(os.path.realpath(root)), Listing()
    for home, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in folders:
            path = Path(home, name)
            listing[path.relative_to(root).as_posix()] = Line("refusal.picture.link") if path.is_symlink() else None
        for name in names:
            path = Path(home, name)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                listing[path.relative_to(root).as_posix()] = Line("refusal.picture.link_out")
            elif path.is_file():
                listing[path.relative_to(root).as_posix()] = partial(pictures.read, path)
        if len(listing) > MOST_FILES:
            raise DataError("refusal.listing.files", title=title, most=MOST_FILES)
    return listing


def list_zip(path: Path, title: str) -> Listing:
    """All members of a zip, from its list of files alone.

    Raises DataError, beginning with `title`, for what is no whole zip, is locked, climbs out of itself or is a bomb.
    """
    try:
        listed, declared = _declared(path)
        if declared > MOST_FILES:
            raise DataError("refusal.listing.members", title=title, given=declared, most=MOST_FILES)
        if listed > MOST_LISTED:
            raise DataError("refusal.listing.list", title=title, given=listed / 1e6, most=MOST_FILES)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError:
        raise DataError("refusal.listing.missing", title=title, path=path) from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, OverflowError):
        raise DataError(_no_zip(path, title)) from None
    if (total := sum(member.file_size for member in members)) > MOST_UNPACKED:
        raise DataError("refusal.listing.unpacked", title=title, given=total / 1e9, most=MOST_UNPACKED / 1e9)
    listing = Listing()
    for member in members:
        name = _member_name(member)
        if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
            raise DataError("refusal.listing.outside", title=title, name=quoted(name))
        if member.flag_bits & 1:
            raise DataError("refusal.listing.locked", title=title)
        if member.file_size > max(1_000_000, MOST_RATIO * member.compress_size):
            packed, unpacked = member.compress_size, member.file_size
            raise DataError("refusal.listing.bomb", title=title, name=quoted(name), packed=packed, unpacked=unpacked)
        if name.endswith("/"):
            listing[name] = None
        elif stat.S_ISLNK(member.external_attr >> 16):
            listing[name] = Line("refusal.picture.link")
        elif max(member.file_size, member.compress_size) > pictures.MOST_BYTES:
            listing[name] = Line("refusal.picture.large", most=pictures.MOST_BYTES // 1_000_000)
        else:
            listing[name] = partial(_read_member, path, member)
    return listing


def _declared(path: Path) -> tuple[int, int]:
    """How many bytes the list of files of a zip has, and how many files are in it; 0 and 0 where the list is not found.

    The number is the larger of what the zip says and what its list holds, because ZipFile reads all that the list holds.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - END.size - 0xFFFF)  # a comment of at most 0xFFFF bytes may follow
        tail = _bytes_at(file, start, END.size + 0xFFFF)
        at = len(tail) - END.size
        if at < 0 or not (tail.startswith(b"PK\5\6", at) and tail.endswith(b"\0\0")):
            at = tail.rfind(b"PK\5\6")
        if at < 0 or at + END.size > len(tail):
            return 0, 0
        records = {start + at: END.unpack_from(tail, at)}  # where the list ends: files, bytes
        # ZipFile believes a 64-bit record wherever its locator stands, whatever the ordinary record says
        before = start + at - LOCATOR.size
        locator = _bytes_at(file, before, LOCATOR.size)
        if locator.startswith(b"PK\6\7"):
            places = {before - END64.size, *LOCATOR.unpack(locator)}
            found = {place: _bytes_at(file, place, END64.size) for place in places if place <= before - END64.size}
            larger = {place: END64.unpack(record) for place, record in found.items() if record.startswith(b"PK\6\6")}
            records = larger or records
        files, listed = (max(values) for values in zip(*records.values(), strict=True))
        if files <= MOST_FILES and listed <= MOST_LISTED:
            lists = (_bytes_at(file, max(0, end - length), length) for end, (_, length) in records.items())
            files = max(files, *(data.count(b"PK\1\2") for data in lists))
    return listed, files


def _bytes_at(file: BinaryIO, place: int, count: int) -> bytes:
    if place < 0:
        return b""
    file.seek(place)
    return file.read(count)


def _no_zip(path: Path, title: str) -> Line:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        return Line("refusal.listing.unopened", title=title, error=error.strerror)
    if start == b"PK\3\4":
        return Line("refusal.listing.short", title=title)
    return Line("refusal.listing.no_zip", title=title)


def _member_name(member: zipfile.ZipInfo) -> str:
    name = member.filename
    if not member.flag_bits & 0x800:  # macOS writes UTF-8 without saying so, and zipfile reads it as code page 437
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _read_member(path: Path, member: zipfile.ZipInfo, side: int = 0) -> Image.Image:
    # Not ZipFile.open: a handle of its own for each read is safe in threads and across a fork, and leaves none open
    try:
        with path.open("rb") as file:
            file.seek(member.header_offset)
            header = file.read(30)
            file.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
            data = file.read(member.compress_size)
        if member.compress_type == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-15).decompress(data, member.file_size + 1)
        elif member.compress_type != zipfile.ZIP_STORED:
            raise DataError("refusal.picture.packed")
    except (OSError, OverflowError, ValueError, struct.error, zlib.error):
        raise DataError("refusal.picture.zip") from None
    if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
        raise DataError("refusal.picture.zip")
    return pictures.read(data, side)


def lay_out(listing: Listing) -> tuple[list[Member], dict[str, str], list[str]]:
    """The files that may be pictures, the reason of each that is left out, and notes on folders."""
    found: dict[tuple[str, ...], FileReader] = {}
    empty: set[tuple[str, ...]] = set()
    left_out: dict[str, str] = {}
    for path, entry in listing.items():
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if any(_is_hidden(part) for part in parts):
            continue
        if entry is None:
            empty.add(parts)
        elif isinstance(entry, str):
            left_out[path] = entry
        elif path.lower().endswith(ARCHIVES):
            left_out[path] = Line("refusal.picture.archive")
        elif len(parts) > DEEPEST:
            left_out[path] = Line("refusal.picture.deep", most=DEEPEST)
        else:
            found[parts] = entry

    folders = _folders(found)
    while len(folders) == 1 and any(len(parts) > 2 for parts in found):  # a wrapping folder
        found = {parts[1:]: read for parts, read in found.items() if len(parts) > 1}
        empty = {parts[1:] for parts in empty if parts[:1] == tuple(folders)}
        folders = _folders(found)

    roles = {parts[0]: SPLITS.get(parts[0].casefold(), "") for parts in found if len(parts) > 2}
    held = next((role for role in ("test", "val", "eval") if role in roles.values()), "")
    has_split = "training" in roles.values() and bool(held or all(name.casefold() in SPLITS for name in folders))
    used = {"training", held} - {""}
    at = 1 if has_split else 0  # which part of a path is the class
    files: list[Member] = []
    raws: dict[str, set[str]] = defaultdict(set)
    unused: dict[str, int] = defaultdict(int)
    loose = 0
    for parts, read in found.items():
        role = roles.get(parts[0], "")
        if has_split and len(parts) > 1 and role not in used:
            unused[parts[0]] += 1
        elif len(parts) > at + 1:
            split = ("training" if role == "training" else "heldout") if has_split and held else ""
            kind = class_name(parts[at])
            raws[kind].add(parts[at])
            files.append(Member("/".join(parts), kind, split, read))
        else:
            loose += parts[-1].lower().endswith(PICTURES)

    bare = {class_name(parts[at]) for parts in empty if len(parts) == at + 1} - set(raws)
    merged = sorted((kind, len(names)) for kind, names in raws.items() if len(names) > 1)
    notes = [
        some([left_out_of(kind, Line("note.bare")) for kind in sorted(bare, key=natural)]),
        some([Line("note.folder", name=quoted(name), files=count(n, "file")) for name, n in sorted(unused.items())]),
        some([Line("note.merged", n=n, name=quoted(kind)) for kind, n in merged]),
    ]
    if loose:
        notes.append(counted("note.loose", loose))
    return files, left_out, [note for note in notes if note]


def _folders(found: Iterable[tuple[str, ...]]) -> set[str]:
    return {parts[0] for parts in found if len(parts) > 1}


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in HIDDEN
