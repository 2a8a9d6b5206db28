"""Estimates how long a race will take on this machine, by timing a few training steps, and fits plans to a time limit."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from engine.device import Machine
from engine.models import convolutions, dropout, freezing, pretrained
from engine.models.pretrained import Backbone
from engine.models.stages import stages
from engine.plan import RANGES, Plan
from engine.race.validate import input_size
from engine.rng import generator
from engine.training import optimizers
from engine.training.evaluator import BACKWARD_FACTOR, SUBSET_SHARE
from engine.training.phases import phases, steps_per_epoch
from engine.workspace import Workspace

START_UP = 1.5  # seconds to sample the pictures and build the networks
CONTENTION = 1.15  # slowdown of racers that share the memory of one chip
PROBE = 0.25  # seconds for which each part of a probe is repeated; it is run at least twice
EVALUATIONS_PER_PHASE = 2  # on all held-out pictures, at its start and its end; more after epochs 1, 2, 4, …
SAFETY = 0.6  # a budget of seconds leaves out preparation and evaluation
LEAST_EPOCHS = 10  # with fewer, a racer from scratch learns too little to compare
SMALLER_SIZES = (160, 128, 96, 64)  # input sizes in pixels that `fit` tries


@dataclass(frozen=True)
class Speed:
    """Seconds of compute of one racer, with its share of the cores."""

    forward: float  # per picture: forward pass of the whole network without gradients
    learn: float  # per picture: forward and backward pass of the learning stages
    update: float  # per optimizer step of the learning stages


Measure = Callable[[Backbone, int, int, Machine], Speed]  # the arguments of `probe`
ProbeKey = tuple[str, int, int, int]  # architecture, image size, learning stages, threads


class CostEstimator:
    """Estimates the duration of races; keeps the speeds it has measured."""

    def __init__(self, workspace: Workspace, machine: Machine, measure: Measure | None = None) -> None:
        """`measure` returns the speed of one racer; by default `probe`."""
        self._workspace, self._machine, self._measure = workspace, machine, measure or probe
        self._speeds: dict[ProbeKey, Speed] = {}
        self._one_at_a_time = threading.Lock()  # two probes at once would each measure half the speed

    def estimate(self, plan: Plan, may_probe: Callable[[], bool] = lambda: True) -> float | None:
        """Seconds this race will take here, evaluation included; None where that needs a probe and none is allowed.

        `may_probe` is called before a probe. Downloads are not counted. Raises PlanError for an unknown task or backbone,
        and for an input size that the network cannot take.
        """
        task, backbone = self._workspace.tasks.find(plan.task), self._workspace.backbones.find(plan.backbone)
        image_size = input_size(plan, self._workspace)
        count = len(stages(backbone, len(task.classes), image_size))
        pictures = plan.examples_per_class * len(task.classes)
        views = (2 if plan.augment else 1) * pictures
        steps = steps_per_epoch(pictures, plan.batch_size) * plan.epochs
        racers: list[float] = []
        machine = self._machine.shared_by(len(plan.racers()))
        for racer in plan.racers():
            seconds, began = 0.0, 0.0
            for phase in phases(racer, plan, backbone.architecture, count):
                learning = phase.trainable_stages or count
                speed = self._speed(backbone, image_size, learning, machine, may_probe)
                if speed is None:
                    return None
                if plan.budget == "epochs":
                    share = phase.until - began
                    seconds += views * speed.forward * (learning < count)
                    seconds += share * (pictures * plan.epochs * speed.learn + steps * speed.update)
                evaluated = speed.forward if learning == count else speed.learn / BACKWARD_FACTOR
                doublings = math.log2(plan.epochs) if learning > 1 and plan.budget == "epochs" else 0
                evaluations = EVALUATIONS_PER_PHASE + doublings
                seconds += task.heldout * (speed.forward * (learning < count) + evaluations * evaluated)
                began = phase.until
            if plan.budget == "seconds":
                seconds += plan.seconds
            racers.append(seconds * (1 + SUBSET_SHARE))
        parallel = machine.cores // machine.threads if machine.threads else 1
        return START_UP + CONTENTION * max(max(racers), sum(racers) / parallel)

    def fit(self, plan: Plan, seconds: float) -> Plan | None:
        """This plan changed to take about `seconds`: fewer epochs, then a smaller input, then a budget of seconds.

        None where it fits unchanged. Raises PlanError for an unknown task or backbone.
        """
        expected = self.estimate(plan)
        if expected is None or expected <= seconds:
            return None
        architecture = self._workspace.backbones.find(plan.backbone).architecture
        image_size = input_size(plan, self._workspace)
        sizes = [image_size]
        if not architecture.is_fixed:
            sizes += [size for size in SMALLER_SIZES if architecture.smallest <= size < image_size]
        for size in sizes if plan.budget == "epochs" else []:
            cheaper = expected * (size / image_size) ** 2  # the cost of a convolution is proportional to the area
            epochs = math.floor(plan.epochs * (seconds - START_UP) / cheaper)
            if epochs >= min(LEAST_EPOCHS, plan.epochs):
                new_size = size if size != image_size else plan.image_size
                return replace(plan, epochs=min(plan.epochs, epochs), image_size=new_size)
        least, most = RANGES["seconds"].low, plan.seconds if plan.budget == "seconds" else RANGES["seconds"].high
        return replace(plan, budget="seconds", seconds=float(min(most, max(least, round(seconds * SAFETY)))))

    def _speed(
        self,
        backbone: Backbone,
        image_size: int,
        trainable_stages: int,
        machine: Machine,
        may_probe: Callable[[], bool],
    ) -> Speed | None:
        key: ProbeKey = backbone.architecture.name, image_size, trainable_stages, machine.threads
        if key not in self._speeds and may_probe():
            with self._one_at_a_time:
                if key not in self._speeds and may_probe():  # a race may have begun while others were probing
                    self._speeds[key] = self._measure(backbone, image_size, trainable_stages, machine)
        return self._speeds.get(key)


def probe(backbone: Backbone, image_size: int, trainable_stages: int, machine: Machine, seconds: float = PROBE) -> Speed:
    """Measure one racer with random weights and pictures of noise; takes about a second, more for a large network.

    trainable_stages: counted from the head down; machine: with one racer's share of the cores; seconds: how long
    each of the three parts is repeated.
    """
    before = torch.get_num_threads()
    machine.claim_thread()
    try:
        return _probe(backbone, image_size, trainable_stages, machine, seconds)
    finally:
        torch.set_num_threads(before)


def _probe(backbone: Backbone, image_size: int, trainable_stages: int, machine: Machine, min_seconds: float) -> Speed:
    model = pretrained.build(backbone, 10, 0, pretrained=False)
    layout = convolutions.memory_format(model, machine.device)
    model.to(device=machine.device, memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack it
    frozen, learning = freezing.split(model, trainable_stages)
    count = freezing.chunk(image_size)
    rng = generator(0)  # not the global one: a race may be initialising its networks from it
    dropout.replace_dropout(model, rng)
    convolutions.use_fast_convolutions(model)
    x = torch.randn(count, 3, image_size, image_size, generator=rng).to(machine.device).contiguous(memory_format=layout)
    y = torch.arange(count, device=machine.device) % 10
    freezing.freeze(model)

    def predict() -> None:
        with torch.no_grad(), machine.autocast():
            model(x)[0, 0].item()  # waits for the GPU

    forward = _time(predict, min_seconds) / count
    with torch.no_grad(), machine.autocast():
        inputs = frozen(x)
    freezing.unfreeze(learning, pretrained=False)
    optimizer = optimizers.make([(learning, 1e-6)], 0.0)

    def learn() -> None:
        with machine.autocast():
            logits = learning(inputs)
        F.cross_entropy(logits.float(), y).backward()
        next(learning.parameters()).grad[0].sum().item()  # type: ignore[index]  # waits for the GPU

    learn_seconds = _time(learn, min_seconds) / count
    return Speed(forward, learn_seconds, _time(optimizer.step, min_seconds))


def _time(work: Callable[[], object], min_seconds: float) -> float:
    """Seconds of the fastest run, without the first one, which is much slower."""
    best, began, runs = math.inf, time.perf_counter(), 0
    while runs < 2 or time.perf_counter() - began < min_seconds:
        now = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - now) if runs else math.inf
        runs += 1
    return best
