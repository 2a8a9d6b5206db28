"""The log of a race holds its events and standings, and no name of a visitor's pictures."""

from __future__ import annotations

from demo.server.log_writer import LogWriter, standings_row
from demo.server.row_log import RowLog
from engine import LANGUAGES, Event, Finished, Progressed, Scoreboard, run_race, translate
from engine.race.inputs import RaceInputs
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.engine.test_recording import diverged, strictly
from tests.helpers.races import SHORT


def written(*events: Event, is_private: bool = False) -> RowLog:
    log = RowLog()
    writer = LogWriter(log, is_private)
    for event in events:
        writer.write(1.0, event)
    return log


def test_the_last_row_of_a_race_is_its_standings(workspace: Workspace) -> None:
    log = written(*run_race(SHORT, workspace, CPU))
    assert {"Stepped", "WeightsProbed", "Predicted", "RaceFinished"} <= {row["event"] for row in log.rows}
    assert log.rows[-1]["event"] == "Standing"
    assert log.light[-1] == log.texts[-1]


def test_a_browser_can_read_every_row_of_a_race_that_diverged(drawn: RaceInputs) -> None:
    log = written(*diverged(drawn))
    read = [strictly(text) for text in log.texts]
    assert None in [row["loss"] for row in read if row["event"] == "Stepped"]
    assert [strictly(text) for text in log.light]


def test_the_standings_hold_the_scoreboards_numbers(workspace: Workspace) -> None:
    board = Scoreboard()
    for event in run_race(SHORT, workspace, CPU):
        board.add(event)
    row = standings_row(board, 5.0)
    curve = board.curves["pretrained"]
    assert curve.finished is not None
    assert row["racers"]["pretrained"]["accuracy"] == f"{100 * curve.finished.correct / curve.finished.total:.0f} %"
    assert set(row["headline"]) == set(row["detail"]) == set(LANGUAGES)
    assert row["racers"]["pretrained"]["phase"] == "done"
    assert row["progress"] == 1.0
    assert row["left"] is None


def test_long_work_before_the_start_is_reported_with_its_progress() -> None:
    (row,) = written(
        Progressed(work="download", name="pets.tar.gz", done=200, total=800, unit="bytes", rate=50.0, left=12.0)
    ).rows
    assert row["event"] == "Preparing"
    assert row["text"]["en"].startswith("Fetching pets.tar.gz")
    assert row["text"]["ja"].startswith("pets.tar.gz を取得中")
    assert row["progress"] == 0.25


def test_the_log_of_a_private_race_names_no_set_and_no_file() -> None:
    log = written(
        Progressed(work="decode", name="unicorns", done=1, total=2, unit="pictures", rate=1.0, left=1.0),
        Progressed(work="download", name="resnet50.pth", done=1, total=2, unit="bytes", rate=1.0, left=1.0),
        Finished(
            racer="scratch",
            reason="failed",
            step=1,
            epoch=1.0,
            pictures=1,
            seconds=1.0,
            correct=1,
            total=1,
            answers="",
            message="anna.jpg is damaged",
        ),
        is_private=True,
    )
    decoded, fetched, failed, _ = log.rows
    assert decoded["text"]["en"].startswith(f"Decoding {translate('upload.title')}")
    assert translate("upload.title", "ja") in decoded["text"]["ja"]
    assert "resnet50.pth" in fetched["text"]["en"]
    assert failed["message"] == ""
    assert not [text for text in log.texts if "unicorns" in text or "anna" in text]


def test_a_race_that_waited_for_a_download_is_not_complete() -> None:
    writer = LogWriter(RowLog())
    writer.write(0.0, Progressed(work="decode", name="cats", done=1, total=2, unit="pictures", rate=1.0, left=1.0))
    writer.write(
        1.0,
        Finished(
            racer="scratch",
            reason="done",
            step=1,
            epoch=1.0,
            pictures=1,
            seconds=1.0,
            correct=1,
            total=1,
            answers="1",
            message="",
        ),
    )
    assert not writer.is_complete
