"""Measures the speed of the default race: times after Start, points per second, and seconds per epoch against `naive.py`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from engine.bench import naive
from engine.device import Machine, this_machine
from engine.events import Evaluated, Event, Finished, RaceFinished, Stepped
from engine.plan import Plan
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.race.race import run_race
from engine.workspace import Workspace


@dataclass(frozen=True)
class RaceTimes:
    """Times of one race; the first four in seconds after Start."""

    first_accuracy: float  # the pretrained racer's first exact evaluation
    pretrained_done: float
    scratch_done: float
    whole: float
    points_per_second: float  # accuracy points of both racers while both train
    epoch_seconds: dict[str, float]  # compute time per epoch of each racer, without filling the cache
    evaluation_share: dict[str, float]  # evaluation's share of each racer's time


def time_race(plan: Plan, workspace: Workspace, machine: Machine) -> RaceTimes:
    """Run a race and record the time of every event."""
    began = time.perf_counter()
    events: list[tuple[float, Event]] = [(time.perf_counter() - began, e) for e in run_race(plan, workspace, machine)]
    points = [(t, e) for t, e in events if isinstance(e, Evaluated)]
    ends = {e.racer: (t, e) for t, e in events if isinstance(e, Finished)}
    first = next(t for t, e in points if e.racer == "pretrained" and e.is_exact)
    both_from = max(next(t for t, e in points if e.racer == racer) for racer in ends)
    both_to = min(t for t, _ in ends.values())
    steps = {racer: [e for _, e in events if isinstance(e, Stepped) and e.racer == racer] for racer in ends}
    last = {racer: [e for _, e in points if e.racer == racer][-1] for racer in ends}
    return RaceTimes(
        first,
        ends["pretrained"][0],
        ends["scratch"][0],
        next(t for t, e in events if isinstance(e, RaceFinished)),
        sum(both_from <= t <= both_to for t, _ in points) / max(both_to - both_from, 1e-9),
        {k: (s[-1].seconds - s[0].seconds) / max(s[-1].epoch - s[0].epoch, 1e-9) for k, s in steps.items()},
        {k: p.evaluation_seconds / (p.evaluation_seconds + p.seconds) for k, p in last.items()},
    )


def main(workspace: Workspace) -> int:
    """Print the measurements as Markdown."""
    machine, plan = this_machine(), Plan()
    run_to_end(sample_inputs(plan, workspace))  # the pictures are decoded when the page starts
    print(f"{machine.name}, {machine.precision}, {machine.threads} thread a racer; {plan.examples_per_class} per class\n")
    whole = time_race(plan, workspace, machine)
    frozen = time_race(replace(plan, trainable_stages=1), workspace, machine)
    print("| measured after Start | default race | frozen backbone |\n|---|---|---|")
    for name in ("first_accuracy", "pretrained_done", "scratch_done", "whole"):
        print(f"| {name.replace('_', ' ')} | {getattr(whole, name):.1f} s | {getattr(frozen, name):.1f} s |")
    print(f"| points a second while both run | {whole.points_per_second:.1f} | {frozen.points_per_second:.1f} |")
    for racer in ("scratch", "pretrained"):
        print(
            f"| evaluation, share of {racer}'s time | {whole.evaluation_share[racer]:.1%} "
            f"| {frozen.evaluation_share[racer]:.1%} |"
        )
    inputs = run_to_end(sample_inputs(plan, workspace))
    baseline = {"scratch": naive.epoch_seconds(plan, inputs, False), "frozen": naive.epoch_seconds(plan, inputs, True)}
    ours = {"scratch": whole.epoch_seconds["scratch"], "frozen": frozen.epoch_seconds["pretrained"]}
    print("\nAn epoch, the first left out; ours of the frozen backbone without filling the cache, which is paid once.\n")
    print("| an epoch | naive, alone on the machine | ours, while racing | ratio |\n|---|---|---|---|")
    for name in baseline:
        print(f"| {name} | {baseline[name]:.3f} s | {ours[name]:.4f} s | ×{baseline[name] / ours[name]:.1f} |")
    return 0
