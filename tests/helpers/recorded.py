"""The events of a small race that was not run: three classes, twelve held-out pictures, two racers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.events import (
    Evaluated,
    Event,
    Finished,
    Predicted,
    Prepared,
    PreviewPredicted,
    RaceFinished,
    RaceStarted,
    Reason,
    Stepped,
)
from engine.i18n.messages import Message
from engine.metrics import compare_paired, wilson_interval
from engine.plan import Plan
from engine.recording import Stamp
from engine.scoreboard import Scoreboard

STAMP = Stamp("a machine", "2026-11-21")
LABELS = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)
PREDICTED = {"scratch": (0, 1, 1, 2, 1, 0, 2, 2, 0, 0, 0, 1), "pretrained": (0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 0)}
HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}", "湯のみ & \"'")
PICTURES = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)

Pairs = Sequence[tuple[float, Event]]


def race(
    classes: tuple[str, ...] = ("round", "square", "stripes"), reason: Reason = "done", plan: Plan | None = None
) -> Pairs:
    """The events of a small race with their times: 7 evaluations per racer (4 if it did not end), three of a subset."""
    plan = plan or Plan(examples_per_class=4, epochs=6)
    events: list[Event] = [
        RaceStarted(
            plan=plan.to_json(),
            classes=classes,
            labels=LABELS,
            shown=(0, 4, 8),
            training=12,
            heldout=12,
            image_size=64,
            network="ResNet-10, pretrained",
            machine="a machine",
            precision="fp32",
            threads=1,
        )
    ]
    answers = {}
    for racer, predicted in PREDICTED.items():
        events.append(
            Prepared(racer=racer, parameters=4_907_331, learning=4_907_331 if racer == "scratch" else 4_593_667, steps=60)
        )
        answers[racer] = "".join(str(int(a == b)) for a, b in zip(LABELS, predicted, strict=True))
        final = answers[racer].count("1")
        for k in range(7 if reason == "done" else 4):
            correct = round(4 + (final - 4) * k / 6)
            events.append(
                Stepped(racer=racer, step=k + 1, epoch=float(k), pictures=12 * k, seconds=1.5 * k, loss=1.0, rate=0.01)
            )
            low, high = wilson_interval(correct, 12)
            events.append(
                Evaluated(
                    racer=racer,
                    step=k,
                    epoch=float(k),
                    pictures=12 * k,
                    seconds=1.5 * k,
                    correct=correct,
                    total=12,
                    low=low,
                    high=high,
                    is_exact=k % 2 == 0,
                    evaluation_seconds=0.1,
                )
            )
        events.append(
            PreviewPredicted(
                racer=racer,
                step=6,
                epoch=6.0,
                seconds=9.0,
                predicted=(predicted[0], predicted[4], predicted[8]),
                confidence=(0.91, 0.52, 0.43),
            )
        )
        if reason == "done":
            events.append(Predicted(racer=racer, predicted=predicted, confidence=(0.5,) * 12))
            events.append(
                Finished(
                    racer=racer,
                    reason="done",
                    step=60,
                    epoch=6.0,
                    pictures=72,
                    seconds=9.25,
                    correct=final,
                    total=12,
                    answers=answers[racer],
                    message="",
                )
            )
        else:
            events.append(
                Finished(
                    racer=racer,
                    reason=reason,
                    step=30,
                    epoch=3.0,
                    pictures=36,
                    seconds=4.5,
                    correct=0,
                    total=0,
                    answers="",
                    message=Message("end.diverged", loss="nan", step=30),
                )
            )
    pair = compare_paired(answers["scratch"], answers["pretrained"]) if reason == "done" else compare_paired("", "")
    events.append(
        RaceFinished(
            both_correct=pair.both_correct,
            only_scratch=pair.only_first,
            only_pretrained=pair.only_second,
            both_incorrect=pair.both_incorrect,
            p_value=pair.p_value,
            gap=pair.gap,
            gap_low=pair.low,
            gap_high=pair.high,
            wall_seconds=12.0,
        )
    )
    return [(float(k), event) for k, event in enumerate(events)]


def board(pairs: Pairs) -> Scoreboard:
    scoreboard = Scoreboard()
    for _, event in pairs:
        scoreboard.add(event)
    return scoreboard
