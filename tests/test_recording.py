"""replay() yields what was recorded; a damaged file names its line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from conftest import checkpoint

from engine import DataError, Event, Plan, Stamp, add_backbone, record, replay, run_race
from engine.events import Answered, Finished, Stepped, to_row

STAMP = Stamp("a machine", "2026-11-21")


@pytest.fixture
def recording(tiny: Path, tmp_path: Path) -> tuple[Path, list[tuple[float, Event]]]:
    path = tmp_path / "races" / "one.jsonl"
    events = list(run_race(Plan(examples=2, epochs=1, learning_stages=1)))
    pairs = list(record(((k / 10, e) for k, e in enumerate(events)), path, STAMP))
    return path, pairs


def test_a_replay_is_the_race(recording: tuple[Path, list]) -> None:
    path, pairs = recording
    assert replay(path) == (STAMP, pairs)


def diverged(home: Path) -> list[Event]:
    """A race whose scratch racer takes steps so large that its loss is a number no more; needs `tiny` and `guests`."""
    name = add_backbone(checkpoint(home), "squeezenet1_1")
    plan = Plan(backbone=name, examples=4, epochs=3, learning_stages=1, px=32, scratch_optimizer="sgd", scratch_rate=1.0)
    events = list(run_race(plan))
    ends = {event.lane: event.reason for event in events if isinstance(event, Finished)}
    assert ends == {"scratch": "diverged", "transfer": "done"}
    return events


def strictly(line: str) -> dict:
    """The line as a browser reads it, which takes no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


def test_a_race_that_diverged_is_recorded_as_plain_json_and_is_the_same_again(
    tiny: Path, guests: None, tmp_path: Path
) -> None:
    path, pairs = tmp_path / "one.jsonl", [(0.0, event) for event in diverged(tmp_path)]
    list(record(iter(pairs), path, STAMP))
    rows = [strictly(line) for line in path.read_text().splitlines()]
    assert None in [row["loss"] for row in rows if row.get("event") == "Stepped"]
    again = replay(path)[1]
    assert [to_row(event) for _, event in again] == [to_row(event) for _, event in pairs]
    assert any(math.isnan(event.loss) for _, event in again if isinstance(event, Stepped))


def test_what_a_network_that_diverged_was_sure_of_is_no_number_again(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    list(record([(0.0, Answered("scratch", 1, 1.0, 1.0, (0, 1), (math.nan, 0.5)))], path, STAMP))
    assert strictly(path.read_text().splitlines()[1])["confidence"] == [None, 0.5]
    ((_, event),) = replay(path)[1]
    assert isinstance(event, Answered)
    assert math.isnan(event.confidence[0])
    assert event.confidence[1] == 0.5


def test_an_interrupted_recording_leaves_no_file(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    for _ in record(((0.0, e) for e in run_race(Plan(examples=2, epochs=1))), path, STAMP):
        break
    assert not path.exists()


def test_a_damaged_line_is_named(recording: tuple[Path, list]) -> None:
    path, _ = recording
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:20], *lines[5:]]))
    with pytest.raises(DataError, match="line 5 is damaged"):
        replay(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"headstart": 99, "machine": "m", "date": "d"}'])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"x\.jsonl"):
        replay(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        replay(tmp_path / "none.jsonl")
