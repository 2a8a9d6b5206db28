"""Compares training recipes for each racer: trains every candidate with several seeds and prints a table.

A candidate is chosen on undrawn training pictures, which are not in the race's sample, and never on held-out pictures. The
table has a column for each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from engine.data.sampling import RaceData
from engine.device import Machine, this_machine
from engine.events import Finished
from engine.plan import Plan
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.training.loop import train
from engine.workspace import Workspace

VALIDATION = 40  # undrawn training pictures per class, on which a candidate is chosen

DEFAULT = Plan()
SCRATCH = {
    "AdamW 2e-3": replace(DEFAULT, scratch_lr=2e-3),
    "AdamW 4e-3": replace(DEFAULT, scratch_lr=4e-3),
}
TRANSFER = {
    "linear probe": replace(DEFAULT, trainable_stages=1),
    "LP-FT, top stage, 5e-4": replace(DEFAULT, trainable_stages=2, backbone_lr=5e-4),
    "LP-FT, top stage, 1e-3": replace(DEFAULT, trainable_stages=2, backbone_lr=1e-3),
    "LP-FT, top 2 stages, halved, 1e-3": replace(DEFAULT, trainable_stages=3, layer_decay=0.5, backbone_lr=1e-3),
    "LP-FT, all, one rate 3e-4": replace(DEFAULT, trainable_stages=6, layer_decay=1.0, backbone_lr=3e-4),
    "LP-FT, all, rates halved a stage from 1e-3": replace(DEFAULT, trainable_stages=6, layer_decay=0.5, backbone_lr=1e-3),
    "LP-FT, all, rates halved a stage from 2e-3": replace(DEFAULT, trainable_stages=6, layer_decay=0.5, backbone_lr=2e-3),
    "discriminative, no head first, 1e-3": replace(
        DEFAULT, trainable_stages=6, layer_decay=0.5, backbone_lr=1e-3, head_only_fraction=0.0
    ),
}


@dataclass(frozen=True)
class CandidateResult:
    """One candidate with one seed."""

    name: str
    seed: int
    validation: float  # accuracy on undrawn training pictures
    heldout: float  # accuracy on held-out pictures
    seconds: float  # compute time, evaluation excluded


def with_undrawn(data: RaceData, plan: Plan, workspace: Workspace) -> RaceData:
    """The same race with undrawn training pictures of every class after the held-out pictures."""
    count = min(plan.examples_per_class + VALIDATION, workspace.tasks.find(plan.task).training)
    larger = run_to_end(sample_inputs(replace(plan, examples_per_class=count), workspace)).data
    is_undrawn = (torch.arange(count) >= plan.examples_per_class).repeat(len(data.classes))
    return replace(
        data,
        heldout=torch.cat([data.heldout, larger.training[is_undrawn]]),
        heldout_labels=torch.cat([data.heldout_labels, larger.training_labels[is_undrawn]]),
    )


def run_candidate(name: str, plan: Plan, is_pretrained: bool, workspace: Workspace, machine: Machine) -> CandidateResult:
    """Train one candidate alone, on the racer's share of the cores."""
    machine.claim_thread()
    inputs = run_to_end(sample_inputs(plan, workspace))
    heldout = len(inputs.data.heldout)
    data = with_undrawn(inputs.data, plan, workspace).to(machine.device)
    racer = plan.racers()[1 if is_pretrained else 0]
    events = train(racer, plan, inputs.backbone, data, inputs.preprocessing, machine, time.perf_counter)
    *_, end = (e for e in events if isinstance(e, Finished))
    is_correct = [c == "1" for c in end.answers] or [False] * len(data.heldout)
    return CandidateResult(
        name,
        plan.seed,
        statistics.fmean(is_correct[heldout:] or [False]),
        statistics.fmean(is_correct[:heldout]),
        end.seconds,
    )


def run(
    candidates: dict[str, Plan],
    is_pretrained: bool,
    seeds: int,
    examples_per_class: int,
    workspace: Workspace,
    machine: Machine,
) -> Iterator[CandidateResult]:
    """Train every candidate with every seed, two at a time on a CPU."""
    jobs = [
        (name, replace(plan, seed=seed, examples_per_class=examples_per_class), is_pretrained, workspace, machine)
        for seed in range(seeds)
        for name, plan in candidates.items()
    ]
    with ThreadPoolExecutor(2 if machine.device == "cpu" else 1) as pool:
        yield from pool.map(lambda job: run_candidate(*job), jobs)


def main(workspace: Workspace, seeds: int, examples_per_class: int = DEFAULT.examples_per_class) -> int:
    """Print both tables as Markdown."""
    machine = this_machine()
    print(
        f"{examples_per_class} pictures a class, {DEFAULT.epochs} epochs, {seeds} seeds, {machine.name}, {machine.precision}"
    )
    for title, candidates, is_pretrained in (("From scratch", SCRATCH, False), ("Pretrained", TRANSFER, True)):
        results: dict[str, list[CandidateResult]] = {}
        for result in run(candidates, is_pretrained, seeds, examples_per_class, workspace, machine):
            results.setdefault(result.name, []).append(result)
            print(f"  {result.name}, seed {result.seed}: {result.validation:.1%} / {result.heldout:.1%}", flush=True)
        print(f"\n| {title} | undrawn training pictures | held-out | compute |\n|---|---|---|---|")
        for name, runs in sorted(results.items(), key=lambda item: -statistics.fmean(r.validation for r in item[1])):
            deviation = statistics.stdev([r.heldout for r in runs]) if len(runs) > 1 else 0.0
            print(
                f"| {name} | {statistics.fmean(r.validation for r in runs):.1%} "
                f"| {statistics.fmean(r.heldout for r in runs):.1%} ± {deviation:.1%} "
                f"| {statistics.fmean(r.seconds for r in runs):.0f} s |"
            )
        print(flush=True)
    return 0
