"""Builds a set of pictures by class and split from a folder, a zip or memory, with notes on what was left out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from engine import progress
from engine.data import image
from engine.data.archive import Member, assign_classes, list_folder, list_zip
from engine.data.duplicates import ScannedFile, drop_contradictions, fingerprint, near_duplicates
from engine.data.image import Reader
from engine.errors import DataError
from engine.events import Progressed
from engine.i18n.display_names import class_name, count, left_out_of, natural, quoted, short, some
from engine.i18n.messages import Message, joined_message, plural_message

MIN_PER_CLASS = 5  # pictures per class, training and held-out together
MIN_TRAINING, MIN_HELDOUT = 2, 1
# Pictures read in one set. A fingerprint takes 0.3 ms of a core at 100 px and 32 ms for a JPEG of 12 megapixels (best of 5,
# one core of an AMD EPYC, Pillow 12.3, 2026-11-21)
MAX_PICTURES = 20_000


@dataclass(frozen=True)
class Dataset:
    """Pictures by class and split: one reader per picture, in the order of `classes`, sorted by name."""

    title: str
    classes: tuple[str, ...]  # in natural order: digit_2 before digit_10
    training: tuple[tuple[Reader, ...], ...]
    heldout: tuple[tuple[Reader, ...], ...]
    notes: tuple[str, ...]  # what was left out and how it was split, for people; names in them are untrusted text


def scan(path: Path, title: str, seed: int = 0, max_pictures: int = MAX_PICTURES) -> Generator[Progressed, None, Dataset]:
    """Read every picture of a folder or a zip of folders once, at most `max_pictures`, and return the dataset.

    `<class>/*` is split by `seed`: a quarter of each class is held out, with near-duplicates in the same split.
    `train/<class>/*` with `test/<class>/*` (or val, eval) keeps its split. Both may lie below wrapping folders.
    Raises DataError for a zip that is refused, and where fewer than two classes are left.
    """
    listing = list_folder(path, title) if path.is_dir() else list_zip(path, title)
    files, left_out, notes = assign_classes(listing)
    return (yield from build_dataset(title, files, left_out, notes, seed, max_pictures))


def from_groups(
    title: str,
    groups: Mapping[str, Sequence[tuple[str, bytes]]],
    seed: int = 0,
    heldout: Collection[str] | None = None,
) -> Generator[Progressed, None, Dataset]:
    """Build the dataset of pictures held in memory: class name -> (file name, bytes). Split and refused as in `scan`.

    Where `heldout` is given, exactly the files with these names are held out, in all classes.
    """
    files: dict[str, Member] = {}
    for group, members in groups.items():
        label = class_name(group)
        for name, data in members:
            unique, n = f"{label}/{name}", 1
            while unique in files:
                unique, n = f"{label}/{name} ({n + 1})", n + 1
            split = "" if heldout is None else "heldout" if name in heldout else "training"
            files[unique] = Member(unique, label, split, partial(image.read_image, data))
    bare = [left_out_of(group, Message("note.bare")) for group, members in groups.items() if not members]
    notes = [some(bare)] if bare else []
    return (yield from build_dataset(title, list(files.values()), {}, notes, seed))


def build_dataset(
    title: str,
    files: list[Member],
    left_out: dict[str, str],
    notes: list[str],
    seed: int,
    max_pictures: int = MAX_PICTURES,
) -> Generator[Progressed, None, Dataset]:
    """Read each file once, leave out unreadable and contradictory pictures, and split the rest.

    At most `max_pictures` files are read. `left_out`: reasons by name of files that were rejected earlier.
    Raises DataError where fewer than two classes have enough pictures.
    """
    chosen = sorted(_balanced_choice(files, seed, max_pictures), key=lambda file: file.name)
    if len(chosen) < len(files):
        notes.append(Message("note.chosen", n=len(chosen), all=len(files)))
    results = yield from progress.work_through(range(len(chosen)), lambda k: fingerprint(chosen[k].read), "scan", title)

    scanned: list[ScannedFile] = []
    for file, result in zip(chosen, results, strict=True):
        if isinstance(result, str):
            left_out[file.name] = result
        else:
            scanned.append(ScannedFile(file, *result))
    if left_out:
        which = some([Message("joined.named", name=short(name), why=why) for name, why in sorted(left_out.items())])
        total = len(chosen) + len(left_out.keys() - {file.name for file in chosen})
        notes.append(plural_message("note.left_out", len(left_out), all=count(total, "picture"), which=which))
    scanned = drop_contradictions(scanned, notes)

    has_split = any(file.split for file in files)
    classes = _large_enough_classes(title, sorted({file.label for file in files}, key=natural), scanned, has_split, notes)
    if has_split:
        heldout_names = {
            picture.file.name for pictures in classes.values() for picture in pictures if picture.file.split == "heldout"
        }
        notes.append(Message("note.split", held=len(heldout_names), all=sum(map(len, classes.values()))))
    else:
        heldout_names = _split_off_heldout(classes, seed, notes)
    training, heldout = (
        tuple(
            tuple(
                partial(_read_again, picture.file)
                for picture in pictures
                if (picture.file.name in heldout_names) is is_heldout
            )
            for pictures in classes.values()
        )
        for is_heldout in (False, True)
    )
    return Dataset(title, tuple(classes), training, heldout, tuple(notes))


def _large_enough_classes(
    title: str, labels: list[str], scanned: list[ScannedFile], has_split: bool, notes: list[str]
) -> dict[str, list[ScannedFile]]:
    """Group pictures by class and leave out small classes, with notes. Raises DataError where fewer than two are left."""
    classes: dict[str, list[ScannedFile]] = {label: [] for label in labels}
    for picture in scanned:
        classes[picture.file.label].append(picture)
    shortages = {label: _shortage(pictures, has_split) for label, pictures in classes.items()}
    enough = {label: pictures for label, pictures in classes.items() if not shortages[label]}
    if len(enough) < len(classes):
        notes.append(some([left_out_of(label, shortage) for label, shortage in shortages.items() if shortage]))
    if len(enough) < 2:
        refusal = Message("refusal.dataset.none", title=title, least=MIN_PER_CLASS)
        if enough:
            refusal = Message("refusal.dataset.one", title=title, name=quoted(next(iter(enough))), least=MIN_PER_CLASS)
        raise DataError(joined_message("joined.sentences", [refusal, *notes]))
    return enough


def _read_again(file: Member) -> Image.Image:
    try:
        return file.read()
    except DataError as reason:
        raise DataError("refusal.picture.later", name=short(file.name), why=reason.message) from None


def _balanced_choice(files: list[Member], seed: int, max_pictures: int) -> list[Member]:
    """At most `max_pictures` files, equally many of each class, or all files of a smaller class."""
    rank: dict[str, int] = {}
    ranked: dict[str, int] = defaultdict(int)  # files ranked so far, by class
    for file in sorted(files, key=lambda file: _hash_rank(seed, file.name)):
        rank[file.name] = ranked[file.label]
        ranked[file.label] += 1
    return sorted(files, key=lambda file: (rank[file.name], file.name))[:max_pictures]


def _hash_rank(seed: int, name: str) -> bytes:
    """A pseudo-random sort key. It depends on no other picture, so adding a picture moves few others."""
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogatepass")).digest()


def _shortage(pictures: list[ScannedFile], has_split: bool) -> Message | None:
    """What a class has and what it needs; None where it has enough."""
    heldout = sum(picture.file.split == "heldout" for picture in pictures)
    training = len(pictures) - heldout
    if len(pictures) < MIN_PER_CLASS:
        return plural_message("note.few", len(pictures), least=MIN_PER_CLASS)
    if has_split and (training < MIN_TRAINING or heldout < MIN_HELDOUT):
        least = {"least_training": MIN_TRAINING, "least_heldout": MIN_HELDOUT}
        return Message("note.sides", training=training, heldout=heldout, **least)
    return None


def _split_off_heldout(classes: Mapping[str, list[ScannedFile]], seed: int, notes: list[str]) -> set[str]:
    """Choose the names to hold out: a quarter of each class, never splitting a group of near-duplicates."""
    heldout: set[str] = set()
    uniform: list[str] = []  # classes whose pictures are all near-duplicates
    groups_kept, is_exact = 0, True
    for label, pictures in classes.items():
        group_indices = near_duplicates(np.stack([picture.thumbnail for picture in pictures])).tolist()
        groups: dict[int, list[str]] = defaultdict(list)
        for picture, group in zip(pictures, group_indices, strict=True):
            groups[group].append(picture.file.name)
        target = (len(pictures) + 2) // 4
        smallest = min(len(names) for names in groups.values())
        if len(pictures) - smallest < MIN_TRAINING:
            uniform.append(quoted(label))
            groups = {k: [picture.file.name] for k, picture in enumerate(pictures)}
        selected: set[str] = set()
        for names in sorted(groups.values(), key=lambda names: _hash_rank(seed, names[0])):
            if len(selected) + len(names) <= target:
                selected.update(names)
        selected = selected or set(next(names for names in groups.values() if len(names) == smallest))
        is_exact = is_exact and len(selected) == target
        groups_kept += sum(len(names) > 1 for names in groups.values())
        heldout |= selected
    if uniform:
        notes.append(Message("note.alike", names=some(uniform)))
    total = sum(map(len, classes.values()))
    summary = Message("note.quarter" if is_exact else "note.nearly", held=len(heldout), all=total)
    together = [plural_message("note.together", groups_kept)] if groups_kept else []
    notes.append(joined_message("joined.items", [summary, *together]))
    return heldout
