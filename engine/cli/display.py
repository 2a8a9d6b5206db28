"""A race in the terminal: a live table and the verdict in a sentence, or lines of JSON."""

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
from engine.sentences import progress_sentence

RACER_NAMES = {
    "scratch": "from scratch",
    "pretrained": "pretrained",
    "random": "random, frozen",
    "frozen": "pretrained, frozen",
    "top": "pretrained, top stages",
    "all": "pretrained, everything",
}
RACER_STYLES = {
    "scratch": "dark_orange", "pretrained": "dodger_blue2", "random": "grey62", "frozen": "dark_cyan",
    "top": "medium_purple",
    "all": "magenta",
}  # fmt: skip
T = TypeVar("T")


class Terminal(Console):
    """A console that raises BrokenPipeError where the reader of its output has closed the pipe."""

    def on_broken_pipe(self) -> None:
        """Raise it again, where Rich would end the program with exit code 1."""
        raise


def console() -> Console:
    """The console for tables: as wide as the terminal, or 200 columns in a pipe."""
    return Terminal(width=None if sys.stdout.isatty() else 200, soft_wrap=False)


def print_race(timed_events: Iterable[tuple[float, Event]]) -> Scoreboard:
    """Print a race while it runs and then its verdict; returns its scoreboard.

    timed_events: (seconds since the start, event)
    """
    board = Scoreboard()
    out = Terminal(width=None if sys.stdout.isatty() else 120, soft_wrap=True)
    with Live(console=out, refresh_per_second=8, transient=False) as live:
        for seconds, event in timed_events:
            board.add(event)
            if isinstance(event, RaceStarted):
                counts = f"{event.training} training and {event.heldout} held-out pictures at {event.image_size} px"
                live.console.print(f"{event.network} · {counts} · {event.machine}, {event.precision}")
            live.update(progress_sentence(event) if isinstance(event, Progressed) else table(board, seconds))
    if not out.is_terminal:
        out.print()
    out.print(verdict_sentence(board.verdict(), board))
    return board


def print_json_lines(timed_events: Iterable[tuple[float, Event]]) -> Scoreboard:
    """Print every event of a race as a line of JSON, `t` its seconds since the start; returns the scoreboard."""
    board = Scoreboard()
    for seconds, event in timed_events:
        board.add(event)
        print(json.dumps({"t": round(seconds, 3), **to_row(event)}), flush=True)
    return board


def paced(pairs: Iterable[tuple[float, Event]], speed: float) -> Iterator[tuple[float, Event]]:
    """Yield the events of a recorded race `speed` times as fast as they happened; with speed 0 all at once."""
    began = time.monotonic()
    for seconds, event in pairs:
        if speed > 0:
            time.sleep(max(0.0, seconds / speed - (time.monotonic() - began)))
        yield seconds, event


def run_with_progress(work: Generator[Progressed, None, T]) -> T:
    """Run a generator to its end and return its value; a terminal shows its progress on stderr."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            if sys.stderr.isatty():
                print(end="\r\x1b[K", file=sys.stderr)
            return end.value  # type: ignore[no-any-return]
        if sys.stderr.isatty():
            print(end=f"\r\x1b[K{progress_sentence(event)}", file=sys.stderr, flush=True)


def table(board: Scoreboard, seconds: float) -> Table:
    """The latest figures of every racer, after `seconds` of the race."""
    progress = board.progress  # 0..1
    left = f"{seconds * (1 - progress) / progress:.0f} s left" if 0.02 < progress < 1 else ""
    grid = Table(title=f"{progress:4.0%}  {seconds:5.1f} s  {left}", title_justify="left", expand=False)
    for column in ("racer", "phase", "epoch", "accuracy", "95 % interval", "best", "to 50 %", "80 %", "90 %", "compute"):
        grid.add_column(column, justify="left" if column in ("racer", "phase") else "right")
    for name in [racer.name for racer in board.plan.racers()] if board.plan else []:
        curve = board.curves.get(name, Curve())
        point = curve.points[-1] if curve.points else None
        phase = curve.finished.reason if curve.finished else curve.phases[-1].phase if curve.phases else "building"
        grid.add_row(
            RACER_NAMES[name],
            phase,
            f"{point.epoch:.1f}" if point else "",
            f"{'' if point.is_exact else '~'}{point.correct / point.total:.1%}" if point else "",
            f"{point.low:.0%} – {point.high:.0%}" if point else "",
            f"{curve.best.correct / curve.best.total:.1%}" if curve.best else "",
            *(f"{t:.1f} s" if (t := curve.time_to(target)) is not None else "–" for target in TARGETS),
            f"{curve.losses[-1].seconds:.1f} s" if curve.losses else "",
            style=RACER_STYLES[name],
        )
    return grid


AGAIN = "with other training pictures it may differ: repeat it with another --seed"


def verdict_sentence(verdict: Verdict, board: Scoreboard) -> str:
    """The verdict in a sentence; of a race without one, why there is none."""
    if verdict.outcome == "unfinished":
        messages = [c.finished.message for c in board.curves.values() if c.finished and c.finished.message]
        return f"No verdict: {'; '.join(messages) or 'the race did not end'}"
    interval = f"95 % interval {verdict.low:+.1%} to {verdict.high:+.1%}"
    gap = f"{abs(verdict.gap):.1%} apart, {interval}, McNemar p = {verdict.p_value:.2g}"
    if verdict.outcome == "close":
        return f"Too close to call: {gap}; {AGAIN}"
    return f"{RACER_NAMES[verdict.outcome]} wins: {gap}; {AGAIN}"
