"""The tasks and backbones of one program."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.data.registry import TaskRegistry
from engine.models.registry import BackboneRegistry


@dataclass(frozen=True)
class Workspace:
    """The tasks and backbones of one program; made once, in app.py, a command or a test, and passed to the engine."""

    tasks: TaskRegistry = field(default_factory=TaskRegistry)
    backbones: BackboneRegistry = field(default_factory=BackboneRegistry)
