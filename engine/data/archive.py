"""Lists a folder or a zip of pictures: how each file is read, and which class and split it belongs to.

Zips are untrusted: nothing is written to disk, and no member is unpacked beyond its declared size.
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

from engine.data import image
from engine.data.image import FileReader
from engine.errors import DataError
from engine.i18n.display_names import class_name, count, left_out_of, natural, quoted, some
from engine.i18n.messages import Message, plural_message

MAX_FILES = 100_000  # in one folder or zip
MAX_UNPACKED = 4_000_000_000  # bytes that a zip may declare
MAX_DIRECTORY = 64_000_000  # bytes of a zip's central directory
MAX_RATIO = 200  # unpacked to packed, from 1 MB up: deflate reaches 1,000 on zeros and hardly 20 on pictures
MAX_DEPTH = 30  # folders below each other

SPLITS = {"train": "training", "training": "training", "test": "test", "testing": "test", "val": "val", "valid": "val"}
SPLITS |= {"validation": "val", "eval": "eval", "evaluation": "eval"}
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic")
HIDDEN = ("__macosx", "thumbs.db", "desktop.ini")

# End-of-central-directory record (files, bytes of the directory), its 64-bit form, and the locator of the latter
END, END64, LOCATOR = struct.Struct("<10xHI6x"), struct.Struct("<32xQQ8x"), struct.Struct("<8xQ4x")

Parts = tuple[str, ...]  # a path, split at its slashes
Listing = dict[str, FileReader | str | None]  # path -> reader, or the reason why it is left out, or None for a folder


@dataclass(frozen=True)
class Member:
    """A file that may be a picture."""

    name: str  # path below the wrapping folders
    label: str  # class name
    split: str  # "training", "heldout", or "" where the files have no split
    read: FileReader


def list_folder(root: Path, title: str, max_files: int = MAX_FILES) -> Listing:
    """List all files below a folder; links that leave it are left out. Raises DataError for more than `max_files`."""
    root, listing = Path(os.path.realpath(root)), Listing()
    for home, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in folders:
            path = Path(home, name)
            listing[path.relative_to(root).as_posix()] = Message("refusal.picture.link") if path.is_symlink() else None
        for name in names:
            path = Path(home, name)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                listing[path.relative_to(root).as_posix()] = Message("refusal.picture.link_out")
            elif path.is_file():
                listing[path.relative_to(root).as_posix()] = partial(image.read_image, path)
        if len(listing) > max_files:
            raise DataError("refusal.listing.files", title=title, most=max_files)
    return listing


def list_zip(path: Path, title: str, max_files: int = MAX_FILES, max_directory: int = MAX_DIRECTORY) -> Listing:
    """List all members of a zip from its central directory.

    Raises DataError for a file that is not a complete zip, an encrypted one, a path outside of it, or a zip bomb.
    """
    try:
        directory_size, declared = _declared(path, max_files, max_directory)
        if declared > max_files:
            raise DataError("refusal.listing.members", title=title, given=declared, most=max_files)
        if directory_size > max_directory:
            raise DataError("refusal.listing.list", title=title, given=directory_size / 1e6, most=max_directory / 1e6)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError:
        raise DataError("refusal.listing.missing", title=title, path=path) from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, OverflowError):
        raise DataError(_not_a_zip(path, title)) from None
    if (total := sum(member.file_size for member in members)) > MAX_UNPACKED:
        raise DataError("refusal.listing.unpacked", title=title, given=total / 1e9, most=MAX_UNPACKED / 1e9)
    listing = Listing()
    for member in members:
        name = _member_name(member)
        if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
            raise DataError("refusal.listing.outside", title=title, name=quoted(name))
        if member.flag_bits & 1:
            raise DataError("refusal.listing.locked", title=title)
        if member.file_size > max(1_000_000, MAX_RATIO * member.compress_size):
            packed, unpacked = member.compress_size, member.file_size
            raise DataError("refusal.listing.bomb", title=title, name=quoted(name), packed=packed, unpacked=unpacked)
        if name.endswith("/"):
            listing[name] = None
        elif stat.S_ISLNK(member.external_attr >> 16):
            listing[name] = Message("refusal.picture.link")
        elif max(member.file_size, member.compress_size) > image.MAX_BYTES:
            listing[name] = Message("refusal.picture.large", most=image.MAX_BYTES // 1_000_000)
        else:
            listing[name] = partial(_read_member, path, member)
    return listing


def _declared(path: Path, max_files: int, max_directory: int) -> tuple[int, int]:
    """Return the bytes of a zip's central directory and the number of its files; (0, 0) where there is no directory.

    The number is the larger of the declared and the actual count, because ZipFile reads every entry.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - END.size - 0xFFFF)  # a comment of at most 0xFFFF bytes may follow
        tail = _bytes_at(file, start, END.size + 0xFFFF)
        at = len(tail) - END.size
        if at < 0 or not (tail.startswith(b"PK\5\6", at) and tail.endswith(b"\0\0")):
            at = tail.rfind(b"PK\5\6")
        if at < 0 or at + END.size > len(tail):
            return 0, 0
        records = {start + at: END.unpack_from(tail, at)}  # end of the directory: files, bytes
        # ZipFile prefers a 64-bit record wherever there is a locator, whatever the ordinary record declares
        before = start + at - LOCATOR.size
        locator = _bytes_at(file, before, LOCATOR.size)
        if locator.startswith(b"PK\6\7"):
            offsets = {before - END64.size, *LOCATOR.unpack(locator)}
            data64 = {offset: _bytes_at(file, offset, END64.size) for offset in offsets if offset <= before - END64.size}
            records64 = {offset: END64.unpack(data) for offset, data in data64.items() if data.startswith(b"PK\6\6")}
            records = records64 or records
        files, directory_size = (max(values) for values in zip(*records.values(), strict=True))
        if files <= max_files and directory_size <= max_directory:
            directories = (_bytes_at(file, max(0, end - length), length) for end, (_, length) in records.items())
            files = max(files, *(data.count(b"PK\1\2") for data in directories))
    return directory_size, files


