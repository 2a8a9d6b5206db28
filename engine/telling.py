"""What happened and what raced, told in a sentence: on the page, in a replay, in a report. Knows no page and no terminal."""

from __future__ import annotations

from functools import cache

from engine.events import Progressed
from engine.scoreboard import Scoreboard
from engine.strings import Line, said, say


def progress(event: Progressed, language: str = "en") -> str:
    """How far long work has come: "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left".

    An event without a name is of a visitor's own pictures.
    """
    scale = 1e-6 if event.unit == "bytes" else 1.0
    done, total = (f"{count * scale:,.0f}" for count in (event.done, event.total))
    amount = say(f"progress.{'of' if event.total else 'done'}.{event.unit}", language, done=done, total=total)
    if event.rate > 0:
        amount += say(f"progress.rate.{event.unit}", language, rate=f"{event.rate * scale:,.1f}")
    if event.left >= 1:
        amount += say("progress.left", language, seconds=f"{event.left:.0f}")
    return say(f"progress.{event.work}", language, name=event.name or say("own.title", language), amount=amount)


def verdict(board: Scoreboard, language: str = "en") -> str:
    """The outcome of a race that is over, in one sentence that is no surer than the numbers allow."""
    end = board.verdict()
    if end.outcome == "unfinished":
        early = [c.finished for c in board.curves.values() if c.finished and c.finished.reason != "done"]
        broken = [finished for finished in early if finished.reason != "stopped"]
        if not early:
            return say("headline.unfinished", language)
        if not broken:
            return say("headline.stopped", language)
        # An event's message is in English; in other languages the reason is said too
        told = broken[0].message
        why = Line(f"headline.why.{broken[0].reason}", message=told) if told else Line("own.failure")
        return say("headline.none", language, why=why)
    points = abs(round(100 * end.gap))
    number = "one" if points == 1 else "many"
    if end.outcome == "close":
        return say(f"headline.close.{number}", language, points=points)
    return say(f"headline.wins.{number}", language, name=Line(f"lane.{end.outcome}"), points=points)


def detail(board: Scoreboard, language: str = "en") -> str:
    """How sure the verdict is, in one line; empty before there is one."""
    end = board.verdict()
    if end.outcome == "unfinished":
        return ""
    low, high = (f"{100 * share:+.0f}" for share in (end.low, end.high))
    return say("detail.interval", language, low=low, high=high, least=f"{100 * end.threshold:.0f}")


@cache
def _facts() -> dict[str, str]:
    """The key of each fact by what it is in English."""
    return {english: f"fact.{name}" for name, english in said("fact").items()}


def fact(english: str, language: str = "en") -> str:
    """What the engine knows of a set or a network, "Photographs of ants and of bees", where it has a translation."""
    if isinstance(english, Line):
        return english.said(language)
    key = _facts().get(english)
    return say(key, language) if key else english


def network(description: str, language: str = "en") -> str:
    """Exactly what runs, of `Backbone.description` or `RaceStarted.network`, which are in English and outlive the network.

    "ResNet-10, pretrained on 200 ImageNet classes at 64 px". Text of another form is told as it is.
    """
    title, is_own, file = description.partition(", with the weights in ")
    if is_own:
        return say("network.description.own", language, title=title, file=file)
    title, found, pretraining = description.partition(", pretrained on ")
    told = fact(pretraining, language)
    return say("network.description", language, title=title, pretraining=told) if found else description
