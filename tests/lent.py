"""ZeroGPU as a test can have it: a `spaces` whose decorator runs generators in a forked daemonic process, again and again.

As in `spaces` 0.51: everything crosses by pickle, a call is stopped at its next yield, an exception arrives as `gr.Error`
with a title. Before the fork torch claims a GPU that nobody may ask for anything. Run as a program it races on tiny
pictures in such a place and prints what came of it as JSON.
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
    """Where GPUs are lent: what was asked for, and by whom."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.visitors: list[str] = []
        self.gaps: list[float] = []  # seconds between two messages of the newest call, as they were sent
        self.refusal = ""  # title of the error that comes instead of a GPU
        self.worker: Worker | None = None
        self.is_lent_here = False  # in the process that was lent a GPU torch is as it always is
        self.reports: list[dict[str, Any]] = []  # what the process said of itself after each call


class Worker:
    """A forked daemonic process that runs calls one after the other."""

    def __init__(self, task: Callable[..., Iterator[Any]]) -> None:
        self.calls, self.told, self.stop = FORK.SimpleQueue(), FORK.SimpleQueue(), FORK.Event()
        self.process = FORK.Process(target=self._run, args=(task,), daemon=True)
        self.process.start()

    def _run(self, task: Callable[..., Iterator[Any]]) -> None:
        desk.is_lent_here = True
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
            self.told.put(pickle.dumps((END, report)))

    def _call(self, task: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
        generator = task(*arguments)
        try:
            for value in generator:
                if self.stop.is_set():
                    generator.close()
                    return
                self.told.put(pickle.dumps(("ok", (time.monotonic(), value))))
        except Exception as error:
            self.told.put(pickle.dumps((ERROR, type(error).__name__)))


class RefusedError(Exception):
    """As gr.Error is, with a title."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.title = title


desk = Desk()


def GPU(duration: Callable[..., int]) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Any]]]:  # noqa: N802
    """The decorator."""

    def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        @functools.wraps(task)
        def call(*arguments: object) -> Iterator[Any]:
            desk.asked.append(duration(*arguments))
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
                    kind, value = _next(worker)
                    if kind == END:
                        desk.reports.append(value)
                        return
                    if kind == ERROR:
                        _next(worker)
                        raise RefusedError("ZeroGPU worker error")
                    at, value = value
                    desk.gaps.append(at - (last or at))
                    last = at
                    yield value
            except GeneratorExit:
                worker.stop.set()
                while (told := _next(worker))[0] != END:
                    pass
                desk.reports.append(told[1])
                raise

        return call

    return decorate


def _next(worker: Worker) -> tuple[str, Any]:
    while worker.told.empty():
        if not worker.process.is_alive():
            raise RefusedError("ZeroGPU worker error")
        time.sleep(0.005)
    return pickle.loads(worker.told.get())


def install() -> None:
    """Make this process one in which GPUs are lent: torch claims one, and asking it for anything fails."""
    import torch

    os.environ["SPACES_ZERO_GPU"] = "true"
    fake = types.ModuleType("spaces")
    fake.GPU, fake.gradio_auto_wrap = GPU, lambda fn: fn  # type: ignore[attr-defined]
    sys.modules["spaces"] = fake

    def guard(name: str, owner: Any, claim: object = None, is_for_all: bool = True) -> None:
        real = getattr(owner, name)

        def guarded(*arguments: object, **values: object) -> object:
            if desk.is_lent_here or (os.getpid() != PARENT and not is_for_all):
                return real(*arguments, **values)
            assert claim is not None, f"{name} was called where GPUs are lent out"
            return claim

        setattr(owner, name, guarded)

    guard("is_available", torch.cuda, True)
    asked = "is_bf16_supported", "get_device_name", "mem_get_info", "device_count", "is_current_stream_capturing"
    for name in asked:
        guard(name, torch.cuda)
    guard("backward", torch.Tensor, is_for_all=False)  # autograd asks how many GPUs there are, and remembers
    guard("grad", torch.autograd, is_for_all=False)


def _facts(events: list[Any]) -> dict[str, list[str]]:
    """What happened to each racer, and to the race, without its times."""
    from engine import to_row

    facts: dict[str, list[str]] = {}
    for event in events:
        row = {k: v for k, v in to_row(event).items() if k not in ("seconds", "evaluating", "wall_seconds")}
        facts.setdefault(str(row.get("lane", "race")), []).append(json.dumps(row))
    return facts


def main(home: Path) -> None:
    """Race and print."""
    from conftest import write_task
    from safetensors.torch import save_file
    from visitors import texture

    install()
    import numpy as np
    import torch

    from demo import zero
    from engine import Album, Plan, add_task, backbones, embedded, zoo

    write_task(home / "tabletop")
    torch.manual_seed(7)
    state = {k: v for k, v in zoo.resnet10(2).state_dict().items() if not k.startswith("fc.")}
    save_file(state, home / "resnet10.safetensors")
    small = replace(backbones._embedded(), px=32, weights=home / "resnet10.safetensors")
    embedded.ASSETS, backbones._known = home, lambda: {"resnet10": small}  # type: ignore[assignment]

    plan = Plan(examples=4, epochs=3, learning_stages=2)
    other, long = Plan(examples=5, epochs=2, learning_stages=1, seed=9), Plan(examples=8, epochs=500, batch_size=4)
    said: list[str] = []

    def start(asked: Plan) -> Any:
        said.clear()
        if asked is long and not desk.refusal:
            zero.gauge = zero.Gauge()  # nobody knows how long it is
        return zero.race(asked, lambda line: said.append(getattr(line, "key", line)), copy_context(), 300.0)

    def whole(asked: Plan) -> dict[str, Any]:
        running = start(asked)
        events = list(running)
        return {"facts": _facts(events), "said": list(said), "lanes": running.trained and running.trained.lanes}

    out: dict[str, Any] = {"lending": zero.is_lending()}
    visitor.set("ann")
    out["first"] = whole(plan)
    out["asked"], out["visitors"], out["gaps"] = list(desk.asked), list(desk.visitors), list(desk.gaps)
    out["other"] = whole(other)
    out["again"] = whole(plan)
    readers = tuple(tuple(functools.partial(texture, 10 * k + n) for n in range(4)) for k in range(2))
    add_task("own", Album("mine", ("a", "b"), readers, readers, ()), is_private=True)  # the process knows nothing of it
    out["own"] = whole(replace(other, task="own", examples=3))

    running = start(plan)
    list(running)
    picture = (np.random.default_rng(0).random((40, 50, 3)) * 255).astype(np.uint8)
    out["answers"] = {
        lane: [round(sum(answer.probabilities), 4), float(answer.map.max())]
        for lane, answer in zero.apart(running.trained.answer, picture).items()
    }
    try:
        zero.apart(running.trained.answer, picture[0])
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
    out["killed"] = {"facts": _facts(list(running)), "said": list(said)}
    out["fresh"] = whole(plan)

    desk.refusal = "ZeroGPU quota exceeded"
    out["quota"] = whole(plan)
    desk.refusal = "ZeroGPU queue timeout"
    out["busy"] = whole(plan)
    zero.gauge.learn(long, 1, 10.0)  # a slow one
    count = len(desk.asked)
    with contextlib.closing(start(long)) as running:
        next(running)
        out["long"] = {"said": list(said), "asked": len(desk.asked) - count}

    desk.worker.process.kill()
    os.environ.pop("SPACES_ZERO_GPU")
    print(json.dumps(out))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    main(Path(sys.argv[1]))