def _bytes_at(file: BinaryIO, offset: int, count: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(count)


def _not_a_zip(path: Path, title: str) -> Message:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        return Message("refusal.listing.unopened", title=title, error=error.strerror)
    if start == b"PK\3\4":
        return Message("refusal.listing.short", title=title)
    return Message("refusal.listing.no_zip", title=title)


def _member_name(member: zipfile.ZipInfo) -> str:
    name = member.filename
    if not member.flag_bits & 0x800:  # macOS writes UTF-8 without setting its flag, and zipfile reads it as code page 437
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _read_member(path: Path, member: zipfile.ZipInfo, side: int = 0) -> Image.Image:
    # Not ZipFile.open: a separate handle per read is safe in threads and across a fork, and none stays open
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
    return image.read_image(data, side)


def assign_classes(listing: Listing) -> tuple[list[Member], dict[str, str], list[str]]:
    """Return the files that may be pictures, the reason for each file left out, and notes on folders."""
    readers, empty, left_out = _sort_entries(listing)
    folders = _folders(readers)
    while len(folders) == 1 and any(len(parts) > 2 for parts in readers):  # a wrapping folder
        readers = {parts[1:]: read for parts, read in readers.items() if len(parts) > 1}
        empty = {parts[1:] for parts in empty if parts[:1] == tuple(folders)}
        folders = _folders(readers)

    roles = {parts[0]: SPLITS.get(parts[0].casefold(), "") for parts in readers if len(parts) > 2}
    heldout_role = next((role for role in ("test", "val", "eval") if role in roles.values()), "")
    has_split = "training" in roles.values() and bool(heldout_role or all(name.casefold() in SPLITS for name in folders))
    used = {"training", heldout_role} - {""}
    class_part = 1 if has_split else 0  # which part of a path is the class
    files: list[Member] = []
    folder_names: dict[str, set[str]] = defaultdict(set)
    unused: dict[str, int] = defaultdict(int)
    loose = 0
    for parts, read in readers.items():
        role = roles.get(parts[0], "")
        if has_split and len(parts) > 1 and role not in used:
            unused[parts[0]] += 1
        elif len(parts) > class_part + 1:
            split = ("training" if role == "training" else "heldout") if has_split and heldout_role else ""
            label = class_name(parts[class_part])
            folder_names[label].add(parts[class_part])
            files.append(Member("/".join(parts), label, split, read))
        else:
            loose += parts[-1].lower().endswith(PICTURES)

    bare = {class_name(parts[class_part]) for parts in empty if len(parts) == class_part + 1} - set(folder_names)
    merged = sorted((label, len(names)) for label, names in folder_names.items() if len(names) > 1)
    notes = [
        some([left_out_of(label, Message("note.bare")) for label in sorted(bare, key=natural)]),
        some([Message("note.folder", name=quoted(name), files=count(n, "file")) for name, n in sorted(unused.items())]),
        some([Message("note.merged", n=n, name=quoted(label)) for label, n in merged]),
    ]
    if loose:
        notes.append(plural_message("note.loose", loose))
    return files, left_out, [note for note in notes if note]


def _sort_entries(
    listing: Listing,
) -> tuple[dict[Parts, FileReader], set[Parts], dict[str, str]]:
    """Sort a listing into readers by path, empty folders, and files left out with their reasons."""
    readers: dict[Parts, FileReader] = {}
    empty: set[Parts] = set()
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
            left_out[path] = Message("refusal.picture.archive")
        elif len(parts) > MAX_DEPTH:
            left_out[path] = Message("refusal.picture.deep", most=MAX_DEPTH)
        else:
            readers[parts] = entry
    return readers, empty, left_out


def _folders(paths: Iterable[Parts]) -> set[str]:
    return {parts[0] for parts in paths if len(parts) > 1}


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in HIDDEN
