"""What the report of a race says, in words and numbers. Sees events; knows neither how it is laid out nor a race going on.

`compose` puts it together once; `document` lays it out as HTML, `sheet` as a PNG.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine import backbones
from engine.errors import DataError, HeadStartError
from engine.events import Event, RaceStarted
from engine.export.settings import command, settings, title
from engine.metrics import wilson
from engine.plan import LANES, RIVALS, Plan
from engine.recording import Stamp
from engine.scoreboard import TARGETS, Curve, Scoreboard
from engine.strings import say
from engine.telling import verdict

MIXUPS = 3  # that are told, the commonest


@dataclass(frozen=True)
class Answer:
    """What a racer called a picture, how surely, and whether that is right."""

    name: str
    confidence: float
    is_right: bool


@dataclass(frozen=True)
class Report:
    """What the page says, in one language, before it is laid out. Texts are plain, not markup."""

    board: Scoreboard
    plan: Plan
    language: str
    classes: tuple[str, ...]
    kicker: str
    headline: str
    sure: str  # how sure the headline is, or why there is no verdict
    lanes: tuple[str, ...]
    columns: tuple[str, ...]
    racers: tuple[tuple[str, ...], ...]  # a row for each lane
    stages: tuple[tuple[str, ...], ...]  # name, output, parameters, state; empty where the network is not known here
    shown: tuple[tuple[str, dict[str, Answer]], ...]  # what each shown picture is, and what the rivals called it at last
    settings: tuple[tuple[str, str], ...]
    command: str
    measured: tuple[str, ...]

    def say(self, key: str, **values: object) -> str:
        """A sentence of the report."""
        return say(f"report.{key}", self.language, **values)

    def lane(self, name: str) -> str:
        """What a racer is called."""
        return say(f"lane.{name}", self.language)

    @property
    def rivals(self) -> tuple[str, ...]:
        """Those of the two that took part."""
        return tuple(name for name in RIVALS if name in self.lanes)

    def mixed(self, lane: str) -> str:
        """What a racer took for what most often."""
        confusion = self.board.confusion(lane)
        if confusion is None:
            return self.say("no_confusion")
        pairs = [
            self.say("mixup_pair", true=self.classes[true], named=self.classes[named], count=count)
            for true, named, count in mixups(confusion)
        ]
        return self.say("mixup", pairs=", ".join(pairs)) if pairs else self.say("no_mixup")


def compose(stamp: Stamp, pairs: Sequence[tuple[float, Event]], language: str = "en") -> Report:
    """Everything that the report of a race says. Raises DataError where the race never began."""
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    started, plan = board.started, board.plan
    if started is None or plan is None:
        raise DataError("refusal.take.report")
    text = partial(say, language=language)
    lanes = tuple(name for name in LANES if name in board.curves)
    headline, sure = _verdict(board, started, language)
    columns = [text(f"report.{key}") for key in ("racer", "right", "interval", "best")]
    columns += [text("report.to", share=percent(target, 0)) for target in TARGETS]
    columns += [text(f"report.{key}") for key in ("compute", "parameters", "learning")]
    answers = {name: board.curves[name].answers[-1] for name in RIVALS if name in lanes and board.curves[name].answers}
    shown = []
    for place, row in enumerate(started.shown):
        label = started.labels[row]
        told: dict[str, Answer] = {
            name: Answer(started.classes[end.named[place]], end.confidence[place], end.named[place] == label)
            for name, end in answers.items()
        }
        shown.append((started.classes[label], told))
    return Report(
        board=board,
        plan=plan,
        language=language,
        classes=started.classes,
        kicker=text("report.kicker", pictures=title(plan, language), date=stamp.date),
        headline=headline,
        sure=sure,
        lanes=lanes,
        columns=tuple(columns),
        racers=tuple(_racer(name, board.curves[name], language) for name in lanes),
        stages=_stages(started, plan, language),
        shown=tuple(shown),
        settings=tuple(settings(plan, started, stamp, language)),
        command=command(plan),
        measured=(text("report.measured_accuracy", count=f"{started.heldout:,}"), text("report.measured_gap")),
    )


def mixups(confusion: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """The commonest mistakes, most often first: class, what it was called instead, how often."""
    counts = Counter({(t, n): c for t, row in enumerate(confusion) for n, c in enumerate(row) if t != n and c})
    return [(true, named, count) for (true, named), count in counts.most_common(MIXUPS)]


def percent(share: float, digits: int = 1) -> str:
    """A share as it is written everywhere: `87.5 %`; a dash for what a network that diverged is sure of."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def _verdict(board: Scoreboard, started: RaceStarted, language: str) -> tuple[str, str]:
    """The headline, and how sure it is."""
    end, text = board.verdict(), partial(say, language=language)
    if end.outcome == "unfinished":
        return verdict(board, language), ""
    gap, low, high = (f"{100 * share:+.1f}".replace("-", "−") for share in (end.gap, end.low, end.high))
    p = "< 0.001" if end.p_value < 0.001 else f"= {end.p_value:.3f}"
    sure = text("report.sure", gap=gap, low=low, high=high, p=p, count=f"{started.heldout:,}")
    if end.outcome == "close":
        sure += " " + text("report.turn", least=f"{100 * end.threshold:.1f}")
    return verdict(board, language), sure


def _racer(lane: str, curve: Curve, language: str) -> tuple[str, ...]:
    """A racer's row: where it ended, or the last point where all held-out pictures were asked."""
    text, end, last = partial(say, language=language), curve.finished, curve.exact[-1] if curve.exact else None
    right, sure = "–", "–"
    if end and end.total:
        right, sure = _share(end.correct, end.total), _interval(*wilson(end.correct, end.total))
    elif last:
        right, sure = _share(last.correct, last.total), _interval(last.low, last.high)
        right += " " + text("report.at", epoch=f"{last.epoch:.1f}")
    if end is None or end.reason != "done":
        reason = end.reason if end else "unfinished"
        right += f" ({text(f'report.reason.{reason}')})"
    seconds = end.seconds if end else curve.losses[-1].seconds if curve.losses else 0.0
    times = [curve.time_to(target) for target in TARGETS]
    return (
        text(f"lane.{lane}"),
        right,
        sure,
        percent(curve.best.correct / curve.best.total) if curve.best else "–",
        *("–" if time is None else text("report.time", seconds=f"{time:.1f}") for time in times),
        text("report.time", seconds=f"{seconds:.1f}"),
        f"{curve.parameters:,}",
        f"{curve.learning:,}",
    )


def _stages(started: RaceStarted, plan: Plan, language: str) -> tuple[tuple[str, ...], ...]:
    try:
        found = backbones.stages(plan.backbone, len(started.classes), started.px)
    except HeadStartError:
        return ()
    rows = []
    for k, stage in enumerate(found):
        learns = k >= len(found) - plan.learning_stages
        state = "new" if k == len(found) - 1 else "learning" if learns else "frozen"
        shape = "×".join(map(str, stage.shape))
        rows.append((stage.name, shape, f"{stage.parameters:,}", say(f"report.state.{state}", language)))
    return tuple(rows)


def _share(correct: int, total: int) -> str:
    return f"{correct:,}/{total:,} = {percent(correct / total)}"


def _interval(low: float, high: float) -> str:
    return f"{100 * low:.1f} – {percent(high)}"
