"""Another process sends its events as they happen, and is ended when it hangs or its reader closes."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from demo.server.gpu_time import MARGIN
from demo.server.worker import in_process, race_messages
from engine import Plan, UnavailableError, prepare, run_to_end
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.races import SHORT


def test_a_race_without_events_sends_empty_messages() -> None:
    class Quiet(SimpleNamespace):
        trained = None

        def __iter__(self) -> Iterator[Any]:
            time.sleep(0.35)
            return iter([])

        def close(self) -> None:
            pass

    sent = race_messages(SHORT, CPU, pickle.dumps(None), 0, beat=0.1, run=lambda *_: Quiet())  # type: ignore[arg-type, return-value]
    messages = [pickle.loads(message) for message in sent]
    assert messages == [[]] * len(messages)
    assert len(messages) >= 3


def test_events_are_gathered_and_the_networks_come_last(workspace: Workspace) -> None:
    inputs = pickle.dumps(run_to_end(prepare(SHORT, workspace)))
    messages = [pickle.loads(message) for message in race_messages(SHORT, CPU, inputs, 0)]
    names = [type(item).__name__ for message in messages for item in message]
    assert names[0] == "RaceStarted"
    assert names[-2:] == ["RaceFinished", "Trained"]
    assert len(messages) < len(names)


def test_a_race_is_stopped_before_its_gpu_time_ends(workspace: Workspace) -> None:
    long = Plan(examples_per_class=4, epochs=500, batch_size=4)
    inputs = pickle.dumps(run_to_end(prepare(long, workspace)))
    began = time.monotonic()
    items = [item for message in race_messages(long, CPU, inputs, int(MARGIN)) for item in pickle.loads(message)]
    assert time.monotonic() - began < 5
    assert {item.reason for item in items if type(item).__name__ == "Finished"} == {"stopped"}


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Python 3.12 warns of every fork
def test_a_process_that_dies_is_noticed() -> None:
    def work() -> Iterator[bytes]:
        yield b"here"
        os._exit(1)

    messages = in_process(work)
    assert next(messages) == b"here"
    with pytest.raises(UnavailableError, match="ended before"):
        next(messages)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "read"])
def test_a_process_that_hangs_is_ended(is_closed: bool) -> None:
    def work() -> Iterator[bytes]:
        yield str(os.getpid()).encode()
        time.sleep(600)

    messages = in_process(work, silence=0.2)
    process = int(next(messages))
    if is_closed:
        messages.close()
    else:
        with pytest.raises(UnavailableError, match="ended before"):
            next(messages)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
