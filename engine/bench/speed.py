"""How fast the default race is here: times after Start, points a second, and ratios to a naive notebook. Trains for real."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from engine import race
from engine.bench import naive
from engine.device import this_machine
from engine.events import Evaluated, Event, Finished, RaceFinished, Stepped, finish
from engine.plan import Plan


@dataclass(frozen=True)
class Timed:
    """One race, in seconds after Start."""

    first_accuracy: float  # the pretrained racer's first exact one
    transfer_done: float
    scratch_done: float
    whole: float
    points_a_second: float  # accuracy points while both run, the slowest whole second left out of neither
    epoch_seconds: dict[str, float]  # of each racer's own clock, caching left out
    evaluation_share: dict[str, float]  # of each racer's time


def time_race(plan: Plan) -> Timed:
    """Run a race and note when things came."""
    began = time.perf_counter()
    events: list[tuple[float, Event]] = [(time.perf_counter() - began, e) for e in race.run_race(plan)]
    points = [(t, e) for t, e in events if isinstance(e, Evaluated)]
    ends = {e.lane: (t, e) for t, e in events if isinstance(e, Finished)}
    first = next(t for t, e in points if e.lane == "transfer" and e.is_exact)
    both_from = max(next(t for t, e in points if e.lane == lane) for lane in ends)
    both_to = min(t for t, _ in ends.values())
    steps = {lane: [e for _, e in events if isinstance(e, Stepped) and e.lane == lane] for lane in ends}
    last = {lane: [e for _, e in points if e.lane == lane][-1] for lane in ends}
    return Timed(
        first,
        ends["transfer"][0],
        ends["scratch"][0],
        next(t for t, e in events if isinstance(e, RaceFinished)),
        sum(both_from <= t <= both_to for t, _ in points) / max(both_to - both_from, 1e-9),
        {k: (s[-1].seconds - s[0].seconds) / max(s[-1].epoch - s[0].epoch, 1e-9) for k, s in steps.items()},
        {k: p.evaluating / (p.evaluating + p.seconds) for k, p in last.items()},
    )


def main() -> int:
    """Print the measurements as Markdown."""
    machine, plan = this_machine(), Plan()
    finish(race.draw(plan))  # the pictures are decoded when the page starts
    print(f"{machine.name}, {machine.precision}, {machine.threads} thread a racer; {plan.examples} pictures a class\n")
    whole, frozen = time_race(plan), time_race(replace(plan, learning_stages=1))
    print("| measured after Start | default race | frozen backbone |\n|---|---|---|")
    for name in ("first_accuracy", "transfer_done", "scratch_done", "whole"):
        print(f"| {name.replace('_', ' ')} | {getattr(whole, name):.1f} s | {getattr(frozen, name):.1f} s |")
    print(f"| points a second while both run | {whole.points_a_second:.1f} | {frozen.points_a_second:.1f} |")
    for lane in ("scratch", "transfer"):
        print(
            f"| evaluation, share of {lane}'s time | {whole.evaluation_share[lane]:.1%} "
            f"| {frozen.evaluation_share[lane]:.1%} |"
        )
    pictures = finish(race.draw(plan))
    slow = {"scratch": naive.epoch_seconds(plan, pictures, False), "frozen": naive.epoch_seconds(plan, pictures, True)}
    ours = {"scratch": whole.epoch_seconds["scratch"], "frozen": frozen.epoch_seconds["transfer"]}
    print("\nAn epoch, the first left out; ours of the frozen backbone without filling the cache, which is paid once.\n")
    print("| an epoch | naive, alone on the machine | ours, while racing | ratio |\n|---|---|---|---|")
    for name in slow:
        print(f"| {name} | {slow[name]:.3f} s | {ours[name]:.4f} s | ×{slow[name] / ours[name]:.1f} |")
    return 0
