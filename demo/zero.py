"""Where a race runs: in this process, or on a GPU that Hugging Face's ZeroGPU lends for seconds. Knows no page and no hub.

On ZeroGPU the GPU is there only in a process forked for a decorated call, and only while this process never asks CUDA for
anything: what takes a gradient does (autograd counts the devices, and a process forked after that finds none), so it runs
apart, in a process of its own. Elsewhere everything here is the plain call.
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
from contextvars import Context
from typing import Literal, TypeVar

from demo.limits import in_minutes
from engine import (
    Event,
    Finished,
    Line,
    Plan,
    Prepared,
    Race,
    RaceFinished,
    RaceStarted,
    Stepped,
    Trained,
    UnavailableError,
    borrow_gpu,
    check,
    find_task,
    forgo_gpu,
    gpu_is_lent,
    prepare,
    run_race,
    say,
    side,
)

try:
    import spaces
except ImportError:
    spaces = None

T = TypeVar("T")
Told = Event | Trained  # what comes out of the other process
BEAT = 0.2  # seconds after which a process that has nothing to tell yields all the same: only then can it be stopped
GATHERED = 0.1  # seconds over which events are gathered into one message: nothing holds back who sends too many
FIRST = 30  # seconds of GPU time asked for where no such race was timed yet
LEAST, MOST = 10, 60  # asked for: more than a visitor has left is refused; a classroom shares two minutes a day
START = 6.0  # seconds until a process that was lent a GPU trains
ROOM = 3.0  # seconds before the end of the lent time at which a race is ended, with what it has
WONDER = 0.7  # seconds of preparing after which people ask what a page is doing
SILENCE = 60.0  # seconds without a word after which a process here is taken to hang, and ended
BIG = 800_000_000  # bytes of networks that are still brought back


def is_lending() -> bool:
    """Whether races run on GPUs that are lent here."""
    return spaces is not None and gpu_is_lent()


class Gauge:
    """What races took on lent GPUs, so that no more is asked for than is needed."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, int], float] = {}  # backbone and side -> pictures a second, all racers together

    def seconds(self, plan: Plan) -> int | None:
        """Seconds of GPU time to ask for; None where it would be more than MOST. Raises PlanError for an unknown task."""
        if plan.budget == "seconds":
            needed = START + 1.2 * plan.seconds
        else:
            rate = self._rates.get((plan.backbone, side(plan)))
            if rate is None:
                return FIRST
            needed = START + 1.3 * _work(plan) / rate
        return max(LEAST, math.ceil(needed + ROOM)) if needed + ROOM <= MOST else None

    def learn(self, plan: Plan, seen: int, seconds: float) -> None:
        """So many pictures were trained on within so many seconds, all racers together."""
        if seen and seconds > 0:
            self._rates[plan.backbone, side(plan)] = seen / seconds


gauge = Gauge()


def cost(plan: Plan, language: str, longest: float) -> str:
    """What a race will cost where GPUs are lent, in a sentence. longest: seconds that it may take on the CPU.

    Raises PlanError for an unknown task or backbone.
    """
    seconds, minutes = gauge.seconds(plan), in_minutes(longest)
    if seconds is None:
        return say("zero.cost.cpu", language, most=MOST, minutes=minutes)
    return say("zero.cost", language, seconds=seconds, minutes=minutes)


def race(plan: Plan, tell: Callable[[Line], None], visitor: Context, longest: float) -> Race | Lent:
    """Start a race where it runs best. `tell` is told what there is to say before it; quota is `visitor`'s who asked for it.

    longest: seconds after which the caller stops one that `is_on_cpu`. Raises PlanError or UnavailableError at once where
    it cannot be raced here.
    """
    return Lent(plan, tell, visitor, longest) if is_lending() else run_race(plan)


def apart(work: Callable[..., T], *arguments: object) -> T:
    """The answer of work that takes a gradient; where GPUs are lent it is done in another process. Raises what it raises."""
    if not is_lending():
        return work(*arguments)
    with contextlib.closing(_in_a_process(_answer, work, arguments)) as told:
        is_done, found = pickle.loads(next(told))
    if not is_done:
        raise found
    return found  # type: ignore[no-any-return]


