"""A race as JSON lines; replay() yields what run_race() yields. Sees only events, knows no clock of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError
from engine.events import Event, from_row, to_row

FORMAT = 1


@dataclass(frozen=True)
class Stamp:
    """Where and when a recording was made."""

    machine: str
    date: str  # ISO, the day


def record(events: Iterable[tuple[float, Event]], path: Path, stamp: Stamp) -> Iterator[tuple[float, Event]]:
    """Write (seconds since the start, event) pairs to `path` as they pass, one JSON line each after a header line.

    The file appears under its name only when the race has ended, so a recording is whole or absent.
    """
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8") as file:
        file.write(header(stamp))
        for seconds, event in events:
            file.write(line(seconds, event))
            yield seconds, event
    part.rename(path)


def header(stamp: Stamp) -> str:
    """The first line of a recording."""
    return json.dumps({"headstart": FORMAT, "machine": stamp.machine, "date": stamp.date}) + "\n"


def line(seconds: float, event: Event) -> str:
    """The line of one event, so many seconds since the start."""
    return json.dumps({"t": round(seconds, 3), **to_row(event)}, allow_nan=False, separators=(",", ":")) + "\n"


def replay(path: Path) -> tuple[Stamp, list[tuple[float, Event]]]:
    """The stamp and the (seconds, event) pairs of a recording. Raises DataError, naming the line that is damaged."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError("refusal.recording.missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("refusal.recording.unreadable", path=path, error=error) from None
    try:
        header = json.loads(lines[0])
        stamp = Stamp(str(header["machine"]), str(header["date"]))
        if header["headstart"] != FORMAT:
            raise DataError("refusal.recording.format", path=path, given=header["headstart"], format=FORMAT)
    except (IndexError, KeyError, TypeError, json.JSONDecodeError):
        raise DataError("refusal.recording.header", path=path) from None
    pairs = []
    for number, line in enumerate(lines[1:], 2):
        try:
            row = json.loads(line)
            pairs.append((float(row["t"]), from_row(row)))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("refusal.recording.line", path=path, number=number, error=error) from None
    return stamp, pairs
