"""What can be picked here and now: picture sets and networks, and why the others cannot. Knows no visitor and no race.

Whether a host answers takes seconds where there is no network, so it is asked in the background and remembered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

from demo import words
from engine import (
    backbone_names,
    find_backbone,
    find_task,
    obtainable,
    say,
    say_fact,
    stages,
    task_names,
    task_source,
    weights_are_here,
)

FRESH = 60.0  # seconds for which the hosts' answers are remembered
TASK_COLUMNS = ("title", "classes", "training", "heldout", "licence", "overlap", "here")
BACKBONE_COLUMNS = ("title", "input", "parameters", "weights", "here")


class Offer:
    """The picture sets and networks, with what is known of each."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._reasons: dict[str, str] = {}  # url -> why its file cannot be had; "" where it can
        self._asked: float | None = None  # when all of them were asked
        self._busy = threading.Lock()

    def refresh(self) -> None:
        """Ask every host that something would come from, unless they were just asked; takes seconds without a network.

        Whoever calls while another asks waits for the answers.
        """
        with self._busy:
            if self._asked is not None and self._now() - self._asked < FRESH:
                return
            weights = [find_backbone(name).weights for name in backbone_names()]
            sources = [task_source(name)[0] for name in task_names()]
            wanted = [source for source in (*sources, *weights) if source and not isinstance(source, Path)]
            for url, address in sorted({address.url: address for address in wanted}.items()):
                self._reasons[url] = obtainable(address)
            self._asked = self._now()

    def has_task(self, name: str, own: tuple[str, ...] = ()) -> bool:
        """Whether a visitor whose own sets are `own` may race on this set here and now."""
        if name not in task_names() or (find_task(name).is_private and name not in own):
            return False
        return self._task_reason(name, "en") is None

    def has_backbone(self, name: str) -> bool:
        """Whether this network can be raced with here and now."""
        return name in backbone_names() and self._backbone_reason(name, "en") is None

    def tasks(self, own: tuple[str, ...] = (), language: str = "en") -> list[tuple[str, str]]:
        """(what stands in the list, name) of every set that can be raced on here; `own` are this visitor's."""
        offered = []
        for name in task_names():
            if self.has_task(name, own):
                task = find_task(name)
                title = say_fact(task.title, language)
                title = say("offer.yours", language, title=title) if task.is_private else title
                offered.append((say("offer.classes", language, title=title, count=len(task.classes)), name))
        return offered

    def backbones(self, language: str = "en") -> list[tuple[str, str]]:
        """(what stands in the list, name) of every network that can be raced with here."""
        offered = []
        for name in backbone_names():
            if self.has_backbone(name):
                backbone = find_backbone(name)
                title = backbone.title
                title = say("offer.own_weights", language, title=title) if backbone.is_own else title
                offered.append((f"{title} · {backbone.px} px", name))
        return offered

    def table(self, language: str = "en") -> str:
        """Everything there is, as markup; what is not to be had is greyed, with the reason."""
        tasks = [self._task_row(name, language) for name in task_names() if not find_task(name).is_private]
        networks = [self._backbone_row(name, language) for name in backbone_names()]
        return (
            f"<details class='hs-offer'><summary>{escape(say('offer.title', language))}</summary><div>"
            f"{_table([say(f'offer.tasks.{column}', language) for column in TASK_COLUMNS], tasks)}"
            f"{_table([say(f'offer.networks.{column}', language) for column in BACKBONE_COLUMNS], networks)}</div></details>"
        )

    def _task_row(self, name: str, language: str) -> tuple[bool, list[str]]:
        task, reason = find_task(name), self._task_reason(name, language)
        state = say("offer.here", language) if task.is_here else words.to_fetch(task.size, language)
        title, about, licence = (say_fact(text, language) for text in (task.title, task.about, task.licence))
        overlap = say_fact(task.overlap, language) if task.overlap else say("offer.none_known", language)
        facts = [f"{title}: {about}", str(len(task.classes)), f"{task.training:,}", f"{task.heldout:,}", licence, overlap]
        return reason is None, [*facts, state if reason is None else reason]

    def _backbone_row(self, name: str, language: str) -> tuple[bool, list[str]]:
        backbone, reason = find_backbone(name), self._backbone_reason(name, language)
        state = say("offer.here", language) if weights_are_here(backbone) else words.to_fetch(backbone.size, language)
        count = sum(stage.parameters for stage in stages(name, 10))
        made = say_fact(backbone.pretraining, language)
        facts = [backbone.title, f"{backbone.px} px", f"{count / 1e6:.1f} M", made]
        return reason is None, [*facts, state if reason is None else reason]

    def _task_reason(self, name: str, language: str) -> str | None:
        """Why this set cannot be had; None where it is here or can be fetched."""
        address, missing = task_source(name)
        if missing:
            return say("offer.needs", language, package=missing)
        return None if address is None or find_task(name).is_here else self._reason(address.url, language)

    def _backbone_reason(self, name: str, language: str) -> str | None:
        backbone = find_backbone(name)
        if weights_are_here(backbone):
            return None
        return self._reason("" if isinstance(backbone.weights, Path) else backbone.weights.url, language)

    def _reason(self, url: str, language: str) -> str | None:
        if url not in self._reasons:
            return say("offer.looking", language)
        return say("offer.away", language, reason=self._reasons[url]) if self._reasons[url] else None


def _table(columns: list[str], rows: list[tuple[bool, list[str]]]) -> str:
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr{'' if is_here else ' class=hs-away'}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for is_here, cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
