"""Many races: how the gap depends on the number of pictures, and how much one draw can be trusted. Knows no screen."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.events import Finished, RaceFinished
from engine.plan import Plan
from engine.race import run_race


@dataclass(frozen=True)
class Raced:
    """One race's end: shares of held-out pictures named right."""

    plan: Plan
    scratch: float
    transfer: float
    scratch_seconds: float
    transfer_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Summary:
    """Several seeds of the same settings: means over seeds, and the standard deviation from seed to seed."""

    plan: Plan
    seeds: int
    scratch: float
    scratch_sd: float
    transfer: float
    transfer_sd: float
    gap: float
    gap_sd: float


def sweep(plan: Plan, examples: Iterable[int], seeds: Sequence[int]) -> Iterator[Raced]:
    """Race every number of examples with every seed, one race at a time."""
    for count in examples:
        for seed in seeds:
            yield run_once(replace(plan, examples=count, seed=seed))


def run_once(plan: Plan) -> Raced:
    """Run one race to its end. A racer that did not reach its end counts as 0."""
    ends: dict[str, Finished] = {}
    wall = 0.0
    for event in run_race(plan):
        if isinstance(event, Finished):
            ends[event.lane] = event
        elif isinstance(event, RaceFinished):
            wall = event.wall_seconds
    share = {name: end.correct / end.total if end.total else 0.0 for name, end in ends.items()}
    return Raced(plan, share["scratch"], share["transfer"], ends["scratch"].seconds, ends["transfer"].seconds, wall)


def summarise(races: Sequence[Raced]) -> Summary:
    """Mean and standard deviation over races that differ in their seed only."""

    def spread(values: Sequence[float]) -> float:
        return statistics.stdev(values) if len(values) > 1 else 0.0

    scratch, transfer = [r.scratch for r in races], [r.transfer for r in races]
    gaps = [t - s for s, t in zip(scratch, transfer, strict=True)]
    mean = statistics.fmean
    return Summary(
        races[0].plan, len(races), mean(scratch), spread(scratch), mean(transfer), spread(transfer), mean(gaps), spread(gaps)
    )
