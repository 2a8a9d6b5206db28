"""Files from elsewhere, kept in one folder: fetched once, resumed, checked. Knows nothing of what is in them.

Beside a file `x.zip` may lie `x.zip.part` (what has come so far), `x.zip.lock` (while somebody writes the part) and
`x.zip.sha256` (of the first download, where the publisher gives no checksum). Under its own name lies only what was checked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError

from engine.errors import UnavailableError
from engine.events import Progressed
from engine.places import RefusedError, announced, candidates, home, in_words, is_offline, open_place, reachable
from engine.strings import Line, joined

__all__ = ["Address", "fetch", "home", "is_here", "obtainable", "reachable"]  # home and reachable are those of engine.places

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

EVERY = 0.2  # seconds between two facts
WINDOW = 4.0  # seconds over which the rate is taken
CHUNK = 1 << 18  # bytes read at most at once
RETRIES, PAUSE = 3, 1.0  # of an interrupted connection; seconds before each
MARGIN = 100_000_000  # bytes that stay free on the disk
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Address:
    """Where a file is published, where it is kept, and what is known of it beforehand."""

    url: str  # http, https or file
    file: str  # where it is kept, relative to home()
    size: int  # bytes; 0 where nobody says. Exact where there is no checksum: then it must be met
    checksum: str  # "md5:…", "sha1:…" or "sha256:…", also the first digits only; "" where the publisher gives none

    @property
    def path(self) -> Path:
        """Where the file lies once it has come."""
        return home() / self.file


def is_here(address: Address) -> bool:
    """Whether the file is there, whole: it was checked before it got its name."""
    return address.path.is_file()


def obtainable(address: Address) -> str:
    """Empty if the file is here or some place for it answers, else the reason in words, as for the publisher.

    A mirror folder must hold the file; of a mirror's address and of the publisher only the host is asked.
    """
    reason = ""
    for place in () if is_here(address) else candidates(address.file, address.url):
        if not (reason := reachable(str(place))):
            break
    return reason


def fetch(address: Address) -> Generator[Progressed, None, Path]:
    """The file, from this disk, a mirror or its publisher; how far it is on the way, and its path in the end.

    Closing the generator keeps what has come, and the next one goes on from there. If the file is being fetched by somebody
    else, waits for it. Raises UnavailableError if no place gives the file, or if the disk cannot hold it.
    """
    if is_here(address):
        return address.path
    lock = yield from _claim(address)
    try:
        if not is_here(address):
            yield from _fetch_from_anywhere(address)
    finally:
        with suppress(OSError):  # Windows does not delete an open file; an empty one is left there
            os.unlink(lock.name)
        lock.close()
    return address.path


def _beside(address: Address, suffix: str) -> Path:
    return address.path.with_name(address.path.name + suffix)


def _arrived(address: Address) -> int:
    """Bytes that have come so far."""
    part = _beside(address, ".part")
    return part.stat().st_size if part.exists() else 0


def _claim(address: Address) -> Generator[Progressed, None, IO[bytes]]:
    """The right to write the part: a lock of the system's, which ends with its process, so that no crash leaves one."""
    while True:
        try:
            address.path.parent.mkdir(parents=True, exist_ok=True)
            lock = _beside(address, ".lock").open("ab")
        except OSError as error:
            name, folder = address.path.name, address.path.parent
            raise UnavailableError("refusal.fetch.keep", name=name, folder=folder, why=in_words(error)) from error
        with suppress(FileNotFoundError):
            # Its owner deletes the file when it is done: a lock on what was deleted keeps nobody out
            if _lock(lock) and os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.name)):
                return lock
        lock.close()
        yield Progressed("download", address.path.name, _arrived(address), address.size, "bytes", 0.0, -1.0)
        time.sleep(EVERY)


