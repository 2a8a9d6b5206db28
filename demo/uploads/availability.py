"""Which picture sets and networks can be raced on this server now, and why the others cannot.

Without a network, connecting to a host takes seconds until it fails; they are checked in the background and cached.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from demo.i18n import labels
from demo.markup import Template
from engine import (
    Address,
    Reachability,
    Workspace,
    fact_sentence,
    obtainable,
    stages,
    translate,
    weights_are_here,
)

TEMPLATE = Template(Path(__file__).with_suffix(".html"))
CACHE_SECONDS = 60.0  # for which the results of the checks are kept
TASK_COLUMNS = ("title", "classes", "training", "heldout", "licence", "overlap", "here")
BACKBONE_COLUMNS = ("title", "input", "parameters", "weights", "here")


class Availability:
    """The picture sets and networks of a workspace, and whether each is available."""

    def __init__(
        self,
        workspace: Workspace,
        now: Callable[[], float] = time.monotonic,
        obstacle: Callable[[Address, Reachability], str] = obtainable,
    ) -> None:
        """`obstacle` checks a host: it returns the reason why a file cannot be downloaded, "" if it can."""
        self._tasks, self._backbones = workspace.tasks, workspace.backbones
        self._now, self._obstacle = now, obstacle
        self._reasons: dict[str, str] = {}  # url -> why its file cannot be downloaded; "" if it can
        self._checked: float | None = None  # time of the last check of all hosts
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Check every host that files would be downloaded from, unless that was done within CACHE_SECONDS.

        This takes seconds without a network. A second caller waits for the results of the first.
        """
        with self._lock:
            if self._checked is not None and self._now() - self._checked < CACHE_SECONDS:
                return
            weights = [self._backbones.find(name).weights for name in self._backbones.names()]
            sources = [self._tasks.source(name)[0] for name in self._tasks.names()]
            hosts = Reachability()
            addresses = [source for source in (*sources, *weights) if isinstance(source, Address)]
            for url, address in sorted({address.url: address for address in addresses}.items()):
                self._reasons[url] = self._obstacle(address, hosts)
            self._checked = self._now()

    def has_task(self, name: str, visitor_sets: tuple[str, ...] = ()) -> bool:
        """Whether a visitor whose uploaded sets are `visitor_sets` may race on this set now."""
        if name not in self._tasks.names() or (self._tasks.find(name).is_private and name not in visitor_sets):
            return False
        return self._task_reason(name, "en") is None

    def has_backbone(self, name: str) -> bool:
        """Whether this network can be raced now."""
        return name in self._backbones.names() and self._backbone_reason(name, "en") is None

    def tasks(self, visitor_sets: tuple[str, ...] = (), language: str = "en") -> list[tuple[str, str]]:
        """(label, name) of every set that can be raced on now, with those of the visitor's sets, `visitor_sets`."""
        choices = []
        for name in self._tasks.names():
            if self.has_task(name, visitor_sets):
                task = self._tasks.find(name)
                title = fact_sentence(task.title, language)
                title = translate("availability.yours", language, title=title) if task.is_private else title
                choices.append((translate("availability.classes", language, title=title, count=len(task.classes)), name))
        return choices

    def backbones(self, language: str = "en") -> list[tuple[str, str]]:
        """(label, name) of every network that can be raced now."""
        choices = []
        for name in self._backbones.names():
            if self.has_backbone(name):
                backbone = self._backbones.find(name)
                title = backbone.title
                title = translate("availability.own_weights", language, title=title) if backbone.is_own else title
                choices.append((f"{title} · {backbone.image_size} px", name))
        return choices

    def titles(self) -> dict[str, dict[str, str]]:
        """The titles of all public sets and all networks: {"task": {name: title}, "backbone": {name: title}}."""
        tasks = {name: self._tasks.find(name).title for name in self._tasks.names() if not self._tasks.find(name).is_private}
        return {"task": tasks, "backbone": {name: self._backbones.find(name).title for name in self._backbones.names()}}

    def table(self, language: str = "en") -> str:
        """The tables of public sets and networks, as markup. Rows that are not available are greyed, with the reason."""
        return TEMPLATE.render(
            title=translate("availability.title", language),
            task_columns=[translate(f"availability.tasks.{column}", language) for column in TASK_COLUMNS],
            tasks=[self._task_row(name, language) for name in self._tasks.names() if not self._tasks.find(name).is_private],
            backbone_columns=[translate(f"availability.networks.{column}", language) for column in BACKBONE_COLUMNS],
            networks=[self._backbone_row(name, language) for name in self._backbones.names()],
        )

    def _task_row(self, name: str, language: str) -> tuple[bool, list[str]]:
        task, reason = self._tasks.find(name), self._task_reason(name, language)
        state = translate("availability.here", language) if task.is_here else labels.to_fetch(task.size, language)
        title, about, licence = (fact_sentence(text, language) for text in (task.title, task.about, task.licence))
        overlap = fact_sentence(task.overlap, language) if task.overlap else translate("availability.none_known", language)
        facts = [f"{title}: {about}", str(len(task.classes)), f"{task.training:,}", f"{task.heldout:,}", licence, overlap]
        return reason is None, [*facts, state if reason is None else reason]

    def _backbone_row(self, name: str, language: str) -> tuple[bool, list[str]]:
        backbone, reason = self._backbones.find(name), self._backbone_reason(name, language)
        state = (
            translate("availability.here", language)
            if weights_are_here(backbone)
            else labels.to_fetch(backbone.size, language)
        )
        count = sum(stage.parameters for stage in stages(backbone, 10))
        pretraining = fact_sentence(backbone.pretraining, language)
        facts = [backbone.title, f"{backbone.image_size} px", f"{count / 1e6:.1f} M", pretraining]
        return reason is None, [*facts, state if reason is None else reason]

    def _task_reason(self, name: str, language: str) -> str | None:
        """Why this set is not available; None if it is here or can be downloaded."""
        address, missing = self._tasks.source(name)
        if missing:
            return translate("availability.needs", language, package=missing)
        return None if address is None or self._tasks.find(name).is_here else self._reason(address.url, language)

    def _backbone_reason(self, name: str, language: str) -> str | None:
        backbone = self._backbones.find(name)
        if weights_are_here(backbone):
            return None
        return self._reason(backbone.weights.url if isinstance(backbone.weights, Address) else "", language)

    def _reason(self, url: str, language: str) -> str | None:
        if url not in self._reasons:
            return translate("availability.looking", language)
        return translate("availability.away", language, reason=self._reasons[url]) if self._reasons[url] else None