def _answer(work: Callable[..., object], arguments: tuple[object, ...]) -> Iterator[bytes]:
    try:
        found = True, work(*arguments)
    except Exception as error:
        found = False, error
    yield pickle.dumps(found)


class Lent(Iterator[Event]):
    """A race in another process, as `engine.Race` shows itself: on a lent GPU, or on the CPU where none is to be had."""

    def __init__(self, plan: Plan, tell: Callable[[Line], None], visitor: Context, longest: float) -> None:
        check(plan)
        self._plan, self._tell, self._visitor, self._minutes = plan, tell, visitor, in_minutes(longest)
        self.trained: Trained | None = None
        self.is_on_cpu = False  # because no GPU was to be had, or not for so long
        self._stop = threading.Event()
        self._events = self._run()
        self._busy = threading.Lock()

    def __next__(self) -> Event:
        with self._busy:
            return next(self._events)

    def stop(self) -> None:
        """Ask the racers to end; they do at the next message from their process, and the events go on to the end."""
        self._stop.set()

    def close(self) -> None:
        """End the other process's work and wait for it. Calling it again does nothing."""
        self._stop.set()
        with self._busy:
            self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        began = time.perf_counter()
        lanes = _Lanes(self._plan)
        parcel = pickle.dumps((yield from self._prepare()))  # here, because over there every second is the visitor's
        seconds = gauge.seconds(self._plan)
        if seconds is None:
            self._tell(Line("zero.long", most=MOST, minutes=self._minutes))
        elif not self._stop.is_set():
            self._tell(Line("zero.asking", seconds=seconds))
            try:
                yield from self._follow(_on_lent_gpu(self._plan, parcel, seconds), lanes)
                if lanes.is_complete:
                    gauge.learn(self._plan, lanes.seen, lanes.training)
            except Exception as error:  # no quota, no GPU, aborted: gr.Error with a title, or a RuntimeError
                why = str(getattr(error, "title", ""))
                if not lanes.has_started:
                    seconds = None
                    is_used_up = "quota" in why or "credits" in why
                    self._tell(Line("zero.quota" if is_used_up else "zero.busy", minutes=self._minutes))
                else:
                    yield from lanes.ends("failed", Line("zero.taken"))
        if seconds is None:
            self.is_on_cpu = True
            yield from self._follow(_in_a_process(_both, self._plan, parcel, 0), lanes)
        if not lanes.is_over:
            yield from lanes.ends("stopped", Line("zero.stopped"))
            yield RaceFinished(0, 0, 0, 0, 1.0, 0.0, 0.0, 0.0, time.perf_counter() - began)

    def _prepare(self) -> Generator[Event, None, object]:
        """The drawn pictures; tells how far they have come once it takes long enough to wonder."""
        began, work = time.perf_counter(), prepare(self._plan)
        try:
            while not self._stop.is_set():
                event = next(work)
                if time.perf_counter() - began >= WONDER:
                    yield event
        except StopIteration as end:
            return end.value
        finally:
            work.close()
        return None

    def _follow(self, messages: Generator[bytes, None, None], lanes: _Lanes) -> Generator[Event, None, None]:
        """What comes out of the other process, until it is over or to be stopped."""
        try:
            while not self._stop.is_set():
                message = self._visitor.run(next, messages, None)
                if message is None:
                    return
                for told in pickle.loads(message):
                    if isinstance(told, Trained):
                        self.trained = told
                    else:
                        lanes.note(told)
                        yield told
        finally:
            self._visitor.run(messages.close)


