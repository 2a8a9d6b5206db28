"""Chooses where a race runs: in this process, or on a GPU that Hugging Face's ZeroGPU lends for seconds.

On ZeroGPU a GPU is available only in a process forked for a decorated call, and only if this process never initialised
CUDA. Computing a gradient does (autograd counts the devices, and processes forked later find none), so it runs in another
process. Without ZeroGPU all functions here are plain calls.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context
from typing import TypeVar

from demo.server.gpu_time import GpuTimeEstimator
from demo.server.remote_race import RemoteRace
from demo.server.worker import call_in_process, race_messages
from engine import Machine, Message, Plan, Race, Workspace, gpu_is_lent, run_race, this_machine

try:
    import spaces
except ImportError:
    spaces = None

T = TypeVar("T")


def is_lending() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return spaces is not None and gpu_is_lent()


def start_race(
    plan: Plan,
    workspace: Workspace,
    machine: Machine,
    announce: Callable[[Message], None],
    visitor: Context,
    gpu_time: GpuTimeEstimator,
    longest: float,
) -> Race | RemoteRace:
    """Start a race on ZeroGPU where that is available, else in this process.

    announce: called with messages before the start. visitor: context of the request, whose quota is charged. longest:
    seconds after which the caller stops a race that `is_on_cpu`. Raises PlanError or UnavailableError where it cannot be
    raced here.
    """
    if not is_lending():
        return run_race(plan, workspace, machine)
    return RemoteRace(plan, workspace, machine, announce, visitor, gpu_time, longest, _on_zerogpu)


def call_with_gradients(work: Callable[..., T], *arguments: object) -> T:
    """Return the result of `work`, which computes gradients; on ZeroGPU in another process. Raises what `work` raises."""
    return call_in_process(work, *arguments) if is_lending() else work(*arguments)


def _requested_seconds(_plan: Plan, _inputs: bytes, seconds: int) -> int:
    return seconds


def _on_gpu(plan: Plan, inputs: bytes, seconds: int) -> Generator[bytes, None, None]:
    """Run all racers in the process with the GPU, which may have run other races before."""
    yield from race_messages(plan, this_machine(is_borrower=True), inputs, seconds)


# Decorated wherever `spaces` is installed: the decorator does nothing where no GPU is lent
_on_zerogpu = _on_gpu if spaces is None else spaces.GPU(duration=_requested_seconds)(_on_gpu)
