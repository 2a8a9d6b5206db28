"""What happened in a race: frozen, flat facts, floats and strings, never tensors. Knows nothing of who listens."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar, get_args

T = TypeVar("T")
Reason = Literal["done", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Progressed:
    """Something long before the start came further: a download, a look through a set of pictures, their decoding."""

    work: Literal["download", "survey", "decode", "features"]
    name: str  # of the file or the set
    done: int
    total: int  # 0 where nobody knows
    unit: Literal["bytes", "pictures"]
    rate: float  # units a second
    left: float  # seconds; -1 where nobody knows


@dataclass(frozen=True)
class RaceStarted:
    """The pictures are drawn and the racers are about to be built."""

    plan: str  # as Plan.to_json gives it
    classes: tuple[str, ...]
    labels: tuple[int, ...]  # class number of every held-out picture, in the order in which racers are asked
    shown: tuple[int, ...]  # rows of the few held-out pictures whose answers are told at every exact evaluation
    training: int  # pictures, all classes together
    heldout: int
    px: int  # side of the pictures the networks see
    network: str  # "ResNet-10, pretrained on …"
    machine: str
    precision: str
    threads: int  # intra-op threads of each racer; 0 on a GPU


@dataclass(frozen=True)
class Prepared:
    """A racer's network is built; `parameters` numbers in it, `learning` of them may change."""

    lane: str
    parameters: int
    learning: int
    steps: int  # optimizer steps it will make; 0 where the budget is seconds


@dataclass(frozen=True)
class PhaseStarted:
    """A racer turned to another part of its work."""

    lane: str
    phase: Literal["training", "caching", "head", "fine-tuning"]
    learning_stages: int
    epoch: float
    seconds: float


@dataclass(frozen=True)
class Stepped:
    """One optimizer step."""

    lane: str
    step: int  # from 1
    epoch: float  # passes over the drawn pictures
    pictures: int  # seen so far, counting repeats
    seconds: float  # this racer's compute time, evaluation excluded
    loss: float  # of this batch, before the step
    rate: float  # the highest learning rate in force


@dataclass(frozen=True)
class Evaluated:
    """Held-out pictures named right, with the Wilson 95 % interval of the share."""

    lane: str
    step: int
    epoch: float
    pictures: int
    seconds: float
    correct: int
    total: int
    low: float  # share, 0..1
    high: float
    is_exact: bool  # the whole held-out set at one step; else a rolling estimate over the last few steps
    evaluating: float  # seconds spent on evaluation so far, outside the racer's clock


@dataclass(frozen=True)
class Answered:
    """What a racer called the few held-out pictures of `RaceStarted.shown` at an exact evaluation."""

    lane: str
    step: int
    epoch: float
    seconds: float
    named: tuple[int, ...]  # class numbers
    confidence: tuple[float, ...]  # probability of the class that was named


@dataclass(frozen=True)
class Looked:
    """A look into a racer's network: how far each stage is from its start, and the filters of its first layer."""

    lane: str
    step: int
    epoch: float
    seconds: float
    stages: tuple[str, ...]  # their names, from the picture up
    moved: tuple[float, ...]  # a stage: |weights - start| / |start|; 1 where it started at zero and moved
    count: int  # filters shown, the first ones
    side: int  # of each, in pixels
    filters: str  # base64 of (count, side, side, 3) uint8, each filter stretched over 0..255; "" = as last told


@dataclass(frozen=True)
class Judged:
    """What a racer called every held-out picture at its end."""

    lane: str
    named: tuple[int, ...]  # class numbers, in the order of `RaceStarted.labels`
    confidence: tuple[float, ...]  # probability of the class that was named


@dataclass(frozen=True)
class Finished:
    """A racer's end. `answers` is one character a held-out picture: 1 named right, 0 wrong; empty without an end."""

    lane: str
    reason: Reason
    step: int
    epoch: float
    pictures: int
    seconds: float
    correct: int
    total: int
    answers: str
    message: str


@dataclass(frozen=True)
class RaceFinished:
    """Both racers ended; picture by picture, who named what right (McNemar's table), where both reached the end."""

    both_right: int
    only_scratch: int
    only_transfer: int
    both_wrong: int
    p_value: float  # exact McNemar test, two-sided; 1.0 where there is nothing to compare
    gap: float  # transfer minus scratch, share
    gap_low: float  # 95 % interval of the gap for these racers, from the paired answers
    gap_high: float
    wall_seconds: float


Event = (
    Progressed
    | RaceStarted
    | Prepared
    | PhaseStarted
    | Stepped
    | Evaluated
    | Answered
    | Looked
    | Judged
    | Finished
    | RaceFinished
)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def to_row(event: Event) -> dict[str, object]:
    """The event as a flat mapping with its kind under `event`, ready for JSON, where NaN and infinities are null."""
    return {"event": type(event).__name__, **{name: _written(value) for name, value in asdict(event).items()}}


def from_row(row: dict[str, object]) -> Event:
    """The event that `to_row` wrote; fields that no event has are left out. Raises KeyError for an unknown kind."""
    kind = KINDS[str(row["event"])]
    return kind(**{name: _read(row[name]) for name in kind.__dataclass_fields__})  # type: ignore[arg-type]


def _written(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_written, value))
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(value: object) -> object:
    if isinstance(value, list):  # JSON has no tuples
        return tuple(map(_read, value))
    return math.nan if value is None else value


def finish(work: Generator[object, None, T]) -> T:
    """Run long work, which yields how far it has come, to its end and return what it made."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
