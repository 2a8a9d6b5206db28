"""Sentences about a race for the page, a replay, a report and the terminal: progress, verdict, task and network."""

from __future__ import annotations

from engine.events import Progressed
from engine.i18n.messages import Message, translate
from engine.scoreboard import Scoreboard


def progress_sentence(event: Progressed, language: str = "en") -> str:
    """The progress of long work: "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left".

    An event without a name belongs to pictures that a visitor uploaded.
    """
    scale = 1e-6 if event.unit == "bytes" else 1.0
    done, total = (f"{count * scale:,.0f}" for count in (event.done, event.total))
    amount = translate(f"progress.{'of' if event.total else 'done'}.{event.unit}", language, done=done, total=total)
    if event.rate > 0:
        amount += translate(f"progress.rate.{event.unit}", language, rate=f"{event.rate * scale:,.1f}")
    if event.left >= 1:
        amount += translate("progress.left", language, seconds=f"{event.left:.0f}")
    return translate(
        f"progress.{event.work}", language, name=event.name or translate("upload.title", language), amount=amount
    )


def verdict_sentence(board: Scoreboard, language: str = "en") -> str:
    """The verdict of a finished race, or the reason why there is none, in one sentence."""
    verdict = board.verdict()
    if verdict.outcome == "unfinished":
        incomplete = [c.finished for c in board.curves.values() if c.finished and c.finished.reason != "done"]
        failed = [finished for finished in incomplete if finished.reason != "stopped"]
        if not incomplete:
            return translate("headline.unfinished", language)
        if not failed:
            return translate("headline.stopped", language)
        return translate("headline.none", language, why=failed[0].message or Message("upload.failure"))
    points = abs(round(100 * verdict.gap))
    number = "one" if points == 1 else "many"
    if verdict.outcome == "close":
        return translate(f"headline.close.{number}", language, points=points)
    return translate(f"headline.wins.{number}", language, name=Message(f"racer.{verdict.outcome}"), points=points)


def detail_sentence(board: Scoreboard, language: str = "en") -> str:
    """The interval of the verdict's gap in percentage points, and what it is about; "" before there is a verdict."""
    verdict = board.verdict()
    if verdict.outcome == "unfinished":
        return ""
    low, high = (f"{100 * bound:+.0f}" for bound in (verdict.low, verdict.high))
    return translate("detail.interval", language, low=low, high=high)


def fact_sentence(text: str, language: str = "en") -> str:
    """A fact about a task or network: a Message is translated, any other text is unchanged."""
    return text.translated(language) if isinstance(text, Message) else text
