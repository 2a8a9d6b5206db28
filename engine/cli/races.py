"""The commands for single races: `race`, `replay`, `export`, `gallery`."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import engine
from engine import Event, Stamp, Workspace
from engine.cli import display
from engine.cli.exit_codes import OK, UNAVAILABLE
from engine.cli.options import Commands, add_plan_options, read_plan

JSON_HELP = "Print every event as a line of JSON instead of a table."


def add_commands(commands: Commands) -> None:
    """Add the commands with their options."""
    race = commands.add_parser("race", help="race a network from scratch against a pretrained one")
    add_plan_options(race)
    output = race.add_argument_group("output")
    output.add_argument("--json", action="store_true", help=JSON_HELP)
    output.add_argument(
        "--record", type=Path, metavar="FILE", help="Also write the race to a file that `replay` reads. (default: none)"
    )
    output.add_argument(
        "--export", type=Path, metavar="DIR", help="Also write every file of `export` to this folder. (default: none)"
    )
    race.set_defaults(run=_race)

    replay = commands.add_parser("replay", help="show a recorded race again")
    replay.add_argument("file", type=Path, help="A recording that `race --record` wrote.")
    replay.add_argument(
        "--speed",
        type=float,
        default=4.0,
        metavar="FACTOR",
        help="How many times as fast as it happened; 0 shows everything at once. (0 or more; default: 4)",
    )
    replay.add_argument("--json", action="store_true", help=JSON_HELP)
    replay.set_defaults(run=_replay)

    _add_export(commands)

    gallery = commands.add_parser("gallery", help="make a static page of a folder of replays and recordings")
    gallery.add_argument("dir", type=Path, help="The folder; the page is written into it.")
    gallery.add_argument(
        "--title", metavar="TEXT", help=f"Title of the page. (default: {engine.translate('gallery.title')})"
    )
    gallery.set_defaults(run=_gallery)


def _add_export(commands: Commands) -> None:
    export = commands.add_parser("export", help="make files of a recorded race: script, report, replay, tables")
    export.add_argument("file", type=Path, help="A recording that `race --record` wrote.")
    export.add_argument("dir", type=Path, help="The folder that the files are written to.")
    export.add_argument(
        "--only",
        nargs="+",
        choices=list(engine.EXPORT_FILES),
        metavar="FORMAT",
        help=f"Make these files only: {', '.join(engine.EXPORT_FILES)}. (default: all that the recording allows)",
    )
    export.add_argument(
        "--language",
        choices=list(engine.LANGUAGES),
        default="en",
        metavar="|".join(engine.LANGUAGES),
        help="Language of the report and the replay. (default: en)",
    )
    export.add_argument("--notes", default="", metavar="TEXT", help="Your notes, printed in the report. (default: none)")
    export.set_defaults(run=_export)


def _race(parsed: argparse.Namespace, workspace: Workspace) -> int:
    plan = read_plan(parsed, workspace)
    machine = engine.this_machine()
    with engine.run_race(plan, workspace, machine) as race:
        began = time.monotonic()
        timed_events: Iterator[tuple[float, Event]] = ((time.monotonic() - began, event) for event in race)
        stamp = Stamp(machine.name, datetime.date.today().isoformat())
        if parsed.record:
            timed_events = engine.record(timed_events, parsed.record, stamp)
        recorded: list[tuple[float, Event]] = []
        output = display.print_json_lines if parsed.json else display.print_race
        board = output(recorded.append(pair) or pair for pair in timed_events)  # type: ignore[func-returns-value]
    is_complete = not any(c.finished and c.finished.reason == "failed" for c in board.curves.values())
    if parsed.export:
        record = engine.Record(stamp, recorded, workspace, race.trained)
        is_complete &= _write(record, parsed.export, engine.can_export(record), "en", "")
    return OK if is_complete else UNAVAILABLE


def _export(parsed: argparse.Namespace, workspace: Workspace) -> int:
    record = engine.Record(*engine.replay(parsed.file), workspace)
    formats = parsed.only or engine.can_export(record)
    return OK if _write(record, parsed.dir, formats, parsed.language, parsed.notes) else UNAVAILABLE


def _write(record: engine.Record, folder: Path, formats: Iterable[str], language: str, notes: str) -> bool:
    """Write a file in each format and return whether all could be made. After an error the other files are still written."""
    folder.mkdir(parents=True, exist_ok=True)
    is_complete = True
    for file_format in formats:
        try:
            name, content = engine.export_file(file_format, record, language, notes)
        except engine.HeadStartError as error:
            print(f"engine: no {file_format}: {error}", file=sys.stderr)
            is_complete = False
            continue
        (folder / name).write_bytes(content)
        print(f"{folder / name}  {len(content) / 1e3:,.0f} kB", file=sys.stderr)
    return is_complete


def _gallery(parsed: argparse.Namespace, workspace: Workspace) -> int:
    gallery = engine.gallery(
        parsed.dir,
        workspace,
        parsed.title,
        pictures=lambda plan, rows: engine.previews_or_none(plan, workspace, "heldout", rows),
    )
    for note in gallery.notes:
        print(note, file=sys.stderr)
    print(f"{gallery.index}: {gallery.races} races")
    return OK


def _replay(parsed: argparse.Namespace, _workspace: Workspace) -> int:
    stamp, pairs = engine.replay(parsed.file)
    if parsed.json:
        display.print_json_lines(pairs)
    else:
        print(f"RECORDED on {stamp.machine}, {stamp.date}")
        display.print_race(display.paced(pairs, parsed.speed))
    return OK
