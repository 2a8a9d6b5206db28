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
from engine import backbone_names, find_backbone, find_task, obtainable, stages, task_names, task_source, weights_are_here

FRESH = 60.0  # seconds for which the hosts' answers are remembered


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

    def tasks(self, own: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """(what stands in the list, name) of every set that can be raced on here; `own` are this visitor's."""
        offered = []
        for name in task_names():
            task = find_task(name)
            if task.is_private and name not in own:
                continue
            if self._task_reason(name) is None:
                title = words.YOURS.format(title=task.title) if task.is_private else task.title
                offered.append((f"{title} · {len(task.classes)} classes", name))
        return offered

    def backbones(self) -> list[tuple[str, str]]:
        """(what stands in the list, name) of every network that can be raced with here."""
        offered = []
        for name in backbone_names():
            backbone = find_backbone(name)
            if self._backbone_reason(name) is None:
                title = words.OWN_WEIGHTS.format(title=backbone.title) if backbone.is_own else backbone.title
                offered.append((f"{title} · {backbone.px} px", name))
        return offered

    def table(self) -> str:
        """Everything there is, as markup; what is not to be had is greyed, with the reason."""
        return (
            f"<details class='hs-offer'><summary>{escape(words.EVERYTHING)}</summary><div>"
            f"{_table(words.TASK_COLUMNS, [self._task_row(n) for n in task_names() if not find_task(n).is_private])}"
            f"{_table(words.BACKBONE_COLUMNS, [self._backbone_row(name) for name in backbone_names()])}</div></details>"
        )

    def _task_row(self, name: str) -> tuple[bool, list[str]]:
        task, reason = find_task(name), self._task_reason(name)
        state = words.HERE if task.is_here else words.to_fetch(task.size)
        held = f"{task.heldout:,}"
        facts = [f"{task.title}: {task.about}", str(len(task.classes)), f"{task.training:,}", held, task.licence]
        return reason is None, [*facts, task.overlap or words.NONE_KNOWN, state if reason is None else reason]

    def _backbone_row(self, name: str) -> tuple[bool, list[str]]:
        backbone, reason = find_backbone(name), self._backbone_reason(name)
        state = words.HERE if weights_are_here(backbone) else words.to_fetch(backbone.size)
        count = sum(stage.parameters for stage in stages(name, 10))
        facts = [backbone.title, f"{backbone.px} px", f"{count / 1e6:.1f} M", backbone.pretraining]
        return reason is None, [*facts, state if reason is None else reason]

    def _task_reason(self, name: str) -> str | None:
        """Why this set cannot be had; None where it is here or can be fetched."""
        address, missing = task_source(name)
        if missing:
            return words.NEEDS.format(package=missing)
        return None if address is None or find_task(name).is_here else self._reason(address.url)

    def _backbone_reason(self, name: str) -> str | None:
        backbone = find_backbone(name)
        if weights_are_here(backbone):
            return None
        return self._reason("" if isinstance(backbone.weights, Path) else backbone.weights.url)

    def _reason(self, url: str) -> str | None:
        if url not in self._reasons:
            return words.LOOKING
        return words.AWAY.format(reason=self._reasons[url]) if self._reasons[url] else None


def _table(columns: tuple[str, ...], rows: list[tuple[bool, list[str]]]) -> str:
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr{'' if is_here else ' class=hs-away'}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for is_here, cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
