"""One race on the server: its plan and owner, its state, its log, and its trained networks."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Literal

from demo.i18n import labels
from demo.server.limits import in_minutes
from demo.server.log_writer import LogWriter
from demo.server.remote_race import RemoteRace
from demo.server.row_log import RowLog
from engine import (
    HeadStartError,
    Message,
    Plan,
    Race,
    RaceFinished,
    RaceStarted,
    Record,
    Stamp,
    Trained,
    Workspace,
    translate,
)

State = Literal["queued", "running", "ended"]
RunningRace = Race | RemoteRace
StartRace = Callable[[Plan, Callable[[Message], None], Context], RunningRace]


def _today() -> Stamp:
    return Stamp("", datetime.date.today().isoformat())


@dataclass(eq=False)  # compared by identity
class RaceJob:
    """A race from its request to its end. The queue decides when it runs; its log can be read at any time."""

    plan: Plan
    owner: str  # "" for a recorded race
    party: str = ""  # key of the fair queue: the owner, or the address of a program
    title: str = ""  # the same in every language
    is_private: bool = False  # on the owner's own pictures; stored, because the task may be deleted meanwhile
    expected: float | None = None  # seconds, as estimated at the request
    stamp: Stamp = field(default_factory=_today)  # machine ("" = the one that RaceStarted names) and day
    visitor: Context = field(default_factory=copy_context)  # context of the request: ZeroGPU charges this visitor's quota
    log: RowLog = field(default_factory=RowLog)
    began: float | None = None  # start, by the queue's clock
    race: RunningRace | None = None  # while it runs
    is_stopping: bool = False
    is_overdue: bool = False  # stopped because it exceeded the time limit
    started: RaceStarted | None = None  # with the class names that the log of a private race leaves out
    trained: Trained | None = None

    @property
    def state(self) -> State:
        """Waiting, running, or ended with its log closed."""
        if self.log.is_closed:
            return "ended"
        return "queued" if self.began is None else "running"

    def run(self, start_race: StartRace, now: Callable[[], float], longest: float) -> float | None:
        """Run the race and write its log up to the row "Ended". Never raises, so that the next race can start.

        Returns the race's wall seconds where every racer finished, else None. longest: the limit in seconds that the message
        of an overdue race states.
        """
        seconds, began = None, now()
        writer = LogWriter(self.log, self.is_private)
        try:
            self.race = start_race(self.plan, writer.announce, self.visitor)
            if self.is_stopping:
                self.race.stop()
            for event in self.race:
                if isinstance(event, RaceStarted):
                    self.started = event
                writer.write(now() - began, event)
                if isinstance(event, RaceFinished) and writer.is_complete:
                    seconds = event.wall_seconds
            self.trained = self.race.trained
            ended: dict[str, Any] = {"event": "Ended", "reason": "stopped" if self.is_stopping else "done"}
            if self.is_overdue:
                most = in_minutes(longest)
                ended["message"] = labels.everywhere(lambda language: translate("refusal.overdue", language, most=most))
            self.log.append(ended)
        except Exception as error:
            self.log.append({"event": "Ended", "reason": "failed", "message": _failure(error, self.is_private)})
        finally:
            if self.race:
                self.race.close()
            self.race, self.visitor = None, Context()
        return seconds

    def stop(self) -> None:
        """Stop a running race at its next step."""
        self.is_stopping = True
        if race := self.race:
            race.stop()

    def cancel(self) -> None:
        """End a waiting race."""
        self.log.append({"event": "Ended", "reason": "stopped"})
        self.log.close()

    def record(self, visitor: str, workspace: Workspace) -> Record | None:
        """The race for export; None before its end, or where it is private to another visitor."""
        if self.state != "ended" or not self.is_open_to(visitor):
            return None
        pairs = [(row["t"], event) for row, event in zip(self.log.rows, self.log.events, strict=True) if event]
        if started := self.started:
            pairs = [(t, started if isinstance(event, RaceStarted) else event) for t, event in pairs]
        machine = next((event.machine for _, event in pairs if isinstance(event, RaceStarted)), "")
        return Record(Stamp(self.stamp.machine or machine, self.stamp.date), pairs, workspace, self.trained)

    def is_open_to(self, visitor: str) -> bool:
        """Whether this visitor may read class names, files and networks of the race."""
        return self.owner == visitor or not self.is_private


def _failure(error: Exception, is_private: bool) -> dict[str, str]:
    """The reason of a failure in every language; a fixed sentence for a private race, whose files the reason could name."""
    if is_private:
        return labels.everywhere(lambda language: translate("upload.failure", language))
    if isinstance(error, HeadStartError):
        return labels.everywhere(error.translated)
    return labels.everywhere(lambda language: str(error) or type(error).__name__)
