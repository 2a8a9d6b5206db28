"""Races of one racer on the tiny pictures, and a few plain SGD steps."""

from __future__ import annotations

import torch

from engine import Plan
from engine.data.sampling import RaceData
from engine.events import Event
from engine.models import freezing, pretrained
from engine.plan import Racer
from engine.race.inputs import RaceInputs
from engine.rng import generator
from engine.training.features import CACHE_SHARE, CachedInputs, FreshInputs
from engine.training.loop import train
from tests.conftest import CPU, Clock

SHORT = Plan(examples_per_class=4, epochs=3, batch_size=5, trainable_stages=1)
SCRATCH, TRANSFER = SHORT.racers()


def run(
    racer: Racer, plan: Plan, drawn: RaceInputs, clock: Clock | None = None, cache_share: float = CACHE_SHARE
) -> list[Event]:
    """All events of one racer."""
    return run_to_network(racer, plan, drawn, clock, cache_share)[0]


def run_to_network(
    racer: Racer, plan: Plan, drawn: RaceInputs, clock: Clock | None = None, cache_share: float = CACHE_SHARE
) -> tuple[list[Event], torch.nn.Sequential]:
    """All events of one racer, and its network at the end."""
    events: list[Event] = []
    now = clock or Clock(0.001)
    work = train(racer, plan, drawn.backbone, drawn.data, drawn.preprocessing, CPU, now, cache_share)
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            return events, end.value
        events += [event] if event is not None else []


def of(events: list[Event], event_type: type) -> list:
    """The events of one type."""
    return [e for e in events if isinstance(e, event_type)]


def network(drawn: RaceInputs) -> torch.nn.Sequential:
    """A pretrained network for three classes."""
    return pretrained.build(drawn.backbone, 3, seed=0, pretrained=True)


def steps(
    model: torch.nn.Sequential, trainable_stages: int, inputs: FreshInputs | CachedInputs, data: RaceData, count: int = 6
) -> None:
    """Train the trainable stages for a few plain SGD steps."""
    _, learning = freezing.split(model, trainable_stages)
    freezing.unfreeze(learning, pretrained=True)
    optimizer = torch.optim.SGD(learning.parameters(), lr=0.05, momentum=0.9)
    for step in range(count):
        rows = torch.randperm(len(data.training), generator=generator(step))[:6]
        loss = torch.nn.functional.cross_entropy(learning(inputs.batch(rows, step // 2)), data.training_labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
