"""What is taken away as a table is what the race told; no class name runs in a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Event, Plan, Scoreboard, Stamp, record, replay, run_race
from engine.events import Evaluated, Judged, RaceStarted
from engine.export.tables import CURVES, answers_csv, curves_csv, events_jsonl

STAMP = Stamp("a machine", "2026-11-21")
Pairs = list[tuple[float, Event]]


_raced: Pairs = []


@pytest.fixture
def pairs(tiny: Path) -> Pairs:
    """A race of two racers for one epoch, an event every tenth of a second; run once for all tests."""
    if not _raced:
        _raced.extend((k / 10, event) for k, event in enumerate(run_race(Plan(examples=2, epochs=1, learning_stages=1))))
    return _raced


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def named(names: tuple[str, ...]) -> Pairs:
    """A race told with these class names: two held-out pictures, one racer, one right."""
    start = RaceStarted(Plan().to_json(), names, (0, 1), (), 4, 2, 32, "a network", "a machine", "fp32", 1)
    return [(0.0, start), (1.0, Judged("scratch", (0, 0), (0.75, 0.5)))]


def test_the_events_are_a_recording(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    path.write_text(events_jsonl(STAMP, pairs), encoding="utf-8")
    assert replay(path) == (STAMP, pairs)


def test_the_events_are_what_a_recording_writes(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    list(record(pairs, path, STAMP))
    assert path.read_text(encoding="utf-8") == events_jsonl(STAMP, pairs)


def test_every_point_is_a_row(pairs: Pairs) -> None:
    points = [event for _, event in pairs if isinstance(event, Evaluated)]
    table = rows(curves_csv(pairs))
    assert [(r["lane"], int(r["step"]), int(r["correct"]), int(r["total"])) for r in table] == [
        (p.lane, p.step, p.correct, p.total) for p in points
    ]
    assert [float(r["seconds"]) for r in table] == pytest.approx([p.seconds for p in points], abs=1e-6)
    assert [float(r["accuracy"]) for r in table] == pytest.approx([p.correct / p.total for p in points], abs=1e-6)
    assert all(float(r["low"]) <= float(r["accuracy"]) <= float(r["high"]) for r in table)


def test_a_rolling_estimate_says_so() -> None:
    point = Evaluated("scratch", 3, 0.5, 12, 1.25, 30, 60, 0.4, 0.6, False, 0.1)
    table = rows(curves_csv([(0.0, point), (0.1, replace(point, is_exact=True))]))
    assert [r["kind"] for r in table] == ["rolling", "exact"]


def test_the_first_line_names_the_columns_and_lines_end_as_rfc_4180_says(pairs: Pairs) -> None:
    lines = curves_csv(pairs).split("\r\n")
    assert lines[0] == ",".join(CURVES)
    assert lines[-1] == ""
    assert not any("\n" in line for line in lines)


def test_the_answers_count_up_to_the_accuracy(pairs: Pairs) -> None:
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    table = rows(answers_csv(pairs))
    assert board.started is not None
    assert len(table) == board.started.heldout
    for lane, curve in board.curves.items():
        assert curve.finished is not None
        assert "".join(r[f"{lane}_right"] for r in table) == curve.finished.answers
        assert all((r["class"] == r[f"{lane}_named"]) == (r[f"{lane}_right"] == "1") for r in table)


def test_a_racer_without_an_end_has_no_columns(pairs: Pairs) -> None:
    kept = [(t, e) for t, e in pairs if not (isinstance(e, Judged) and e.lane == "scratch")]
    assert list(rows(answers_csv(kept))[0]) == ["row", "class", "transfer_named", "transfer_confidence", "transfer_right"]


def test_a_race_that_never_started_is_a_header() -> None:
    assert answers_csv([]) == "row,class\r\n"
    assert curves_csv([]) == ",".join(CURVES) + "\r\n"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1"])
def test_a_class_name_is_no_formula(name: str) -> None:
    table = rows(answers_csv(named((name, "dog"))))
    assert table[0]["class"] == "'" + name
    assert list(table[1].values()) == ["1", "dog", "'" + name, "0.5", "0"]


def test_a_formula_does_not_hide_behind_another_countrys_separator() -> None:
    assert rows(answers_csv(named(("cat;=1+1", "dog"))))[0]["class"] == "cat;'=1+1"


@pytest.mark.parametrize("name", ['a "quoted" cat', "cat, dog", "two\nlines", "t-shirt", "猫", "a=b"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert rows(answers_csv(named((name, "dog"))))[0]["class"] == name
