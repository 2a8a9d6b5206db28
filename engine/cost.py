"""What a race will cost on this machine before it starts: a probe of a few steps, and plans that fit. Races nothing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from engine import augment, backbones, chance, freezing, optimizers, tasks, training
from engine.device import Machine, cores, this_machine
from engine.plan import RANGES, Plan
from engine.race import side

START_UP = 1.5  # seconds to draw the pictures and build the networks
TOGETHER = 1.15  # racers on cores of one chip wait for the same memory
PROBE = 0.25  # seconds a part of the probe is repeated for; it is run twice at least
LEAST_EPOCHS = 10  # below this a racer from scratch has learnt nothing worth watching
SIDES = (160, 128, 96, 64)


@dataclass(frozen=True)
class Speed:
    """Seconds that a racer with `learning_stages` takes on one core share: a picture, a step, whole or frozen part."""

    forward: float  # a picture through the whole network, no gradients
    learn: float  # a picture through the learning stages, there and back
    update: float  # one optimizer step of the learning stages


What = tuple[str, int, int, str, int]  # architecture, px, learning stages, optimizer, threads


class Prober:
    """Knows how fast this machine is with what it has probed so far."""

    def __init__(self) -> None:
        self._speeds: dict[What, Speed] = {}
        self._one_at_a_time = threading.Lock()  # two probes at once would find the machine half as fast

    def estimate(self, plan: Plan, may_probe: Callable[[], bool] = lambda: True) -> float | None:
        """Seconds this race will take here, evaluation included; None where that needs a probe and none is allowed.

        `may_probe` is asked when a probe is about to begin. Pictures and weights are taken to be here. Raises PlanError
        for an unknown task or backbone, and for a side it cannot take.
        """
        task, backbone, px = tasks.find(plan.task), backbones.find(plan.backbone), side(plan)
        kind = backbone.architecture
        count = len(backbones.stages(plan.backbone, len(task.classes), px))
        pictures = plan.examples * len(task.classes)
        views = (2 if plan.augmented else 1) * pictures
        steps = training.batches_an_epoch(pictures, plan.batch_size) * plan.epochs
        lanes: list[float] = []
        machine = this_machine().shared_by(len(plan.lanes()))
        for lane in plan.lanes():
            seconds, began = 0.0, 0.0
            for phase in training.phases(lane, plan, kind, count):
                learning = phase.learning_stages or count
                speed = self._speed((kind.name, px, learning, phase.optimizer, machine.threads), may_probe)
                if speed is None:
                    return None
                if plan.budget == "epochs":
                    share = phase.until - began
                    seconds += views * speed.forward * (learning < count)
                    seconds += share * (pictures * plan.epochs * speed.learn + steps * speed.update)
                asked = speed.forward if learning == count else speed.learn / 3
                seconds += task.heldout * (speed.forward * (learning < count) + 2 * asked)
                began = phase.until
            if plan.budget == "seconds":
                seconds += plan.seconds
            lanes.append(seconds * (1 + training.EVALUATION_SHARE))
        parallel = cores() // machine.threads if machine.threads else 1
        return START_UP + TOGETHER * max(max(lanes), sum(lanes) / parallel)

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        """This plan made to end within about so many seconds: fewer epochs, then a smaller input, then equal seconds.

        None where it fits as it is. Raises PlanError for an unknown task or backbone.
        """
        expected = self.estimate(plan)
        if expected is None or expected <= seconds:
            return None
        kind, px = backbones.find(plan.backbone).architecture, side(plan)
        sides = [px] if kind.is_fixed else [px, *(smaller for smaller in SIDES if kind.smallest <= smaller < px)]
        for smaller in sides if plan.budget == "epochs" else []:
            cheaper = expected * (smaller / px) ** 2  # what a convolution costs goes by the area
            epochs = math.floor(plan.epochs * (seconds - START_UP) / cheaper)
            if epochs >= min(LEAST_EPOCHS, plan.epochs):
                return replace(plan, epochs=min(plan.epochs, epochs), px=smaller if smaller != px else plan.px)
        least, most = RANGES["seconds"].low, plan.seconds if plan.budget == "seconds" else RANGES["seconds"].high
        return replace(plan, budget="seconds", seconds=float(min(most, max(least, round(seconds * 0.6)))))

    def _speed(self, what: What, may_probe: Callable[[], bool]) -> Speed | None:
        if what not in self._speeds and may_probe():
            with self._one_at_a_time:
                if what not in self._speeds and may_probe():  # a race may have begun while others were probing
                    self._speeds[what] = probe(*what)
        return self._speeds.get(what)


def probe(architecture: str, px: int, learning_stages: int, optimizer: str, threads: int) -> Speed:
    """Measure one racer with random weights and pictures of noise: about a second, more for a heavy network.

    learning_stages: counted from the head down; threads: a racer's share of the cores, 0 on a GPU.
    """
    machine = replace(this_machine(), threads=threads)
    before = torch.get_num_threads()
    machine.claim_thread()
    try:
        return _probe(architecture, px, learning_stages, optimizer, machine)
    finally:
        torch.set_num_threads(before)


def _probe(architecture: str, px: int, learning_stages: int, optimizer: str, machine: Machine) -> Speed:
    model = backbones.build(architecture, 10, 0, pretrained=False)
    model.to(device=machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    frozen, learning = freezing.split(model, learning_stages)
    count = freezing.chunk(px)
    rng = augment.generator(0)  # a race may be building its networks from the global one at this moment
    chance.own(model, rng)
    x = torch.randn(count, 3, px, px, generator=rng).to(machine.device).contiguous(memory_format=torch.channels_last)
    y = torch.arange(count, device=machine.device) % 10
    freezing.freeze(model)

    def look() -> None:
        with torch.no_grad(), machine.autocast():
            model(x)[0, 0].item()

    forward = _time(look) / count
    with torch.no_grad(), machine.autocast():
        inputs = frozen(x)
    freezing.learn(learning, pretrained=False)
    stepper = optimizers.make(optimizer, [(learning, 1e-6)], 0.0)  # type: ignore[arg-type]  # a name checked by the plan

    def learn() -> None:
        with machine.autocast():
            logits = learning(inputs)
        F.cross_entropy(logits.float(), y).backward()
        next(learning.parameters()).grad[0].sum().item()  # type: ignore[index]  # waits for the GPU

    seconds = _time(learn) / count
    return Speed(forward, seconds, _time(stepper.step))


def _time(work: Callable[[], object]) -> float:
    """Seconds of one run, the best of those after the first; the first one is the slowest by far."""
    best, began, runs = math.inf, time.perf_counter(), 0
    while runs < 2 or time.perf_counter() - began < PROBE:
        now = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - now) if runs else math.inf
        runs += 1
    return best
