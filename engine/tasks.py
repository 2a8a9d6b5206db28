"""The image tasks a race can be run on, and the pictures drawn for one race. Knows no network and no racer.

A task is looked up by name: the embedded one, the sets of the catalogue, and those that were put here with `add`
(a folder, a zip, pictures from a page). Nothing is ever opened that was not named here first.
"""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest

import torch
from torch import Tensor

from engine import augment, catalogue, embedded, fetch, pictures
from engine.album import Album
from engine.errors import PlanError, UnavailableError
from engine.events import Progressed, finish
from engine.plan import Plan

HELDOUT = 1000  # pictures a racer is asked about at most: 95 % interval of ±2.5 points at 80 %
OPEN, RESIDENT = 3, 2  # albums of the catalogue kept open; sets of decoded pictures kept in memory
PRIVATE = "own-"  # how the names of visitors' own sets begin
LOOKED_AT = 84  # side of pictures for a person to look at, about
MARGIN = 8 / 7  # photographs are kept this much larger than the network's input, as 256 for 224


@dataclass(frozen=True)
class Task:
    """What is known of a task before a picture is loaded."""

    name: str
    title: str
    classes: tuple[str, ...]  # only numbered until the set is open
    training: int  # pictures of the smallest class
    heldout: int  # pictures a racer is asked about, all classes together
    px: int  # side of its pictures; 0 = photographs of many sizes
    licence: str
    about: str
    overlap: str = ""  # with ImageNet's classes; "" = none known
    size: int = 0  # bytes to download, about; 0 where nobody says
    is_here: bool = True
    notes: tuple[str, ...] = ()  # what was left out, how it was split
    is_open: bool = True
    is_own: bool = False
    is_private: bool = False  # one visitor's, not to be offered to others


@dataclass(frozen=True)
class Drawn:
    """The pictures of one race. `training` and `heldout`: (N, 3, H, W) uint8; labels: (N,) int64."""

    classes: tuple[str, ...]
    training: Tensor
    training_labels: Tensor
    heldout: Tensor
    heldout_labels: Tensor
    px: int  # side of what the network sees
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    places: Tensor | None = None  # where patches of what a network sees come to (breaking.draw_places); None = whole

    def to(self, device: str) -> Drawn:
        """The same pictures on another device."""
        return replace(
            self,
            training=self.training.to(device),
            training_labels=self.training_labels.to(device),
            heldout=self.heldout.to(device),
            heldout_labels=self.heldout_labels.to(device),
        )


Key = tuple[str, int, int]  # "training" or "heldout", class, index among the album's pictures of it


@dataclass(frozen=True)
class _Own:
    album: Album
    licence: str
    about: str
    is_private: bool


_own: dict[str, _Own] = {}
_open: OrderedDict[str, Album] = OrderedDict()
_resident: OrderedDict[tuple[str, int], dict[Key, Tensor]] = OrderedDict()


def names() -> tuple[str, ...]:
    """The tasks there are, whether their pictures are here or not."""
    return ("tabletop", *catalogue.KNOWN, *_own)


def find(name: str) -> Task:
    """What is known of the task. Raises PlanError for an unknown name, UnavailableError for a missing sheet list."""
    if name == "tabletop":
        return _tabletop()
    if name in _own:
        own = _own[name]
        return _describe(
            Task(name, own.album.title, (), 0, 0, 0, own.licence, own.about, is_own=True, is_private=own.is_private),
            own.album,
        )
    if name not in catalogue.KNOWN:
        raise PlanError("refusal.task.unknown", name=repr(name), names=", ".join(("tabletop", *catalogue.KNOWN)))
    known = catalogue.KNOWN[name]
    task = Task(
        name,
        known.title,
        tuple(f"class {k + 1}" for k in range(known.classes)),
        known.training,
        min(HELDOUT, known.heldout),
        known.px,
        known.licence,
        known.about,
        known.overlap,
        known.size,
        catalogue.is_here(known),
        is_open=False,
    )
    return _describe(task, _open[name]) if name in _open else task


