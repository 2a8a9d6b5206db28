"""Downloads files into the cache folder: once, resumable, and verified.

Next to a file `x.zip` there may be `x.zip.part` (the bytes received so far), `x.zip.lock` (while a process writes the part)
and `x.zip.sha256` (of the first download, where the publisher gives no checksum). A file gets its final name once it is
verified.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from engine.download.mirrors import (
    CHUNK_SIZE,
    NOT_CONNECTED,
    READ_TIMEOUT,
    Reachability,
    RefusedError,
    Source,
    candidates,
    error_text,
    home,
    is_offline,
    open_source,
)
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.i18n.messages import Message, joined_message

RATE_WINDOW = 4.0  # seconds over which the rate is averaged
RETRIES = 3  # of an interrupted connection
DISK_MARGIN = 100_000_000  # bytes that stay free on the disk
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)  # errors of network folders without locks


@dataclass(frozen=True)
class Timing:
    """The waiting times of a download, in seconds."""

    report_interval: float = 0.2  # between two progress reports
    retry_delay: float = 1.0  # before each retry of an interrupted connection
    read_timeout: float = READ_TIMEOUT  # without a byte, until a connection counts as interrupted


TIMING = Timing()


@dataclass(frozen=True)
class Address:
    """Where a file is published, where it is stored, and its size and checksum."""

    url: str  # http, https or file
    file: str  # path relative to home()
    size: int  # bytes; 0 = unknown. Without a checksum it must be exact, because it is verified
    checksum: str  # "md5:…", "sha1:…" or "sha256:…", possibly only the first digits; "" where none is published

    @property
    def path(self) -> Path:
        """The path of the complete file."""
        return home() / self.file


def is_here(address: Address) -> bool:
    """Whether the complete, verified file is in the cache folder."""
    return address.path.is_file()


def obtainable(address: Address, hosts: Reachability) -> str:
    """Return "" if the file is present or one of its sources answers, else the reason of the last source.

    A mirror folder must contain the file; for URLs only a connection to the host is tried.
    """
    reason = ""
    for location in () if is_here(address) else candidates(address.file, address.url):
        if not (reason := hosts.reason(str(location))):
            break
    return reason


def fetch(address: Address, timing: Timing = TIMING) -> Generator[Progressed, None, Path]:
    """Get a file from the cache, a mirror or its publisher; yields the progress and returns the path.

    Closing the generator keeps the received bytes, and the next call resumes there. Waits while another process or
    thread downloads the same file. Raises UnavailableError if no source provides the file, or if the disk is too small.
    """
    if is_here(address):
        return address.path
    lock = yield from _acquire_lock(address, timing)
    try:
        if not is_here(address):
            yield from _fetch_from_any(address, timing)
    finally:
        with suppress(OSError):  # while the lock is held; filelock notices that the file is gone and opens a new one
            os.unlink(lock.lock_file)
        lock.release()
    return address.path


def _beside(address: Address, suffix: str) -> Path:
    return address.path.with_name(address.path.name + suffix)


def _received_bytes(address: Address) -> int:
    """Bytes received so far."""
    part = _beside(address, ".part")
    return part.stat().st_size if part.exists() else 0


def _acquire_lock(address: Address, timing: Timing) -> Generator[Progressed, None, FileLock]:
    """Acquire the lock for writing the part: a lock of the system, released even when its process crashes."""
    lock = FileLock(
        _beside(address, ".lock"), blocking=False, thread_local=False
    )  # the page may resume this generator on another thread
    while True:
        try:
            address.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            return lock
        except Timeout:
            name, done, total = address.path.name, _received_bytes(address), address.size
            yield Progressed(work="download", name=name, done=done, total=total, unit="bytes", rate=0.0, left=-1.0)
            time.sleep(timing.report_interval)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return lock  # the checksum still detects two writers at once
            name, folder = address.path.name, address.path.parent
            raise UnavailableError("refusal.fetch.keep", name=name, folder=folder, why=error_text(error)) from error


def _fetch_from_any(address: Address, timing: Timing) -> Generator[Progressed, None, None]:
    """Try all sources in order. Raises UnavailableError with the reason of each."""
    attempts = []
    for location in candidates(address.file, address.url):
        try:
            yield from _fetch_from(address, location, timing)
            return
        except RefusedError as refusal:
            attempts.append(Message("place.tried", place=location, why=refusal.reason))
    name, tried, received = address.path.name, joined_message("joined.items", attempts), _received_bytes(address)
    if received:
        come = _megabytes(received)
        raise UnavailableError("refusal.fetch.interrupted", name=name, tried=tried, come=come, path=address.path)
    raise UnavailableError("refusal.fetch.nowhere", name=name, tried=tried, path=address.path)


def _fetch_from(address: Address, location: str | Path, timing: Timing) -> Generator[Progressed, None, None]:
    """Try one source, with retries. Raises RefusedError, or UnavailableError where no other source would help."""
    if isinstance(location, str) and is_offline():
        raise RefusedError(Message("place.offline"))
    for attempt in range(1 + RETRIES):
        if attempt:
            time.sleep(timing.retry_delay)
        try:
            yield from _receive(address, location, timing)
            return
        except httpx.InvalidURL as error:
            raise RefusedError(str(error)) from error
        except (OSError, httpx.HTTPError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                _beside(address, ".part").unlink(missing_ok=True)
                name, folder = address.path.name, address.path.parent
                raise UnavailableError("refusal.fetch.full", folder=folder, name=name) from error
            reason = error_text(error)
            if isinstance(error, NOT_CONNECTED) and not attempt:
                raise RefusedError(reason) from error
    raise RefusedError(Message("place.interrupted", times=1 + RETRIES, why=reason))


def _receive(address: Address, location: str | Path, timing: Timing) -> Generator[Progressed, None, None]:
    """Receive the rest of the file over one connection, verify it and give it its final name."""
    part, record = _beside(address, ".part"), _beside(address, ".sha256")
    expected = address.checksum or (f"sha256:{record.read_text().strip()}" if record.exists() else "")
    name, received = address.path.name, _received_bytes(address)
    yield Progressed(work="download", name=name, done=received, total=address.size, unit="bytes", rate=0.0, left=-1.0)
    with open_source(location, part, bool(expected), timing.read_timeout) as source:
        if source.start not in (0, received):
            part.unlink()
            raise ConnectionError(Message("place.middle", given=source.start, wanted=received))
        if source.length and address.size not in (0, source.length) and not expected:
            raise RefusedError(
                Message("place.size", given=source.length, wanted=address.size)
            )  # for example the login page of a Wi-Fi
        total = source.length or address.size
        _check_disk_space(name, part.parent, total, received)
        digest = hashlib.new(expected.partition(":")[0] or "sha256", usedforsecurity=False)
        meter = Meter(name, source.start, total)
        yield from _write(source, part, digest, meter, timing.report_interval)
    if (source.length or (address.size and not expected)) and meter.done != total:
        raise ConnectionError(Message("place.short", come=_megabytes(meter.done), whole=_megabytes(total)))
    checksum = expected.partition(":")[2].lower()
    if not digest.hexdigest().startswith(checksum):
        part.unlink()
        sums = {"digest": digest.name, "given": digest.hexdigest()[:12], "wanted": checksum[:12]}
        raise RefusedError(
            Message("place.other_file", **sums) if address.checksum else Message("place.changed_file", record=record, **sums)
        )
    if not expected:
        record.write_text(digest.hexdigest() + "\n")
    os.replace(part, address.path)
    meter.total = meter.done
    yield meter.read()


def _check_disk_space(name: str, folder: Path, total: int, received: int) -> None:
    """Raise UnavailableError where the disk cannot hold `total` bytes, of which `received` are on it already."""
    needed, free = total + DISK_MARGIN, shutil.disk_usage(folder).free + received
    if needed > free:
        raise UnavailableError(
            "refusal.fetch.room", name=name, need=_megabytes(needed), folder=folder, free=_megabytes(free)
        )


def _write(
    source: Source, part: Path, digest: hashlib._Hash, meter: Meter, report_interval: float
) -> Generator[Progressed, None, None]:
    """Append the chunks of the source to the part, and feed the complete content to `digest`."""
    if source.start:
        with part.open("rb") as earlier:
            while chunk := earlier.read(CHUNK_SIZE):
                digest.update(chunk)
    reported = time.monotonic()
    try:
        with part.open("ab" if source.start else "wb") as file:
            for chunk in source.chunks:
                file.write(chunk)
                digest.update(chunk)
                meter.done += len(chunk)
                if time.monotonic() - reported >= report_interval:
                    reported = time.monotonic()
                    yield meter.read()
            file.flush()
            os.fsync(file.fileno())
    finally:
        if source.modified:  # the next connection sends this time in If-Range
            os.utime(part, (source.modified, source.modified))


class Meter:
    """The received bytes of a file, and the rate over the last RATE_WINDOW seconds."""

    def __init__(self, name: str, done: int, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self.name, self.done, self.total = name, done, total  # bytes; a total of 0 is unknown
        self._now = now
        self._readings = deque([(now(), done)])  # (seconds, bytes)

    def read(self) -> Progressed:
        """The progress at this moment."""
        readings = self._readings
        readings.append((self._now(), self.done))
        while len(readings) > 2 and readings[-1][0] - readings[0][0] > RATE_WINDOW:
            readings.popleft()
        seconds = readings[-1][0] - readings[0][0]
        rate = (self.done - readings[0][1]) / seconds if seconds else 0.0
        left = -1.0
        if self.done == self.total:
            left = 0.0
        elif rate and self.total > self.done:
            left = (self.total - self.done) / rate
        return Progressed(
            work="download", name=self.name, done=self.done, total=self.total, unit="bytes", rate=rate, left=left
        )


def _megabytes(count: int) -> str:
    """Bytes as text: 1,048.6 MB."""
    return f"{count / 1e6:,.1f} MB"
