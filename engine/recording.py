"""Records a race as JSON lines and reads it back: `replay()` returns the events of `run_race()` with their times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.events import Event, from_row, to_row
from engine.jsontext import JsonError, parse_json

FORMAT = 2  # raised where the fields of an event change their names or meanings


@dataclass(frozen=True)
class Stamp:
    """The machine and the date of a recording."""

    machine: str
    date: str  # ISO 8601, without a time


def record(events: Iterable[tuple[float, Event]], path: Path, stamp: Stamp) -> Iterator[tuple[float, Event]]:
    """Write (seconds since the start, event) pairs to `path`, one JSON line each after a header line, and yield them again.

    The file gets its name only after the last event, so a recording is complete or absent.
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
    """The line of one event; `seconds` since the start."""
    return json.dumps({"t": round(seconds, 3), **to_row(event)}, allow_nan=False, separators=(",", ":")) + "\n"


def replay(path: Path) -> tuple[Stamp, list[tuple[float, Event]]]:
    """The stamp and the (seconds, event) pairs of a recording. Raises DataError with the number of a damaged line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError("refusal.recording.missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("refusal.recording.unreadable", path=path, error=error) from None
    try:
        header = _object(lines[0])
        stamp = Stamp(str(header["machine"]), str(header["date"]))
        if header["headstart"] != FORMAT:
            raise DataError("refusal.recording.format", path=path, given=header["headstart"], format=FORMAT)
    except (IndexError, KeyError, TypeError, JsonError):
        raise DataError("refusal.recording.header", path=path) from None
    pairs = []
    for number, line in enumerate(lines[1:], 2):
        try:
            row = _object(line)
            pairs.append((float(row["t"]), from_row(row)))
        except JsonError as error:
            raise DataError("refusal.recording.line", path=path, number=number, error=error.reason) from None
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise DataError("refusal.recording.line", path=path, number=number, error=error) from None
    return stamp, pairs


def _object(line: str) -> dict[str, Any]:
    """The JSON object on a line. Raises JsonError, or TypeError where the value is not an object."""
    value = parse_json(line)
    if not isinstance(value, dict):
        raise TypeError(f"a {type(value).__name__} instead of an object")
    return value
