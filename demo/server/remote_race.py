"""A race in another process with the interface of `engine.Race`: on a ZeroGPU GPU, or on the CPU where none is free."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextvars import Context
from typing import Literal

from demo.server.gpu_time import MOST, GpuTimeEstimator
from demo.server.limits import in_minutes
from demo.server.worker import in_process, race_messages
from engine import (
    Event,
    Finished,
    Machine,
    Message,
    Plan,
    Prepared,
    RaceFinished,
    RaceStarted,
    Stepped,
    Trained,
    Workspace,
    prepare,
    validate,
)

PROGRESS_DELAY = 0.7  # seconds of preparation after which its progress is shown
# (plan, pickled inputs, GPU seconds) -> messages of a race in a process with a GPU
OnGpu = Callable[[Plan, bytes, int], Generator[bytes, None, None]]


class RemoteRace(Iterator[Event]):
    """The events of a race that runs in another process and is charged to the quota of `visitor`."""

    def __init__(
        self,
        plan: Plan,
        workspace: Workspace,
        machine: Machine,
        announce: Callable[[Message], None],
        visitor: Context,
        gpu_time: GpuTimeEstimator,
        longest: float,
        on_gpu: OnGpu,
    ) -> None:
        """longest: seconds that it may take on the CPU, for the announcement. Raises PlanError or UnavailableError."""
        validate(plan, workspace, machine)
        self._plan, self._workspace, self._machine = plan, workspace, machine
        self._announce, self._visitor = announce, visitor
        self._gpu_time, self._minutes, self._on_gpu = gpu_time, in_minutes(longest), on_gpu
        self.trained: Trained | None = None
        self.is_on_cpu = False  # no GPU was available, or not for long enough
        self._stop = threading.Event()
        self._events = self._run()
        self._busy = threading.Lock()

    def __next__(self) -> Event:
        with self._busy:
            return next(self._events)

    def stop(self) -> None:
        """Stop the racers at the next message of their process; the remaining events still follow."""
        self._stop.set()

    def close(self) -> None:
        """End the work of the other process and wait for it. May be called again."""
        self._stop.set()
        with self._busy:
            self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        began = time.perf_counter()
        racers = RacerProgress(self._plan)
        # Prepared in this process, because every second in the GPU process is charged to the visitor
        inputs = pickle.dumps((yield from self._prepare()))
        yield from self._try_gpu(inputs, racers)
        if self.is_on_cpu:
            yield from self._follow(in_process(race_messages, self._plan, self._machine, inputs, 0), racers)
        if not racers.is_over:
            yield from racers.ends("stopped", Message("zerogpu.stopped"))
            yield RaceFinished(
                both_correct=0,
                only_scratch=0,
                only_pretrained=0,
                both_incorrect=0,
                p_value=1.0,
                gap=0.0,
                gap_low=0.0,
                gap_high=0.0,
                wall_seconds=time.perf_counter() - began,
            )

    def _try_gpu(self, inputs: bytes, racers: RacerProgress) -> Generator[Event, None, None]:
        """Run the race on a GPU; sets `is_on_cpu` where none is available."""
        seconds = self._gpu_time.seconds(self._plan)
        if seconds is None:
            self.is_on_cpu = True
            self._announce(Message("zerogpu.long", most=MOST, minutes=self._minutes))
            return
        if self._stop.is_set():
            return
        self._announce(Message("zerogpu.asking", seconds=seconds))
        try:
            yield from self._follow(self._on_gpu(self._plan, inputs, seconds), racers)
            if racers.is_complete:
                self._gpu_time.update(self._plan, racers.pictures, racers.seconds)
        except Exception as error:  # no quota, no GPU, aborted: gr.Error with a title, or a RuntimeError
            if racers.has_started:
                yield from racers.ends("failed", Message("zerogpu.taken"))
                return
            # The `spaces` package tells its reasons apart only by the title of the error
            title = str(getattr(error, "title", ""))
            is_quota_exceeded = "quota" in title or "credits" in title
            self.is_on_cpu = True
            self._announce(Message("zerogpu.quota" if is_quota_exceeded else "zerogpu.busy", minutes=self._minutes))

    def _prepare(self) -> Generator[Event, None, object]:
        """Return the inputs of the race; yield progress events once it takes longer than PROGRESS_DELAY."""
        began, work = time.perf_counter(), prepare(self._plan, self._workspace)
        try:
            while not self._stop.is_set():
                event = next(work)
                if time.perf_counter() - began >= PROGRESS_DELAY:
                    yield event
        except StopIteration as end:
            return end.value
        finally:
            work.close()
        return None

    def _follow(self, messages: Generator[bytes, None, None], racers: RacerProgress) -> Generator[Event, None, None]:
        """Yield the events from the other process, until it ends or is stopped."""
        try:
            while not self._stop.is_set():
                message = self._visitor.run(next, messages, None)
                if message is None:
                    return
                for item in pickle.loads(message):
                    if isinstance(item, Trained):
                        self.trained = item
                    else:
                        racers.add(item)
                        yield item
        finally:
            self._visitor.run(messages.close)


class RacerProgress:
    """The last step of each racer, to finish those whose process was lost."""

    def __init__(self, plan: Plan) -> None:
        self._open: dict[str, Stepped | None] = {racer.name: None for racer in plan.racers()}
        self._pictures: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self.has_started = self.is_over = False
        self.is_complete = True  # every racer that finished has the reason "done"

    @property
    def pictures(self) -> int:
        """Pictures trained on, counting repeats, all racers together."""
        return sum(self._pictures.values())

    @property
    def seconds(self) -> float:
        """Compute seconds of the slowest racer."""
        return max(self._seconds.values(), default=0.0)

    def add(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, RaceStarted | Prepared):
            self.has_started = True
        elif isinstance(event, Stepped):
            self._open[event.racer] = event
            self._pictures[event.racer], self._seconds[event.racer] = event.pictures, event.seconds
        elif isinstance(event, Finished):
            self._open.pop(event.racer, None)
            self.is_complete &= event.reason == "done"
        elif isinstance(event, RaceFinished):
            self.is_over = True

    def ends(self, reason: Literal["stopped", "failed"], message: Message) -> Iterator[Finished]:
        """Yield a Finished event for every racer that has none."""
        self.is_complete = False
        while self._open:
            racer, last = self._open.popitem()
            yield Finished.unfinished(racer=racer, reason=reason, last=last, message=message)
