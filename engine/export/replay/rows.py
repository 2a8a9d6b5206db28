"""The events of a race as rows of a replay: the fields that are drawn, and no more points than a line can show."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from engine.events import Evaluated, Event, Finished, PhaseStarted, PreviewPredicted, Stepped, WeightsProbed

MAX_POINTS = 150  # for each racer, of training losses and of evaluations of the subset: more are less than a pixel apart
MAX_PREVIEWS = 60  # for each racer
MAX_FILTER_VALUES, MAX_FILTER_CHARACTERS = 4_800, 80_000  # in one probe; base64 of all probes together

# The fields of each event type in a replay, besides its time
FIELDS: Mapping[type[Event], tuple[str, ...]] = {
    Evaluated: ("racer", "epoch", "seconds", "pictures", "correct", "total", "low", "high", "is_exact"),
    Stepped: ("racer", "epoch", "seconds", "pictures", "loss"),
    PhaseStarted: ("racer", "phase"),
    PreviewPredicted: ("racer", "predicted", "confidence"),
    WeightsProbed: ("racer", "count", "side", "filters"),
    Finished: ("racer", "reason", "epoch", "seconds"),
}
DIGITS = {"low": 4, "high": 4, "loss": 4}  # decimal places; 2 for every other field

T = TypeVar("T")


def rows(event_type: type[Event], pairs: Iterable[tuple[float, Event]], begin: float) -> list[list[object]]:
    """The events of a type as rows: the time, then the FIELDS. Lines are thinned, exact points are all kept."""
    lines: dict[tuple[str, bool], list[tuple[float, Any]]] = {}  # by racer, and whether its points are joined by a line
    for t, event in pairs:
        if isinstance(event, event_type) and not (isinstance(event, WeightsProbed) and not event.filters):
            is_line = isinstance(event, Stepped) or (isinstance(event, Evaluated) and not event.is_exact)
            shortened = first_filters(event) if isinstance(event, WeightsProbed) else event
            lines.setdefault((event.racer, is_line), []).append((t - begin, shortened))  # type: ignore[union-attr]
    kept_pairs = [p for (_, is_line), line in lines.items() for p in thinned(line, _limit(event_type, is_line, lines))]
    kept_pairs.sort(key=lambda pair: pair[0])
    return [
        [round(t, 2), *(_short(getattr(event, name), DIGITS.get(name, 2)) for name in FIELDS[event_type])]
        for t, event in kept_pairs
    ]


def _limit(event_type: type[Event], is_line: bool, lines: Mapping[tuple[str, bool], list[tuple[float, Any]]]) -> int | None:
    """The number of events of a line that are kept; None = all."""
    if event_type is WeightsProbed:
        longest = max(len(event.filters) for line in lines.values() for _, event in line)
        return max(2, MAX_FILTER_CHARACTERS // (longest * len(lines)))
    if event_type is PreviewPredicted:
        return MAX_PREVIEWS
    return MAX_POINTS if is_line else None


def first_filters(event: WeightsProbed) -> WeightsProbed:
    """The probe with only its first filters, so that their values do not exceed MAX_FILTER_VALUES."""
    size = 3 * event.side**2
    count = min(event.count, max(1, MAX_FILTER_VALUES // size))
    if count == event.count:
        return event
    first = base64.b64decode(event.filters)[: count * size]
    return replace(event, count=count, filters=base64.b64encode(first).decode("ascii"))


def thinned(items: list[T], limit: int | None) -> list[T]:
    """At most `limit` items, evenly spaced, the first and the last among them. None = all."""
    if limit is None or len(items) <= limit:
        return items
    return [items[round(k * (len(items) - 1) / (limit - 1))] for k in range(limit)]


def _short(value: Any, digits: int) -> object:
    """A value for JSON: floats rounded to `digits` decimal places, NaN and infinity as None."""
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    if isinstance(value, tuple):
        return [_short(part, digits) for part in value]
    return int(value) if isinstance(value, bool) else value
