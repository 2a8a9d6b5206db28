"""Runs training jobs side by side on one machine, merges their events and stops them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial

import torch

from engine.device import Machine
from engine.errors import HeadStartError
from engine.events import Event, Finished, Stepped
from engine.i18n.messages import Message


def side_by_side(
    jobs: dict[str, Callable[[], Iterator[Event | None]]], machine: Machine, stop: threading.Event
) -> Iterator[Event]:
    """Run each job in its own thread and CUDA stream, and yield the events of all jobs as they come.

    Once `stop` is set, each job is closed at its next event and reports Finished(reason="stopped"). An error in one job ends
    that job with reason "failed"; the others go on.
    """
    results: queue.SimpleQueue[Event | str] = queue.SimpleQueue()  # an event, or the name of a job that has ended

    def work(name: str, job: Callable[[], Iterator[Event | None]]) -> None:
        last: Stepped | None = None
        ended = partial(Finished.unfinished, racer=name)
        try:
            machine.claim_thread()
            stream = torch.cuda.stream(torch.cuda.Stream()) if machine.device == "cuda" else contextlib.nullcontext()
            with stream:
                events = job()
                for event in events:
                    last = event if isinstance(event, Stepped) else last
                    if event is not None:
                        results.put(event)
                    if stop.is_set() and not isinstance(event, Finished):
                        events.close()  # type: ignore[attr-defined]  # a generator
                        results.put(ended(reason="stopped", last=last, message=Message("end.stopped")))
                        break
        except HeadStartError as error:
            results.put(ended(reason="failed", last=last, message=error.message))
        except torch.OutOfMemoryError:
            results.put(ended(reason="failed", last=last, message=Message("end.memory")))
        except Exception as error:  # the other racers must go on, and the page must show the error
            message = Message("end.error", kind=type(error).__name__, error=error)
            results.put(ended(reason="failed", last=last, message=message))
        finally:
            results.put(name)

    threads = [threading.Thread(target=work, args=item, name=f"racer {item[0]}", daemon=True) for item in jobs.items()]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            item = results.get()
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
