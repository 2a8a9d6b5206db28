"""What happened, told in a sentence. Knows events and sentences, no page and no terminal."""

from __future__ import annotations

from engine.events import Progressed
from engine.strings import say


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
