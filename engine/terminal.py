"""How a race looks in the terminal: a live table, the verdict in a sentence, lines of JSON. Knows no command."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table

from engine.events import Event, Progressed, RaceStarted, to_row
from engine.scoreboard import TARGETS, Curve, Scoreboard, Verdict
from engine.telling import progress

NAMES = {
    "scratch": "from scratch",
    "transfer": "pretrained",
    "random": "random, frozen",
    "frozen": "pretrained, frozen",
    "top": "pretrained, top stages",
    "all": "pretrained, everything",
}
STYLES = {
    "scratch": "dark_orange", "transfer": "dodger_blue2", "random": "grey62", "frozen": "dark_cyan", "top": "medium_purple",
    "all": "magenta",
}  # fmt: skip
T = TypeVar("T")


def console() -> Console:
    """Where lists are printed; a pipe is not 80 columns wide."""
    return Console(width=None if sys.stdout.isatty() else 200, soft_wrap=False)


def show(timed: Iterable[tuple[float, Event]]) -> Scoreboard:
    """Print a race as it goes, (seconds since the start, event) pairs, and its verdict; returns how it came out."""
    board = Scoreboard()
    out = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=True)
    with Live(console=out, refresh_per_second=8, transient=False) as live:
        for seconds, event in timed:
            board.add(event)
            if isinstance(event, RaceStarted):
                counts = f"{event.training} training and {event.heldout} held-out pictures at {event.px} px"
                live.console.print(f"{event.network} · {counts} · {event.machine}, {event.precision}")
            live.update(progress(event) if isinstance(event, Progressed) else table(board, seconds))
    if not out.is_terminal:
        out.print()
    out.print(sentence(board.verdict(), board))
    return board


def stream(timed: Iterable[tuple[float, Event]]) -> Scoreboard:
    """Print every event of a race as a line of JSON; returns how it came out."""
    board = Scoreboard()
    for seconds, event in timed:
        board.add(event)
        print(json.dumps({"t": round(seconds, 3), **to_row(event)}), flush=True)
    return board


def paced(pairs: Iterable[tuple[float, Event]], speed: float) -> Iterator[tuple[float, Event]]:
    """The events of a recorded race, so many times as fast as they happened; with speed 0 all at once."""
    began = time.monotonic()
    for seconds, event in pairs:
        if speed > 0:
            time.sleep(max(0.0, seconds / speed - (time.monotonic() - began)))
        yield seconds, event


def finish(work: Generator[Progressed, None, T]) -> T:
    """Run long work to its end, and show on a terminal how far it has come."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            if sys.stderr.isatty():
                print(end="\r\x1b[K", file=sys.stderr)
            return end.value  # type: ignore[no-any-return]
        if sys.stderr.isatty():
            print(end=f"\r\x1b[K{progress(event)}", file=sys.stderr, flush=True)


def table(board: Scoreboard, seconds: float) -> Table:
    """The racers' figures as they stand."""
    share = board.progress
    left = f"{seconds * (1 - share) / share:.0f} s left" if 0.02 < share < 1 else ""
    grid = Table(title=f"{share:4.0%}  {seconds:5.1f} s  {left}", title_justify="left", expand=False)
    for column in ("racer", "doing", "epoch", "accuracy", "95 % interval", "best", "to 50 %", "80 %", "90 %", "compute"):
        grid.add_column(column, justify="left" if column in ("racer", "doing") else "right")
    for name in [lane.name for lane in board.plan.lanes()] if board.plan else []:
        curve = board.curves.get(name, Curve())
        point = curve.points[-1] if curve.points else None
        doing = curve.finished.reason if curve.finished else curve.phases[-1].phase if curve.phases else "building"
        grid.add_row(
            NAMES[name],
            doing,
            f"{point.epoch:.1f}" if point else "",
            f"{'' if point.is_exact else '~'}{point.correct / point.total:.1%}" if point else "",
            f"{point.low:.0%} – {point.high:.0%}" if point else "",
            f"{curve.best.correct / curve.best.total:.1%}" if curve.best else "",
            *(f"{t:.1f} s" if (t := curve.time_to(target)) is not None else "–" for target in TARGETS),
            f"{curve.losses[-1].seconds:.1f} s" if curve.losses else "",
            style=STYLES[name],
        )
    return grid


def sentence(end: Verdict, board: Scoreboard) -> str:
    """The verdict in a sentence."""
    if end.outcome == "unfinished":
        messages = [c.finished.message for c in board.curves.values() if c.finished and c.finished.message]
        return f"No verdict: {'; '.join(messages) or 'the race did not end'}"
    gap = f"{abs(end.gap):.1%} apart, 95 % interval {end.low:+.1%} to {end.high:+.1%}, McNemar p = {end.p_value:.2g}"
    if end.outcome == "close":
        return f"Too close to call: {gap}; below {end.threshold:.1%} another draw of pictures could turn it"
    return f"{NAMES[end.outcome]} wins: {gap}"
