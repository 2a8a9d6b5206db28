"""How a race looks in the terminal: a row for every racer, no surer a sentence than the numbers, lines a program reads."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest
from told import board, race

from engine import terminal
from engine.events import Finished, Progressed, from_row
from engine.plan import Plan


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_race_is_a_row_for_each_racer_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(race())
    lines = printed(capsys)
    rows = {line.split("│")[1].strip(): line for line in lines if line.startswith("│")}
    ends = {e.lane: e for _, e in race() if isinstance(e, Finished)}
    for lane, end in ends.items():
        assert f"{end.correct / end.total:.1%}" in rows[terminal.NAMES[lane]]
    assert lines[-1].startswith(f"pretrained wins: {board(race()).verdict().gap:.1%} apart")
    assert "12 training and 12 held-out pictures at 64 px" in "\n".join(lines)


def test_extra_racers_have_a_row_each_before_they_have_done_anything(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(race(plan=Plan(examples=4, extra_lanes=("frozen", "random"))))
    rows = [line.split("│")[1].strip() for line in printed(capsys) if line.startswith("│")]
    assert rows == ["from scratch", "pretrained", "random, frozen", "pretrained, frozen"]


def test_without_an_end_there_is_no_verdict_but_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(race(reason="diverged"))
    assert printed(capsys)[-1].startswith("No verdict: the loss is not a number")


def test_every_event_is_a_line_that_a_program_reads_again(capsys: pytest.CaptureFixture[str]) -> None:
    came_out = terminal.stream(race())
    rows = [json.loads(line) for line in printed(capsys)]
    assert [(row["t"], from_row(row)) for row in rows] == race()
    assert came_out.finished


def test_a_recording_without_a_speed_is_shown_at_once() -> None:
    years = [(1e9 * seconds, event) for seconds, event in race()]
    assert list(terminal.paced(years, 0.0)) == years


def test_long_work_comes_to_what_it_made() -> None:
    def work() -> Generator[Progressed, None, str]:
        yield Progressed("decode", "cats", 1, 2, "pictures", 0.0, -1.0)
        return "cats"

    assert terminal.finish(work()) == "cats"
