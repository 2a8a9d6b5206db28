"""The load test parses event streams, finds gaps and runs from the command line. No timing is asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.load.report import percentile, table
from demo.load.stream import StreamClient, delays, is_gapless

HOME = Path(__file__).parents[2]
HEAD = b"HTTP/1.1 200 OK\r\n\r\nretry: 1000\n\n"


def stream(*arrivals: tuple[float, bytes]) -> StreamClient:
    """A client that received these bytes at these times."""
    client = StreamClient()
    for arrived, data in arrivals:
        client.raw += data
        client.ends.append(len(client.raw))
        client.times.append(arrived)
    return client


def test_a_message_arrives_with_its_last_byte() -> None:
    whole = b'id: 2\ndata: [{"n":0},{"n":1}]\n\n'
    arrivals = (1.0, HEAD + whole[:9]), (2.0, whole[9:] + b": still here\n\n" + b'id: 3\ndata: [{"n"'), (3.0, b":2}]\n\n")
    client = stream(*arrivals)
    assert client.messages() == [(2.0, 2, [{"n": 0}, {"n": 1}]), (3.0, 3, [{"n": 2}])]
    assert not client.is_complete


def test_an_incomplete_message_does_not_count() -> None:
    assert stream((1.0, HEAD + b'id: 1\ndata: [{"n":0}]\n')).messages() == []


def test_delays_are_those_of_rows_written_while_watching() -> None:
    end = b"id: 3\nevent: end\ndata: 3\n\n"
    client = stream((1.0, HEAD), (5.5, b"id: 2\ndata: [{},{}]\n\n"), (6.25, b"id: 3\ndata: [{}]\n\n" + end))
    assert delays(client, [1.0, 5.0, 6.0], since=2.0) == [0.5, 0.25]
    assert client.is_complete


@pytest.mark.parametrize(
    ("received", "expected"),
    [([0, 1, 2], True), ([0, 1], True), ([0], False), ([0, 2, 3], False), ([1, 2, 3], False), ([], False)],
)
def test_a_reader_may_miss_only_the_rows_of_the_last_second(received: list[int], expected: bool) -> None:
    rows = [{"n": n} for n in range(4)]
    assert is_gapless([{"n": n} for n in received], rows, [1.0, 2.0, 3.5, 9.0], until=4.0) is expected


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 3
    assert percentile(range(100), 0.95) == 95
    assert percentile([7], 0.95) == 7
    assert percentile([], 0.5) == 0


def test_the_table_is_markdown_below_the_machine() -> None:
    lines = table([("viewers", "≥ 1", "2")]).splitlines()
    assert "cores" in lines[0]
    assert lines[-3:] == ["| measured | target | result |", "|---|---|---|", "| viewers | ≥ 1 | 2 |"]


@pytest.mark.slow
def test_a_small_session_is_measured_from_the_command_line() -> None:
    command = [sys.executable, "-m", "demo.load", "--epochs", "2"]
    command += ["--viewers", "3", "--phones", "3", "--reconnects", "2", "--starts", "5"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=900, env={**os.environ})
    assert done.returncode == 0, done.stderr
    results = dict(row.strip("| ").split(" | ")[::2] for row in done.stdout.splitlines() if row.startswith("| "))
    assert results["every row delivered to 4 viewers"].startswith("4 ")
    assert results["2 phones, each cut off twice, without a hole"] == "2"
    assert "0 lost" in results["5 Start clicks at once"]
