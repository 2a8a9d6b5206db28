"""The image tasks for races, by name: the embedded one, the sets of the catalogue, and visitors' sets."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from engine.data import catalog
from engine.data.dataset import Dataset
from engine.data.image_cache import ImageCache
from engine.data.tabletop import Tabletop
from engine.download import fetch
from engine.errors import PlanError
from engine.events import Progressed
from engine.i18n.messages import Message
from engine.plan import Plan

UPLOAD_LICENCE, UPLOAD_ABOUT = Message("fact.own.licence"), Message("fact.own.about")
PRIVATE = "own-"  # prefix of the names of visitors' private sets
ANONYMOUS = "own"  # replaces the task name of a private race in published files


@dataclass(frozen=True)
class Task:
    """Facts about a task, known before a picture is loaded."""

    name: str
    title: str
    classes: tuple[str, ...]  # "class 1", … until the set is open
    training: int  # pictures of the smallest class
    heldout: int  # pictures in the evaluation set, all classes together
    image_size: int  # native side in pixels; 0 = photographs of different sizes
    licence: str
    about: str
    overlap: str = ""  # with the classes of ImageNet; "" = none known
    size: int = 0  # approximate bytes to download; 0 = unknown
    is_here: bool = True
    notes: tuple[str, ...] = ()  # what was left out, how it was split
    is_open: bool = True
    is_own: bool = False
    is_private: bool = False  # one visitor's set, never listed for others


class _Added(NamedTuple):
    dataset: Dataset
    licence: str
    about: str


class TaskRegistry:
    """The tasks of one program: facts about each, the open sets, and their decoded pictures."""

    def __init__(
        self,
        tabletop: Tabletop | None = None,
        images: ImageCache | None = None,
        max_open: int = 3,
        max_heldout: int = 1000,
    ):
        """`max_open`: sets of the catalogue kept open. `max_heldout`: the largest evaluation set; 1000 pictures give a 95 %
        interval of ±2.5 points at 80 %.
        """
        self.tabletop, self.images, self.max_heldout = tabletop or Tabletop(), images or ImageCache(), max_heldout
        self._max_open = max_open
        self._added: dict[str, _Added] = {}
        self._open: OrderedDict[str, Dataset] = OrderedDict()

    def names(self) -> tuple[str, ...]:
        """All task names, whether their pictures are downloaded or not."""
        return ("tabletop", *catalog.CATALOG, *self._added)

    def find(self, name: str) -> Task:
        """Return facts about a task. Raises PlanError for an unknown name, UnavailableError for a missing tabletop.json."""
        if name == "tabletop":
            return self._tabletop_task()
        if name in self._added:
            dataset, licence, about = self._added[name]
            task = Task(name, dataset.title, (), 0, 0, 0, licence, about, is_own=True, is_private=is_private(name))
            return self._with_counts(task, dataset)
        if name not in catalog.CATALOG:
            raise PlanError("refusal.task.unknown", name=repr(name), names=", ".join(("tabletop", *catalog.CATALOG)))
        entry = catalog.CATALOG[name]
        task = Task(
            name,
            entry.title,
            tuple(f"class {k + 1}" for k in range(entry.classes)),
            entry.training,
            min(self.max_heldout, entry.heldout),
            entry.image_size,
            entry.licence,
            entry.about,
            entry.overlap,
            entry.size,
            catalog.is_here(entry),
            is_open=False,
        )
        return self._with_counts(task, self._open[name]) if name in self._open else task

    def open(self, name: str) -> Generator[Progressed, None, Dataset]:
        """Open a task, downloading it first where necessary; yields the progress and returns the dataset.

        Raises PlanError for an unknown name, UnavailableError or DataError where it cannot be opened.
        """
        if name == "tabletop":
            return self.tabletop.dataset
        if name in self._added:
            return self._added[name].dataset
        self.find(name)
        if name not in self._open:
            self._open[name] = yield from catalog.open_entry(catalog.CATALOG[name])
            while len(self._open) > self._max_open:
                self._open.popitem(last=False)
        return self._open[name]

    def source(self, name: str) -> tuple[fetch.Address | None, str]:
        """Return the first file still to download, and the missing package that reads the set, or "". Raises PlanError."""
        self.find(name)
        entry = catalog.CATALOG.get(name)
        if entry is None:
            return None, ""
        missing = entry.needs if entry.needs and not _is_installed(entry.needs) else ""
        return next((address for address in entry.addresses if not fetch.is_here(address)), None), missing

    def add(self, name: str, dataset: Dataset, licence: str = UPLOAD_LICENCE, about: str = UPLOAD_ABOUT) -> str:
        """Add a dataset as a task, replacing an earlier one of the same name. Returns the name.

        A name that begins with PRIVATE is known to one visitor only and is not listed for others.
        Raises PlanError for a name of a built-in task.
        """
        if name == "tabletop" or name in catalog.CATALOG:
            raise PlanError("refusal.task.taken", name=repr(name))
        self.remove(name)
        self._added[name] = _Added(dataset, licence, about)
        return name

    def remove(self, name: str) -> None:
        """Remove an added set and its decoded pictures."""
        self._added.pop(name, None)
        self.images.remove(name)

    def _tabletop_task(self) -> Task:
        card = self.tabletop.card
        return Task(
            name="tabletop",
            title=Message("fact.tabletop.title"),
            classes=tuple(card["classes"]),
            training=card["per_class"]["train"],
            heldout=card["per_class"]["heldout"] * len(card["classes"]),
            image_size=card["cell"],
            licence=card["licence"],
            about=Message("fact.tabletop.about"),
            overlap=Message("fact.tabletop.overlap"),
        )

    def _with_counts(self, task: Task, dataset: Dataset) -> Task:
        return replace(
            task,
            classes=dataset.classes,
            training=min(map(len, dataset.training)),
            heldout=min(self.max_heldout, sum(map(len, dataset.heldout))),
            notes=dataset.notes,
            is_open=True,
        )


def is_private(name: str) -> bool:
    """Whether the name belongs to a visitor's private set, also after its removal."""
    return name.startswith(PRIVATE)


def anonymised(plan: Plan) -> Plan:
    """Replace the name of a private set by ANONYMOUS, because whoever knows the name can see its pictures."""
    return replace(plan, task=ANONYMOUS) if is_private(plan.task) else plan


@cache  # find_spec takes the global import lock
def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
