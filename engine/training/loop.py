"""The training of one racer, as a stream of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData
from engine.device import Machine
from engine.events import Event, Finished, PhaseStarted, Prepared, Stepped
from engine.i18n.messages import Message
from engine.models import convolutions, dropout, freezing, pretrained
from engine.models.pretrained import Backbone
from engine.plan import Plan, Racer
from engine.rng import generator
from engine.training import optimizers
from engine.training.evaluator import SUBSET, Evaluator, Stopwatch
from engine.training.features import CACHE_SHARE, CachedInputs, FreshInputs, choose_inputs
from engine.training.phases import Phase, phases, steps_per_epoch

FEATURE_SUM = 200.0  # the sum of a picture's features for which `head_lr` is given
MOST_REPORTED = 600  # steps of a racer that are reported; a chart cannot show more


def train(
    racer: Racer,
    plan: Plan,
    backbone: Backbone,
    data: RaceData,
    preprocessing: Preprocessing,
    machine: Machine,
    now: Callable[[], float],
    cache_share: float = CACHE_SHARE,
) -> Generator[Event | None, None, nn.Sequential]:
    """Train one racer and return its network; yields its events, and None at other points where it may be stopped.

    now: a clock in seconds. cache_share: the share of the free memory that the cached features of all racers may take;
    with 0 frozen stages are run again at every step, which is slower and gives the same result. Raises UnavailableError
    where the pretrained weights cannot be loaded.
    """
    model = _build(racer, plan, backbone, len(data.classes), machine)
    preprocessing = replace(preprocessing, memory_format=convolutions.memory_format(model, machine.device))
    racer_phases = phases(racer, plan, backbone.architecture, len(model))
    epoch_steps = steps_per_epoch(len(data.training), plan.batch_size)
    steps = epoch_steps * plan.epochs if plan.budget == "epochs" else 0
    yield _prepared(racer, model, racer_phases, steps)
    clock = Stopwatch(now)
    subset_size = None if machine.device == "cuda" or all(phase.trainable_stages == 1 for phase in racer_phases) else SUBSET
    evaluator = Evaluator(racer.name, data, preprocessing, machine, now, plan.seed, epoch_steps, subset_size)
    step, reported = 0, -1.0
    for phase in racer_phases:
        learning, inputs = _choose_stages(model, phase, racer, plan, data, preprocessing, machine, cache_share)
        evaluator.set_inputs(learning, inputs)
        if isinstance(inputs, CachedInputs):
            yield _started("caching", phase, racer, step / epoch_steps, clock)
            yield from evaluator.around(inputs.prepare_heldout())
        if step == 0:
            evaluator.watch(model)
        yield from evaluator.evaluate_full(step, clock.seconds, _progress(plan, step, steps, clock.seconds))
        yield from clock.around(inputs.prepare())
        yield _started(phase.name, phase, racer, step / epoch_steps, clock)
        optimizer = _optimizer(phase, learning, inputs, clock)
        began = progress = _progress(plan, step, steps, clock.seconds)
        while progress < phase.until:
            epoch, position = divmod(step, epoch_steps)
            if position == 0:
                batches = shuffled_batches(len(data.training), epoch_steps, plan.seed, epoch)
            with clock:
                rate = optimizers.set_rate(optimizer, (progress - began) / (phase.until - began))
                images, labels = inputs.batch(batches[position], epoch), labels_of(data, batches[position])
                loss_tensor = training_step(learning, optimizer, images, labels, machine, phase.label_smoothing)
                loss = loss_tensor.item()  # waits for the GPU, so the clock counts its work too
            step += 1
            progress = _progress(plan, step, steps, clock.seconds)
            evaluator.trained_on(len(images))
            stepped = Stepped(
                racer=racer.name, step=step, epoch=step / epoch_steps, pictures=evaluator.pictures_seen,
                seconds=clock.seconds,
                loss=loss, rate=rate,
            )  # fmt: skip
            has_diverged = not math.isfinite(loss)
            is_reported = has_diverged or progress >= min(reported + 1 / MOST_REPORTED, phase.until)
            reported = progress if is_reported else reported
            yield stepped if is_reported else None
            if has_diverged:
                message = Message("end.diverged", loss=str(loss), step=step)
                yield Finished.unfinished(racer=racer.name, reason="diverged", last=stepped, message=message)
                return model
            yield from evaluator.evaluate_after_step(step, clock.seconds, progress, progress >= phase.until)
    if step == 0:
        end = Finished.unfinished(racer=racer.name, reason="failed", last=None, message=Message("end.no_step"))
        yield replace(end, seconds=clock.seconds)
    else:
        yield evaluator.final_predictions()
        yield evaluator.finished(step, clock.seconds)
    return model


def training_step(
    learning: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    machine: Machine,
    label_smoothing: float,
) -> Tensor:
    """One step of gradient descent: forward, loss, backward, step. Returns the loss before the step, a scalar.

    images: what the first learning stage takes, (N, 3, px, px) or features; labels: (N,) int64
    """
    with machine.autocast():
        logits = learning(images)
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


def shuffled_batches(pictures: int, count: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """The rows of the training pictures in this epoch's order, cut into `count` batches.

    The batches are of nearly equal size, since BatchNorm would suffer from a last batch of one or two pictures.
    """
    return torch.randperm(pictures, generator=generator(seed, 5, epoch)).tensor_split(count)


def labels_of(data: RaceData, rows: Tensor) -> Tensor:
    """The labels of these training pictures, (N,) int64, on the device."""
    return data.training_labels[rows.to(data.training_labels.device)]


def _build(racer: Racer, plan: Plan, backbone: Backbone, classes: int, machine: Machine) -> nn.Sequential:
    """The racer's network before its first step."""
    model = pretrained.build(backbone, classes, plan.seed, racer.pretrained)
    layout = convolutions.memory_format(model, machine.device)
    model.to(device=machine.device, memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack it
    if racer.pretrained or racer.trainable_stages == 1:
        freezing.zero_init_head(model[-1])
    dropout.replace_dropout(model, generator(plan.seed, 9))
    convolutions.use_fast_convolutions(model)
    return model


def _prepared(racer: Racer, model: nn.Sequential, racer_phases: Sequence[Phase], steps: int) -> Prepared:
    _, learning = freezing.split(model, racer_phases[-1].trainable_stages)
    total, trainable = (sum(p.numel() for p in part.parameters()) for part in (model, learning))
    return Prepared(racer=racer.name, parameters=total, learning=trainable, steps=steps)


def _choose_stages(
    model: nn.Sequential,
    phase: Phase,
    racer: Racer,
    plan: Plan,
    data: RaceData,
    preprocessing: Preprocessing,
    machine: Machine,
    cache_share: float,
) -> tuple[nn.Sequential, FreshInputs | CachedInputs]:
    """Freeze the lower stages, unfreeze the upper ones; returns the upper ones and what supplies their inputs."""
    frozen, learning = freezing.split(model, phase.trainable_stages)
    if not racer.pretrained:
        freezing.calibrate_batchnorm(frozen, data, preprocessing, machine)
    freezing.freeze(frozen)
    freezing.unfreeze(learning, racer.pretrained)
    share = cache_share / len(plan.racers())
    return learning, choose_inputs(frozen, data, preprocessing, plan.augment, plan.seed, machine, share)


def _optimizer(
    phase: Phase, learning: nn.Sequential, inputs: FreshInputs | CachedInputs, clock: Stopwatch
) -> torch.optim.Optimizer:
    """The optimizer of a phase. A head alone gets a lower rate where its features are larger, since they move it further."""
    scale = 1.0
    if len(learning) == 1:
        with clock:
            scale = FEATURE_SUM / max(1e-6, inputs.feature_sum())
    groups = [(stage, rate * scale) for stage, rate in zip(learning, phase.rates, strict=True)]
    return optimizers.make(groups, phase.weight_decay)


def _started(
    name: Literal["training", "caching", "head", "fine-tuning"], phase: Phase, racer: Racer, epoch: float, clock: Stopwatch
) -> PhaseStarted:
    return PhaseStarted(
        racer=racer.name, phase=name, trainable_stages=phase.trainable_stages, epoch=epoch, seconds=clock.seconds
    )


def _progress(plan: Plan, step: int, steps: int, seconds: float) -> float:
    """The share of the race that this racer has completed."""
    return step / steps if plan.budget == "epochs" else min(1.0, seconds / plan.seconds)
