"""Folds the events of a race into curves, gap, time to a target accuracy and verdict; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from engine.events import (
    Evaluated,
    Event,
    Finished,
    PhaseStarted,
    Predicted,
    Prepared,
    PreviewPredicted,
    Progressed,
    RaceFinished,
    RaceStarted,
    Stepped,
    WeightsProbed,
)
from engine.plan import MAIN_RACERS, Plan

TARGETS = (0.5, 0.8, 0.9)
Outcome = Literal["pretrained", "scratch", "close", "unfinished"]


@dataclass(frozen=True)
class SamplingGap:
    """A gap that another sample of training pictures could reverse. It falls with the square root of their number."""

    gap: float  # a share of the held-out pictures
    examples_per_class: int  # where it was measured

    def at(self, examples_per_class: int) -> float:
        """The gap at another number of training pictures per class."""
        return self.gap * math.sqrt(self.examples_per_class / examples_per_class)


# Twice the standard deviation between samples of training pictures (3.7 points at 5 per class, 1.5 at 20), 2026-11-20
SAMPLING_GAP = SamplingGap(0.07, 5)


@dataclass
class Curve:
    """The events of one racer so far."""

    steps: int = 0
    parameters: int = 0
    learning: int = 0
    phases: list[PhaseStarted] = field(default_factory=list)
    losses: list[Stepped] = field(default_factory=list)
    points: list[Evaluated] = field(default_factory=list)
    previews: list[PreviewPredicted] = field(default_factory=list)
    weight_probes: list[WeightsProbed] = field(default_factory=list)
    predictions: Predicted | None = None
    finished: Finished | None = None

    @property
    def exact(self) -> list[Evaluated]:
        """The full evaluations, on all held-out pictures."""
        return [p for p in self.points if p.is_exact]

    @property
    def best(self) -> Evaluated | None:
        """The full evaluation with the highest accuracy."""
        return max(self.exact, key=lambda p: p.correct, default=None)

    @property
    def accuracy(self) -> float | None:
        """The latest held-out accuracy, correct / total, on all held-out pictures or on the subset."""
        return self.points[-1].correct / self.points[-1].total if self.points else None

    def time_to(self, target: float) -> float | None:
        """Seconds of this racer's compute time until its full evaluations reached the target accuracy; None if they did not.

        Interpolated between evaluations, so that a racer that is evaluated less often does not appear slower.
        """
        before: Evaluated | None = None
        for point in self.exact:
            share = point.correct / point.total
            if share >= target:
                if before is None:
                    return point.seconds
                low = before.correct / before.total
                return before.seconds + (point.seconds - before.seconds) * (target - low) / (share - low)
            before = point
        return None


@dataclass(frozen=True)
class Verdict:
    """The result of a race. The gap is pretrained minus scratch, as a fraction; the interval is that of these two racers."""

    outcome: Outcome
    gap: float
    low: float
    high: float
    p_value: float
    threshold: float  # the gap below which another sample of training pictures could reverse the order


class Scoreboard:
    """The state of a race, folded from its events."""

    def __init__(self) -> None:
        self.started: RaceStarted | None = None
        self.finished: RaceFinished | None = None
        self.curves: dict[str, Curve] = {}
        self.preparing: Progressed | None = None  # the latest progress before the start

    def add(self, event: Event) -> None:
        """Add the next event."""
        if isinstance(event, RaceStarted):
            self.started = event
            return
        if isinstance(event, RaceFinished):
            self.finished = event
            return
        if isinstance(event, Progressed):
            self.preparing = event
            return
        curve = self.curves.setdefault(event.racer, Curve())
        if isinstance(event, Stepped):
            curve.losses.append(event)
        elif isinstance(event, Evaluated):
            curve.points.append(event)
        elif isinstance(event, PhaseStarted):
            curve.phases.append(event)
        elif isinstance(event, Prepared):
            curve.steps, curve.parameters, curve.learning = event.steps, event.parameters, event.learning
        elif isinstance(event, PreviewPredicted):
            curve.previews.append(event)
        elif isinstance(event, WeightsProbed):
            curve.weight_probes.append(event)
        elif isinstance(event, Predicted):
            curve.predictions = event
        elif isinstance(event, Finished):
            curve.finished = event

    @property
    def plan(self) -> Plan | None:
        """The plan of the race; None before its start."""
        return Plan.from_json(self.started.plan) if self.started else None

    @property
    def gap(self) -> float | None:
        """Latest accuracy of pretrained minus that of scratch; None until both have one."""
        accuracies = [self.curves[name].accuracy for name in MAIN_RACERS if name in self.curves]
        if len(accuracies) < 2 or accuracies[0] is None or accuracies[1] is None:
            return None
        return accuracies[1] - accuracies[0]

    @property
    def progress(self) -> float:
        """The fraction of the race, 0..1, that the slowest racer has completed."""
        plan = self.plan
        if plan is None or self.finished:
            return 1.0 if self.finished else 0.0
        return min(self._racer_progress(self.curves.get(racer.name, Curve()), plan) for racer in plan.racers())

    @staticmethod
    def _racer_progress(curve: Curve, plan: Plan) -> float:
        if curve.finished:
            return 1.0
        if not curve.losses:
            return 0.0
        last = curve.losses[-1]
        return min(1.0, last.epoch / plan.epochs if plan.budget == "epochs" else last.seconds / plan.seconds)

    def confusion(self, racer: str) -> list[list[int]] | None:
        """Confusion matrix, counts[true class][predicted class]; None before this racer's end."""
        predictions = self.curves[racer].predictions if racer in self.curves else None
        if self.started is None or predictions is None:
            return None
        counts = [[0] * len(self.started.classes) for _ in self.started.classes]
        for label, predicted in zip(self.started.labels, predictions.predicted, strict=True):
            counts[label][predicted] += 1
        return counts

    def verdict(self) -> Verdict:
        """The winner, or "close", or "unfinished" where a main racer did not complete its training.

        "close" where the paired interval contains 0, or where another sample of training pictures could reverse the order
        (`SAMPLING_GAP`).
        """
        end, plan = self.finished, self.plan
        pair = [self.curves[name].finished for name in MAIN_RACERS if name in self.curves]
        complete = len(pair) == 2 and all(finished and finished.reason == "done" for finished in pair)
        if end is None or plan is None or not complete:
            return Verdict("unfinished", 0.0, 0.0, 0.0, 1.0, 0.0)
        threshold = SAMPLING_GAP.at(plan.examples_per_class)
        close = end.gap_low <= 0 <= end.gap_high or abs(end.gap) < threshold
        outcome: Outcome = "close" if close else "pretrained" if end.gap > 0 else "scratch"
        return Verdict(outcome, end.gap, end.gap_low, end.gap_high, end.p_value, threshold)