def is_private(name: str) -> bool:
    """Whether this is one visitor's own set; also once it was given away."""
    return name.startswith(PRIVATE) or (name in _own and _own[name].is_private)


def nameless(plan: Plan) -> Plan:
    """The plan without the name under which one visitor's own pictures are kept: who knows it can see them."""
    return replace(plan, task="own") if is_private(plan.task) else plan


def _tabletop() -> Task:
    card = embedded.card()
    return Task(
        name="tabletop",
        title="Tabletop",
        classes=tuple(card["classes"]),
        training=card["per_class"]["train"],
        heldout=card["per_class"]["heldout"] * len(card["classes"]),
        px=card["cell"],
        licence=card["licence"],
        about="Path-traced pictures of everyday objects, rendered for this project",
        overlap="ImageNet has photographs of most of these kinds of things: mugs, teapots, mushrooms, airliners",
    )


def _describe(task: Task, album: Album) -> Task:
    return replace(
        task,
        classes=album.classes,
        training=min(map(len, album.training)),
        heldout=min(HELDOUT, sum(map(len, album.heldout))),
        notes=album.notes,
        is_open=True,
    )


def source(name: str) -> tuple[fetch.Address | None, str]:
    """The first file that is not here yet, and the package that is missing to read the set or "". Raises PlanError."""
    find(name)
    known = catalogue.KNOWN.get(name)
    if known is None:
        return None, ""
    missing = known.needs if known.needs and not _is_installed(known.needs) else ""
    return next((address for address in known.addresses if not fetch.is_here(address)), None), missing


@cache  # looking for a package takes the lock of all imports
def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def add(
    name: str, album: Album, licence: str = "your own", about: str = "Your own pictures", is_private: bool = False
) -> str:
    """Make a set of pictures a task under this name, in place of an earlier one of the name. Returns the name.

    A private one is for those who know its name; it is not to be offered to everybody.

    Raises PlanError where the name is one of the catalogue's.
    """
    if name == "tabletop" or name in catalogue.KNOWN:
        raise PlanError("refusal.task.taken", name=repr(name))
    remove(name)
    _own[name] = _Own(album, licence, about, is_private)
    return name


def remove(name: str) -> None:
    """Forget a set that was added, its decoded pictures included."""
    _own.pop(name, None)
    for key in [key for key in _resident if key[0] == name]:
        _resident.pop(key, None)


def forget() -> None:
    """Close everything that was opened or decoded; what was added stays."""
    embedded.forget()
    _open.clear()
    _resident.clear()


def open_task(name: str) -> Generator[Progressed, None, Album]:
    """Open a task, fetching it first where it is not here; yields how far that has come and returns the album.

    Raises PlanError for an unknown name, UnavailableError or DataError where it cannot be had.
    """
    if name == "tabletop":
        return embedded.album(embedded.ASSETS / name)
    if name in _own:
        return _own[name].album
    find(name)
    if name not in _open:
        _open[name] = yield from catalogue.open_known(catalogue.KNOWN[name])
        while len(_open) > OPEN:
            _open.popitem(last=False)
    return _open[name]


def draw(name: str, examples: int, seed: int, px: int) -> Generator[Progressed, None, dict[str, Tensor]]:
    """The pictures of one race: `examples` a class drawn with `seed`, and up to HELDOUT held-out ones.

    They are kept at the side of the set, or a little larger than `px` where it holds photographs. The draw of 50
    contains the draw of 20, so more examples are more of the same; the held-out pictures are the same in every race.
    Pictures come class by class. Raises PlanError where there are not so many, UnavailableError where they cannot be
    had or do not fit into memory.
    """
    album = yield from open_task(name)
    task = find(name)
    check_examples(task, examples)
    drawn, asked = _drawn(album, examples, seed), _asked(album)
    found = yield from _load(task, album, drawn + asked, _side(task, px))
    return {
        "training": torch.stack([found[key] for key in drawn]),
        "training_labels": torch.tensor([key[1] for key in drawn]),
        "heldout": torch.stack([found[key] for key in asked]),
        "heldout_labels": torch.tensor([key[1] for key in asked]),
    }


