"""A running race: the events of its racers as they happen, and its networks at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TypeVar

from torch import nn

from engine import metrics
from engine.analysis.trained import Trained
from engine.device import Machine
from engine.events import Event, Finished, Progressed, RaceFinished, RaceStarted
from engine.plan import Plan, Racer
from engine.race.inputs import RaceInputs, prepare
from engine.race.runner import side_by_side
from engine.race.validate import validate
from engine.training.evaluator import choose_preview_rows
from engine.training.loop import train
from engine.workspace import Workspace

T = TypeVar("T")
PROGRESS_DELAY = 0.7  # seconds of preparation before its progress is reported


def run_race(
    plan: Plan,
    workspace: Workspace,
    machine: Machine,
    racers: tuple[Racer, ...] | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> Race:
    """Start a race and return it, an iterator of its events. Closing it, from any thread, ends its racers within a step.

    Raises PlanError or UnavailableError at once where the plan cannot be raced here.
    """
    validate(plan, workspace, machine)
    return Race(plan, prepare(plan, workspace), machine, racers, now)


def run_prepared(plan: Plan, inputs: RaceInputs, machine: Machine) -> Race:
    """Start a race with the inputs that `prepare` returned for this plan, perhaps in another process."""

    def ready() -> Generator[Progressed, None, RaceInputs]:
        yield from ()
        return inputs

    return Race(plan, ready(), machine)


class Race(Iterator[Event]):
    """A running race: an iterator of events in the order in which they happen. `close()` it at the end."""

    def __init__(
        self,
        plan: Plan,
        preparing: Generator[Progressed, None, RaceInputs],
        machine: Machine,
        racers: tuple[Racer, ...] | None = None,
        now: Callable[[], float] = time.perf_counter,
    ):
        """`racers`: None = all racers of the plan. `now`: a clock in seconds."""
        self._plan, self._preparing, self._racers, self._now = plan, preparing, racers or plan.racers(), now
        self._machine = machine.shared_by(len(self._racers))
        self.trained: Trained | None = None  # the networks of racers that completed their training, after the race
        self._stop = threading.Event()
        self._events = self._run()
        self._busy = threading.Lock()

    def __next__(self) -> Event:
        with self._busy:
            event = next(self._events)
            if isinstance(event, Progressed) and self._stop.is_set():
                self._events.close()  # type: ignore[attr-defined]  # a generator: nothing has been raced yet
            return event

    def stop(self) -> None:
        """Stop all racers after their current step; the events go on to the end of the race."""
        self._stop.set()

    def close(self) -> None:
        """Stop all racers, wait for them and free the device. Calling it again does nothing."""
        self._stop.set()
        with self._busy:
            self._events.close()  # type: ignore[attr-defined]  # a generator

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> Iterator[Event]:
        began = self._now()
        machine = self._machine
        inputs = yield from self._report_if_slow(self._preparing)
        data, preprocessing = inputs.data, inputs.preprocessing
        yield RaceStarted(
            plan=self._plan.to_json(),
            classes=data.classes,
            labels=tuple(data.heldout_labels.tolist()),
            shown=choose_preview_rows(data.heldout_labels, self._plan.seed),
            training=len(data.training),
            heldout=len(data.heldout),
            image_size=preprocessing.image_size,
            network=inputs.backbone.description,
            machine=machine.name,
            precision=machine.precision,
            threads=machine.threads,
        )
        data = data.to(machine.device)
        networks: dict[str, nn.Sequential] = {}

        def learn(racer: Racer) -> Iterator[Event | None]:
            networks[racer.name] = yield from train(
                racer, self._plan, inputs.backbone, data, preprocessing, machine, self._now
            )

        jobs: dict[str, Callable[[], Iterator[Event | None]]] = {racer.name: partial(learn, racer) for racer in self._racers}
        ends: dict[str, Finished] = {}
        for event in side_by_side(jobs, machine, self._stop):
            if isinstance(event, Finished):
                ends[event.racer] = event
            yield event
        completed = {name: networks[name] for name in networks if ends[name].reason == "done"}
        self.trained = Trained(self._plan, data, preprocessing, completed) if completed else None
        answers = [ends[name].answers for name in ("scratch", "pretrained") if name in ends]
        complete = len(answers) == 2 and all(answers)
        paired = metrics.compare_paired(*answers) if complete else metrics.compare_paired("", "")
        yield RaceFinished(
            both_correct=paired.both_correct,
            only_scratch=paired.only_first,
            only_pretrained=paired.only_second,
            both_incorrect=paired.both_incorrect,
            p_value=paired.p_value,
            gap=paired.gap,
            gap_low=paired.low,
            gap_high=paired.high,
            wall_seconds=self._now() - began,
        )

    def _report_if_slow(self, work: Generator[Progressed, None, T]) -> Generator[Progressed, None, T]:
        """Run `work` and return its result; yields its progress once it has taken PROGRESS_DELAY seconds."""
        began = self._now()
        try:
            while True:
                event = next(work)
                if self._now() - began >= PROGRESS_DELAY:
                    yield event
        except StopIteration as end:
            return end.value
        finally:
            work.close()
