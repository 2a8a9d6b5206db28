"""A stand-in for ZeroGPU: a `spaces` module whose decorator runs generators in one forked daemonic process.

As in `spaces` 0.51: all values are pickled, a call is stopped at its next yield, an exception arrives as `gr.Error` with a
title. Before the fork torch reports a GPU, and any other call to torch.cuda fails. As a program, this file runs races on
tiny pictures and prints the results as JSON.
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import pickle
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")
PARENT = os.getpid()
END, ERROR = "end", "error"
visitor: ContextVar[str] = ContextVar("visitor", default="nobody")


class Desk:
    """The record of GPU requests."""

    def __init__(self) -> None:
        self.requested: list[int] = []  # seconds
        self.visitors: list[str] = []
        self.gaps: list[float] = []  # seconds between two messages of the newest call, when sent
        self.refusal = ""  # title of the error that is raised instead of giving a GPU
        self.worker: Worker | None = None
        self.has_gpu = False  # whether this is the process with the GPU, where torch is unchanged
        self.reports: list[dict[str, Any]] = []  # state of the process after each call


class Worker:
    """A forked daemonic process that runs calls one after the other."""

    def __init__(self, task: Callable[..., Iterator[Any]]) -> None:
        self.calls, self.results, self.stop = FORK.SimpleQueue(), FORK.SimpleQueue(), FORK.Event()
        self.process = FORK.Process(target=self._run, args=(task,), daemon=True)
        self.process.start()

    def _run(self, task: Callable[..., Iterator[Any]]) -> None:
        desk.has_gpu = True
        while True:
            arguments = pickle.loads(self.calls.get())
            self.stop.clear()
            thread = threading.Thread(target=self._call, args=(task, arguments))
            thread.start()
            thread.join()
            me = Path(f"/proc/self/task/{os.getpid()}")
            report = {
                "pid": os.getpid(),
                "daemonic": multiprocessing.current_process().daemon,
                "children": [each.read_text().strip() for each in me.parent.glob("*/children") if each.read_text().strip()],
                "threads": [t.name for t in threading.enumerate() if t is not threading.main_thread()],
            }
            self.results.put(pickle.dumps((END, report)))

    def _call(self, task: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
        generator = task(*arguments)
        try:
            for value in generator:
                if self.stop.is_set():
                    generator.close()
                    return
                self.results.put(pickle.dumps(("ok", (time.monotonic(), value))))
        except Exception as error:
            self.results.put(pickle.dumps((ERROR, type(error).__name__)))


class RefusedError(Exception):
    """Like gr.Error, with a title."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.title = title


desk = Desk()


def GPU(duration: Callable[..., int]) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Any]]]:  # noqa: N802
    """The decorator."""

    def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        @functools.wraps(task)
        def call(*arguments: object) -> Iterator[Any]:
            desk.requested.append(duration(*arguments))
            desk.visitors.append(visitor.get())
            desk.gaps = []
            if desk.refusal:
                raise RefusedError(desk.refusal)
            if desk.worker is None or not desk.worker.process.is_alive():
                desk.worker = Worker(task)
            worker = desk.worker
            worker.calls.put(pickle.dumps(arguments))
            last = 0.0
            try:
                while True:
                    status, value = _next(worker)
                    if status == END:
                        desk.reports.append(value)
                        return
                    if status == ERROR:
                        _next(worker)
                        raise RefusedError("ZeroGPU worker error")
                    at, value = value
                    desk.gaps.append(at - (last or at))
                    last = at
                    yield value
            except GeneratorExit:
                worker.stop.set()
                while (result := _next(worker))[0] != END:
                    pass
                desk.reports.append(result[1])
                raise

        return call

    return decorate


def _next(worker: Worker) -> tuple[str, Any]:
    while worker.results.empty():
        if not worker.process.is_alive():
            raise RefusedError("ZeroGPU worker error")
        time.sleep(0.005)
    return pickle.loads(worker.results.get())


def install() -> None:
    """Make this process a ZeroGPU Space: torch reports a GPU, and any other call to torch.cuda fails."""
    import torch

    os.environ["SPACES_ZERO_GPU"] = "true"
    fake = types.ModuleType("spaces")
    fake.GPU, fake.gradio_auto_wrap = GPU, lambda fn: fn  # type: ignore[attr-defined]
    sys.modules["spaces"] = fake

    def guard(name: str, owner: Any, claim: object = None, is_for_all: bool = True) -> None:
        real = getattr(owner, name)

        def guarded(*arguments: object, **values: object) -> object:
            if desk.has_gpu or (os.getpid() != PARENT and not is_for_all):
                return real(*arguments, **values)
            assert claim is not None, f"{name} was called outside the process with the GPU"
            return claim

        setattr(owner, name, guarded)

    guard("is_available", torch.cuda, True)
    queries = "is_bf16_supported", "get_device_name", "mem_get_info", "device_count", "is_current_stream_capturing"
    for name in queries:
        guard(name, torch.cuda)
    guard("backward", torch.Tensor, is_for_all=False)  # autograd counts the GPUs, and caches the count
    guard("grad", torch.autograd, is_for_all=False)


