"""Training jobs side by side on one machine: runs them at once, merges their events, stops them. No learning here."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import nn

from engine import backbones, breaking, metrics, tasks
from engine.device import Machine, this_machine
from engine.errors import HeadStartError, PlanError
from engine.events import Event, Finished, Progressed, RaceFinished, RaceStarted, Reason, Stepped
from engine.plan import Lane, Plan
from engine.trained import Trained
from engine.training import show, train

T = TypeVar("T")
MEMORY_SHARE = 0.7  # of what is free that a race may take
WONDER = 0.7  # seconds after which people ask what a page is doing


def check(plan: Plan) -> None:
    """Raise PlanError or UnavailableError where this plan cannot be raced here; loads and fetches nothing."""
    task, backbone = tasks.find(plan.task), backbones.find(plan.backbone)
    tasks.check_examples(task, plan.examples)
    facts = backbones.stages(plan.backbone, len(task.classes), side(plan))
    count = len(facts)
    for lane in plan.lanes():
        if lane.learning_stages > count:
            raise PlanError("refusal.race.stages", n=lane.learning_stages, network=backbone.title, count=count)
        if lane.name != "transfer" and lane.pretrained and (lane.learning_stages or count) == plan.learning_stages:
            raise PlanError("refusal.race.twin", lane=repr(lane.name))
    needed, free = memory(plan, facts), this_machine().free_memory()
    if needed > MEMORY_SHARE * free:
        raise PlanError(
            "refusal.race.memory",
            network=backbone.title,
            px=side(plan),
            racers=len(plan.lanes()),
            need=needed / 1e9,
            free=free / 1e9,
        )
    backbones.check_weights(backbone)


def memory(plan: Plan, facts: Sequence[backbones.Stage]) -> int:
    """Bytes that the networks of all racers take while they learn, about.

    Weights, a copy of them as they began, gradients, AdamW's two means, what the layers put out.
    """
    total = 0
    for lane in plan.lanes():
        learning = facts[-lane.learning_stages :] if lane.learning_stages else facts
        total += 8 * sum(stage.parameters for stage in facts) + 12 * sum(stage.parameters for stage in learning)
        total += 4 * plan.batch_size * sum(stage.activations for stage in learning)
    return total


def side(plan: Plan) -> int:
    """Side in pixels of what this plan's networks see."""
    return plan.px or backbones.find(plan.backbone).px


def draw(plan: Plan) -> Generator[Progressed, None, tasks.Drawn]:
    """The pictures of this race as its network wants them; yields how far fetching and decoding have come."""
    backbone = backbones.find(plan.backbone)
    found = yield from tasks.draw(plan.task, plan.examples, plan.seed, side(plan))
    mean, std = breaking.normalisation(plan, (backbone.mean, backbone.std))
    whole = tasks.Drawn(tasks.find(plan.task).classes, **found, px=side(plan), mean=mean, std=std)
    return breaking.apply(plan, whole)


def strip(plan: Plan, kind: int, count: int) -> np.ndarray:
    """The first `count` pictures drawn for one class, side by side: (H, count * W, 3) uint8, as the racers get them.

    Raises PlanError where the class has not so many, UnavailableError where the set is not open yet.
    """
    mine = breaking.alter(plan, tasks.sample(plan.task, kind, plan.examples, plan.seed, count))
    return np.concatenate(list(mine.permute(0, 2, 3, 1).numpy()), 1)


def cells(plan: Plan, split: Literal["heldout", "training"], rows: Sequence[int], px: int = tasks.LOOKED_AT) -> np.ndarray:
    """Pictures of this race for a person to look at, by their row as the racers number them: (n, side, side, 3) uint8.

    With the race's own `px` they are as large as the racers get them. Patches are shuffled and colours inverted as the plan
    asks for. Raises PlanError where there is no such row, UnavailableError where the set is not open.
    """
    mine = breaking.alter(plan, tasks.look(plan.task, split, plan.examples, plan.seed, rows, px))
    return mine.permute(0, 2, 3, 1).numpy()


def prepare(plan: Plan) -> Generator[Progressed, None, tasks.Drawn]:
    """Fetch the weights and draw the pictures, ahead of a race that is run elsewhere; yields how far that has come."""
    yield from backbones.fetch_weights(plan.backbone)
    return (yield from draw(plan))


def run_race(
    plan: Plan,
    lanes: tuple[Lane, ...] | None = None,
    now: Callable[[], float] = time.perf_counter,
    pictures: tasks.Drawn | None = None,
) -> Race:
    """Start a race and iterate over what happens; close it, from any thread, and its jobs end within a step.

    `pictures` are those that `prepare` drew for this plan, perhaps in another process: this one need not know the task then.
    Raises PlanError or UnavailableError at once where it cannot be raced here.
    """
    if pictures is None:
        check(plan)
    return Race(plan, lanes or plan.lanes(), now, pictures)


class Race(Iterator[Event]):
    """A running race: an iterator of events in the order they happened, and `close()`."""

    def __init__(self, plan: Plan, lanes: tuple[Lane, ...], now: Callable[[], float], drawn: tasks.Drawn | None = None):
        self._plan, self._lanes, self._now, self._drawn = plan, lanes, now, drawn
        self.trained: Trained | None = None  # the networks that came to their end, once the race is over
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
        machine = this_machine().shared_by(len(self._lanes))
        pictures = self._drawn or (yield from self._late(prepare(self._plan)))
        yield RaceStarted(
            plan=self._plan.to_json(),
            classes=pictures.classes,
            labels=tuple(pictures.heldout_labels.tolist()),
            shown=show(pictures.heldout_labels, self._plan.seed),
            training=len(pictures.training),
            heldout=len(pictures.heldout),
            px=pictures.px,
            network=backbones.find(self._plan.backbone).description,
            machine=machine.name,
            precision=machine.precision,
            threads=machine.threads,
        )
        pictures = pictures.to(machine.device)
        networks: dict[str, nn.Sequential] = {}

        def learn(lane: Lane) -> Iterator[Event | None]:
            networks[lane.name] = yield from train(lane, self._plan, pictures, machine, self._now)

        jobs: dict[str, Callable[[], Iterator[Event | None]]] = {lane.name: partial(learn, lane) for lane in self._lanes}
        ends: dict[str, Finished] = {}
        for event in side_by_side(jobs, machine, self._stop):
            if isinstance(event, Finished):
                ends[event.lane] = event
            yield event
        whole = {name: networks[name] for name in networks if ends[name].reason == "done"}
        self.trained = Trained(self._plan, pictures, whole) if whole else None
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

    def _late(self, work: Generator[Progressed, None, T]) -> Generator[Progressed, None, T]:
        """Tell how far this work has come once it takes long enough to wonder."""
        began = self._now()
        try:
            while True:
                event = next(work)
                if self._now() - began >= WONDER:
                    yield event
        except StopIteration as end:
            return end.value
        finally:
            work.close()


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
            told.put(
                _ended(
                    name,
                    "failed",
                    last,
                    "the GPU's memory is full: choose fewer pictures, a smaller batch or a smaller input",
                )
            )
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