def _lock(file: IO[bytes]) -> bool:
    """Lock the file for this generator alone, against threads and processes; False if somebody else has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass  # some network folders know no locks; two writers at once would still be found out by the checksum
    return True


def _fetch_from_anywhere(address: Address) -> Generator[Progressed, None, None]:
    tried = []
    for place in candidates(address.file, address.url):
        try:
            yield from _fetch_from(address, place)
            return
        except RefusedError as refusal:
            tried.append(Line("place.tried", place=place, why=refusal.why))
    name, told, come = address.path.name, joined("joined.items", tried), _arrived(address)
    if come:
        raise UnavailableError("refusal.fetch.interrupted", name=name, tried=told, come=_amount(come), path=address.path)
    raise UnavailableError("refusal.fetch.nowhere", name=name, tried=told, path=address.path)


def _fetch_from(address: Address, place: str | Path) -> Generator[Progressed, None, None]:
    """One place, with its retries. Raises RefusedError, or UnavailableError where no other place would help."""
    if isinstance(place, str) and is_offline():
        raise RefusedError(Line("place.offline"))
    for attempt in range(1 + RETRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            yield from _receive(address, place)
            return
        except HTTPError as error:
            error.close()
            reason: str = Line("place.answers", code=error.code, reason=error.reason)
            if error.code != 416:
                raise RefusedError(reason) from error
            _beside(address, ".part").unlink(missing_ok=True)  # longer than the file: it belongs to another one
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                _beside(address, ".part").unlink(missing_ok=True)
                name, folder = address.path.name, address.path.parent
                raise UnavailableError("refusal.fetch.full", folder=folder, name=name) from error
            reason = in_words(error)
            if isinstance(error, URLError) and not attempt:
                raise RefusedError(reason) from error
    raise RefusedError(Line("place.interrupted", times=1 + RETRIES, why=reason))


def _receive(address: Address, place: str | Path) -> Generator[Progressed, None, None]:
    """One connection, from where the part ends to the checked file."""
    part, record = _beside(address, ".part"), _beside(address, ".sha256")
    expected = address.checksum or (f"sha256:{record.read_text().strip()}" if record.exists() else "")
    name, have = address.path.name, _arrived(address)
    yield Progressed("download", name, have, address.size, "bytes", 0.0, -1.0)
    with closing(open_place(place, part, is_checked=bool(expected))) as source:
        start, length, modified = announced(source)
        if start not in (0, have):
            part.unlink()
            raise ConnectionError(Line("place.middle", given=start, wanted=have))
        if length and address.size not in (0, length) and not expected:
            raise RefusedError(Line("place.size", given=length, wanted=address.size))  # the login page of a Wi-Fi, say
        total = length or address.size
        needed, free = total + MARGIN, shutil.disk_usage(part.parent).free + have  # what has come is kept or overwritten
        if needed > free:
            raise UnavailableError(
                "refusal.fetch.room", name=name, need=_amount(needed), folder=part.parent, free=_amount(free)
            )
        digest = hashlib.new(expected.partition(":")[0] or "sha256", usedforsecurity=False)
        if start:
            with part.open("rb") as earlier:
                while chunk := earlier.read(CHUNK):
                    digest.update(chunk)
        done, told, seen = start, time.monotonic(), deque([(time.monotonic(), start)])
        try:
            with part.open("ab" if start else "wb") as file:
                while chunk := source.read1(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    if time.monotonic() - told >= EVERY:
                        told = time.monotonic()
                        yield _progress(name, done, total, seen)
                file.flush()
                os.fsync(file.fileno())
        finally:
            if modified:  # so that the next connection can ask whether the file is still the same
                os.utime(part, (modified, modified))
    if (length or (address.size and not expected)) and done != total:
        raise ConnectionError(Line("place.short", come=_amount(done), whole=_amount(total)))
    if not digest.hexdigest().startswith(expected.partition(":")[2].lower()):
        part.unlink()
        sums = {"digest": digest.name, "given": digest.hexdigest()[:12], "wanted": expected.partition(":")[2][:12]}
        raise RefusedError(
            Line("place.other_file", **sums) if address.checksum else Line("place.changed_file", record=record, **sums)
        )
    if not expected:
        record.write_text(digest.hexdigest() + "\n")
    os.replace(part, address.path)
    yield _progress(name, done, done, seen)


def _progress(name: str, done: int, total: int, seen: deque[tuple[float, int]]) -> Progressed:
    """How far, and how fast over the last few seconds; `seen` is when (s) how much (bytes) had come, and grows by now."""
    seen.append((time.monotonic(), done))
    while len(seen) > 2 and seen[-1][0] - seen[0][0] > WINDOW:
        seen.popleft()
    seconds = seen[-1][0] - seen[0][0]
    rate = (done - seen[0][1]) / seconds if seconds else 0.0
    left = 0.0 if done == total else (total - done) / rate if rate and total > done else -1.0
    return Progressed("download", name, done, total, "bytes", rate, left)


def _amount(count: int) -> str:
    """Bytes as a person says them."""
    return f"{count / 1e6:,.1f} MB"
