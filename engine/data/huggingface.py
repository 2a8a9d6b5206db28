"""Opens image-classification sets of the Hugging Face Hub with the `datasets` library, where it is installed.

Fetches only the pictures that a race needs. Runs no dataset scripts.
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

from engine import device
from engine.data import dataset, decode, image
from engine.data.archive import SPLITS, Member
from engine.data.dataset import Dataset
from engine.download import mirrors
from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.events import Progressed
from engine.i18n.display_names import class_name, left_out_of, plain, quoted, some
from engine.i18n.messages import Message
from engine.progress import PAUSE

if TYPE_CHECKING:
    from datasets import IterableDataset

MAX_UNLABELLED_ROWS = 1_000  # a split whose first rows have no label is skipped: many contests hide their test labels
SHUFFLE_BUFFER = 100  # rows in memory, encoded, from which the next one is drawn
SPARE = 20  # one spare picture for every 20, because unreadable pictures and copies are dropped later
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "category", "cls")  # columns with classes, most likely first
NAME = re.compile(r"(?P<path>([\w-][\w.-]*/)?[\w-][\w.-]*)(:(?P<config>[^@]+))?@hub", re.ASCII)

Picture = tuple[str, bytes]  # its name in notes, and its file


@dataclass(frozen=True)
class FetchLimits:
    """How much may be read from the Hub for one race."""

    rows: int = 50_000  # in one split; where a split is sorted by class, the last class comes late
    pictures: int = dataset.MAX_PICTURES
    free_memory: Callable[[], float] = device.free_memory  # bytes


LIMITS = FetchLimits()


@dataclass(frozen=True)
class _Columns:
    image: str
    label: str
    classes: tuple[str, ...]  # empty where the set does not list them; then they are collected from the rows

    def class_of(self, row: Mapping[str, object]) -> str:
        """The class name of a row; "" where it has none, or -1 as in the hidden test labels of a contest."""
        label = row[self.label]
        if not self.classes:
            return "" if label in (None, "", -1) else class_name(str(label))
        return self.classes[label] if isinstance(label, int) and 0 <= label < len(self.classes) else ""


@dataclass
class _FetchState:
    """How many pictures have been fetched, and how much memory they take."""

    name: str
    max_size: float  # bytes
    total: int = 0  # pictures; 0 = unknown
    done: int = 0
    size: int = 0  # bytes held
    started: float = field(default_factory=time.perf_counter)

    def progress(self) -> Progressed:
        rate = self.done / max(time.perf_counter() - self.started, 1e-9)
        left = max(self.total - self.done, 0) / rate if rate and self.total else -1.0
        return Progressed(
            work="download", name=self.name, done=self.done, total=self.total, unit="pictures", rate=rate, left=left
        )


def datasets_is_installed() -> bool:
    """Whether the `datasets` library is installed; it is not imported, because that takes a second."""
    return importlib.util.find_spec("datasets") is not None


def open_set(
    name: str,
    examples_per_class: int,
    heldout: int = 1000,
    seed: int = 0,
    source: str | None = None,
    limits: FetchLimits = LIMITS,
) -> Generator[Progressed, None, Dataset]:
    """Open the set "owner/set@hub", "set@hub" or "owner/set:config@hub" with enough pictures for one race.

    Fetches `examples_per_class` training pictures per class and a few spare ones, and `heldout` held-out pictures spread
    evenly over the classes; they stay in memory, encoded. A set without splits is split like any other, a quarter held out.
    `source`: a folder to read instead of the Hub. Yields the progress. Raises PlanError for a malformed name or too many
    examples, UnavailableError where the set cannot be fetched, DataError where it is unsuitable for a race.
    """
    parts = NAME.fullmatch(name)
    if parts is None:
        raise PlanError("refusal.huggingface.name", name=repr(name))
    if source is None and mirrors.is_offline():
        raise UnavailableError("refusal.huggingface.offline", name=name)
    if not datasets_is_installed():
        raise UnavailableError("refusal.huggingface.package", name=name)
    state = _FetchState(name, decode.MEMORY_SHARE * limits.free_memory())
    yield state.progress()
    left_out: dict[str, str] = {}
    with _translated_errors(name):
        splits = _load_splits(parts["path"], parts["config"], source)
        training_split, heldout_splits = _choose_splits(list(splits))
        columns = _find_columns(name, splits[training_split])
        class_count = len(columns.classes)
        examples_and_spare = examples_per_class + -(-examples_per_class // SPARE)
        total = class_count * examples_and_spare + heldout
        if total > limits.pictures:
            most = max(0, limits.pictures - heldout) // class_count * SPARE // (SPARE + 1)
            facts = {"n": examples_per_class, "classes": class_count, "pictures": limits.pictures, "most": most}
            raise PlanError("refusal.huggingface.examples", name=name, **facts)
        state.total = total if class_count else 0
        fetch = partial(_fetch, state=state, columns=columns, seed=seed, root=source or "", left_out=left_out, limits=limits)
        heldout_pictures: dict[str, list[Picture]] = {}
        for split in heldout_splits:
            heldout_pictures = yield from fetch(split, splits[split], lambda classes: -(-heldout // classes), heldout)
            if any(heldout_pictures.values()):
                break
        has_split = any(heldout_pictures.values())

        def training_per_class(classes: int) -> int:
            if has_split:
                return examples_and_spare
            # Without a split, a quarter of these is held out, so more are fetched
            return max(-(-4 * examples_and_spare // 3) + 1, examples_and_spare - (-heldout // classes))

        training_pictures = yield from fetch(training_split, splits[training_split], training_per_class, limits.pictures)
    yield state.progress()
    pictures = {"training": training_pictures, "heldout": heldout_pictures} if has_split else {"": training_pictures}
    members = [
        Member(picture, label, split, partial(image.read_image, data))
        for split, groups in pictures.items()
        for label, group in groups.items()
        for picture, data in group
    ]
    notes = _shortfall(training_pictures, examples_per_class, has_split)
    return (yield from dataset.build_dataset(name, members, left_out, notes, seed, limits.pictures))


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    try:
        yield
    except HeadStartError:
        raise
    except Exception as error:  # the library, its file systems and untrusted files raise many exception types
        raise UnavailableError("refusal.huggingface.away", name=name, why=_reason(error)) from error


def _reason(error: Exception) -> str:
    """Why the library failed, in one line: a Message where the error holds one, else the start of its text."""
    if len(error.args) == 1 and isinstance(error.args[0], Message):
        return error.args[0]
    lines = [plain(line) for line in str(error).splitlines() if plain(line)]
    return (" ".join(lines[:2])[:300] or type(error).__name__).rstrip(".")


def _load_splits(path: str, config: str | None, source: str | None) -> Mapping[str, IterableDataset]:
    """The splits by name, as streams; no row is fetched yet."""
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

    if source is None:
        if path in _PACKAGED_DATASETS_MODULES:  # "imagefolder" would read the working directory
            raise FileNotFoundError(f"{path!r} is the name of a file format")
        # The library's own six attempts take 23 s where there is no network
        if not datasets.config.HF_HUB_OFFLINE and (reason := mirrors.Reachability().reason(datasets.config.HF_ENDPOINT)):
            raise ConnectionError(reason)
    # With hf:// a local folder of the same name is never read
    return datasets.load_dataset(source or f"hf://datasets/{path}", config, streaming=True)


def _choose_splits(splits: Sequence[str]) -> tuple[str, list[str]]:
    """The training split, and the held-out splits, best first; the latter are empty where the set has one split."""
    roles = {SPLITS.get(split.casefold(), ""): split for split in reversed(splits)}
    training = roles.get("training", splits[0])
    return training, [roles[role] for role in ("test", "val", "eval") if role in roles and roles[role] != training]


def _find_columns(name: str, split: IterableDataset) -> _Columns:
    """Find the columns of the picture and its class. Raises DataError where one of them does not exist."""
    from datasets import ClassLabel, Image, Value

    features = split.features
    if not features:  # the columns of a text file are unknown until it is read
        with closing(iter(split)) as rows:
            features = dict.fromkeys(next(rows, {}))
    images = [column for column, feature in features.items() if isinstance(feature, Image)]
    labels = {column: feature.names for column, feature in features.items() if isinstance(feature, ClassLabel)}
    unnamed = [
        column
        for column, feature in features.items()
        if column in LABEL_COLUMNS
        and isinstance(feature, Value)
        and re.match("u?int|large_string|string|bool", feature.dtype)
    ]
    order = {column: index for index, column in enumerate(LABEL_COLUMNS)}
    candidates = sorted(labels or unnamed, key=lambda column: order.get(column, len(order)))
    if not images or not candidates:
        columns = some([_describe_column(*item) for item in features.items()]) or Message("refusal.huggingface.none")
        raise DataError(
            "refusal.huggingface.classes" if images else "refusal.huggingface.pictures", name=name, columns=columns
        )
    return _Columns(images[0], candidates[0], tuple(class_name(label) for label in labels.get(candidates[0], ())))


def _describe_column(name: str, feature: object) -> Message:
    feature_type = type(feature).__name__ if feature else Message("refusal.huggingface.text")
    return Message("refusal.huggingface.column", name=quoted(name), feature_type=feature_type)


def _fetch(
    split: str,
    stream: IterableDataset,
    per_class: Callable[[int], int],  # number of classes -> pictures to fetch of each
    total: int,
    *,
    state: _FetchState,
    columns: _Columns,
    seed: int,
    root: str,
    left_out: dict[str, str],
    limits: FetchLimits,
) -> Generator[Progressed, None, dict[str, list[Picture]]]:
    """Fetch pictures by class, until each class has enough or `limits.rows` rows were read."""
    from datasets import Image

    groups: dict[str, list[Picture]] = {label: [] for label in columns.classes}
    stream = stream.select_columns([columns.image, columns.label]).cast_column(columns.image, Image(decode=False))
    reported, done_before = time.perf_counter(), state.done
    # One file at a time: otherwise the library opens ten, and sleeps for 5 s when its threads end
    with closing(iter(stream.shuffle(seed=seed, buffer_size=SHUFFLE_BUFFER, max_buffer_input_shards=1))) as rows:
        for number, row in enumerate(islice(rows, limits.rows)):
            if number == MAX_UNLABELLED_ROWS and state.done == done_before:
                break
            if time.perf_counter() - reported >= PAUSE:
                reported = time.perf_counter()
                yield state.progress()
            if not (label := columns.class_of(row)):
                continue
            group = groups.setdefault(label, [])
            quota = min(per_class(len(groups)), limits.pictures // len(groups))
            if not columns.classes:  # each new class reduces the quota of all classes
                for pictures in groups.values():
                    state.done -= len(pictures[quota:])
                    state.size -= sum(len(data) for _, data in pictures[quota:])
                    del pictures[quota:]
            if len(group) >= quota:
                continue
            cell = row[columns.image] or {"bytes": b"", "path": ""}
            picture = f"{split}/{label}/{number:05} {os.path.basename(cell['path'] or '')}".strip()
            try:
                data = cell["bytes"] if cell["bytes"] is not None else read_picture(cell["path"] or "", root)
            except DataError as reason:
                left_out[picture] = reason.message
                continue
            group.append((picture, data))
            state.done, state.size = state.done + 1, state.size + len(data)
            if state.size > state.max_size:
                most, share = state.max_size / 1e9, decode.MEMORY_SHARE
                raise UnavailableError("refusal.huggingface.memory", name=state.name, most=most, share=share)
            # Where the set does not list its classes, a new one may come last
            if columns.classes and state.done - done_before >= min(total, quota * len(groups)):
                break
    return groups


def read_picture(path: str, root: str) -> bytes:
    """Read a picture stored as a file of the set. `root`: the local folder of the set, "" for the Hub.

    Raises DataError for a path outside of the set.
    """
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
            return file.read(image.MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError("refusal.picture.missing") from None


def _shortfall(training: Mapping[str, Sequence[Picture]], examples_per_class: int, has_split: bool) -> list[str]:
    """Notes on classes with fewer training pictures than a race needs."""
    counts = {label: len(group) - (0 if has_split else (len(group) + 2) // 4) for label, group in training.items()}
    bare = [left_out_of(label, Message("note.bare")) for label, group in training.items() if not group]
    few = [
        Message("note.short", name=quoted(label), n=n, wanted=examples_per_class)
        for label, n in counts.items()
        if 0 < n < examples_per_class
    ]
    notes = [some(bare)] if bare else []
    return [*notes, Message("note.shortfall", which=some(few))] if few else notes
