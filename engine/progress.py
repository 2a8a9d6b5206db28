"""Long work as a generator that yields its progress and returns its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from engine import device
from engine.events import Progressed

PAUSE = 0.2  # seconds between two reports of progress
T = TypeVar("T")


def run_to_end(work: Generator[object, None, T]) -> T:
    """Run a generator to its end, ignoring the progress it yields, and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def work_through(
    items: Sequence[int], job: Callable[[int], T], work: Literal["scan", "decode"], name: str
) -> Generator[Progressed, None, list[T]]:
    """Run `job` for each item on as many threads as there are cores, and return the results in the order of the items.

    Yields the progress at the start, at most every PAUSE seconds, and at the end. When the generator is closed, each thread
    ends after its current picture.
    """
    total, results, started = len(items), [], time.perf_counter()
    reported = started
    yield Progressed(work=work, name=name, done=0, total=total, unit="pictures", rate=0.0, left=-1.0)
    pool = ThreadPoolExecutor(device.cores())
    try:
        for future in [pool.submit(job, item) for item in items]:
            results.append(future.result())
            now = time.perf_counter()
            if now - reported >= PAUSE and len(results) < total:
                reported, rate = now, len(results) / (now - started)
                left = (total - len(results)) / rate
                yield Progressed(work=work, name=name, done=len(results), total=total, unit="pictures", rate=rate, left=left)
    finally:
        pool.shutdown(cancel_futures=True)
    rate = total / max(time.perf_counter() - started, 1e-9)
    yield Progressed(work=work, name=name, done=total, total=total, unit="pictures", rate=rate, left=0.0)
    return results
