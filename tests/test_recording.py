"""replay() yields what was recorded; a damaged file names its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import DataError, Event, Plan, Stamp, record, replay, run_race

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
