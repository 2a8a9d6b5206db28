"""A set of pictures by class and split, and what had to be left out of it. Knows no zip, no network and no tensor."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from engine import pictures
from engine.duplicates import Seen, look, near_duplicates, without_contradictions
from engine.errors import DataError
from engine.events import Progressed
from engine.listing import Member, lay_out, list_folder, list_zip
from engine.naming import class_name, count, left_out_of, natural, quoted, short, some
from engine.pictures import Reader
from engine.strings import Line, counted, joined

FEWEST = 5  # pictures a class: fewer cannot be both learnt from and tested on
FEWEST_TRAINING, FEWEST_HELDOUT = 2, 1
# Looked at in one set. A look takes 0.3 ms of a core at 100 px and 32 ms at a JPEG of 12 megapixels (best of 5, one core of
# an AMD EPYC, Pillow 12.3, 2026-11-21)
MOST_PICTURES = 20_000


@dataclass(frozen=True)
class Album:
    """Pictures by class and split: one reader each, in the order of `classes`, sorted by name."""

    title: str
    classes: tuple[str, ...]  # in natural order: digit_2 before digit_10
    training: tuple[tuple[Reader, ...], ...]
    heldout: tuple[tuple[Reader, ...], ...]
    notes: tuple[str, ...]  # what was left out and how it was split, for people; names in them are a stranger's text


def survey(path: Path, title: str, seed: int = 0) -> Generator[Progressed, None, Album]:
    """Look once at every picture of a folder or a zip of folders, and return the album.

    `<class>/*` is split by `seed`, a quarter of each class held out and near-duplicates on one side;
    `train/<class>/*` with `test/<class>/*` (or val, eval) stays as it is. Both may lie below wrapping folders.
    Raises DataError for a zip that is refused, and where fewer than two classes are left.
    """
    listing = list_folder(path, title) if path.is_dir() else list_zip(path, title)
    files, left_out, notes = lay_out(listing)
    return (yield from look_through(title, files, left_out, notes, seed))


def from_groups(
    title: str,
    groups: Mapping[str, Sequence[tuple[str, bytes]]],
    seed: int = 0,
    heldout: Collection[str] | None = None,
) -> Generator[Progressed, None, Album]:
    """The album of pictures held in memory: class name -> (file name, bytes). Split and refused as in `survey`.

    Where `heldout` is given, exactly the files of these names are held out, in whatever class they are.
    """
    files: dict[str, Member] = {}
    for raw, members in groups.items():
        kind = class_name(raw)
        for name, data in members:
            unique, n = f"{kind}/{name}", 1
            while unique in files:
                unique, n = f"{kind}/{name} ({n + 1})", n + 1
            split = "" if heldout is None else "heldout" if name in heldout else "training"
            files[unique] = Member(unique, kind, split, partial(pictures.read, data))
    bare = [left_out_of(raw, Line("note.bare")) for raw, members in groups.items() if not members]
    notes = [some(bare)] if bare else []
    return (yield from look_through(title, list(files.values()), {}, notes, seed))


def look_through(
    title: str, files: list[Member], left_out: dict[str, str], notes: list[str], seed: int
) -> Generator[Progressed, None, Album]:
    """Look through `files` once each, leave out what is bad, split the rest; `left_out` names what was bad before.

    Raises DataError where fewer than two classes have enough pictures.
    """
    chosen = sorted(_fair_choice(files, seed), key=lambda file: file.name)
    if len(chosen) < len(files):
        notes.append(Line("note.chosen", n=len(chosen), all=len(files)))
    looks = yield from pictures.work_through(range(len(chosen)), lambda k: look(chosen[k].read), "survey", title)

    seen: list[Seen] = []
    for file, found in zip(chosen, looks, strict=True):
        if isinstance(found, str):
            left_out[file.name] = found
        else:
            seen.append(Seen(file, *found))
    if left_out:
        which = some([Line("joined.named", name=short(name), why=why) for name, why in sorted(left_out.items())])
        all_of_them = len(chosen) + len(left_out.keys() - {file.name for file in chosen})
        notes.append(counted("note.left_out", len(left_out), all=count(all_of_them, "picture"), which=which))
    seen = without_contradictions(seen, notes)

    has_split = any(file.split for file in files)
    classes: dict[str, list[Seen]] = {kind: [] for kind in sorted({file.kind for file in files}, key=natural)}
    for one in seen:
        classes[one.file.kind].append(one)
    missing = {kind: _missing(ones, has_split) for kind, ones in classes.items()}
    enough = {kind: ones for kind, ones in classes.items() if not missing[kind]}
    if len(enough) < len(classes):
        notes.append(some([left_out_of(kind, what) for kind, what in missing.items() if what]))
    if len(enough) < 2:
        refusal = Line("refusal.album.none", title=title, least=FEWEST)
        if enough:
            refusal = Line("refusal.album.one", title=title, name=quoted(next(iter(enough))), least=FEWEST)
        raise DataError(joined("joined.sentences", [refusal, *notes]))

    if has_split:
        held = {one.file.name for ones in enough.values() for one in ones if one.file.split == "heldout"}
        notes.append(Line("note.split", held=len(held), all=sum(map(len, enough.values()))))
    else:
        held = _draw_heldout(enough, seed, notes)
    training, heldout = (
        tuple(
            tuple(partial(_read_again, one.file) for one in ones if (one.file.name in held) is side)
            for ones in enough.values()
        )
        for side in (False, True)
    )
    return Album(title, tuple(enough), training, heldout, tuple(notes))


def _read_again(file: Member) -> Image.Image:
    try:
        return file.read()
    except DataError as reason:
        raise DataError("refusal.picture.later", name=short(file.name), why=reason.line) from None


def _fair_choice(files: list[Member], seed: int) -> list[Member]:
    """At most MOST_PICTURES of them: as many of each class, or all of a class that has fewer."""
    rank: dict[str, int] = {}
    ahead: dict[str, int] = defaultdict(int)
    for file in sorted(files, key=lambda file: _lot(seed, file.name)):
        rank[file.name] = ahead[file.kind]
        ahead[file.kind] += 1
    return sorted(files, key=lambda file: (rank[file.name], file.name))[:MOST_PICTURES]


def _lot(seed: int, name: str) -> bytes:
    """What is drawn for a name: it depends on no other picture, so that one more picture moves few others."""
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogatepass")).digest()


def _missing(ones: list[Seen], has_split: bool) -> Line | None:
    """What a class has and what it needs, where that is more; None where it has enough."""
    heldout = sum(one.file.split == "heldout" for one in ones)
    training = len(ones) - heldout
    if len(ones) < FEWEST:
        return counted("note.few", len(ones), least=FEWEST)
    if has_split and (training < FEWEST_TRAINING or heldout < FEWEST_HELDOUT):
        least = {"least_training": FEWEST_TRAINING, "least_heldout": FEWEST_HELDOUT}
        return Line("note.sides", training=training, heldout=heldout, **least)
    return None


def _draw_heldout(classes: Mapping[str, list[Seen]], seed: int, notes: list[str]) -> set[str]:
    """Names held out: a quarter of each class, with near-duplicates on one side."""
    held: set[str] = set()
    alike: list[str] = []
    kept_together, exact = 0, True
    for kind, ones in classes.items():
        groups: dict[int, list[str]] = defaultdict(list)
        for one, group in zip(ones, near_duplicates(np.stack([one.grey for one in ones])).tolist(), strict=True):
            groups[group].append(one.file.name)
        wanted = (len(ones) + 2) // 4
        smallest = min(len(names) for names in groups.values())
        if len(ones) - smallest < FEWEST_TRAINING:
            alike.append(quoted(kind))
            groups = {k: [one.file.name] for k, one in enumerate(ones)}
        mine: set[str] = set()
        for names in sorted(groups.values(), key=lambda names: _lot(seed, names[0])):
            if len(mine) + len(names) <= wanted:
                mine.update(names)
        mine = mine or set(next(names for names in groups.values() if len(names) == smallest))
        exact = exact and len(mine) == wanted
        kept_together += sum(len(names) > 1 for names in groups.values())
        held |= mine
    if alike:
        notes.append(Line("note.alike", names=some(alike)))
    told = Line("note.quarter" if exact else "note.nearly", held=len(held), all=sum(map(len, classes.values())))
    together = [counted("note.together", kept_together)] if kept_together else []
    notes.append(joined("joined.items", [told, *together]))
    return held
