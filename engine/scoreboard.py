"""Folds the events of a race into curves, gap, time to a target accuracy and verdict; without torch."""

from __future__ import annotations

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
        """Seconds of this racer's compute time at the first full evaluation that reached the target; None if none did."""
        return next((p.seconds for p in self.exact if p.correct / p.total >= target), None)


@dataclass(frozen=True)
class Verdict:
    """The result of a race, about these two trained networks: with other training pictures or another seed it may differ.

    The gap is pretrained minus scratch, as a fraction, with its 95 % interval on the same held-out pictures.
    """

    outcome: Outcome
    gap: float
    low: float
    high: float
    p_value: float


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
        """The winner, "close" where the paired interval contains 0, "unfinished" where a main racer did not complete it."""
        end = self.finished
        pair = [self.curves[name].finished for name in MAIN_RACERS if name in self.curves]
        complete = len(pair) == 2 and all(finished and finished.reason == "done" for finished in pair)
        if end is None or not complete:
            return Verdict("unfinished", 0.0, 0.0, 0.0, 1.0)
        is_close = end.gap_low <= 0 <= end.gap_high
        outcome: Outcome = "close" if is_close else "pretrained" if end.gap > 0 else "scratch"
        return Verdict(outcome, end.gap, end.gap_low, end.gap_high, end.p_value)
