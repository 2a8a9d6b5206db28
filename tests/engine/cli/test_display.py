"""A race in the terminal: a table with a row per racer, the verdict in a sentence, and events as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from engine.cli import display
from engine.events import Finished, Progressed, from_row
from engine.plan import Plan
from tests.helpers.recorded import board, race


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_race_is_printed_as_a_row_per_racer_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_race(race())
    lines = printed(capsys)
    rows = {line.split("│")[1].strip(): line for line in lines if line.startswith("│")}
    ends = {e.racer: e for _, e in race() if isinstance(e, Finished)}
    for racer, end in ends.items():
        assert f"{end.correct / end.total:.1%}" in rows[display.RACER_NAMES[racer]]
    assert lines[-1].startswith(f"pretrained wins: {board(race()).verdict().gap:.1%} apart")
    assert "12 training and 12 held-out pictures at 64 px" in "\n".join(lines)


def test_extra_racers_have_rows_before_their_first_event(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_race(race(plan=Plan(examples_per_class=4, extra_racers=("frozen", "random"))))
    rows = [line.split("│")[1].strip() for line in printed(capsys) if line.startswith("│")]
    assert rows == ["from scratch", "pretrained", "random, frozen", "pretrained, frozen"]


def test_an_unfinished_race_has_a_reason_instead_of_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_race(race(reason="diverged"))
    assert printed(capsys)[-1].startswith("No verdict: the loss became nan at step 30")


def test_every_event_is_a_line_of_json_that_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    scoreboard = display.print_json_lines(race())
    rows = [json.loads(line) for line in printed(capsys)]
    assert [(row["t"], from_row(row)) for row in rows] == race()
    assert scoreboard.finished


def test_a_recording_at_speed_0_is_replayed_at_once() -> None:
    slow_race = [(1e9 * seconds, event) for seconds, event in race()]
    assert list(display.paced(slow_race, 0.0)) == slow_race


def test_work_with_progress_returns_its_result() -> None:
    def work() -> Generator[Progressed, None, str]:
        yield Progressed(work="decode", name="cats", done=1, total=2, unit="pictures", rate=0.0, left=-1.0)
        return "cats"

    assert display.run_with_progress(work()) == "cats"
