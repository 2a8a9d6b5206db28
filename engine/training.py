"""One racer's training job. Knows nothing of rivals or screens; it yields what happened."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine import augment, backbones, chance, freezing, optimizers
from engine.device import Machine
from engine.events import Answered, Evaluated, Event, Finished, Judged, Looked, PhaseStarted, Prepared, Stepped
from engine.lens import Lens
from engine.metrics import wilson
from engine.plan import Lane, Optimizer, Plan
from engine.tasks import Drawn
from engine.zoo import Architecture

SMOOTHING = 0.1  # label smoothing; a head that stays alone is a linear probe and does better without
FEATURES = 200.0  # sum of a picture's features for which `head_rate` is given
EVALUATION_SHARE = 0.11  # planned share of a racer's time; with the first and the last point it stays below 0.15
EXACT_SHARE = 0.65  # of that for exact points, the rest for rolling estimates
TOLD = 600  # events of a kind that a racer tells of at most; nobody draws more
SHOWN = 10  # held-out pictures whose answers are shown as a race goes on
LOOKS = 12  # looks into a network during a race; a picture of its filters is a few thousand bytes
ROLLING_CHUNK, ROLLING_LEAST, ROLLING_WINDOW = 10, 60, 200  # held-out pictures it adds, needs at least, remembers


@dataclass(frozen=True)
class Phase:
    """A part of a racer's work: which stages learn, at what rates, until what share of the race."""

    name: str
    learning_stages: int
    rates: tuple[float, ...]  # one a learning stage, from the lowest up
    optimizer: Optimizer
    weight_decay: float
    until: float


def phases(lane: Lane, plan: Plan, kind: Architecture, stage_count: int) -> tuple[Phase, ...]:
    """What a racer does one after the other.

    From scratch everything learns at once. The pretrained racer trains its head, then the top stages with it. Where
    nothing else may change, the head learns alone, on features that are pretrained or as random as they were born.
    """
    count = lane.learning_stages or stage_count
    if count > 1 and not lane.pretrained:
        suited = kind.scratch_rate * {"adamw": 1.0, "sgd": 12.5, "muon": 7.5}[plan.scratch_optimizer]
        rates = (plan.scratch_rate or suited,) * stage_count
        decay = {"adamw": 0.05, "sgd": 5e-3, "muon": 0.05}[plan.scratch_optimizer]
        return (Phase("training", 0, rates, plan.scratch_optimizer, decay, 1.0),)
    if count == 1:
        return (Phase("head", 1, (plan.head_rate,), "adamw", 1e-2, 1.0),)
    top = plan.backbone_rate or kind.tuning_rate
    below = [top * plan.depth_factor**depth for depth in range(count - 1)]
    rates = (*reversed(below), top)
    tuning = Phase("fine-tuning", count, rates, "adamw", 0.05, 1.0)
    if plan.head_share == 0:
        return (tuning,)
    return (Phase("head", 1, (plan.head_rate,), "adamw", 1e-2, plan.head_share), tuning)


