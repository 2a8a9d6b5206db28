"""What is told of a small race, for tests of what is made of it: three classes, twelve held-out pictures, two racers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.events import (
    Answered,
    Evaluated,
    Event,
    Finished,
    Judged,
    Prepared,
    RaceFinished,
    RaceStarted,
    Reason,
    Stepped,
)
from engine.metrics import compare, wilson
from engine.plan import Plan
from engine.recording import Stamp
from engine.scoreboard import Scoreboard

STAMP = Stamp("a machine", "2026-11-21")
LABELS = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)
NAMED = {"scratch": (0, 1, 1, 2, 1, 0, 2, 2, 0, 0, 0, 1), "transfer": (0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 0)}
HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}", "湯のみ & \"'")
PICTURES = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)

Pairs = Sequence[tuple[float, Event]]


def race(
    classes: tuple[str, ...] = ("round", "square", "stripes"), reason: Reason = "done", plan: Plan | None = None
) -> Pairs:
    """What is told of a small race: six points a racer, half of them rolling."""
    plan = plan or Plan(examples=4, epochs=6)
    told: list[Event] = [
        RaceStarted(plan.to_json(), classes, LABELS, (0, 4, 8), 12, 12, 64, "ResNet-10, pretrained", "a machine", "fp32", 1)
    ]
    answers = {}
    for lane, named in NAMED.items():
        told.append(Prepared(lane, 4_907_331, 4_907_331 if lane == "scratch" else 4_593_667, 60))
        answers[lane] = "".join(str(int(a == b)) for a, b in zip(LABELS, named, strict=True))
        right = answers[lane].count("1")
        for k in range(7 if reason == "done" else 4):
            correct = round(4 + (right - 4) * k / 6)
            told.append(Stepped(lane, k + 1, float(k), 12 * k, 1.5 * k, 1.0, 0.01))
            told.append(Evaluated(lane, k, float(k), 12 * k, 1.5 * k, correct, 12, *wilson(correct, 12), k % 2 == 0, 0.1))
        told.append(Answered(lane, 6, 6.0, 9.0, (named[0], named[4], named[8]), (0.91, 0.52, 0.43)))
        if reason == "done":
            told.append(Judged(lane, named, (0.5,) * 12))
            told.append(Finished(lane, "done", 60, 6.0, 72, 9.25, right, 12, answers[lane], ""))
        else:
            told.append(Finished(lane, reason, 30, 3.0, 36, 4.5, 0, 0, "", "the loss is not a number"))
    pair = compare(answers["scratch"], answers["transfer"]) if reason == "done" else compare("", "")
    told.append(
        RaceFinished(
            pair.both_right, pair.only_first, pair.only_second, pair.both_wrong, pair.p_value, pair.gap, pair.low, pair.high,
            12.0,
        )
    )  # fmt: skip
    return [(float(k), event) for k, event in enumerate(told)]


def board(pairs: Pairs) -> Scoreboard:
    found = Scoreboard()
    for _, event in pairs:
        found.add(event)
    return found
