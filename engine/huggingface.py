"""Image-classification sets of the Hugging Face Hub, by the `datasets` library where it is installed.

Fetches only what a race needs, and runs no script of a set. Knows no race.
"""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from engine import album, device, pictures, places
from engine.album import Album
from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.events import Progressed
from engine.listing import SPLITS, Member
from engine.naming import class_name, left_out_of, plain, quoted, some
from engine.strings import Line

if TYPE_CHECKING:
    from datasets import IterableDataset

MOST_ROWS = 50_000  # looked at in one split: a set that is sorted by class shows its last class late
WITHOUT_LABEL = 1_000  # rows after which a split without a label is given up: the answers of many contests are secret
BUFFER = 100  # rows among which the next is drawn; they wait in memory, encoded
SPARE = 20  # one picture more for every so many: bad ones and copies are left out later
LABELS = ("label", "labels", "fine_label", "class", "category", "cls")  # columns that hold classes, the likeliest first
NAME = re.compile(r"(?P<path>([\w-][\w.-]*/)?[\w-][\w.-]*)(:(?P<config>[^@]+))?@hub", re.ASCII)

Picture = tuple[str, bytes]  # what it is called in a note, and its file


@dataclass(frozen=True)
class _Columns:
    image: str
    label: str
    classes: tuple[str, ...]  # empty where nobody says: then they are those that are seen

    def kind(self, row: Mapping[str, object]) -> str:
        """The class of a row; empty where it has none, or -1 as in the secret test of a contest."""
        label = row[self.label]
        if not self.classes:
            return "" if label in (None, "", -1) else class_name(str(label))
        return self.classes[label] if isinstance(label, int) and 0 <= label < len(self.classes) else ""


@dataclass
class _Way:
    """How far the fetching has come."""

    name: str
    wanted: int = 0  # pictures; 0 where nobody knows
    done: int = 0
    size: int = 0  # bytes held
    most: float = field(default_factory=lambda: pictures.SHARE * device.free_memory())  # bytes
    started: float = field(default_factory=time.perf_counter)

    def progress(self) -> Progressed:
        """The fact of this moment."""
        rate = self.done / max(time.perf_counter() - self.started, 1e-9)
        left = max(self.wanted - self.done, 0) / rate if rate and self.wanted else -1.0
        return Progressed("download", self.name, self.done, self.wanted, "pictures", rate, left)


def is_installed() -> bool:
    """Whether the `datasets` library is here; it is not imported for that, which takes a second."""
    return importlib.util.find_spec("datasets") is not None


