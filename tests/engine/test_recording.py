"""replay() yields what was recorded; a damaged file names its line."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine import DataError, Event, Plan, Stamp, record, replay, run_prepared, run_race
from engine.events import Finished, PreviewPredicted, Stepped, to_row
from engine.race.inputs import RaceInputs
from engine.workspace import Workspace
from tests.conftest import CPU

STAMP = Stamp("a machine", "2026-11-21")


@pytest.fixture
def recording(workspace: Workspace, tmp_path: Path) -> tuple[Path, list[tuple[float, Event]]]:
    path = tmp_path / "races" / "one.jsonl"
    events = list(run_race(Plan(examples_per_class=2, epochs=1, trainable_stages=1), workspace, CPU))
    pairs = list(record(((k / 10, e) for k, e in enumerate(events)), path, STAMP))
    return path, pairs


def test_a_replay_is_the_race(recording: tuple[Path, list]) -> None:
    path, pairs = recording
    assert replay(path) == (STAMP, pairs)


def diverged(drawn: RaceInputs) -> list[Event]:
    """A race on pictures that no network can be trained on: the loss of every racer is not a number."""
    plan = Plan(examples_per_class=4, epochs=3, trainable_stages=1)
    poisoned = replace(drawn, preprocessing=replace(drawn.preprocessing, mean=(math.nan, 0.0, 0.0)))
    events = list(run_prepared(plan, poisoned, CPU))
    ends = {event.racer: event.reason for event in events if isinstance(event, Finished)}
    assert ends == {"scratch": "diverged", "pretrained": "diverged"}
    return events


def strictly(line: str) -> dict:
    """The line as a browser reads it, which takes no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


def test_a_race_that_diverged_is_recorded_as_plain_json_and_is_the_same_again(drawn: RaceInputs, tmp_path: Path) -> None:
    path, pairs = tmp_path / "one.jsonl", [(0.0, event) for event in diverged(drawn)]
    list(record(iter(pairs), path, STAMP))
    rows = [strictly(line) for line in path.read_text().splitlines()]
    assert None in [row["loss"] for row in rows if row.get("event") == "Stepped"]
    again = replay(path)[1]
    assert [to_row(event) for _, event in again] == [to_row(event) for _, event in pairs]
    assert any(math.isnan(event.loss) for _, event in again if isinstance(event, Stepped))


def test_what_a_network_that_diverged_was_sure_of_is_no_number_again(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    list(
        record(
            [
                (
                    0.0,
                    PreviewPredicted(
                        racer="scratch", step=1, epoch=1.0, seconds=1.0, predicted=(0, 1), confidence=(math.nan, 0.5)
                    ),
                )
            ],
            path,
            STAMP,
        )
    )
    assert strictly(path.read_text().splitlines()[1])["confidence"] == [None, 0.5]
    ((_, event),) = replay(path)[1]
    assert isinstance(event, PreviewPredicted)
    assert math.isnan(event.confidence[0])
    assert event.confidence[1] == 0.5


def test_an_interrupted_recording_leaves_no_file(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    for _ in record(((0.0, e) for e in run_race(Plan(examples_per_class=2, epochs=1), workspace, CPU)), path, STAMP):
        break
    assert not path.exists()


def test_a_damaged_line_is_named(recording: tuple[Path, list]) -> None:
    path, _ = recording
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:20], *lines[5:]]))
    with pytest.raises(DataError, match="line 5 is damaged"):
        replay(path)


ODD = {
    "400 digits": "9" * 400, "5000 digits": "9" * 5000, "nested": "[" * 100_000, "nested, closed": "[" * 900 + "]" * 900,
    "text": '"soon"', "list": "[1]",
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_time_that_is_no_number_of_seconds_is_a_damaged_line(recording: tuple[Path, list], odd: str) -> None:
    path, _ = recording
    lines = path.read_text().splitlines()
    row = re.sub(r'"t":[\d.]+', f'"t":{odd}', lines[4])
    path.write_text("\n".join([*lines[:4], row, *lines[5:]]))
    with pytest.raises(DataError, match="line 5 is damaged"):
        replay(path)


@pytest.mark.parametrize("odd", [*ODD.values(), "{"], ids=[*ODD, "half"])
@pytest.mark.parametrize("line", [0, 4])
def test_a_line_that_is_no_object_is_refused(recording: tuple[Path, list], line: int, odd: str) -> None:
    path, _ = recording
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:line], odd, *lines[line + 1 :]]))
    with pytest.raises(DataError, match="line 5 is damaged" if line else "not a recording"):
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
