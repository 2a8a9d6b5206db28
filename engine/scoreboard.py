"""Events folded into curves, leader, gap, time to a target and verdict. Sees only plan and events; no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from engine.events import (
    Answered,
    Evaluated,
    Event,
    Finished,
    Judged,
    Looked,
    PhaseStarted,
    Prepared,
    Progressed,
    RaceFinished,
    RaceStarted,
    Stepped,
)
from engine.plan import RIVALS, Plan

TARGETS = (0.5, 0.8, 0.9)
Outcome = Literal["transfer", "scratch", "close", "unfinished"]


@dataclass
class Curve:
    """What one racer has done so far."""

    steps: int = 0
    parameters: int = 0
    learning: int = 0
    phases: list[PhaseStarted] = field(default_factory=list)
    losses: list[Stepped] = field(default_factory=list)
    points: list[Evaluated] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    looks: list[Looked] = field(default_factory=list)
    judged: Judged | None = None
    finished: Finished | None = None

    @property
    def exact(self) -> list[Evaluated]:
        """The points on the whole held-out set."""
        return [p for p in self.points if p.is_exact]

    @property
    def best(self) -> Evaluated | None:
        """The highest exact point."""
        return max(self.exact, key=lambda p: p.correct, default=None)

    @property
    def accuracy(self) -> float | None:
        """The share named right by the latest point, exact or rolling."""
        return self.points[-1].correct / self.points[-1].total if self.points else None

    def time_to(self, target: float) -> float | None:
        """Seconds of this racer's own compute time until its exact points reached the target share.

        Interpolated between the points around it: a racer that is asked less often is not called slower for it.
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
    """How a finished race came out. Shares; the interval is of the gap for these two trained racers."""

    outcome: Outcome
    gap: float
    low: float
    high: float
    p_value: float
    threshold: float  # the gap below which another draw of pictures could turn the order


class Scoreboard:
    """The race so far, as a fold over its events."""

    def __init__(self) -> None:
        self.started: RaceStarted | None = None
        self.finished: RaceFinished | None = None
        self.curves: dict[str, Curve] = {}
        self.preparing: Progressed | None = None  # the long work before the start, as far as it has come

    def add(self, event: Event) -> None:
        """Take one more fact in."""
        if isinstance(event, RaceStarted):
            self.started = event
            return
        if isinstance(event, RaceFinished):
            self.finished = event
            return
        if isinstance(event, Progressed):
            self.preparing = event
            return
        curve = self.curves.setdefault(event.lane, Curve())
        if isinstance(event, Stepped):
            curve.losses.append(event)
        elif isinstance(event, Evaluated):
            curve.points.append(event)
        elif isinstance(event, PhaseStarted):
            curve.phases.append(event)
        elif isinstance(event, Prepared):
            curve.steps, curve.parameters, curve.learning = event.steps, event.parameters, event.learning
        elif isinstance(event, Answered):
            curve.answers.append(event)
        elif isinstance(event, Looked):
            curve.looks.append(event)
        elif isinstance(event, Judged):
            curve.judged = event
        elif isinstance(event, Finished):
            curve.finished = event

    @property
    def plan(self) -> Plan | None:
        """The plan being raced."""
        return Plan.from_json(self.started.plan) if self.started else None

    @property
    def gap(self) -> float | None:
        """Transfer's share minus scratch's, by the latest points; None until both have one."""
        shares = [self.curves[name].accuracy for name in RIVALS if name in self.curves]
        if len(shares) < 2 or shares[0] is None or shares[1] is None:
            return None
        return shares[1] - shares[0]

    @property
    def progress(self) -> float:
        """The share of the race that is behind the slowest racer."""
        plan = self.plan
        if plan is None or self.finished:
            return 1.0 if self.finished else 0.0
        return min(self._lane_progress(self.curves.get(lane.name, Curve()), plan) for lane in plan.lanes())

    @staticmethod
    def _lane_progress(curve: Curve, plan: Plan) -> float:
        if curve.finished:
            return 1.0
        if not curve.losses:
            return 0.0
        last = curve.losses[-1]
        return min(1.0, last.epoch / plan.epochs if plan.budget == "epochs" else last.seconds / plan.seconds)

    def confusion(self, lane: str) -> list[list[int]] | None:
        """How often this racer called a picture of class `row` by the name of class `column`; None before its end."""
        judged = self.curves[lane].judged if lane in self.curves else None
        if self.started is None or judged is None:
            return None
        counts = [[0] * len(self.started.classes) for _ in self.started.classes]
        for label, named in zip(self.started.labels, judged.named, strict=True):
            counts[label][named] += 1
        return counts

    def verdict(self) -> Verdict:
        """Who won, or that nobody can say.

        Too close to call where the paired interval holds 0, or where the gap is below 7 points at 5 pictures a class
        and falling with the square root of their number: twice the standard deviation that the draw of the training
        pictures alone was measured to cause (`recipes.md`, 2026-11-20).
        """
        end, plan = self.finished, self.plan
        pair = [self.curves[name].finished for name in RIVALS if name in self.curves]
        complete = len(pair) == 2 and all(finished and finished.reason == "done" for finished in pair)
        if end is None or plan is None or not complete:
            return Verdict("unfinished", 0.0, 0.0, 0.0, 1.0, 0.0)
        threshold = 0.07 * math.sqrt(5 / plan.examples)
        close = end.gap_low <= 0 <= end.gap_high or abs(end.gap) < threshold
        outcome: Outcome = "close" if close else "transfer" if end.gap > 0 else "scratch"
        return Verdict(outcome, end.gap, end.gap_low, end.gap_high, end.p_value, threshold)
