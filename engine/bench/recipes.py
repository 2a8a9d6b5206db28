"""Is each racer as good as the best recipe tried for it? Trains every candidate over several seeds and prints the table.

A candidate is chosen on training pictures that were not drawn for the race, never on the held-out ones; both columns are
printed. Knows no page.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from engine import race, tasks
from engine.device import this_machine
from engine.events import Finished, finish
from engine.plan import Plan
from engine.tasks import Drawn
from engine.training import train

VALIDATION = 40  # undrawn training pictures a class that choose between candidates

DEFAULT = Plan()
SCRATCH = {
    "AdamW 2e-3": replace(DEFAULT, scratch_optimizer="adamw", scratch_rate=2e-3),
    "AdamW 4e-3": replace(DEFAULT, scratch_optimizer="adamw", scratch_rate=4e-3),
    "SGD one-cycle 0.05": replace(DEFAULT, scratch_optimizer="sgd", scratch_rate=0.05),
    "Muon 0.03": replace(DEFAULT, scratch_optimizer="muon", scratch_rate=0.03),
}
TRANSFER = {
    "linear probe": replace(DEFAULT, learning_stages=1),
    "LP-FT, top stage, 5e-4": replace(DEFAULT, learning_stages=2, backbone_rate=5e-4),
    "LP-FT, top stage, 1e-3": replace(DEFAULT, learning_stages=2, backbone_rate=1e-3),
    "LP-FT, top 2 stages, halved, 1e-3": replace(DEFAULT, learning_stages=3, depth_factor=0.5, backbone_rate=1e-3),
    "LP-FT, all, one rate 3e-4": replace(DEFAULT, learning_stages=6, depth_factor=1.0, backbone_rate=3e-4),
    "LP-FT, all, rates halved a stage from 1e-3": replace(DEFAULT, learning_stages=6, depth_factor=0.5, backbone_rate=1e-3),
    "LP-FT, all, rates halved a stage from 2e-3": replace(DEFAULT, learning_stages=6, depth_factor=0.5, backbone_rate=2e-3),
    "discriminative, no head first, 1e-3": replace(
        DEFAULT, learning_stages=6, depth_factor=0.5, backbone_rate=1e-3, head_share=0.0
    ),
}


@dataclass(frozen=True)
class Tried:
    """One candidate with one seed: shares named right among undrawn training pictures and among held-out ones."""

    name: str
    seed: int
    validation: float
    heldout: float
    seconds: float


def with_undrawn(pictures: Drawn, plan: Plan) -> Drawn:
    """The same race, asked about the held-out pictures and, behind them, undrawn training pictures of every class."""
    most = min(plan.examples + VALIDATION, tasks.find(plan.task).training)
    more = finish(race.draw(replace(plan, examples=most)))
    is_undrawn = (torch.arange(most) >= plan.examples).repeat(len(pictures.classes))
    return replace(
        pictures,
        heldout=torch.cat([pictures.heldout, more.training[is_undrawn]]),
        heldout_labels=torch.cat([pictures.heldout_labels, more.training_labels[is_undrawn]]),
    )


def try_one(name: str, plan: Plan, is_transfer: bool) -> Tried:
    """Train one candidate alone, on its share of the machine."""
    machine = this_machine()
    machine.claim_thread()
    pictures = finish(race.draw(plan))
    heldout = len(pictures.heldout)
    pictures = with_undrawn(pictures, plan).to(machine.device)
    lane = plan.lanes()[1 if is_transfer else 0]
    *_, end = (e for e in train(lane, plan, pictures, machine, time.perf_counter) if isinstance(e, Finished))
    right = [c == "1" for c in end.answers] or [False] * len(pictures.heldout)
    return Tried(
        name, plan.seed, statistics.fmean(right[heldout:] or [False]), statistics.fmean(right[:heldout]), end.seconds
    )


def run(candidates: dict[str, Plan], is_transfer: bool, seeds: int, examples: int) -> Iterator[Tried]:
    """Every candidate with every seed, two at a time on a CPU."""
    jobs = [
        (name, replace(plan, seed=seed, examples=examples), is_transfer)
        for seed in range(seeds)
        for name, plan in candidates.items()
    ]
    with ThreadPoolExecutor(2 if this_machine().device == "cpu" else 1) as pool:
        yield from pool.map(lambda job: try_one(*job), jobs)


def main(seeds: int, examples: int = DEFAULT.examples) -> int:
    """Print both tables as Markdown."""
    machine = this_machine()
    print(f"{examples} pictures a class, {DEFAULT.epochs} epochs, {seeds} seeds, {machine.name}, {machine.precision}")
    for title, candidates, is_transfer in (("From scratch", SCRATCH, False), ("Pretrained", TRANSFER, True)):
        results: dict[str, list[Tried]] = {}
        for tried in run(candidates, is_transfer, seeds, examples):
            results.setdefault(tried.name, []).append(tried)
            print(f"  {tried.name}, seed {tried.seed}: {tried.validation:.1%} / {tried.heldout:.1%}", flush=True)
        print(f"\n| {title} | undrawn training pictures | held-out | compute |\n|---|---|---|---|")
        for name, tries in sorted(results.items(), key=lambda r: -statistics.fmean(t.validation for t in r[1])):
            spread = statistics.stdev([t.heldout for t in tries]) if len(tries) > 1 else 0.0
            print(
                f"| {name} | {statistics.fmean(t.validation for t in tries):.1%} "
                f"| {statistics.fmean(t.heldout for t in tries):.1%} ± {spread:.1%} "
                f"| {statistics.fmean(t.seconds for t in tries):.0f} s |"
            )
        print(flush=True)
    return 0
