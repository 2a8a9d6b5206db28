"""The tables hold the events of the race; no class name is a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Event, Plan, Scoreboard, Stamp, record, replay, run_race
from engine.events import Evaluated, Predicted, RaceStarted
from engine.export.tables import CURVES, curves_csv, events_jsonl, predictions_csv
from engine.workspace import Workspace
from tests.conftest import CPU

STAMP = Stamp("a machine", "2026-11-21")
Pairs = list[tuple[float, Event]]


_raced: Pairs = []


@pytest.fixture
def pairs(workspace: Workspace) -> Pairs:
    """A race of two racers for one epoch, an event every tenth of a second; run once for all tests."""
    if not _raced:
        _raced.extend(
            (k / 10, event)
            for k, event in enumerate(run_race(Plan(examples_per_class=2, epochs=1, trainable_stages=1), workspace, CPU))
        )
    return _raced


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def with_classes(names: tuple[str, ...]) -> Pairs:
    """A race with these class names: two held-out pictures, one racer, one correct prediction."""
    start = RaceStarted(
        plan=Plan().to_json(),
        classes=names,
        labels=(0, 1),
        shown=(),
        training=4,
        heldout=2,
        image_size=32,
        network="a network",
        machine="a machine",
        precision="fp32",
        threads=1,
    )
    return [(0.0, start), (1.0, Predicted(racer="scratch", predicted=(0, 0), confidence=(0.75, 0.5)))]


def test_the_events_are_a_recording(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    path.write_text(events_jsonl(STAMP, pairs), encoding="utf-8")
    assert replay(path) == (STAMP, pairs)


def test_the_events_are_written_as_a_recording_is(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "race.jsonl"
    list(record(pairs, path, STAMP))
    assert path.read_text(encoding="utf-8") == events_jsonl(STAMP, pairs)


def test_every_point_is_a_row(pairs: Pairs) -> None:
    points = [event for _, event in pairs if isinstance(event, Evaluated)]
    table = rows(curves_csv(pairs))
    assert [(r["racer"], int(r["step"]), int(r["correct"]), int(r["total"])) for r in table] == [
        (p.racer, p.step, p.correct, p.total) for p in points
    ]
    assert [float(r["seconds"]) for r in table] == pytest.approx([p.seconds for p in points], abs=1e-6)
    assert [float(r["accuracy"]) for r in table] == pytest.approx([p.correct / p.total for p in points], abs=1e-6)
    assert all(float(r["low"]) <= float(r["accuracy"]) <= float(r["high"]) for r in table)


def test_an_evaluation_of_the_subset_is_marked() -> None:
    point = Evaluated(
        racer="scratch",
        step=3,
        epoch=0.5,
        pictures=12,
        seconds=1.25,
        correct=30,
        total=60,
        low=0.4,
        high=0.6,
        is_exact=False,
        evaluation_seconds=0.1,
    )
    table = rows(curves_csv([(0.0, point), (0.1, replace(point, is_exact=True))]))
    assert [r["kind"] for r in table] == ["subset", "exact"]


def test_the_table_has_a_header_and_the_line_ends_of_rfc_4180(pairs: Pairs) -> None:
    lines = curves_csv(pairs).split("\r\n")
    assert lines[0] == ",".join(CURVES)
    assert lines[-1] == ""
    assert not any("\n" in line for line in lines)


def test_the_predictions_agree_with_the_final_accuracy(pairs: Pairs) -> None:
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    table = rows(predictions_csv(pairs))
    assert board.started is not None
    assert len(table) == board.started.heldout
    for racer, curve in board.curves.items():
        assert curve.finished is not None
        assert "".join(r[f"{racer}_right"] for r in table) == curve.finished.answers
        assert all((r["class"] == r[f"{racer}_predicted"]) == (r[f"{racer}_right"] == "1") for r in table)


def test_a_racer_that_did_not_finish_has_no_columns(pairs: Pairs) -> None:
    kept = [(t, e) for t, e in pairs if not (isinstance(e, Predicted) and e.racer == "scratch")]
    assert list(rows(predictions_csv(kept))[0]) == [
        "row",
        "class",
        "pretrained_predicted",
        "pretrained_confidence",
        "pretrained_right",
    ]


def test_the_table_of_a_race_that_never_started_is_its_header() -> None:
    assert predictions_csv([]) == "row,class\r\n"
    assert curves_csv([]) == ",".join(CURVES) + "\r\n"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1"])
def test_a_class_name_is_not_a_formula(name: str) -> None:
    table = rows(predictions_csv(with_classes((name, "dog"))))
    assert table[0]["class"] == "'" + name
    assert list(table[1].values()) == ["1", "dog", "'" + name, "0.5", "0"]


def test_a_formula_after_a_separator_of_another_locale_is_escaped() -> None:
    assert rows(predictions_csv(with_classes(("cat;=1+1", "dog"))))[0]["class"] == "cat;'=1+1"


@pytest.mark.parametrize("name", ['a "quoted" cat', "cat, dog", "two\nlines", "t-shirt", "猫", "a=b"])
def test_other_class_names_are_unchanged(name: str) -> None:
    assert rows(predictions_csv(with_classes((name, "dog"))))[0]["class"] == name
