"""The content of a race's report: its sentences, tables and numbers, computed from the events.

`compose` makes a `Report`; `document` lays it out as HTML, `sheet` as PNG.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.errors import DataError, HeadStartError
from engine.events import Event, RaceStarted
from engine.export.settings import race_command, settings, title
from engine.i18n.messages import translate
from engine.metrics import wilson_interval
from engine.models.stages import stages
from engine.plan import MAIN_RACERS, RACERS, Plan
from engine.recording import Stamp
from engine.scoreboard import TARGETS, Curve, Scoreboard
from engine.sentences import verdict_sentence
from engine.workspace import Workspace

MISTAKES_LISTED = 3  # pairs of classes, the most common first


@dataclass(frozen=True)
class Prediction:
    """A racer's prediction for a picture: the class, its confidence (0..1), and whether it is correct."""

    name: str
    confidence: float
    is_correct: bool


@dataclass(frozen=True)
class Report:
    """The content of the page in one language, before it is laid out. Texts are plain, not markup."""

    board: Scoreboard
    plan: Plan
    language: str
    classes: tuple[str, ...]
    kicker: str
    headline: str
    uncertainty: str  # the gap with its 95 % interval and p-value; empty where there is no verdict
    racers: tuple[str, ...]
    columns: tuple[str, ...]
    result_rows: tuple[tuple[str, ...], ...]  # one for each racer
    stages: tuple[tuple[str, ...], ...]  # name, output, parameters, state; empty where the backbone is not in the registry
    shown: tuple[
        tuple[str, dict[str, Prediction]], ...
    ]  # class of each shown picture; last predictions of scratch, pretrained
    settings: tuple[tuple[str, str], ...]
    command: str
    measured: tuple[str, ...]

    def text(self, key: str, **values: object) -> str:
        """The message of a key below `report.`."""
        return translate(f"report.{key}", self.language, **values)

    def racer(self, name: str) -> str:
        """The name of a racer in the language of the report."""
        return translate(f"racer.{name}", self.language)

    def stage_columns(self) -> list[str]:
        """The column headers of the table of stages."""
        return [self.text(key) for key in ("stage", "output", "parameters", "pretrained")]

    def chart_alt(self) -> str:
        """The text alternative of the chart."""
        return self.text("chart", ends="; ".join(f"{row[0]} {row[1]}" for row in self.result_rows))

    def has_predictions(self) -> bool:
        """Whether there is a prediction for any shown picture."""
        return any(predictions for _, predictions in self.shown)

    @property
    def main_racers(self) -> tuple[str, ...]:
        """Those of scratch and pretrained that took part."""
        return tuple(name for name in MAIN_RACERS if name in self.racers)

    def mistakes(self, racer: str) -> str:
        """The sentence about a racer's most common mistakes."""
        confusion = self.board.confusion(racer)
        if confusion is None:
            return self.text("no_confusion")
        pairs = [
            self.text("mixup_pair", true=self.classes[true], predicted=self.classes[predicted], count=count)
            for true, predicted, count in most_common_mistakes(confusion)
        ]
        return self.text("mixup", pairs=", ".join(pairs)) if pairs else self.text("no_mixup")


def compose(stamp: Stamp, pairs: Sequence[tuple[float, Event]], workspace: Workspace, language: str = "en") -> Report:
    """The report of a race. Raises DataError where the race ended before it began."""
    board = Scoreboard()
    for _, event in pairs:
        board.add(event)
    started, plan = board.started, board.plan
    if started is None or plan is None:
        raise DataError("refusal.export.report")
    text = partial(translate, language=language)
    racers = tuple(name for name in RACERS if name in board.curves)
    headline, uncertainty = _verdict(board, started, language)
    return Report(
        board=board,
        plan=plan,
        language=language,
        classes=started.classes,
        kicker=text("report.kicker", pictures=title(plan, workspace, language), date=stamp.date),
        headline=headline,
        uncertainty=uncertainty,
        racers=racers,
        columns=_columns(language),
        result_rows=tuple(_racer(name, board.curves[name], language) for name in racers),
        stages=_stages(started, plan, workspace, language),
        shown=_shown(board, started, racers),
        settings=tuple(settings(plan, started, stamp, workspace, language)),
        command=race_command(plan, workspace),
        measured=(text("report.measured_accuracy", count=f"{started.heldout:,}"), text("report.measured_gap")),
    )


