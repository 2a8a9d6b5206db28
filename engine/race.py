"""Two training jobs side by side on one machine: runs them at once, merges their events, stops them. No learning here."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator

import torch

from engine import backbones, metrics, tasks
from engine.device import Machine, this_machine
from engine.errors import HeadStartError, PlanError
from engine.events import Event, Finished, RaceFinished, RaceStarted, Reason, Stepped
from engine.plan import Lane, Plan
from engine.training import train


def check(plan: Plan) -> None:
    """Raise PlanError or UnavailableError where this plan cannot be raced here; loads nothing large."""
    task, backbone = tasks.find(plan.task), backbones.find(plan.backbone)
    tasks.check_examples(task, plan.examples)
    count = len(backbones.stages(plan.backbone, len(task.classes)))
    if plan.learning_stages > count:
        raise PlanError(f"learning_stages is {plan.learning_stages}; {backbone.title} has {count} stages")
    backbones.check_weights(backbone)


def draw(plan: Plan) -> tasks.Drawn:
    """The pictures of this race as its network wants them."""
    backbone = backbones.find(plan.backbone)
    return tasks.Drawn(
        classes=tasks.find(plan.task).classes,
        **tasks.draw(plan.task, plan.examples, plan.seed),
        px=backbone.px,
        mean=backbones.IMAGENET_MEAN,
        std=backbones.IMAGENET_STD,
    )


def run_race(plan: Plan, lanes: tuple[Lane, ...] | None = None, now: Callable[[], float] = time.perf_counter) -> Race:
    """Start a race and iterate over what happens; close it, from any thread, and both jobs end within 0.5 s.

    Raises PlanError or UnavailableError at once where it cannot be raced here.
    """
    check(plan)
    return Race(plan, lanes or plan.lanes(), now)


class Race(Iterator[Event]):
    """A running race: an iterator of events in the order they happened, and `close()`."""

    def __init__(self, plan: Plan, lanes: tuple[Lane, ...], now: Callable[[], float]):
        self._plan, self._lanes, self._now = plan, lanes, now
        self._stop = threading.Event()
        self._events = self._run()
        self._busy = threading.Lock()

    def __next__(self) -> Event:
        with self._busy:
            return next(self._events)

    def stop(self) -> None:
        """Ask both jobs to end; they do after the step they are in, and the events go on to the end."""
        self._stop.set()

    def close(self) -> None:
        """End both jobs, wait for them and free the device. Calling it again does nothing."""
        self._stop.set()
        with self._busy:
            self._events.close()  # type: ignore[attr-defined]  # a generator

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> Iterator[Event]:
        began = self._now()
        machine = this_machine()
        pictures = draw(self._plan)
        yield RaceStarted(
            plan=self._plan.to_json(),
            classes=pictures.classes,
            training=len(pictures.training),
            heldout=len(pictures.heldout),
            px=pictures.px,
            network=backbones.find(self._plan.backbone).description,
            machine=machine.name,
            precision=machine.precision,
            threads=machine.threads,
        )
        pictures = pictures.to(machine.device)
        jobs: dict[str, Callable[[], Iterator[Event | None]]] = {
            lane.name: (lambda lane=lane: train(lane, self._plan, pictures, machine, self._now))  # type: ignore[misc]
            for lane in self._lanes
        }
        ends: dict[str, Finished] = {}
        for event in side_by_side(jobs, machine, self._stop):
            if isinstance(event, Finished):
                ends[event.lane] = event
            yield event
        answers = [ends[name].answers for name in ("scratch", "transfer") if name in ends]
        complete = len(answers) == 2 and all(answers)
        paired = metrics.compare(*answers) if complete else metrics.compare("", "")
        yield RaceFinished(
            both_right=paired.both_right,
            only_scratch=paired.only_first,
            only_transfer=paired.only_second,
            both_wrong=paired.both_wrong,
            p_value=paired.p_value,
            gap=paired.gap,
            gap_low=paired.low,
            gap_high=paired.high,
            wall_seconds=self._now() - began,
        )


def side_by_side(
    jobs: dict[str, Callable[[], Iterator[Event | None]]], machine: Machine, stop: threading.Event
) -> Iterator[Event]:
    """Run every job in a thread of its own, on a CUDA stream of its own, and yield their events as they come.

    Once `stop` is set, each job is closed after the piece of work it is in and reports Finished(reason="stopped").
    An error in one job ends that job with reason "failed" and leaves the others alone.
    """
    told: queue.SimpleQueue[Event | str] = queue.SimpleQueue()

    def work(name: str, job: Callable[[], Iterator[Event | None]]) -> None:
        last: Stepped | None = None
        try:
            machine.claim_thread()
            stream = torch.cuda.stream(torch.cuda.Stream()) if machine.device == "cuda" else contextlib.nullcontext()
            with stream:
                events = job()
                for event in events:
                    last = event if isinstance(event, Stepped) else last
                    if event is not None:
                        told.put(event)
                    if stop.is_set() and not isinstance(event, Finished):
                        events.close()  # type: ignore[attr-defined]  # a generator
                        told.put(_ended(name, "stopped", last, "the race was stopped"))
                        break
        except HeadStartError as error:
            told.put(_ended(name, "failed", last, str(error)))
        except torch.OutOfMemoryError:
            told.put(_ended(name, "failed", last, "the GPU's memory is full: choose fewer pictures or a smaller batch"))
        except Exception as error:  # the rival must go on, and the page must hear of it
            told.put(_ended(name, "failed", last, f"{type(error).__name__}: {error}"))
        finally:
            told.put(name)

    threads = [threading.Thread(target=work, args=item, name=f"racer {item[0]}", daemon=True) for item in jobs.items()]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            item = told.get()
            if isinstance(item, str):
                running -= 1
            else:
                yield item
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if machine.device == "cuda":
            torch.cuda.empty_cache()


def _ended(lane: str, reason: Reason, last: Stepped | None, message: str) -> Finished:
    """The end of a job that did not reach its own, as far as it came."""
    if last is None:
        return Finished(lane, reason, 0, 0.0, 0, 0.0, 0, 0, "", message)
    return Finished(lane, reason, last.step, last.epoch, last.pictures, last.seconds, 0, 0, "", message)
