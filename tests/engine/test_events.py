"""Events are flat facts that survive a line of JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from engine.events import EVENT_TYPES, Event, Finished, RaceStarted, Stepped, from_row, to_row
from engine.i18n.messages import Message


def example(kind: type[Event]) -> Event:
    """An event with a value of the right type in every field."""
    values = {"str": "x", "int": 3, "float": 0.5, "bool": True, "tuple[str, ...]": ("a", "b"), "tuple[int, ...]": (1, 2),
              "tuple[float, ...]": (0.5, 0.25)}  # fmt: skip
    return kind(**{f.name: values.get(str(f.type), "done") for f in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_an_event_survives_a_line_of_json(kind: type[Event]) -> None:
    event = example(kind)
    assert from_row(json.loads(json.dumps(to_row(event)))) == event


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_events_are_frozen_and_flat(kind: type[Event]) -> None:
    event = example(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.racer = "x"  # type: ignore[misc,union-attr]
    assert all(isinstance(v, str | int | float | tuple) for v in to_row(event).values())


def test_a_message_keeps_its_key_and_values_through_a_line_of_json() -> None:
    network = Message("network.description", title="ResNet-10", pretraining=Message("fact.resnet10.pretraining"))
    row = json.loads(json.dumps(to_row(dataclasses.replace(example(RaceStarted), network=network))))
    assert (
        row["network"]["text"] == "ResNet-10, pretrained on 200 ImageNet classes at 64 px with a MobileNetV2 as its teacher"
    )
    (again,) = [from_row(row)]
    assert isinstance(again, RaceStarted)
    assert isinstance(again.network, Message)
    assert again.network.translated("ja") == network.translated("ja") != str(network)


def test_a_message_that_is_no_longer_there_is_its_english_text() -> None:
    row = to_row(example(Finished)) | {"message": {"key": "end.eaten", "values": {}, "text": "the dog ate it"}}
    assert from_row(row) == dataclasses.replace(example(Finished), message="the dog ate it")


def test_an_end_without_a_result_is_that_of_the_last_step() -> None:
    last = Stepped(racer="scratch", step=5, epoch=2.5, pictures=40, seconds=1.5, loss=0.5, rate=0.1)
    end = Finished.unfinished(racer="scratch", reason="stopped", last=last, message=Message("end.stopped"))
    assert (end.step, end.epoch, end.pictures, end.seconds) == (5, 2.5, 40, 1.5)
    assert (end.correct, end.total, end.answers) == (0, 0, "")
    assert Finished.unfinished(racer="scratch", reason="stopped", last=None, message="").step == 0


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        from_row({"event": "Exploded"})
