"""Events are flat facts that survive a line of JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from engine.events import KINDS, Event, from_row, to_row


def example(kind: type[Event]) -> Event:
    """An event with a value of the right type in every field."""
    values = {"str": "x", "int": 3, "float": 0.5, "bool": True, "tuple[str, ...]": ("a", "b"), "tuple[int, ...]": (1, 2),
              "tuple[float, ...]": (0.5, 0.25)}  # fmt: skip
    return kind(**{f.name: values.get(str(f.type), "done") for f in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_event_survives_a_line_of_json(kind: type[Event]) -> None:
    event = example(kind)
    assert from_row(json.loads(json.dumps(to_row(event)))) == event


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_events_are_frozen_and_flat(kind: type[Event]) -> None:
    event = example(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.lane = "x"  # type: ignore[misc,union-attr]
    assert all(isinstance(v, str | int | float | tuple) for v in to_row(event).values())


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        from_row({"event": "Exploded"})