class _Lanes:
    """How far each racer has come, to end those that were left on the way."""

    def __init__(self, plan: Plan) -> None:
        self._open: dict[str, Stepped | None] = {lane.name: None for lane in plan.lanes()}
        self._seen: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self.has_started = self.is_over = False
        self.is_complete = True  # every racer that ended came to its own end

    @property
    def seen(self) -> int:
        """Pictures trained on, counting repeats, all racers together."""
        return sum(self._seen.values())

    @property
    def training(self) -> float:
        """Seconds of the racer that took longest."""
        return max(self._seconds.values(), default=0.0)

    def note(self, event: Event) -> None:
        """This happened."""
        if isinstance(event, RaceStarted | Prepared):
            self.has_started = True
        elif isinstance(event, Stepped):
            self._open[event.lane] = event
            self._seen[event.lane], self._seconds[event.lane] = event.pictures, event.seconds
        elif isinstance(event, Finished):
            self._open.pop(event.lane, None)
            self.is_complete &= event.reason == "done"
        elif isinstance(event, RaceFinished):
            self.is_over = True

    def ends(self, reason: Literal["stopped", "failed"], why: Line) -> Iterator[Finished]:
        """The end of every racer that is still on the way."""
        self.is_complete = False
        while self._open:
            lane, last = self._open.popitem()
            if last is None:
                yield Finished(lane, reason, 0, 0.0, 0, 0.0, 0, 0, "", why)
            else:
                yield Finished(lane, reason, last.step, last.epoch, last.pictures, last.seconds, 0, 0, "", why)


def _asked_for(_plan: Plan, _parcel: bytes, seconds: int) -> int:
    return seconds


def _on_gpu(plan: Plan, parcel: bytes, seconds: int) -> Generator[bytes, None, None]:
    """Both racers, in the process that was lent a GPU; it may have run other races before."""
    borrow_gpu()
    yield from _both(plan, parcel, seconds)


# Asked of the module rather than of `is_lending`: the decorator does nothing where no GPU is lent
_on_lent_gpu = _on_gpu if spaces is None else spaces.GPU(duration=_asked_for)(_on_gpu)


def _both(plan: Plan, parcel: bytes, seconds: int) -> Generator[bytes, None, None]:
    """A whole race as messages: pickled lists of events, empty ones where there is nothing to tell, at last the networks.

    parcel: the drawn pictures, pickled; seconds: after which the time is up, 0 for none. Bytes, because tensors would go
    through shared memory that ends with the process.
    """
    told: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
    up = time.perf_counter() + seconds - ROOM if seconds else math.inf
    running = run_race(plan, pictures=pickle.loads(parcel))

    def work() -> None:
        try:
            for event in running:
                told.put(event)
            if running.trained and running.trained.size <= BIG:
                told.put(running.trained)
        finally:
            told.put(None)

    thread = threading.Thread(target=work, name="race", daemon=True)
    thread.start()
    try:
        is_over = False
        while not is_over:
            gathered: list[Told] = []
            until = time.perf_counter() + BEAT
            while not is_over and (left := until - time.perf_counter()) > 0:
                with contextlib.suppress(queue.Empty):
                    item = told.get(timeout=left)
                    if item is None:
                        is_over = True
                    else:
                        until = min(until, time.perf_counter() + GATHERED) if not gathered else until
                        gathered.append(item)
            if time.perf_counter() > up:
                running.stop()
            yield pickle.dumps(gathered)
    finally:
        running.close()
        thread.join()


def _in_a_process(work: Callable[..., Iterator[bytes]], *arguments: object) -> Generator[bytes, None, None]:
    """What this generator yields, run in a process forked for it; closing ends it at its next message.

    Raises UnavailableError where the process dies, or says nothing for long: a fork may inherit a lock that nobody frees.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def send() -> None:
        receiver.close()
        forgo_gpu()
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more
            for message in work(*arguments):
                sender.send_bytes(message)
            sender.send_bytes(b"")

    process = fork.Process(target=send, daemon=True)
    process.start()
    sender.close()
    try:
        while receiver.poll(SILENCE):
            if not (message := receiver.recv_bytes()):
                return
            yield message
        process.kill()
        raise UnavailableError("zero.ended")
    except EOFError:
        raise UnavailableError("zero.ended") from None
    finally:
        receiver.close()
        process.join(SILENCE)
        process.kill()
        process.join()


def _work(plan: Plan) -> int:
    """Pictures that all racers together are trained on, counting repeats."""
    return plan.examples * len(find_task(plan.task).classes) * plan.epochs * len(plan.lanes())