def _facts(events: list[Any]) -> dict[str, list[str]]:
    """Racer (or "race") -> its events as JSON, without their times."""
    from engine import to_row

    facts: dict[str, list[str]] = {}
    for event in events:
        row = {k: v for k, v in to_row(event).items() if k not in ("seconds", "evaluation_seconds", "wall_seconds")}
        facts.setdefault(str(row.get("racer", "race")), []).append(json.dumps(row))
    return facts


def main(home: Path) -> None:
    """Run the races and print the results."""
    from safetensors.torch import save_file

    from tests.conftest import write_task
    from tests.helpers.pictures import texture

    install()
    import numpy as np
    import torch

    from demo.server import zerogpu
    from demo.server.gpu_time import GpuTimeEstimator
    from engine import Dataset, Plan, Workspace, this_machine
    from engine.data.registry import TaskRegistry
    from engine.data.tabletop import Tabletop
    from engine.models import architectures, pretrained
    from engine.models.registry import BackboneRegistry

    write_task(home / "tabletop")
    torch.manual_seed(7)
    state = {k: v for k, v in architectures.resnet10(2).state_dict().items() if not k.startswith("fc.")}
    save_file(state, home / "resnet10.safetensors")
    small = replace(pretrained.embedded(), image_size=32, weights=home / "resnet10.safetensors")
    workspace = Workspace(TaskRegistry(Tabletop(home / "tabletop")), BackboneRegistry([small]))

    plan = Plan(examples_per_class=4, epochs=3, trainable_stages=2)
    other, long = (
        Plan(examples_per_class=5, epochs=2, trainable_stages=1, seed=9),
        Plan(examples_per_class=8, epochs=500, batch_size=4),
    )
    messages: list[str] = []
    gpu_time = GpuTimeEstimator(workspace)

    def start(requested: Plan) -> Any:
        messages.clear()
        # The time of the long race stays unknown until the last case
        estimator = GpuTimeEstimator(workspace) if requested is long and not desk.refusal else gpu_time
        machine, announce = this_machine(), lambda message: messages.append(message.key)
        return zerogpu.start_race(requested, workspace, machine, announce, copy_context(), estimator, 300.0)

    def whole(requested: Plan) -> dict[str, Any]:
        running = start(requested)
        events = list(running)
        return {"facts": _facts(events), "messages": list(messages), "racers": running.trained and running.trained.racers}

    out: dict[str, Any] = {"lending": zerogpu.is_lending()}
    visitor.set("ann")
    out["first"] = whole(plan)
    out["requested"], out["visitors"], out["gaps"] = list(desk.requested), list(desk.visitors), list(desk.gaps)
    out["other"] = whole(other)
    out["again"] = whole(plan)
    readers = tuple(tuple(functools.partial(texture, 10 * k + n) for n in range(4)) for k in range(2))
    workspace.tasks.add("own", Dataset("mine", ("a", "b"), readers, readers, ()))  # added after the fork
    out["own"] = whole(replace(other, task="own", examples_per_class=3))

    running = start(plan)
    list(running)
    picture = (np.random.default_rng(0).random((40, 50, 3)) * 255).astype(np.uint8)
    out["predictions"] = {
        racer: [round(sum(prediction.probabilities), 4), float(prediction.map.max())]
        for racer, prediction in zerogpu.call_with_gradients(running.trained.answer, picture).items()
    }
    try:
        zerogpu.call_with_gradients(running.trained.answer, picture[0])
    except Exception as error:
        out["refused"] = f"{type(error).__name__}: {error}"

    running = start(long)
    while type(next(running)).__name__ != "Evaluated":
        pass
    time.sleep(0.5)
    began = time.monotonic()
    running.stop()
    rest = list(running)
    out["stop"] = {"seconds": time.monotonic() - began, "facts": _facts(rest)}
    running = start(long)
    next(running)
    began = time.monotonic()
    running.close()
    out["close"] = {"seconds": time.monotonic() - began, "left": len(list(running))}
    out["reports"] = list(desk.reports)

    assert desk.worker
    running = start(long)
    while type(next(running)).__name__ != "Evaluated":
        pass
    desk.worker.process.kill()
    out["killed"] = {"facts": _facts(list(running)), "messages": list(messages)}
    out["fresh"] = whole(plan)

    desk.refusal = "ZeroGPU quota exceeded"
    out["quota"] = whole(plan)
    desk.refusal = "ZeroGPU queue timeout"
    out["busy"] = whole(plan)
    gpu_time.update(long, 1, 10.0)  # a slow one
    count = len(desk.requested)
    with contextlib.closing(start(long)) as running:
        next(running)
        out["long"] = {"messages": list(messages), "requested": len(desk.requested) - count}

    desk.worker.process.kill()
    os.environ.pop("SPACES_ZERO_GPU")
    print(json.dumps(out))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    main(Path(sys.argv[1]))
