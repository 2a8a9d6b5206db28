"""Runs work in a forked process, which sends its results as pickled bytes.

Bytes, because tensors would be sent through shared memory, which ends with the process that made it. The forked process
never initialises CUDA.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import pickle
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from demo.server.gpu_time import MARGIN
from engine import Event, Machine, Plan, Race, Trained, UnavailableError, run_prepared

T = TypeVar("T")
Run = Callable[[Plan, Any, Machine], Race]
Item = Event | Trained  # a result of a race in another process
BEAT = 0.2  # seconds after which a process without results yields an empty message; it can be stopped only at a yield
GATHER = 0.1  # seconds over which events are gathered into one message, because the channel has no back-pressure
SILENCE = 60.0  # seconds without a message after which a process is killed as hanging
MAX_BYTES = 800_000_000  # larger networks are not sent back


def race_messages(
    plan: Plan, machine: Machine, inputs: bytes, seconds: float, beat: float = BEAT, run: Run = run_prepared
) -> Generator[bytes, None, None]:
    """A race as pickled lists of events (an empty list where nothing happened); the networks come last.

    inputs: the pickled result of `engine.prepare`. seconds: time limit, 0 for none. run: starts the race.
    """
    items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
    deadline = time.perf_counter() + seconds - MARGIN if seconds else math.inf
    race = run(plan, pickle.loads(inputs), machine)

    def work() -> None:
        try:
            for event in race:
                items.put(event)
            if race.trained and race.trained.size <= MAX_BYTES:
                items.put(race.trained)
        finally:
            items.put(None)

    thread = threading.Thread(target=work, name="race", daemon=True)
    thread.start()
    try:
        is_over = False
        while not is_over:
            gathered, is_over = _gather(items, beat)
            if time.perf_counter() > deadline:
                race.stop()
            yield pickle.dumps(gathered)
    finally:
        race.close()
        thread.join()


def _gather(items: queue.SimpleQueue[Item | None], beat: float) -> tuple[list[Item], bool]:
    """Items, and whether they are the last: wait up to `beat` for the first item, then GATHER for more."""
    gathered: list[Item] = []
    end = time.perf_counter() + beat
    while (left := end - time.perf_counter()) > 0:
        try:
            item = items.get(timeout=left)
        except queue.Empty:
            break
        if item is None:
            return gathered, True
        if not gathered:
            end = min(end, time.perf_counter() + GATHER)
        gathered.append(item)
    return gathered, False


def call_in_process(work: Callable[..., T], *arguments: object) -> T:
    """Return the result of a call in a forked process. Raises what the call raises."""
    with contextlib.closing(in_process(_send_result, work, arguments)) as messages:
        is_done, result = pickle.loads(next(messages))
    if not is_done:
        raise result
    return result  # type: ignore[no-any-return]


def _send_result(work: Callable[..., object], arguments: tuple[object, ...]) -> Iterator[bytes]:
    try:
        result: tuple[bool, object] = True, work(*arguments)
    except Exception as error:
        result = False, error
    yield pickle.dumps(result)


def in_process(
    work: Callable[..., Iterator[bytes]], *arguments: object, silence: float = SILENCE
) -> Generator[bytes, None, None]:
    """Run a generator in a forked process and yield its messages; closing ends it at its next message.

    Raises UnavailableError where the process dies, or sends nothing for `silence` seconds: a fork may inherit a lock that is
    never released.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def send() -> None:
        receiver.close()
        with contextlib.suppress(BrokenPipeError):  # the receiver was closed
            for message in work(*arguments):
                sender.send_bytes(message)
            sender.send_bytes(b"")

    process = fork.Process(target=send, daemon=True)
    process.start()
    sender.close()
    try:
        while receiver.poll(silence):
            if not (message := receiver.recv_bytes()):
                return
            yield message
        process.kill()
        raise UnavailableError("zerogpu.ended")
    except EOFError:
        raise UnavailableError("zerogpu.ended") from None
    finally:
        receiver.close()
        process.join(silence)
        process.kill()
        process.join()
