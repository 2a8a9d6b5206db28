"""Visitors' own pictures: zips and photographs, each visible to the one who brought them, capped, gone with the server.

Knows no widget. A set's name cannot be guessed, and nothing of a file's name is ever markup or a path.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from engine import Album, DataError, Progressed, add_task, from_groups, open_set, remove_task, survey

SETS, EACH = 12, 3  # sets kept in all, and of one visitor
CLASSES, PICTURES, BYTES = 12, 300, 10_000_000  # of a set put together on the page: classes, pictures each, bytes a picture
DRAFTS = 40  # half-made sets of visitors


@dataclass
class _Set:
    owner: str
    folder: Path | None


@dataclass
class Draft:
    """A set being put together: class -> (file name, bytes)."""

    groups: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)


class Shelf:
    """The sets that visitors brought, the oldest given away first."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="headstart-"))
        self._sets: OrderedDict[str, _Set] = OrderedDict()
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
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

    def add_zip(self, owner: str, path: Path, title: str) -> Generator[Progressed, None, str]:
        """Take a copy of a zip, look through it, and make it a task; yields how far that has come, returns its name.

        Raises DataError where it cannot be used.
        """
        name = _new_name()
        folder = self._home / name
        folder.mkdir()
        try:
            copy = Path(shutil.copyfile(path, folder / "pictures.zip"))
            album = yield from survey(copy, title[:60])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self._keep(name, owner, album, folder)

    def add_hub(self, owner: str, name: str, examples: int) -> Generator[Progressed, None, str]:
        """Fetch so many pictures a class of a Hugging Face set, "owner/set@hub", and make them a task; returns its name.

        Raises PlanError, DataError or UnavailableError where it cannot be had.
        """
        album = yield from open_set(name, examples)
        return self._keep(_new_name(), owner, album, None)

    def draft(self, owner: str) -> Draft:
        """The set this visitor is putting together."""
        with self._lock:
            draft = self._drafts.setdefault(owner, Draft())
            self._drafts.move_to_end(owner)
            while len(self._drafts) > DRAFTS:
                self._drafts.popitem(last=False)
            return draft

    def put(self, owner: str, kind: str, pictures: list[tuple[str, bytes]]) -> None:
        """Add pictures to a class of the visitor's draft. Raises DataError above the caps, which it states."""
        groups = self.draft(owner).groups
        if kind not in groups and len(groups) >= CLASSES:
            raise DataError(f"there are {CLASSES} classes already; put more of them into a zip")
        if too_large := [name for name, data in pictures if len(data) > BYTES]:
            raise DataError(f"{too_large[0]} has more than {BYTES // 1_000_000} MB; make it smaller first")
        mine = groups.get(kind, []) + pictures
        if len(mine) > PICTURES:
            raise DataError(f"a class has at most {PICTURES} pictures here; put more of them into a zip")
        groups[kind] = mine

    def clear(self, owner: str) -> None:
        """Forget the visitor's draft."""
        with self._lock:
            self._drafts.pop(owner, None)

    def finish(self, owner: str, title: str) -> Generator[Progressed, None, str]:
        """Make the visitor's draft a task; yields how far that has come, returns its name. Raises DataError."""
        album = yield from from_groups(title, self.draft(owner).groups)
        self.clear(owner)
        return self._keep(_new_name(), owner, album, None)

    def _keep(self, name: str, owner: str, album: Album, folder: Path | None) -> str:
        add_task(name, album, is_private=True)
        with self._lock:
            self._sets[name] = _Set(owner, folder)
            mine = [other for other, found in self._sets.items() if found.owner == owner]
            for old in [*mine[:-EACH], *list(self._sets)[:-SETS]]:
                self._remove(old)
        return name

    def _remove(self, name: str) -> None:
        gone = self._sets.pop(name, None)
        if gone:
            remove_task(name)
            if gone.folder:
                shutil.rmtree(gone.folder, ignore_errors=True)


def _new_name() -> str:
    return f"own-{secrets.token_urlsafe(12)}"