def look(name: str, split: str, examples: int, seed: int, rows: Sequence[int], px: int = LOOKED_AT) -> Tensor:
    """Pictures for a person to look at, by their row in `draw`'s answer: (n, 3, side, side) uint8; split is "heldout" or
    "training". With the race's own `px` they are the very ones that the racers are asked about.

    Raises PlanError where there is no such row, UnavailableError where the set is not open.
    """
    task = find(name)
    check_examples(task, examples)
    album = _opened(task)
    keys = _drawn(album, examples, seed) if split == "training" else _asked(album)
    if any(not 0 <= row < len(keys) for row in rows):
        raise PlanError("refusal.task.rows", rows=", ".join(map(str, rows)), count=len(keys), split=split)
    wanted = [keys[row] for row in rows]
    found = finish(_load(task, album, wanted, _side(task, px)))
    return torch.stack([found[key] for key in wanted])


def _opened(task: Task) -> Album:
    if not task.is_open:
        raise UnavailableError("refusal.task.closed", title=task.title)
    return finish(open_task(task.name))


def check_examples(task: Task, examples: int) -> None:
    """Raise PlanError where the task has not so many training pictures a class."""
    if examples > task.training:
        raise PlanError(
            "refusal.task.examples.smallest" if task.is_own else "refusal.task.examples.each",
            n=examples,
            task=repr(task.name),
            training=task.training,
        )


def order(count: int, kind: int, seed: int) -> Tensor:
    """The order in which the training pictures of class number `kind` are drawn: (count,) int64."""
    return torch.randperm(count, generator=augment.generator(seed, 4, kind))


def sample(name: str, kind: int, examples: int, seed: int, count: int) -> Tensor:
    """The first `count` pictures drawn for one class, (n, 3, side, side) uint8, for a person to look at.

    Raises PlanError where the class has not so many, UnavailableError where the set is not open.
    """
    task = find(name)
    check_examples(task, examples)
    album = _opened(task)
    first = order(len(album.training[kind]), kind, seed)[: min(examples, count)].tolist()
    keys = [("training", kind, i) for i in first]
    found = finish(_load(task, album, keys, _side(task, LOOKED_AT)))
    return torch.stack([found[key] for key in keys])


def _side(task: Task, px: int) -> int:
    """Small pictures are kept as they are and enlarged by the race; photographs a little larger than they are seen."""
    return task.px if 0 < task.px <= 2 * px else round(px * MARGIN)


def _drawn(album: Album, examples: int, seed: int) -> list[Key]:
    """The training pictures of a race, class by class."""
    chosen = [(k, order(len(mine), k, seed)[:examples]) for k, mine in enumerate(album.training)]
    return [("training", k, i) for k, rows in chosen for i in rows.tolist()]


def _asked(album: Album) -> list[Key]:
    """The held-out pictures a racer is asked about: all, or HELDOUT spread evenly over the classes."""
    shuffled = [[(k, i) for i in order(len(mine), k, -1).tolist()] for k, mine in enumerate(album.heldout)]
    dealt = [key for turn in zip_longest(*shuffled) for key in turn if key is not None]
    return [("heldout", k, i) for k, i in sorted(dealt[:HELDOUT])]


def _load(task: Task, album: Album, keys: Sequence[Key], side: int) -> Generator[Progressed, None, dict[Key, Tensor]]:
    """Decoded pictures by key; those decoded earlier are still in memory."""
    kept = _resident.setdefault((task.name, side), {})
    _resident.move_to_end((task.name, side))
    while len(_resident) > RESIDENT:
        _resident.popitem(last=False)
    missing = [key for key in keys if key not in kept]
    if missing:
        pictures.check_memory(len(missing), side, task.title)
        readers = [getattr(album, split)[k][i] for split, k, i in missing]
        decoded = yield from pictures.decode(readers, side, task.title)
        kept.update(zip(missing, decoded, strict=True))
    return kept