def open_set(
    name: str, examples: int, heldout: int = 1000, seed: int = 0, source: str | None = None
) -> Generator[Progressed, None, Album]:
    """The set "owner/set@hub", "set@hub" or "owner/set:config@hub" with enough pictures for a race; says how far it is.

    Fetches `examples` training pictures a class and a few to spare, and `heldout` held-out ones, evenly over the
    classes; they stay in memory, encoded. What is fetched of a set without a split of its own is split as any album,
    a quarter held out. `source` is a folder to read in the Hub's place. Raises PlanError for a name of another form or
    too many examples, UnavailableError where the set is not to be had, DataError where no race can be run on it.
    """
    parts = NAME.fullmatch(name)
    if parts is None:
        raise PlanError("refusal.hub.name", name=repr(name))
    if source is None and places.is_offline():
        raise UnavailableError("refusal.hub.offline", name=name)
    if not is_installed():
        raise UnavailableError("refusal.hub.package", name=name)
    way = _Way(name)
    yield way.progress()
    left_out: dict[str, str] = {}
    with _said_in_a_sentence(name):
        splits = _ask(parts["path"], parts["config"], source)
        training_split, heldout_splits = _choose(list(splits))
        columns = _columns(name, splits[training_split])
        known = len(columns.classes)
        examples_and_spare = examples + -(-examples // SPARE)
        if known * examples_and_spare + heldout > album.MOST_PICTURES:
            at_most = max(0, album.MOST_PICTURES - heldout) // known * SPARE // (SPARE + 1)
            raise PlanError(
                "refusal.hub.examples",
                n=examples,
                name=name,
                classes=known,
                pictures=album.MOST_PICTURES,
                most=at_most,
            )
        way.wanted = known * examples_and_spare + heldout if known else 0
        fetch = partial(_fetch, way=way, columns=columns, seed=seed, root=source or "", left_out=left_out)
        asked: dict[str, list[Picture]] = {}
        for split in heldout_splits:
            asked = yield from fetch(split, splits[split], lambda classes: -(-heldout // classes), heldout)
            if any(asked.values()):
                break

        def each(classes: int) -> int:
            if any(asked.values()):
                return examples_and_spare
            # A quarter of these is held out. There are as many as if they had a split of their own, so that more are asked
            return max(-(-4 * examples_and_spare // 3) + 1, examples_and_spare - (-heldout // classes))

        learned = yield from fetch(training_split, splits[training_split], each, album.MOST_PICTURES)
    yield way.progress()
    sides = {"training": learned, "heldout": asked} if any(asked.values()) else {"": learned}
    members = [
        Member(picture, kind, side, partial(pictures.read, data))
        for side, groups in sides.items()
        for kind, group in groups.items()
        for picture, data in group
    ]
    notes = _shortfall(learned, examples, any(asked.values()))
    return (yield from album.look_through(name, members, left_out, notes, seed))


@contextmanager
def _said_in_a_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except HeadStartError:
        raise
    except Exception as error:  # the library, its file systems and a stranger's files raise anything
        raise UnavailableError("refusal.hub.away", name=name, why=_reason(error)) from error


def _reason(error: Exception) -> str:
    """Why the library broke off, in a line; in the language of whoever reads it where the reason is one of ours."""
    if len(error.args) == 1 and isinstance(error.args[0], Line):
        return error.args[0]
    lines = [plain(line) for line in str(error).splitlines() if plain(line)]
    return (" ".join(lines[:2])[:300] or type(error).__name__).rstrip(".")


def _ask(path: str, config: str | None, source: str | None) -> Mapping[str, IterableDataset]:
    """The splits by name; nothing of them is fetched yet."""
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

    if source is None:
        if path in _PACKAGED_DATASETS_MODULES:  # "imagefolder" would read the folder we are in
            raise FileNotFoundError(f"{path!r} is the name of a file format")
        # Six tries of the library's own take 23 s where there is no network
        if not datasets.config.HF_HUB_OFFLINE and (reason := places.reachable(datasets.config.HF_ENDPOINT)):
            raise ConnectionError(reason)
    # With hf:// no folder of this machine is taken for the set
    return datasets.load_dataset(source or f"hf://datasets/{path}", config, streaming=True)


def _choose(splits: Sequence[str]) -> tuple[str, list[str]]:
    """The split to learn from, and those to ask about, the best first; none where a set has no split of its own."""
    roles = {SPLITS.get(split.casefold(), ""): split for split in reversed(splits)}
    training = roles.get("training", splits[0])
    return training, [roles[role] for role in ("test", "val", "eval") if role in roles and roles[role] != training]


def _columns(name: str, split: IterableDataset) -> _Columns:
    """Where the picture and its class are. Raises DataError where there is no such column."""
    from datasets import ClassLabel, Image, Value

    features = split.features
    if not features:  # a table of text says nothing of its columns before it is read
        with closing(iter(split)) as rows:
            features = dict.fromkeys(next(rows, {}))
    images = [column for column, kind in features.items() if isinstance(kind, Image)]
    labels = {column: kind.names for column, kind in features.items() if isinstance(kind, ClassLabel)}
    unnamed = [
        column
        for column, kind in features.items()
        if column in LABELS and isinstance(kind, Value) and re.match("u?int|large_string|string|bool", kind.dtype)
    ]
    found = sorted(labels or unnamed, key=lambda column: LABELS.index(column) if column in LABELS else len(LABELS))
    if not images or not found:
        there = some([_column(column, kind) for column, kind in features.items()]) or Line("refusal.hub.none")
        raise DataError("refusal.hub.classes" if images else "refusal.hub.pictures", name=name, columns=there)
    return _Columns(images[0], found[0], tuple(class_name(one) for one in labels.get(found[0], ())))


def _column(name: str, kind: object) -> Line:
    return Line("refusal.hub.column", name=quoted(name), kind=type(kind).__name__ if kind else Line("refusal.hub.text"))


def _fetch(
    split: str,
    stream: IterableDataset,
    each: Callable[[int], int],  # pictures of one class, for so many classes
    total: int,
    *,
    way: _Way,
    columns: _Columns,
    seed: int,
    root: str,
    left_out: dict[str, str],
) -> Generator[Progressed, None, dict[str, list[Picture]]]:
    """Pictures by class, until each class has enough or MOST_ROWS were looked at."""
    from datasets import Image

    groups: dict[str, list[Picture]] = {kind: [] for kind in columns.classes}
    stream = stream.select_columns([columns.image, columns.label]).cast_column(columns.image, Image(decode=False))
    said, before = time.perf_counter(), way.done
    # One file at a time: the library opens ten otherwise, and sleeps for 5 s when its threads are to end
    with closing(iter(stream.shuffle(seed=seed, buffer_size=BUFFER, max_buffer_input_shards=1))) as rows:
        for number, row in enumerate(islice(rows, MOST_ROWS)):
            if number == WITHOUT_LABEL and way.done == before:
                break
            if time.perf_counter() - said >= pictures.PAUSE:
                said = time.perf_counter()
                yield way.progress()
            if not (kind := columns.kind(row)):
                continue
            group = groups.setdefault(kind, [])
            most = min(each(len(groups)), album.MOST_PICTURES // len(groups))
            if not columns.classes:  # one class more leaves less for each
                for one in groups.values():
                    way.done, way.size = way.done - len(one[most:]), way.size - sum(len(data) for _, data in one[most:])
                    del one[most:]
            if len(group) >= most:
                continue
            image = row[columns.image] or {"bytes": b"", "path": ""}
            picture = f"{split}/{kind}/{number:05} {os.path.basename(image['path'] or '')}".strip()
            try:
                data = image["bytes"] if image["bytes"] is not None else _read(image["path"] or "", root)
            except DataError as reason:
                left_out[picture] = reason.line
                continue
            group.append((picture, data))
            way.done, way.size = way.done + 1, way.size + len(data)
            if way.size > way.most:
                raise UnavailableError("refusal.hub.memory", name=way.name, most=way.most / 1e9, share=pictures.SHARE)
            # Where the classes are only known once they are seen, the last may be at the end
            if columns.classes and way.done - before >= min(total, most * len(groups)):
                break
    return groups


def _read(path: str, root: str) -> bytes:
    """A picture that lies beside its table or in a folder. Raises DataError for a path out of the set."""
    from datasets.utils.file_utils import xopen

    container = path.removeprefix("zip://").split("::")[-1] if path.startswith("zip://") else path
    if root:
        is_inside = os.path.realpath(container).startswith(os.path.join(os.path.realpath(root), ""))
    else:
        is_inside = container.startswith("hf://datasets/")
    if not is_inside:
        raise DataError("refusal.picture.outside")
    try:
        with xopen(path, "rb") as file:
            return file.read(pictures.MOST_BYTES + 1)
    except FileNotFoundError:
        raise DataError("refusal.picture.missing") from None


def _shortfall(learned: Mapping[str, Sequence[Picture]], examples: int, has_split: bool) -> list[str]:
    """Notes on classes that have fewer training pictures than a race asks for."""
    have = {kind: len(group) - (0 if has_split else (len(group) + 2) // 4) for kind, group in learned.items()}
    bare = [left_out_of(kind, Line("note.bare")) for kind, group in learned.items() if not group]
    few = [Line("note.short", name=quoted(kind), n=n, wanted=examples) for kind, n in have.items() if 0 < n < examples]
    notes = [some(bare)] if bare else []
    return [*notes, Line("note.shortfall", which=some(few))] if few else notes
