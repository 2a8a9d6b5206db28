"""What stands in the log of a race: rows for every reader, fewer for phones, and nothing that names a visitor's pictures."""

from __future__ import annotations

import json
from pathlib import Path

from test_hub import SHORT, rows
from test_recording import diverged, strictly

from demo.log import LIGHT, Log, Scribe, standing
from engine import LANGUAGES, Finished, Plan, Progressed, Scoreboard, run_race, say


def test_a_phone_gets_only_the_rows_that_it_draws(tiny: Path) -> None:
    log = Log(SHORT, "ann")
    scribe = Scribe(log)
    for event in run_race(SHORT):
        scribe.write(1.0, event)
    assert log.light == [row for row in log.rows if json.loads(row)["event"] in LIGHT]
    assert {"Stepped", "Looked", "Judged"}.isdisjoint(json.loads(row)["event"] for row in log.light)
    assert {"Stepped", "Looked", "Judged"} <= {row["event"] for row in rows(log)}
    assert json.loads(log.light[-1])["event"] == "Standing"


def test_a_browser_can_read_every_row_of_a_race_that_diverged(tiny: Path, guests: None, tmp_path: Path) -> None:
    log = Log(SHORT, "ann")
    scribe = Scribe(log)
    for event in diverged(tmp_path):
        scribe.write(1.0, event)
    told = [strictly(row) for row in log.rows]
    assert None in [row["loss"] for row in told if row["event"] == "Stepped"]
    assert [strictly(row) for row in log.light]


def test_standing_says_what_the_scoreboard_holds(tiny: Path) -> None:
    board = Scoreboard()
    for event in run_race(SHORT):
        board.add(event)
    row = standing(board, 5.0)
    curve = board.curves["transfer"]
    assert curve.finished is not None
    assert row["lanes"]["transfer"]["accuracy"] == f"{100 * curve.finished.correct / curve.finished.total:.0f} %"  # type: ignore[index]
    assert set(row["headline"]) == set(row["detail"]) == set(LANGUAGES)  # type: ignore[call-overload]
    assert row["lanes"]["transfer"]["phase"] == "done"  # type: ignore[index]
    assert row["progress"] == 1.0
    assert row["left"] is None


def test_long_work_before_the_start_is_told_in_words_with_its_share() -> None:
    log = Log(Plan(), "ann")
    Scribe(log).write(1.0, Progressed("download", "pets.tar.gz", 200, 800, "bytes", 50.0, 12.0))
    (row,) = rows(log)
    assert row["event"] == "Preparing"
    assert row["text"]["en"].startswith("Fetching pets.tar.gz")
    assert row["text"]["ja"].startswith("pets.tar.gz を取得中")
    assert row["progress"] == 0.25


def test_what_is_told_of_one_visitors_pictures_names_no_set_and_no_file() -> None:
    log = Log(Plan(), "ann", is_private=True)
    scribe = Scribe(log)
    scribe.write(0.0, Progressed("decode", "unicorns", 1, 2, "pictures", 1.0, 1.0))
    scribe.write(0.0, Progressed("download", "resnet50.pth", 1, 2, "bytes", 1.0, 1.0))
    scribe.write(1.0, Finished("scratch", "failed", 1, 1.0, 1, 1.0, 1, 1, "", "anna.jpg is damaged"))
    decoded, fetched, failed, _ = rows(log)
    assert decoded["text"]["en"].startswith(f"Decoding {say('own.title')}")
    assert say("own.title", "ja") in decoded["text"]["ja"]
    assert "resnet50.pth" in fetched["text"]["en"]
    assert failed["message"] == ""
    assert not [row for row in log.rows if "unicorns" in row or "anna" in row]
