"""What the measuring program makes of what it received; that it runs at all. No timing is asserted anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.load import Viewer, delays, is_whole, percentile, table

HOME = Path(__file__).parents[1]
HEAD = b"HTTP/1.1 200 OK\r\n\r\nretry: 1000\n\n"


def viewer(*arrivals: tuple[float, bytes]) -> Viewer:
    """One that received this at these times."""
    made = Viewer()
    for arrived, data in arrivals:
        made.raw += data
        made.ends.append(len(made.raw))
        made.times.append(arrived)
    return made


def test_a_message_arrives_with_its_last_byte() -> None:
    whole = b'id: 2\ndata: [{"n":0},{"n":1}]\n\n'
    got = viewer((1.0, HEAD + whole[:9]), (2.0, whole[9:] + b": still here\n\n" + b'id: 3\ndata: [{"n"'), (3.0, b":2}]\n\n"))
    assert got.messages() == [(2.0, 2, [{"n": 0}, {"n": 1}]), (3.0, 3, [{"n": 2}])]
    assert not got.is_complete


def test_a_message_cut_in_the_middle_does_not_count() -> None:
    assert viewer((1.0, HEAD + b'id: 1\ndata: [{"n":0}]\n')).messages() == []


def test_delays_are_those_of_rows_written_while_watching() -> None:
    end = b"id: 3\nevent: end\ndata: 3\n\n"
    got = viewer((1.0, HEAD), (5.5, b"id: 2\ndata: [{},{}]\n\n"), (6.25, b"id: 3\ndata: [{}]\n\n" + end))
    assert delays(got, [1.0, 5.0, 6.0], since=2.0) == [0.5, 0.25]
    assert got.is_complete


@pytest.mark.parametrize(
    ("got", "whole"), [([0, 1, 2], True), ([0, 1], True), ([0], False), ([0, 2, 3], False), ([1, 2, 3], False), ([], False)]
)
def test_a_reader_is_whole_with_every_row_but_those_of_the_last_moment(got: list[int], whole: bool) -> None:
    told = [{"n": n} for n in range(4)]
    assert is_whole([{"n": n} for n in got], told, [1.0, 2.0, 3.5, 9.0], until=4.0) is whole


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 3
    assert percentile(range(100), 0.95) == 95
    assert percentile([7], 0.95) == 7
    assert percentile([], 0.5) == 0


def test_the_table_is_markdown_under_the_machine() -> None:
    lines = table([("viewers", "≥ 1", "2")]).splitlines()
    assert "cores" in lines[0]
    assert lines[-3:] == ["| measured | target | result |", "|---|---|---|", "| viewers | ≥ 1 | 2 |"]


@pytest.mark.slow
def test_a_small_session_is_measured_from_the_command_line() -> None:
    command = [sys.executable, "-m", "demo.load", "--epochs", "2"]
    command += ["--viewers", "3", "--phones", "3", "--reconnects", "2", "--starts", "5"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=240, env={**os.environ})
    assert done.returncode == 0, done.stderr
    cells = dict(row.strip("| ").split(" | ")[::2] for row in done.stdout.splitlines() if row.startswith("| "))
    assert cells["every row delivered to 4 viewers"].startswith("4 ")
    assert cells["2 phones, each cut off twice, without a hole"] == "2"
    assert "0 lost" in cells["5 Start clicks at once"]