def _columns(language: str) -> tuple[str, ...]:
    """The column headers of the table of racers."""
    text = partial(translate, language=language)
    targets = (text("report.to", share=percent(target, 0)) for target in TARGETS)
    first, last = ("racer", "right", "interval", "best"), ("compute", "parameters", "learning")
    return (*(text(f"report.{key}") for key in first), *targets, *(text(f"report.{key}") for key in last))


def _shown(board: Scoreboard, started: RaceStarted, racers: Sequence[str]) -> tuple[tuple[str, dict[str, Prediction]], ...]:
    """The class of each shown picture, and the last predictions of scratch and pretrained for it."""
    last = {name: board.curves[name].previews[-1] for name in MAIN_RACERS if name in racers and board.curves[name].previews}
    shown = []
    for k, row in enumerate(started.shown):
        label = started.labels[row]
        predictions: dict[str, Prediction] = {
            name: Prediction(started.classes[event.predicted[k]], event.confidence[k], event.predicted[k] == label)
            for name, event in last.items()
        }
        shown.append((started.classes[label], predictions))
    return tuple(shown)


def most_common_mistakes(confusion: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """(true class, predicted class, count) of the largest cells off the diagonal, largest first."""
    counts = Counter({(t, p): c for t, row in enumerate(confusion) for p, c in enumerate(row) if t != p and c})
    return [(true, predicted, count) for (true, predicted), count in counts.most_common(MISTAKES_LISTED)]


def percent(share: float, digits: int = 1) -> str:
    """A fraction as a percentage, `87.5 %`; a dash for NaN, which is the confidence of a network that diverged."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def _verdict(board: Scoreboard, started: RaceStarted, language: str) -> tuple[str, str]:
    """The headline, and the sentence about its uncertainty."""
    end, text = board.verdict(), partial(translate, language=language)
    if end.outcome == "unfinished":
        return verdict_sentence(board, language), ""
    gap, low, high = (f"{100 * share:+.1f}".replace("-", "−") for share in (end.gap, end.low, end.high))
    p = "< 0.001" if end.p_value < 0.001 else f"= {end.p_value:.3f}"
    uncertainty = text("report.sure", gap=gap, low=low, high=high, p=p, count=f"{started.heldout:,}")
    return verdict_sentence(board, language), f"{uncertainty} {text('report.again')}"


def _racer(racer: str, curve: Curve, language: str) -> tuple[str, ...]:
    """The row of a racer: its final accuracy, or that of its last evaluation on all held-out pictures."""
    text, end, last = partial(translate, language=language), curve.finished, curve.exact[-1] if curve.exact else None
    accuracy, interval = "–", "–"
    if end and end.total:
        accuracy, interval = _share(end.correct, end.total), _interval(*wilson_interval(end.correct, end.total))
    elif last:
        accuracy, interval = _share(last.correct, last.total), _interval(last.low, last.high)
        accuracy += " " + text("report.at", epoch=f"{last.epoch:.1f}")
    if end is None or end.reason != "done":
        reason = end.reason if end else "unfinished"
        accuracy += f" ({text(f'report.reason.{reason}')})"
    seconds = end.seconds if end else curve.losses[-1].seconds if curve.losses else 0.0
    times = [curve.time_to(target) for target in TARGETS]
    return (
        text(f"racer.{racer}"),
        accuracy,
        interval,
        percent(curve.best.correct / curve.best.total) if curve.best else "–",
        *("–" if time is None else text("report.time", seconds=f"{time:.1f}") for time in times),
        text("report.time", seconds=f"{seconds:.1f}"),
        f"{curve.parameters:,}",
        f"{curve.learning:,}",
    )


def _stages(started: RaceStarted, plan: Plan, workspace: Workspace, language: str) -> tuple[tuple[str, ...], ...]:
    try:
        network = stages(workspace.backbones.find(plan.backbone), len(started.classes), started.image_size)
    except HeadStartError:
        return ()
    rows = []
    for k, stage in enumerate(network):
        is_trained = k >= len(network) - plan.trainable_stages
        state = "new" if k == len(network) - 1 else "learning" if is_trained else "frozen"
        shape = "×".join(map(str, stage.shape))
        rows.append((stage.name, shape, f"{stage.parameters:,}", translate(f"report.state.{state}", language)))
    return tuple(rows)


def _share(correct: int, total: int) -> str:
    return f"{correct:,}/{total:,} = {percent(correct / total)}"


def _interval(low: float, high: float) -> str:
    return f"{100 * low:.1f} – {percent(high)}"