def batches_an_epoch(pictures: int, batch_size: int) -> int:
    """How many steps an epoch has: a small set is taken in at least six, of four pictures or more.

    With 5 pictures of each of Tabletop's 10 classes and 50 epochs, batches of 8 instead of 32 bring scratch from 15.6 to
    19.1 % and the pretrained racer from 63.1 to 67.6 % (3 seeds, 2026-11-21).
    """
    return math.ceil(pictures / min(batch_size, max(4, pictures // 6)))


def train(
    lane: Lane, plan: Plan, pictures: Drawn, machine: Machine, now: Callable[[], float], cached: bool = True
) -> Generator[Event | None, None, nn.Sequential]:
    """Train one racer; yields its events, and None where there is nothing to tell, so that it can be stopped there.

    Returns the network as it is at the end. `now` gives seconds. With `cached=False` frozen stages are run anew at every
    step: the plain version, slower and with the same result. Raises UnavailableError where pretrained weights are not to be
    had.
    """
    model = backbones.build(plan.backbone, len(pictures.classes), plan.seed, lane.pretrained)
    model.to(device=machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    if lane.pretrained or lane.learning_stages == 1:
        freezing.blank(model[-1])
    chance.own(model, augment.generator(plan.seed, 9))
    work = phases(lane, plan, backbones.find(plan.backbone).architecture, len(model))
    batches = batches_an_epoch(len(pictures.training), plan.batch_size)
    steps = batches * plan.epochs if plan.budget == "epochs" else 0
    parameters = sum(p.numel() for p in model.parameters())
    _, learning = freezing.split(model, work[-1].learning_stages)
    yield Prepared(lane.name, parameters, sum(p.numel() for p in learning.parameters()), steps)

    clock = Stopwatch(now)
    judge = Judge(lane.name, pictures, machine, now, plan, batches)
    step, reason, message, told = 0, "done", "", -1.0
    order: tuple[Tensor, ...] = ()
    for phase in work:
        frozen, learning = freezing.split(model, phase.learning_stages)
        if not lane.pretrained:
            freezing.settle(frozen, pictures, machine)
        freezing.freeze(frozen)
        freezing.learn(learning, lane.pretrained)
        can_be_kept = cached and len(frozen) and _fits(frozen, pictures, plan, machine)
        kind = freezing.CachedInputs if can_be_kept else freezing.FreshInputs
        inputs = kind(frozen, pictures, plan.augmented, plan.seed, machine)
        judge.turn_to(learning, inputs)
        if isinstance(inputs, freezing.CachedInputs):
            yield PhaseStarted(lane.name, "caching", phase.learning_stages, step / batches, clock.seconds)
            yield from judge.around(inputs.prepare_heldout())
        if step == 0:
            judge.watch(model)
            yield from judge.exactly(step, clock.seconds, 0.0)
        yield from clock.around(inputs.prepare())
        yield PhaseStarted(lane.name, phase.name, phase.learning_stages, step / batches, clock.seconds)  # type: ignore[arg-type]
        scale = 1.0
        if len(learning) == 1:
            clock.start()
            scale = FEATURES / max(1e-6, inputs.size())  # larger features move the answers further at the same rate
            clock.stop()
        smoothing = 0.0 if work[-1].learning_stages == 1 else SMOOTHING
        groups = [(stage, rate * scale) for stage, rate in zip(learning, phase.rates, strict=True)]
        optimizer = optimizers.make(phase.optimizer, groups, phase.weight_decay)
        began = progress = _progress(plan, step, steps, clock.seconds)

        while progress < phase.until and reason == "done":
            epoch, position = divmod(step, batches)
            if not order or position == 0:
                shuffled = torch.randperm(len(pictures.training), generator=augment.generator(plan.seed, 5, epoch))
                order = shuffled.tensor_split(batches)  # nearly equal parts: no tiny last batch for BatchNorm
            clock.start()
            rate = optimizers.set_rate(optimizer, (progress - began) / (phase.until - began))
            x = inputs.batch(order[position], epoch)
            y = pictures.training_labels[order[position].to(pictures.training_labels.device)]
            with machine.autocast():
                logits = learning(x)
            loss = F.cross_entropy(logits.float(), y, label_smoothing=smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            value = loss.item()  # waits for the GPU, so the clock is honest there too
            clock.stop()
            step += 1
            judge.trained(len(x))
            if not math.isfinite(value):
                reason, message = "diverged", f"the loss became {value} at step {step}: the learning rate is too high"
            progress = _progress(plan, step, steps, clock.seconds)
            is_told = progress >= min(told + 1 / TOLD, phase.until) or reason != "done"
            told = progress if is_told else told
            yield Stepped(lane.name, step, step / batches, judge.seen, clock.seconds, value, rate) if is_told else None
            if reason == "done":
                yield from judge.after(step, clock.seconds, progress, progress >= phase.until)
        if reason != "done":
            break

    if step == 0:
        reason, message = "failed", "the time was used up before the first step: give it more seconds, or fewer pictures"
    correct, answers = (judge.correct, judge.answers) if reason == "done" else (0, "")
    if reason == "done":
        yield judge.judged()
    yield Finished(
        lane.name,
        reason,  # type: ignore[arg-type]
        step,
        step / batches,
        judge.seen,
        clock.seconds,
        correct,
        len(answers),
        answers,
        message,
    )
    return model


def _fits(frozen: nn.Sequential, pictures: Drawn, plan: Plan, machine: Machine) -> bool:
    """Whether the features at this boundary may be kept; low in a network they are many times the pictures' size."""
    needed = freezing.cache_bytes(frozen, pictures, plan.augmented, machine)
    return needed <= freezing.CACHE_SHARE / len(plan.lanes()) * machine.free_memory()


def _progress(plan: Plan, step: int, steps: int, seconds: float) -> float:
    """The share of the race that is behind this racer."""
    return step / steps if plan.budget == "epochs" else min(1.0, seconds / plan.seconds)


class Stopwatch:
    """A racer's own compute time in seconds; it stands still during evaluation."""

    def __init__(self, now: Callable[[], float]):
        self._now, self.seconds, self._began = now, 0.0, 0.0

    def start(self) -> None:
        """Let it run."""
        self._began = self._now()

    def stop(self) -> None:
        """Let it stand still."""
        self.seconds += self._now() - self._began

    def around(self, work: Iterator[None]) -> Iterator[None]:
        """Run for each piece of `work`, and stand still while the piece is handed on."""
        while True:
            self.start()
            try:
                next(work)
            except StopIteration:
                return
            finally:
                self.stop()
            yield


class Judge:
    """Asks a racer about held-out pictures: exactly at times, and by a rolling estimate in between.

    When it asks depends on counts, never on a clock, so that a seed has one curve. A forward pass is taken as a third
    of a training step for the same pictures; every trained picture earns an allowance, so that evaluation stays within
    its share of the racer's time. A lone head on cached features is asked exactly after every epoch: that costs next to
    nothing.
    """

    def __init__(self, lane: str, pictures: Drawn, machine: Machine, now: Callable[[], float], plan: Plan, batches: int):
        self._lane, self._pictures, self._machine, self._batches = lane, pictures, machine, batches
        self._clock = Stopwatch(now)
        self._mixed = torch.randperm(len(pictures.heldout), generator=augment.generator(plan.seed, 6))
        self._shown = torch.tensor(show(pictures.heldout_labels, plan.seed), dtype=torch.long)
        self._recent: deque[bool] = deque(maxlen=ROLLING_WINDOW)
        self._next, self._for_exact, self._for_rolling, self._told, self._looked = 0, 0.0, 0.0, 0.0, -1.0
        self._named, self._confidence = torch.empty(0, dtype=torch.long), torch.empty(0)  # (held-out,) at the last exact one
        self.seen = 0
        self.correct, self.answers = 0, ""  # by the last exact evaluation

    def watch(self, model: nn.Sequential) -> None:
        """Remember how this network begins."""
        self._lens = Lens(model)

    def turn_to(self, learning: nn.Sequential, inputs: freezing.FreshInputs | freezing.CachedInputs) -> None:
        """From now on these stages answer."""
        self._learning, self._inputs = learning, inputs
        self._is_cheap = len(learning) == 1 and isinstance(inputs, freezing.CachedInputs)

    def around(self, work: Iterator[None]) -> Iterator[None]:
        """Count this work as evaluation."""
        return self._clock.around(work)

    def trained(self, pictures: int) -> None:
        """Note that so many pictures were trained on."""
        self.seen += pictures
        if not self._is_cheap:
            earned = pictures * 3 * EVALUATION_SHARE / (1 - EVALUATION_SHARE)
            self._for_exact += earned * EXACT_SHARE
            self._for_rolling += earned * (1 - EXACT_SHARE)

    def after(self, step: int, seconds: float, progress: float, is_end: bool) -> Iterator[Event | None]:
        """What there is to ask after a step: everything, a few pictures, or nothing."""
        total, is_epoch_end = len(self._pictures.heldout), step % self._batches == 0
        if is_end or (self._is_cheap and is_epoch_end and progress >= self._told + 2 / TOLD):
            self._told = progress
            yield from self.exactly(step, seconds, progress)
        elif is_epoch_end and self._for_exact >= total:
            self._for_exact -= total
            yield from self.exactly(step, seconds, progress)
        elif self._for_rolling >= ROLLING_CHUNK:
            yield from self.roughly(step, seconds, progress)

    def exactly(self, step: int, seconds: float, progress: float) -> Iterator[Event | None]:
        """Ask about the whole held-out set; tell the answers on the few pictures shown, and look inside at times."""
        total, named, sure = len(self._pictures.heldout), [], []
        size = total if self._is_cheap else freezing.chunk(self._pictures.px)
        for first in range(0, total, size):
            names, confidence = self._ask(slice(first, first + size))
            named.append(names)
            sure.append(confidence)
            yield None
        self._named, self._confidence = torch.cat(named), torch.cat(sure)
        right = self._named == self._pictures.heldout_labels.cpu()
        self.correct, self.answers = int(right.sum()), "".join("1" if r else "0" for r in right.tolist())
        yield self._evaluated(step, seconds, self.correct, total, True)
        shown = _rounded(self._confidence[self._shown])
        yield Answered(self._lane, step, step / self._batches, seconds, tuple(self._named[self._shown].tolist()), shown)
        if progress >= min(1.0, self._looked + 1 / LOOKS):
            self._looked = progress
            yield self._look(step, seconds)

    def roughly(self, step: int, seconds: float, progress: float) -> Iterator[Event]:
        """Ask about the next few pictures, and report the last ROLLING_WINDOW answers."""
        rows = self._mixed[torch.arange(self._next, self._next + ROLLING_CHUNK) % len(self._mixed)]
        self._next += ROLLING_CHUNK
        self._for_rolling -= ROLLING_CHUNK
        self._recent.extend((self._ask(rows)[0] == self._pictures.heldout_labels.cpu()[rows]).tolist())
        if len(self._recent) >= ROLLING_LEAST and progress >= self._told + 1 / TOLD:
            self._told = progress
            yield self._evaluated(step, seconds, sum(self._recent), len(self._recent), False)

    def judged(self) -> Judged:
        """What every held-out picture was called at the last exact evaluation."""
        return Judged(self._lane, tuple(self._named.tolist()), _rounded(self._confidence))

    def _ask(self, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
        """What these held-out pictures are called, (n,) int64, and how surely: the probability of it, (n,) float32."""
        self._clock.start()
        modes = [module.training for module in self._learning.modules()]
        self._learning.eval()
        with torch.no_grad(), self._machine.autocast():
            logits = self._learning(self._inputs.heldout(rows))
        for module, mode in zip(self._learning.modules(), modes, strict=True):
            module.training = mode
        confidence, named = logits.float().softmax(1).max(1)
        answers = named.cpu(), confidence.cpu()
        self._clock.stop()
        return answers

    def _look(self, step: int, seconds: float) -> Looked:
        self._clock.start()
        moved, (count, side, filters) = self._lens.moved(), self._lens.filters()
        self._clock.stop()
        epoch, far = step / self._batches, tuple(float(f"{share:.4g}") for share in moved)
        return Looked(self._lane, step, epoch, seconds, self._lens.stages, far, count, side, filters)

    def _evaluated(self, step: int, seconds: float, correct: int, total: int, is_exact: bool) -> Evaluated:
        low, high = wilson(correct, total)
        return Evaluated(
            self._lane,
            step,
            step / self._batches,
            self.seen,
            seconds,
            correct,
            total,
            low,
            high,
            is_exact,
            self._clock.seconds,
        )


def show(labels: Tensor, seed: int) -> tuple[int, ...]:
    """The rows of the SHOWN held-out pictures whose answers are told as a race goes on, dealt over the classes.

    labels: (N,) int64
    """
    turns: Counter[int] = Counter()
    dealt = []
    for row in torch.randperm(len(labels), generator=augment.generator(seed, 10)).tolist():
        kind = int(labels[row])
        dealt.append((turns[kind], row))
        turns[kind] += 1
    first = sorted(dealt, key=lambda turn: turn[0])[:SHOWN]  # sorting is stable: within a turn they stay mixed
    return tuple(sorted(row for _, row in first))


def _rounded(shares: Tensor) -> tuple[float, ...]:
    return tuple(round(share, 3) for share in shares.tolist())
