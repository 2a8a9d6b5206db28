"""Sweeps: races over numbers of training pictures and seeds, summarised by mean and standard deviation over the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.device import Machine
from engine.events import Finished, RaceFinished
from engine.plan import Plan
from engine.race.race import run_race
from engine.workspace import Workspace


@dataclass(frozen=True)
class Raced:
    """The result of one race; `scratch` and `pretrained` are held-out accuracies, 0..1."""

    plan: Plan
    scratch: float
    pretrained: float
    scratch_seconds: float
    pretrained_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Summary:
    """Several seeds of the same settings: mean and standard deviation (`_sd`) over the seeds."""

    plan: Plan
    seeds: int
    scratch: float
    scratch_sd: float
    pretrained: float
    pretrained_sd: float
    gap: float
    gap_sd: float


def sweep(
    plan: Plan, examples_per_class: Iterable[int], seeds: Sequence[int], workspace: Workspace, machine: Machine
) -> Iterator[Raced]:
    """Run one race for each number of examples per class and each seed, one at a time."""
    for count in examples_per_class:
        for seed in seeds:
            yield run_once(replace(plan, examples_per_class=count, seed=seed), workspace, machine)


def run_once(plan: Plan, workspace: Workspace, machine: Machine) -> Raced:
    """Run one race to its end. The accuracy of a racer that did not complete its training is 0."""
    ends: dict[str, Finished] = {}
    wall = 0.0
    for event in run_race(plan, workspace, machine):
        if isinstance(event, Finished):
            ends[event.racer] = event
        elif isinstance(event, RaceFinished):
            wall = event.wall_seconds
    accuracy = {name: end.correct / end.total if end.total else 0.0 for name, end in ends.items()}
    scratch, pretrained = ends["scratch"], ends["pretrained"]
    return Raced(plan, accuracy["scratch"], accuracy["pretrained"], scratch.seconds, pretrained.seconds, wall)


def summarise(races: Sequence[Raced]) -> Summary:
    """Mean and standard deviation over races that differ in their seed only."""

    def spread(values: Sequence[float]) -> float:
        return statistics.stdev(values) if len(values) > 1 else 0.0

    scratch, pretrained = [race.scratch for race in races], [race.pretrained for race in races]
    gaps = [race.pretrained - race.scratch for race in races]
    mean = statistics.fmean
    return Summary(
        plan=races[0].plan,
        seeds=len(races),
        scratch=mean(scratch),
        scratch_sd=spread(scratch),
        pretrained=mean(pretrained),
        pretrained_sd=spread(pretrained),
        gap=mean(gaps),
        gap_sd=spread(gaps),
    )
