"""Visitors' own pictures: zips and photographs, each visible to the one who brought them, capped, gone with the server.

Knows no widget. A set's name cannot be guessed, and nothing of a file's name is ever markup or a path.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine import Album, DataError, Progressed, add_task, from_groups, open_set, remove_task, survey

SETS, EACH = 40, 3  # sets kept in all, and of one visitor
IDLE = 1800.0  # seconds without a race after which a set may make room for another visitor's
CLASSES, PICTURES, BYTES = 12, 300, 10_000_000  # of a set put together on the page: classes, pictures each, bytes a picture
DRAFT_BYTES = 200_000_000  # of such a set in all: it is held in memory
DRAFTS = 10  # half-made sets of visitors


@dataclass
class _Set:
    owner: str
    folder: Path | None
    used: float  # when it was brought, or last raced on


@dataclass
class Draft:
    """A set being put together: class -> (file name, bytes)."""

    groups: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)


class Shelf:
    """The sets that visitors brought; one that is in use never makes room for another visitor's."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._home = Path(tempfile.mkdtemp(prefix="headstart-"))
        self._sets: OrderedDict[str, _Set] = OrderedDict()
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._brought: dict[str, tuple[str, Path]] = {}  # owner -> title and folder of a zip not yet looked through
        self._lock = threading.Lock()

    def close(self) -> None:
        """Forget every set and delete the files."""
        with self._lock:
            for name in list(self._sets):
                self._remove(name)
        shutil.rmtree(self._home, ignore_errors=True)

    def of(self, owner: str) -> tuple[str, ...]:
        """The names of this visitor's sets."""
        with self._lock:
            return tuple(name for name, mine in self._sets.items() if mine.owner == owner)

    def touch(self, name: str) -> None:
        """A race on this set starts: it is in use."""
        with self._lock:
            if name in self._sets:
                self._sets[name].used = self._now()

    def forget(self, owner: str) -> None:
        """Delete everything that this visitor brought."""
        with self._lock:
            for name in [name for name, found in self._sets.items() if found.owner == owner]:
                self._remove(name)
            self._drafts.pop(owner, None)
            self._drop_brought(owner)

    def bring(self, owner: str, path: Path) -> None:
        """Move an uploaded zip here, for `add_zip`: at once, because visitors who upload the same file share one path."""
        folder = self._home / _new_name()
        folder.mkdir()
        try:
            shutil.move(path, folder / "pictures.zip")
        except OSError:  # another visitor's turn came first; add_zip says so
            folder.rmdir()
            return
        with self._lock:
            self._drop_brought(owner)
            self._brought[owner] = path.stem[:60], folder

    def add_zip(self, owner: str) -> Generator[Progressed, None, str]:
        """Look through the zip that was brought and make it a task; yields how far that has come, returns its name.

        Raises DataError where it cannot be used.
        """
        with self._lock:
            if owner not in self._brought:
                raise DataError("refusal.own.zip")
            title, folder = self._brought.pop(owner)
        try:
            album = yield from survey(folder / "pictures.zip", title)
            return self._keep(owner, album, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def add_hub(self, owner: str, name: str, examples: int) -> Generator[Progressed, None, str]:
        """Fetch so many pictures a class of a Hugging Face set, "owner/set@hub", and make them a task; returns its name.

        Raises PlanError, DataError or UnavailableError where it cannot be had.
        """
        album = yield from open_set(name, examples)
        return self._keep(owner, album, None)

    def draft(self, owner: str) -> Draft:
        """The set this visitor is putting together."""
        with self._lock:
            return self._draft(owner)

    def put(self, owner: str, kind: str, paths: Sequence[Path]) -> None:
        """Read pictures into a class of the visitor's draft. Raises DataError above the caps, which it states."""
        try:
            sizes = [path.stat().st_size for path in paths]
        except OSError:
            raise DataError("refusal.own.arrived") from None
        if too_large := [path.name for path, size in zip(paths, sizes, strict=True) if size > BYTES]:
            raise DataError("refusal.own.large", name=too_large[0], most=BYTES // 1_000_000)
        with self._lock:
            groups = self._draft(owner).groups
            if kind not in groups and len(groups) >= CLASSES:
                raise DataError("refusal.own.classes", most=CLASSES)
            mine = groups.get(kind, [])
            if len(mine) + len(paths) > PICTURES:
                raise DataError("refusal.own.pictures", most=PICTURES)
            if sum(sizes) + sum(len(data) for group in groups.values() for _, data in group) > DRAFT_BYTES:
                raise DataError("refusal.own.draft", most=DRAFT_BYTES // 1_000_000)
            groups[kind] = mine + [(path.name, path.read_bytes()) for path in paths]

    def clear(self, owner: str) -> None:
        """Forget the visitor's draft."""
        with self._lock:
            self._drafts.pop(owner, None)

    def finish(self, owner: str, title: str) -> Generator[Progressed, None, str]:
        """Make the visitor's draft a task; yields how far that has come, returns its name. Raises DataError."""
        album = yield from from_groups(title, self.draft(owner).groups)
        name = self._keep(owner, album, None)
        self.clear(owner)
        return name

    def add_album(self, owner: str, album: Album) -> str:
        """Make pictures that were gathered elsewhere a task of this visitor's; returns its name. Raises DataError."""
        return self._keep(owner, album, None)

    def give_away(self, owner: str, name: str) -> None:
        """Forget one set of this visitor's."""
        with self._lock:
            if name in self._sets and self._sets[name].owner == owner:
                self._remove(name)

    def _draft(self, owner: str) -> Draft:
        draft = self._drafts.setdefault(owner, Draft())
        self._drafts.move_to_end(owner)
        while len(self._drafts) > DRAFTS:
            self._drafts.popitem(last=False)
        return draft

    def _keep(self, owner: str, album: Album, folder: Path | None) -> str:
        with self._lock:
            mine = [name for name, found in self._sets.items() if found.owner == owner]
            if len(mine) >= EACH:
                self._remove(mine[0])
            elif len(self._sets) >= SETS:
                name, oldest = min(self._sets.items(), key=lambda item: item[1].used)
                if self._now() - oldest.used < IDLE:
                    raise DataError("refusal.own.sets", most=SETS)
                self._remove(name)
            name = add_task(_new_name(), album, is_private=True)
            self._sets[name] = _Set(owner, folder, self._now())
        return name

    def _drop_brought(self, owner: str) -> None:
        if owner in self._brought:
            shutil.rmtree(self._brought.pop(owner)[1], ignore_errors=True)

    def _remove(self, name: str) -> None:
        gone = self._sets.pop(name, None)
        if gone:
            remove_task(name)
            if gone.folder:
                shutil.rmtree(gone.folder, ignore_errors=True)


def _new_name() -> str:
    return f"own-{secrets.token_urlsafe(12)}"
