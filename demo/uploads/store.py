"""The picture sets that visitors upload: private to their owner, limited in number and size, deleted with the server.

A set's name is random, so that nobody can guess it. File names are never used as markup or as a path.
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

from engine import DataError, Dataset, Progressed, Workspace, from_groups, open_set, scan


@dataclass(frozen=True)
class UploadLimits:
    """How much visitors may upload, and how long it is kept."""

    sets: int = 40  # of all visitors
    sets_each: int = 3  # of one visitor
    idle_seconds: float = 1800.0  # without a race; then a set may be deleted to make room for another visitor's
    classes: int = 12  # of a set put together on the page
    pictures: int = 300  # of a class of such a set
    picture_bytes: int = 10_000_000
    draft_bytes: int = 200_000_000  # of a draft, which is held in memory
    drafts: int = 10  # of all visitors


@dataclass
class _Set:
    owner: str
    folder: Path | None
    used: float  # when it was added or a race on it last started


@dataclass
class Draft:
    """A set that a visitor puts together on the page: class name -> (file name, bytes) of each picture."""

    groups: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)


class UploadStore:
    """The uploaded sets and drafts of all visitors. A set used recently is never deleted for another visitor's."""

    def __init__(
        self, workspace: Workspace, now: Callable[[], float] = time.monotonic, limits: UploadLimits | None = None
    ) -> None:
        self.workspace, self._now, self.limits = workspace, now, limits or UploadLimits()
        self.folder = Path(tempfile.mkdtemp(prefix="headstart-"))  # one subfolder for each uploaded zip
        self._sets: OrderedDict[str, _Set] = OrderedDict()
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._pending_zips: dict[str, tuple[str, Path]] = {}  # owner -> title and folder of a zip not yet read
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove every set and delete the files."""
        with self._lock:
            for name in list(self._sets):
                self._remove(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def of(self, owner: str) -> tuple[str, ...]:
        """The names of this visitor's sets."""
        with self._lock:
            return tuple(name for name, upload in self._sets.items() if upload.owner == owner)

    def mark_used(self, name: str) -> None:
        """Note that a race on this set starts now."""
        with self._lock:
            if name in self._sets:
                self._sets[name].used = self._now()

    def forget(self, owner: str) -> None:
        """Delete all sets, the draft and the pending zip of this visitor."""
        with self._lock:
            for name in [name for name, upload in self._sets.items() if upload.owner == owner]:
                self._remove(name)
            self._drafts.pop(owner, None)
            self._drop_pending_zip(owner)

    def receive_zip(self, owner: str, path: Path) -> None:
        """Move an uploaded zip here, for `add_zip`. Gradio stores equal files of two visitors under one path."""
        folder = self.folder / _new_name()
        folder.mkdir()
        try:
            shutil.move(path, folder / "pictures.zip")
        except OSError:  # another visitor's upload of the same file moved it; add_zip raises
            folder.rmdir()
            return
        with self._lock:
            self._drop_pending_zip(owner)
            self._pending_zips[owner] = path.stem[:60], folder

    def add_zip(self, owner: str) -> Generator[Progressed, None, str]:
        """Read the pending zip and add it as a task. Yields progress, returns the task's name.

        Raises DataError if there is no zip or it cannot be used.
        """
        with self._lock:
            if owner not in self._pending_zips:
                raise DataError("refusal.upload.zip")
            title, folder = self._pending_zips.pop(owner)
        try:
            dataset = yield from scan(folder / "pictures.zip", title)
            return self._keep(owner, dataset, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def add_hub(self, owner: str, name: str, examples_per_class: int) -> Generator[Progressed, None, str]:
        """Download a Hugging Face dataset, "owner/set@hub", and add it as a task. Yields progress, returns the task's name.

        examples_per_class: training pictures per class that are downloaded.
        Raises PlanError, DataError or UnavailableError.
        """
        dataset = yield from open_set(name, examples_per_class)
        return self._keep(owner, dataset, None)

    def draft(self, owner: str) -> Draft:
        """The draft of this visitor, an empty one if there is none."""
        with self._lock:
            return self._draft(owner)

    def add_pictures(self, owner: str, class_name: str, paths: Sequence[Path]) -> None:
        """Read pictures into a class of the visitor's draft. Raises DataError, which states the limit, above a limit."""
        try:
            sizes = [path.stat().st_size for path in paths]
        except OSError:
            raise DataError("refusal.upload.arrived") from None
        if too_large := [path.name for path, size in zip(paths, sizes, strict=True) if size > self.limits.picture_bytes]:
            raise DataError("refusal.upload.large", name=too_large[0], most=self.limits.picture_bytes // 1_000_000)
        with self._lock:
            groups = self._draft(owner).groups
            if class_name not in groups and len(groups) >= self.limits.classes:
                raise DataError("refusal.upload.classes", most=self.limits.classes)
            earlier = groups.get(class_name, [])
            if len(earlier) + len(paths) > self.limits.pictures:
                raise DataError("refusal.upload.pictures", most=self.limits.pictures)
            if sum(sizes) + sum(len(data) for group in groups.values() for _, data in group) > self.limits.draft_bytes:
                raise DataError("refusal.upload.draft", most=self.limits.draft_bytes // 1_000_000)
            groups[class_name] = earlier + [(path.name, path.read_bytes()) for path in paths]

    def delete_draft(self, owner: str) -> None:
        """Delete the visitor's draft."""
        with self._lock:
            self._drafts.pop(owner, None)

    def add_draft(self, owner: str, title: str) -> Generator[Progressed, None, str]:
        """Add the visitor's draft as a task. Yields progress, returns the task's name. Raises DataError."""
        dataset = yield from from_groups(title, self.draft(owner).groups)
        name = self._keep(owner, dataset, None)
        self.delete_draft(owner)
        return name

    def add_dataset(self, owner: str, dataset: Dataset) -> str:
        """Add a dataset as a task of this visitor; returns the task's name. Raises DataError."""
        return self._keep(owner, dataset, None)

    def delete_set(self, owner: str, name: str) -> None:
        """Delete one set of this visitor; nothing if it is another visitor's."""
        with self._lock:
            if name in self._sets and self._sets[name].owner == owner:
                self._remove(name)

    def _draft(self, owner: str) -> Draft:
        draft = self._drafts.setdefault(owner, Draft())
        self._drafts.move_to_end(owner)
        while len(self._drafts) > self.limits.drafts:
            self._drafts.popitem(last=False)
        return draft

    def _keep(self, owner: str, dataset: Dataset, folder: Path | None) -> str:
        with self._lock:
            visitor_sets = [name for name, upload in self._sets.items() if upload.owner == owner]
            if len(visitor_sets) >= self.limits.sets_each:
                self._remove(visitor_sets[0])
            elif len(self._sets) >= self.limits.sets:
                name, oldest = min(self._sets.items(), key=lambda item: item[1].used)
                if self._now() - oldest.used < self.limits.idle_seconds:
                    raise DataError("refusal.upload.sets", most=self.limits.sets)
                self._remove(name)
            name = self.workspace.tasks.add(_new_name(), dataset)
            self._sets[name] = _Set(owner, folder, self._now())
        return name

    def _drop_pending_zip(self, owner: str) -> None:
        if owner in self._pending_zips:
            shutil.rmtree(self._pending_zips.pop(owner)[1], ignore_errors=True)

    def _remove(self, name: str) -> None:
        upload = self._sets.pop(name, None)
        if upload:
            self.workspace.tasks.remove(name)
            if upload.folder:
                shutil.rmtree(upload.folder, ignore_errors=True)


def _new_name() -> str:
    return f"own-{secrets.token_urlsafe(12)}"
