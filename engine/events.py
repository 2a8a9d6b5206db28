"""The events of a race, as frozen dataclasses of numbers, texts and messages, without tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from engine.i18n.messages import Message

Reason = Literal["done", "stopped", "diverged", "failed"]


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """Progress of long work before the start: a download, or the scan or decoding of a set of pictures."""

    work: Literal["download", "scan", "decode", "features"]
    name: str  # of the file or the set
    done: int
    total: int  # 0 = unknown
    unit: Literal["bytes", "pictures"]
    rate: float  # units per second
    left: float  # seconds; -1 = unknown


@dataclass(frozen=True, kw_only=True)
class RaceStarted:
    """The pictures are sampled and the racers are about to be built."""

    plan: str  # from Plan.to_json
    classes: tuple[str, ...]
    labels: tuple[int, ...]  # class index of every held-out picture, in evaluation order
    shown: tuple[int, ...]  # rows of the held-out pictures whose predictions are reported at every full evaluation
    training: int  # pictures, all classes together
    heldout: int
    image_size: int  # side of the networks' input in pixels
    network: str  # a message: "ResNet-10, pretrained on …"
    machine: str
    precision: str
    threads: int  # intra-op threads of each racer; 0 on a GPU


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A racer's network is built: it has `parameters` parameters, `learning` of them trainable."""

    racer: str
    parameters: int
    learning: int
    steps: int  # optimizer steps it will make; 0 where the budget is seconds


@dataclass(frozen=True, kw_only=True)
class PhaseStarted:
    """A racer began another phase of its training."""

    racer: str
    phase: Literal["training", "caching", "head", "fine-tuning"]
    trainable_stages: int
    epoch: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """One optimizer step."""

    racer: str
    step: int  # from 1
    epoch: float  # passes over the training pictures
    pictures: int  # seen so far, counting repeats
    seconds: float  # this racer's compute time, evaluation excluded
    loss: float  # of this batch, before the step
    rate: float  # the highest learning rate in force


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Held-out accuracy, correct / total, with its Wilson 95 % interval."""

    racer: str
    step: int
    epoch: float
    pictures: int
    seconds: float
    correct: int
    total: int
    low: float  # fraction, 0..1
    high: float
    is_exact: bool  # True = all held-out pictures; False = a subset of them, the same during the whole race
    evaluation_seconds: float  # seconds spent on evaluation so far, outside the racer's clock


@dataclass(frozen=True, kw_only=True)
class PreviewPredicted:
    """A racer's predictions for the held-out pictures of `RaceStarted.shown` at a full evaluation."""

    racer: str
    step: int
    epoch: float
    seconds: float
    predicted: tuple[int, ...]  # class indices
    confidence: tuple[float, ...]  # probability of the predicted class


@dataclass(frozen=True, kw_only=True)
class WeightsProbed:
    """The weights of a racer during training: how far each stage is from its start, and the first layer's filters."""

    racer: str
    step: int
    epoch: float
    seconds: float
    stages: tuple[str, ...]  # names, input first
    relative_weight_change: tuple[float, ...]  # per stage: |weights - start| / |start|; 1 if it changed from all zeros
    count: int  # number of filters, the first ones of the layer
    side: int  # of each filter, in pixels
    filters: str  # base64 of (count, side, side, 3) uint8, each filter scaled to 0..255; "" = unchanged since last reported


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A racer's final predictions for all held-out pictures."""

    racer: str
    predicted: tuple[int, ...]  # class indices, in the order of `RaceStarted.labels`
    confidence: tuple[float, ...]  # probability of the predicted class


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A racer ended. `answers`: one character per held-out picture, 1 correct, 0 incorrect; "" unless `reason` is "done"."""

    racer: str
    reason: Reason
    step: int
    epoch: float
    pictures: int
    seconds: float
    correct: int
    total: int
    answers: str
    message: str  # why training was not completed; "" if it was

    @classmethod
    def unfinished(cls, *, racer: str, reason: Reason, last: Stepped | None, message: str) -> Finished:
        """The end of a racer without a result. `last`: its last step, None if it made none."""
        return cls(
            racer=racer,
            reason=reason,
            step=last.step if last else 0,
            epoch=last.epoch if last else 0.0,
            pictures=last.pictures if last else 0,
            seconds=last.seconds if last else 0.0,
            correct=0,
            total=0,
            answers="",
            message=message,
        )


@dataclass(frozen=True, kw_only=True)
class RaceFinished:
    """All racers ended. The counts of correct predictions by picture (McNemar's table) are 0 unless both racers finished."""

    both_correct: int
    only_scratch: int
    only_pretrained: int
    both_incorrect: int
    p_value: float  # exact McNemar test, two-sided; 1.0 where there is nothing to compare
    gap: float  # accuracy of pretrained minus accuracy of scratch, as a fraction
    gap_low: float  # 95 % interval of the gap for these racers, from the paired predictions
    gap_high: float
    wall_seconds: float


Event = (
    Progressed
    | RaceStarted
    | Prepared
    | PhaseStarted
    | Stepped
    | Evaluated
    | PreviewPredicted
    | WeightsProbed
    | Predicted
    | Finished
    | RaceFinished
)
EVENT_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in get_args(Event)}


def to_row(event: Event) -> dict[str, object]:
    """The event as a mapping with its type under `event`, ready for JSON, where NaN and infinities are null.

    A message is written as its key, its values and its English text.
    """
    values = {field.name: _written(getattr(event, field.name)) for field in fields(event)}
    return {"event": type(event).__name__, **values}


def from_row(row: dict[str, object]) -> Event:
    """The event that `to_row` wrote; unknown fields are ignored. Raises KeyError for an unknown type or a missing field."""
    event_type = EVENT_TYPES[str(row["event"])]
    return event_type(**{name: _read(row[name]) for name in event_type.__dataclass_fields__})  # type: ignore[arg-type]


def _written(value: object) -> object:
    if isinstance(value, Message):
        return {"key": value.key, "values": {name: _written(v) for name, v in value.values.items()}, "text": str(value)}
    if isinstance(value, tuple):
        return tuple(map(_written, value))
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(value: object) -> object:
    if isinstance(value, dict):
        try:
            return Message(value["key"], **{name: _read(v) for name, v in value["values"].items()})
        except KeyError:  # written by a version with other messages
            return str(value["text"])
    if isinstance(value, list):  # JSON has no tuples
        return tuple(map(_read, value))
    return math.nan if value is None else value
